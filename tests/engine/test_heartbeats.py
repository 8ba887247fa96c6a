"""Invariant 7, the other half of the way: relays that are dead, elsewhere or behind are noticed and told, and bars move."""

import asyncio
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import json

from streams.table.schema import create_tables
from tests.engine.test_streams import has_shown, put, watching
from tests.support.stack import Api, Stack
from tests.support.watcher import Watcher
from workers.demo.engines import free_port, start_valkey

PATHS = pytest.mark.parametrize("path", ["/jobs/job/events", "/jobs/events"])


def stale_of(watcher: Watcher) -> list[dict[str, Any]]:
    return [json.decode(event.data) for event in watcher.events if event.event == "stale"]


def has_reason(reason: str, watcher: Watcher) -> bool:
    return reason in [told["reason"] for told in stale_of(watcher)]


def is_live(watcher: Watcher) -> bool:
    """Whether the last that was told of the feed is that it is whole."""
    told = [event.event for event in watcher.events]
    return bool(told) and told[-1] != "stale"


async def readiness(api: Api, wanted: str | None = None) -> dict[str, Any]:
    """Return what a process says of itself, once it says what is wanted; it never stops to serve."""
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while True:
            answer = await client.get(f"{api.url}/health/ready")
            assert answer.status_code == 200
            body: dict[str, Any] = answer.json()
            if wanted in {None, body["status"]}:
                return body


@PATHS
async def test_dead_relays_are_told_bars_move_by_the_table_and_a_new_relay_mends(
    stack: Stack, user: str, path: str
) -> None:
    relay, api = stack.start_relay(), stack.start_api()
    await put(stack, "job", user, 1)
    async with watching(api, path, user) as watcher:
        await watcher.until(partial(has_shown, 5))
        await readiness(api, "ready")
        assert not stale_of(watcher)
        relay.send(signal.SIGKILL)
        killed = time.monotonic()
        await watcher.until(partial(has_reason, "no_relay"))
        assert time.monotonic() - killed < 6
        assert (await readiness(api, "degraded"))["feed"]["reason"] == "no_relay"
        await put(stack, "job", user, 10)
        await watcher.until(partial(has_shown, 50))
        await watcher.until(lambda told: not is_live(told))
        async with watching(api, path, user) as late:
            await late.until(lambda told: has_reason("no_relay", told) and has_shown(50, told))
        stack.start_relay()
        await watcher.until(is_live)
        await readiness(api, "ready")
        await put(stack, "job", user, 20, "completed")
        await watcher.until(partial(has_shown, 100))


@PATHS
async def test_the_end_is_told_though_every_relay_is_dead(stack: Stack, user: str, path: str) -> None:
    relay, api = stack.start_relay(), stack.start_api()
    await put(stack, "job", user, 1)
    async with watching(api, path, user) as watcher:
        await watcher.until(partial(has_shown, 5))
        relay.send(signal.SIGKILL)
        await put(stack, "job", user, 20, "completed")
        await watcher.until(partial(has_shown, 100))


async def test_a_relay_on_another_redis_is_missed(stack: Stack, user: str, tmp_path: Path) -> None:
    port, directory = free_port(), tmp_path / "elsewhere"
    directory.mkdir()
    elsewhere = start_valkey(port, directory)
    try:
        stack.start_relay(HEADWAY_REDIS_URL=f"redis://127.0.0.1:{port}/0")
        api = stack.start_api()
        await put(stack, "job", user, 1)
        async with watching(api, "/jobs/job/events", user) as watcher:
            await watcher.until(partial(has_reason, "no_relay"))
    finally:
        elsewhere.stop()


async def test_a_relay_of_another_table_is_missed(stack: Stack) -> None:
    stack.start_relay()
    api = stack.start_api()
    other = stack.start_api(HEADWAY_HEARTBEATS="off")
    await readiness(api, "ready")
    assert await readiness(other) == {"status": "ready"}
    elsewhere = f"{stack.table}-of-others"
    create_tables(stack.client, elsewhere, stack.leases)
    lost = stack.start_api(HEADWAY_TABLE=elsewhere)
    assert (await readiness(lost, "degraded"))["feed"]["reason"] == "no_relay"


async def test_a_hand_over_to_a_peer_is_not_told(stack: Stack, user: str) -> None:
    relays = [stack.start_relay()]
    api = stack.start_api()
    await put(stack, "job", user, 1)
    async with watching(api, "/jobs/events", user) as watcher:
        await watcher.until(partial(has_shown, 5))
        for done in range(2, 6):
            relays.append(stack.start_relay())
            relays[-2].send(signal.SIGTERM)
            assert await asyncio.to_thread(relays[-2].wait, 5) == 0
            await put(stack, "job", user, done)
            await watcher.until(partial(has_shown, 5 * done))
    assert not stale_of(watcher)


async def test_a_relay_that_starts_after_the_api_makes_the_feed_live(stack: Stack, user: str) -> None:
    api = stack.start_api()
    await put(stack, "job", user, 1)
    async with watching(api, "/jobs/events", user) as watcher:
        await watcher.until(partial(has_reason, "no_relay"))
        stack.start_relay()
        await watcher.until(is_live)
