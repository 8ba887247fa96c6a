"""A hub at moments that no process can be brought to from outside: its feed breaks while a stream is read for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from api.auth.callers import Caller
from api.push.hub import Hub, Limits
from api.push.reader import Snapshot, StateReader
from api.push.stream import Stream
from streams.channel.channel import Channel, connect_redis
from streams.jobs.state import State, Version
from tests.support.listening import change
from tests.support.stack import Stack

CALLER = Caller("ann")
STATE = State("job", "update", "processing", 1, b"{}", Version(1, 1), 5)


class Held(StateReader):
    """Says what was true before the break, when it is let."""

    def __init__(self, table: Any, channel: Channel) -> None:
        super().__init__(table, channel)
        self.channel = channel
        self.asked = asyncio.Event()
        self.let = asyncio.Event()

    async def of_user(self, user_id: str, since: int | None) -> Snapshot:  # noqa: ARG002
        self.asked.set()
        await self.let.wait()
        return Snapshot([STATE], set(), 5)

    async def of_one(self, user_id: str, job_id: str) -> State:  # noqa: ARG002
        return STATE


@asynccontextmanager
async def hub_of(stack: Stack) -> AsyncIterator[tuple[Hub, Held]]:
    redis = connect_redis(stack.environment["HEADWAY_REDIS_URL"])
    channel = Channel(redis)
    reader = Held(None, channel)
    async with Hub(redis, reader, Limits(9, 9)).running() as hub:
        await hub.until_whole(10)
        yield hub, reader
    await channel.close()


async def until_broken(hub: Hub) -> None:
    async with asyncio.timeout(20):
        while hub.is_whole:  # noqa: ASYNC110 - nobody is told but the streams
            await asyncio.sleep(0.01)


async def test_a_stream_that_opens_while_the_feed_breaks_says_so_after_it_was_live(stack: Stack) -> None:
    async with hub_of(stack) as (hub, reader):
        subscription = hub.join_all(CALLER, ())
        opening = asyncio.ensure_future(hub.open_all(subscription, ""))
        await reader.asked.wait()
        stack.redis.stop()
        await until_broken(hub)
        reader.let.set()
        await opening
        told = subscription.mailbox.take()
        hub.leave_all(subscription)
    assert b"event: update" in told
    assert told.rindex(b"event: stale") > told.rindex(b"event: live")


class Recorder(asyncio.Transport):
    """A connection that keeps what had been noted of the feed when it was written to."""

    def __init__(self, hub: Hub) -> None:
        super().__init__()
        self.noted: list[int] = []
        self.written = asyncio.Event()
        self._hub = hub

    def write(self, data: Any) -> None:
        if b'"n":2' in data:
            self.noted.append(self._hub.counts.events)
            self.written.set()


async def test_how_long_it_took_is_noted_when_it_was_written(stack: Stack) -> None:
    async with hub_of(stack) as (hub, reader):
        subscription = hub.join(CALLER, "job", "")
        await hub.open(subscription)
        recorder = Recorder(hub)
        Stream(
            subscription.mailbox, hub.outbox, hub.counts, "a request", lambda: hub.leave(subscription)
        ).connection_made(recorder)
        unwatched, watched = (change("ann", 2, job_id) for job_id in ("another job", "job"))
        await reader.channel.publish([unwatched, watched])  # in one piece
        async with asyncio.timeout(10):
            await recorder.written.wait()
        assert recorder.noted == [0]
        hub.leave(subscription)
