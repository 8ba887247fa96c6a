"""Invariants 1 to 3: what watchers are told, whatever dies meanwhile."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest

from streams.jobs.state import Version
from tests.support.stack import Api, Stack, bearer
from tests.support.watcher import Watcher
from tests.support.within import channel, until_stored


@asynccontextmanager
async def watching(api: Api, path: str, user: str) -> AsyncIterator[Watcher]:
    """Follow a stream for as long as the test wants."""
    watcher = Watcher(f"{api.url}/api/v1{path}", bearer(user))
    task = asyncio.ensure_future(watcher.run())
    try:
        yield watcher
    finally:
        task.cancel()


async def put(stack: Stack, job_id: str, user: str, done: int, status: str = "processing") -> None:
    await asyncio.to_thread(stack.put, job_id, user, status=status, scenes_completed=done, scenes_total=20)


def percents(watcher: Watcher) -> list[int]:
    return [state["progress_percent"] for state in watcher.states]


def has_shown(percent: int, watcher: Watcher) -> bool:
    return percent in percents(watcher)


def never_went_back(watcher: Watcher) -> bool:
    versions = [Version.parse(event.id) for event in watcher.events if event.id and "table" not in event.id]
    shown = percents(watcher)
    return versions == sorted(versions) and shown == sorted(shown)


async def test_a_watcher_sees_every_rest_of_the_way_and_the_end(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    job_id = f"job of {user}"
    await put(stack, job_id, user, 0)
    async with watching(server, f"/jobs/{job_id}/events", user) as watcher:
        for done in (5, 10, 20):
            await put(stack, job_id, user, done)
            await watcher.until(partial(has_shown, min(99, 5 * done)))
        await put(stack, job_id, user, 20, "completed")
        await watcher.until(lambda told: 204 in told.statuses)
    assert percents(watcher)[-1] == 100
    assert never_went_back(watcher)
    assert [event.event for event in watcher.events].count("done") == 1


async def test_a_final_state_seen_is_answered_with_204(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    await put(stack, user, user, 20, "completed")
    async with watching(server, f"/jobs/{user}/events", user) as watcher:
        await watcher.until(lambda told: 204 in told.statuses)
    assert [event.event for event in watcher.events][-1] == "done"


async def test_a_final_state_seen_before_its_version_was_known_is_answered_with_204(stack: Stack, user: str) -> None:
    api = stack.start_api()
    await put(stack, user, user, 20, "completed")
    async with watching(api, f"/jobs/{user}/events", user) as watcher:
        await watcher.until(lambda told: 204 in told.statuses)
    done = next(event for event in watcher.events if event.event == "done")
    assert done.id.startswith("table-")
    stack.start_relay()
    async with channel(stack) as connected:
        await until_stored(connected, user, user)
    for process in (api, stack.start_api()):
        headers = bearer(user) | {"Last-Event-ID": done.id}
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{process.url}/api/v1/jobs/{user}/events", headers=headers)).status_code == 204


async def test_a_deleted_job_ends_its_stream(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    await put(stack, user, user, 1)
    async with watching(server, f"/jobs/{user}/events", user) as watcher:
        await watcher.until(lambda told: bool(told.states))
        await asyncio.to_thread(stack.delete, user)
        await watcher.until(lambda told: 404 in told.statuses)
    assert [event.event for event in watcher.events][-1] == "deleted"


async def test_a_job_that_a_writer_spoils_is_gone_for_its_watchers_as_it_is_for_rest(
    api: tuple[Stack, Api], user: str
) -> None:
    stack, server = api
    await put(stack, user, user, 1)
    async with watching(server, f"/jobs/{user}/events", user) as one, watching(server, "/jobs/events", user) as every:
        await one.until(lambda told: bool(told.states))
        await every.until(lambda told: bool(told.states))
        await asyncio.to_thread(stack.put, user, user, updated_at="2026-11-27")
        await one.until(lambda told: 404 in told.statuses)
        await every.until(lambda told: "deleted" in [event.event for event in told.events])
        await put(stack, user, user, 2)
        await every.until(partial(has_shown, 10))
    assert [event.event for event in one.events][-1] == "deleted"


async def test_all_jobs_are_told_on_one_stream(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    jobs = [f"{user} {number}" for number in range(3)]
    await put(stack, jobs[0], user, 4)
    async with watching(server, "/jobs/events", user) as watcher:
        await watcher.until(lambda told: "live" in [event.event for event in told.events])
        for job_id in jobs[1:]:
            await put(stack, job_id, user, 20, "completed")
        await watcher.until(lambda told: {state["job_id"] for state in told.states} == set(jobs))
        await put(stack, jobs[0], user, 20, "failed")
        await watcher.until(lambda told: told.states[-1]["status"] == "failed")
    assert set(watcher.statuses) == {200}


async def test_a_job_that_ended_while_the_client_was_away_is_told(api: tuple[Stack, Api], user: str) -> None:
    stack, server = api
    await put(stack, user, user, 4)
    async with watching(server, "/jobs/events", user) as before:
        await before.until(lambda told: any("@" in event.id for event in told.events))
    await put(stack, user, user, 20, "completed")
    async with watching(server, f"/jobs/{user}/events", user) as single:  # until it was relayed
        await single.until(lambda told: 204 in told.statuses)
    back = Watcher(before.url, bearer(user) | {"Last-Event-ID": before.events[-1].id})
    task = asyncio.ensure_future(back.run())
    await back.until(lambda told: any(state["status"] == "completed" for state in told.states))
    task.cancel()


@pytest.mark.parametrize("path", ["/jobs/{}/events", "/jobs/events"])
async def test_the_end_reaches_watchers_though_the_relay_is_killed(stack: Stack, user: str, path: str) -> None:
    api = stack.start_api()
    relay = stack.start_relay()
    await put(stack, "job", user, 1)
    async with watching(api, path.format("job"), user) as watcher:
        await watcher.until(lambda told: 5 in percents(told))
        await put(stack, "job", user, 2)
        await watcher.until(lambda told: 10 in percents(told))
        relay.send(signal.SIGKILL)
        relay.wait(5)
        for done in range(3, 20):
            await put(stack, "job", user, done)
        await put(stack, "job", user, 20, "completed")
        stack.start_relay()
        await watcher.until(lambda told: 100 in percents(told))
    shown = percents(watcher)
    assert shown == sorted(shown)


@pytest.mark.parametrize("path", ["/jobs/{}/events", "/jobs/events"])
async def test_the_end_reaches_watchers_though_redis_is_restarted(stack: Stack, user: str, path: str) -> None:
    api = stack.start_api()
    stack.start_relay()
    await put(stack, "job", user, 1)
    async with watching(api, path.format("job"), user) as watcher:
        await watcher.until(lambda told: 5 in percents(told))
        stack.redis.stop()
        await watcher.until(lambda told: "stale" in [event.event for event in told.events])
        await put(stack, "job", user, 20, "completed")
        stack.start_redis()
        await watcher.until(lambda told: 100 in percents(told))
    shown = percents(watcher)
    assert shown == sorted(shown)


async def test_every_record_since_the_checkpoint_is_published_again_after_a_kill(stack: Stack, user: str) -> None:
    """Invariant 3: what Redis never took is not behind the checkpoint."""
    api = stack.start_api()
    relay = stack.start_relay()
    await put(stack, "before", user, 1)
    async with watching(api, "/jobs/events", user) as watcher:
        await watcher.until(lambda told: bool(told.states))
        stack.redis.stop()
        for number in range(5):
            await put(stack, f"meanwhile {number}", user, 20, "completed")
        relay.send(signal.SIGKILL)
        relay.wait(5)
        stack.start_redis()
        stack.start_relay()
        await watcher.until(lambda told: len({state["job_id"] for state in told.states}) == 6)


async def test_sigterm_ends_every_stream_at_once_and_cleanly(stack: Stack, user: str) -> None:
    api = stack.start_api()
    stack.start_relay()
    await put(stack, "job", user, 1)
    async with watching(api, "/jobs/job/events", user) as watcher, watching(api, "/jobs/events", user) as all_jobs:
        await watcher.until(lambda told: bool(told.states))
        await all_jobs.until(lambda told: bool(told.states))
        api.process.send(signal.SIGTERM)
        assert await asyncio.to_thread(api.process.wait, 5) == 0
        await put(stack, "job", user, 20, "completed")
        stack.start_api(port=int(api.url.rsplit(":", 1)[1]))
        await watcher.until(lambda told: 204 in told.statuses)
        await all_jobs.until(lambda told: 100 in percents(told))
    assert never_went_back(watcher)
