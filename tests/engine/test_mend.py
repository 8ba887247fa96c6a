"""What was lost is told from the table: after a gap, and where one stream took the place of another."""

import asyncio
import time
from typing import Any

import pytest

from streams.channel.channel import Outcome
from streams.feed.leases import Leases
from streams.jobs.change import Change
from streams.jobs.job import Job
from streams.jobs.state import Version, state_of
from streams.table.table import Table
from tests.support.stack import Stack
from tests.support.within import channel, tables, until_stored
from workers.relay.mend import mend
from workers.relay.relay import Relay

SECONDS = 60  # at most, for a gap to be mended


@pytest.fixture(autouse=True)
def _environment(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """botocore finds credentials where it always does."""
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)


async def test_what_was_lost_is_told_from_the_table_and_nothing_else_is(stack: Stack, user: str) -> None:
    def job(job_id: str, done: int, owner: str = user) -> Job:
        return Job(
            job_id=job_id, user_id=owner, status="processing", created_at=1, updated_at=int(time.time()), scenes_completed=done
        )  # fmt: skip

    heir = f"{user}'s heir"
    in_table = (("ended", user, "completed"), ("moved", user, "processing"), ("new", user, "pending"),
                ("same", user, "failed"), ("handed over", heir, "processing"))  # fmt: skip
    async with tables(stack) as connected, channel(stack) as redis:
        for job_id, owner, status in in_table:
            await asyncio.to_thread(stack.put, job_id, owner, status=status, scenes_completed=2)
        stored = await Table(connected, stack.table).get("same")
        assert stored
        shown = [job("ended", 1), job("moved", 1), stored, job("deleted", 1), job("handed over", 1)]
        await redis.publish([Change(user, state_of(job, Version(5, 100))) for job in shown])
        leases = Leases(connected, stack.leases, "stream")
        unused: Any = None
        parts = Relay(unused, redis, leases, unused, Table(connected, stack.table), 5)
        await mend(parts, asyncio.Event(), settle=0.1)
        names = [(user, name) for name in ("ended", "moved", "new", "same", "deleted", "handed over")]
        latest = await redis.latest_by_job([*names, (heir, "handed over")])
        assert {name: (state.kind, str(state.version)) for name, state in latest.items()} == {
            (user, "ended"): ("done", "5-101"),
            (user, "moved"): ("update", "5-101"),
            (user, "new"): ("update", "5-0"),
            (user, "same"): ("done", "5-100"),
            (user, "deleted"): ("deleted", "5-101"),
            (user, "handed over"): ("deleted", "5-101"),
            (heir, "handed over"): ("update", "5-0"),
        }
        assert await redis.publish([Change(user, state_of(job("new", 3), Version(5, 1)))]) == [Outcome.PUBLISHED]
        await mend(parts, asyncio.Event(), settle=0.1)
        assert (await redis.latest_by_job(names))[user, "deleted"] == latest[user, "deleted"]


async def test_every_job_whose_state_is_kept_is_found_whatever_its_user_is_called(stack: Stack) -> None:
    names = [("a%{b}", "job"), ("%7B", "job:job:x"), ("ä é", "{job}\nof two lines"), ("u}:job:", "x")]
    async with channel(stack) as redis:
        for number, (user_id, job_id) in enumerate(names):
            job = Job(job_id=job_id, user_id=user_id, status="pending", created_at=1, updated_at=1)
            await redis.publish([Change(user_id, state_of(job, Version(1, number)))])
        found = [name async for some in redis.known() for name in some]
        assert sorted(found) == sorted(names)


def switch_stream(stack: Stack, *, on: bool) -> None:
    view = {"StreamViewType": "NEW_AND_OLD_IMAGES"} if on else {}
    stack.client.update_table(TableName=stack.table, StreamSpecification={"StreamEnabled": on, **view})


def change_between_two_streams(stack: Stack, user: str) -> None:
    switch_stream(stack, on=False)
    stack.put("between", user)
    stack.delete("deleted between")
    switch_stream(stack, on=True)
    stack.put("after", user)


async def is_relayed_though_the_stream_is_replaced(stack: Stack, user: str, *, relay_runs: bool) -> None:
    relay = stack.start_relay()
    for job_id in ("before", "deleted between"):
        await asyncio.to_thread(stack.put, job_id, user)
    async with channel(stack) as redis:
        await until_stored(redis, user, "deleted between")
        if not relay_runs:
            await asyncio.to_thread(relay.stop)
        await asyncio.to_thread(change_between_two_streams, stack, user)
        if not relay_runs:
            stack.start_relay()
        await until_stored(redis, user, "after", SECONDS)
        await until_stored(redis, user, "between", SECONDS)
        await until_stored(redis, user, "deleted between", SECONDS, "deleted")


async def test_what_fell_between_two_streams_of_the_table_is_told(stack: Stack, user: str) -> None:
    await is_relayed_though_the_stream_is_replaced(stack, user, relay_runs=True)


async def test_a_stream_that_was_replaced_while_no_relay_ran_is_mended_too(stack: Stack, user: str) -> None:
    await is_relayed_though_the_stream_is_replaced(stack, user, relay_runs=False)
