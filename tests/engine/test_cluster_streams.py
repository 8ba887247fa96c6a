"""Relay and api on a real Redis Cluster: watchers are told, whichever node their jobs are on, whatever dies."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from redis.crc import key_slot

from streams.channel.channel import channel_of
from tests.engine.test_streams import has_shown, percents, put, watching
from tests.support.cluster import Cluster, cluster_in
from tests.support.stack import Api, Stack, running
from tests.support.watcher import Watcher

USERS = [f"user {number}" for number in range(9)]


@pytest.fixture
def whole(aws: dict[str, str], tmp_path: Path) -> Iterator[tuple[Stack, Api, Cluster]]:
    """A Headway of the test's own on three nodes."""
    with cluster_in(tmp_path) as cluster, running(aws, tmp_path) as stack:
        stack.start_relay(HEADWAY_REDIS_URL=cluster.url)
        yield stack, stack.start_api(HEADWAY_REDIS_URL=cluster.url), cluster


@asynccontextmanager
async def all_watching(stack: Stack, api: Api) -> AsyncIterator[list[Watcher]]:
    """Two streams for each user, one of the job and one of all jobs, all past their opening."""
    paths = [(path, user) for user in USERS for path in (f"/jobs/{user}/events", "/jobs/events")]
    async with AsyncExitStack() as open_streams:
        for user in USERS:
            await put(stack, user, user, 1)
        watchers = [await open_streams.enter_async_context(watching(api, path, user)) for path, user in paths]
        for watcher in watchers:
            await watcher.until(lambda told: has_shown(5, told))
        yield watchers


async def finish_all(stack: Stack) -> None:
    for user in USERS:
        await put(stack, user, user, 20, "completed")


async def all_told(watchers: list[Watcher]) -> None:
    for watcher in watchers:
        await watcher.until(lambda told: has_shown(100, told), 60)
        assert percents(watcher) == sorted(percents(watcher))


async def test_everyone_is_told_of_every_state(whole: tuple[Stack, Api, Cluster]) -> None:
    stack, api, cluster = whole
    assert len({cluster.owner_of(channel_of(user)).port for user in USERS}) == 3
    async with all_watching(stack, api) as watchers:
        for user in USERS:
            await put(stack, user, user, 10)
        for watcher in watchers:
            await watcher.until(lambda told: has_shown(50, told))
        await finish_all(stack)
        await all_told(watchers)
        assert not any(event.event == "stale" for watcher in watchers for event in watcher.events)


async def test_the_end_reaches_everyone_though_a_node_is_killed(whole: tuple[Stack, Api, Cluster]) -> None:
    stack, api, cluster = whole
    async with all_watching(stack, api) as watchers:
        cluster.members[1].process.send(signal.SIGKILL)
        cluster.members[1].process.wait(5)
        await finish_all(stack)
        for watcher in watchers[1::2]:
            await watcher.until(lambda told: any(event.event == "stale" for event in told.events))
        cluster.members[1].start()
        await all_told(watchers)


async def test_the_end_reaches_everyone_though_slots_move_meanwhile(whole: tuple[Stack, Api, Cluster]) -> None:
    stack, api, cluster = whole
    async with all_watching(stack, api) as watchers:
        finishing = asyncio.ensure_future(finish_all(stack))
        for user in USERS[::2]:
            slot = key_slot(channel_of(user))
            source = cluster.owner_of(channel_of(user))
            target = next(member for member in cluster.members if member is not source)
            for step in (cluster.begin_to_move, cluster.move_keys, cluster.finish_to_move):
                await asyncio.to_thread(step, slot, target)
        await finishing
        await all_told(watchers)
