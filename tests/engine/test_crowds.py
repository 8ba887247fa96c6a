"""Thousands of watchers: a process that stops under them, and one that is killed and stormed when it is back."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle

import pytest

from tests.engine.test_hub import metrics_of
from tests.engine.test_streams import put, watching
from tests.support.counting_proxy import counting_proxy
from tests.support.crowd import Member, many_files, until_all
from tests.support.stack import Api, Stack, bearer

JOBS = [f"job {number}" for number in range(20)]
ROOM = {"HEADWAY_STREAMS_PER_USER": "20000"}


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    with many_files():
        yield


class Place:
    """Where the watchers come to."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def port(self) -> int:
        return int(self.api.url.rpartition(":")[2])


def path_of(job_id: str) -> str:
    return f"/jobs/{job_id.replace(' ', '%20')}/events"


@asynccontextmanager
async def running(members: Sequence[Member]) -> AsyncIterator[None]:
    """Let them watch for as long as the test wants."""
    tasks = [asyncio.ensure_future(member.run()) for member in members]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def put_all(stack: Stack, user: str, done: int, status: str = "processing") -> None:
    for job_id in JOBS:
        await put(stack, job_id, user, done, status)


def jobs_told(member: Member, status: str) -> int:
    return len({state["job_id"] for state in member.states if state["status"] == status})


async def test_sigterm_under_a_thousand_streams_ends_all_cleanly_and_they_miss_nothing(stack: Stack, user: str) -> None:
    first, second = stack.start_api(None, **ROOM), stack.start_api(None, **ROOM)
    stack.start_relay()
    await put_all(stack, user, 1)
    place = Place(first)
    ones = [Member(n, path_of(JOBS[n % len(JOBS)]), bearer(user), place.port) for n in range(900)]
    alls = [Member(n, "/jobs/events", bearer(user), place.port) for n in range(100)]
    async with running([*ones, *alls]):
        await until_all(ones, lambda member: jobs_told(member, "processing") == 1)
        await until_all(alls, lambda member: jobs_told(member, "processing") == len(JOBS))
        place.api = second
        first.process.send(signal.SIGTERM)
        await put_all(stack, user, 10)  # while they are away
        assert await asyncio.to_thread(first.process.wait, 10) == 0
        await put_all(stack, user, 20, "completed")
        await until_all(ones, lambda member: 204 in member.statuses)
        await until_all(alls, lambda member: jobs_told(member, "completed") == len(JOBS))
    for member in (*ones, *alls):
        assert member.farewells[0] == b": bye, come back\n\n"
        assert member.lost == 0
        assert member.never_went_back
    assert {member.states[-1]["status"] for member in ones} == {"completed"}


async def ids_of(api: Api, user: str) -> dict[str, str]:
    """Return the id of each job's state, as those know it who watched it until now."""
    ids = {}
    for job_id in JOBS:
        async with watching(api, path_of(job_id), user) as watcher:
            await watcher.until(lambda told: any("table" not in event.id for event in told.events))
        ids[job_id] = watcher.events[-1].id
    return ids


@pytest.mark.timeout(400)
async def test_a_storm_of_five_thousand_who_come_back_costs_one_read_each_and_misleads_nobody(
    stack: Stack, user: str
) -> None:
    stack.start_relay()
    await put_all(stack, user, 1)
    async with counting_proxy(stack.aws["AWS_ENDPOINT_URL"]) as (url, counts):
        place = Place(stack.start_api(None, AWS_ENDPOINT_URL_DYNAMODB=url, **ROOM))
        ids = await ids_of(place.api, user)
        counts.clear()
        storm = [
            Member(n, path_of(job_id), bearer(user), place.port, ids[job_id])
            for n, job_id in zip(range(5000), cycle(JOBS), strict=False)
        ]
        async with running(storm):
            for done in range(2, 10):
                await put_all(stack, user, done)
            await until_all(
                storm, lambda member: bool(member.states) and member.states[-1]["scenes_completed"] == 9, 200
            )
            assert 5000 <= counts.total() <= 5000 + 10 * len(JOBS)  # what is in doubt is read once more for all
            await put_all(stack, user, 20, "completed")
            await until_all(storm, lambda member: jobs_told(member, "completed") == 1)
        assert all(member.never_went_back and member.statuses[0] == 200 for member in storm)
        while "headway_streams 0.0" not in (told := await metrics_of(place.api)):
            pass
    assert "headway_feed_whole 1.0" in told
    assert "headway_send_timeouts_total 0.0" in told
