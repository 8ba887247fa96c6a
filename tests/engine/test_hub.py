"""The push hub as a process: limits, tokens that end, readers that do not read, and a Redis that is away."""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from tests.engine.test_streams import percents, put, watching
from tests.support.stack import Api, Stack, bearer
from tests.test_demo import children_of, is_running

ORIGIN = "https://app.example"


def streaming(client: httpx.AsyncClient, api: Api, user: str, path: str = "/jobs/events") -> httpx.Request:
    return client.build_request("GET", f"{api.url}/api/v1{path}", headers=bearer(user))


async def test_a_user_has_so_many_streams_and_others_are_not_held_up(stack: Stack, user: str) -> None:
    api = stack.start_api(HEADWAY_STREAMS_PER_USER="2", HEADWAY_STREAMS_PER_PROCESS="3")
    async with httpx.AsyncClient(timeout=10) as client:
        open_streams = [await client.send(streaming(client, api, user), stream=True) for _ in range(2)]
        one_more = await client.send(streaming(client, api, user))
        other = await client.send(streaming(client, api, "somebody else"), stream=True)
        too_many = await client.send(streaming(client, api, "a third"))
        assert [answer.status_code for answer in (*open_streams, other)] == [200, 200, 200]
        assert (one_more.status_code, too_many.status_code) == (429, 503)
        assert all(int(answer.headers["retry-after"]) > 0 for answer in (one_more, too_many))
        assert one_more.headers["content-type"] == "application/problem+json"
        await open_streams[0].aclose()
        while (again := await client.send(streaming(client, api, user), stream=True)).status_code != 200:
            await again.aclose()
        for answer in (*open_streams, other, again):
            await answer.aclose()


async def metrics_of(api: Api) -> str:
    async with httpx.AsyncClient(timeout=10) as client:
        return (await client.get(f"{api.url}/metrics")).text


async def test_a_stream_ends_with_its_token_and_says_so_before(stack: Stack, user: str) -> None:
    api = stack.start_api()
    headers = bearer(user, exp=int(time.time()) + 4)
    async with httpx.AsyncClient(timeout=60) as client, client.stream("GET", f"{api.url}/api/v1/jobs/events", headers=headers) as told:  # fmt: skip
        lines = [line async for line in told.aiter_lines()]
    assert "event: expiring" in lines


async def test_several_processes_share_a_port_and_end_together(stack: Stack, user: str) -> None:
    api = stack.start_api(HEADWAY_PROCESSES="2")
    stack.start_relay()
    workers = children_of(api.process.pid)
    assert len(workers) == 2
    before = {worker: connections_of(worker) for worker in workers}
    async with AsyncExitStack() as open_streams:
        watchers = [await open_streams.enter_async_context(watching(api, "/jobs/events", user)) for _ in range(16)]
        for watcher in watchers:
            await watcher.until(lambda told: "live" in [event.event for event in told.events])
        await put(stack, "job", user, 20, "completed")
        for watcher in watchers:
            await watcher.until(lambda told: 100 in percents(told))
        assert all(connections_of(worker) > before[worker] for worker in workers)
    api.process.send(signal.SIGTERM)
    assert await asyncio.to_thread(api.process.wait, 5) == 0
    assert [worker for worker in workers if is_running(worker)] == []


def connections_of(pid: int) -> int:
    """Return how many sockets a process holds."""
    held = [str(handle.readlink()) for handle in Path(f"/proc/{pid}/fd").iterdir() if handle.is_symlink()]
    return sum(name.startswith("socket:") for name in held)


async def test_the_head_says_that_nobody_may_store_or_guess(api: tuple[Stack, Api], user: str) -> None:
    server = api[1]
    async with httpx.AsyncClient(timeout=10) as client:
        answer = await client.send(streaming(client, server, user), stream=True)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert answer.headers["x-content-type-options"] == "nosniff"
        await answer.aclose()


async def test_only_listed_origins_may_ask_with_credentials(stack: Stack, user: str) -> None:
    api = stack.start_api(HEADWAY_CORS_ORIGINS=ORIGIN)
    async with httpx.AsyncClient(timeout=10) as client:
        for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
            request = streaming(client, api, user)
            request.headers["origin"] = origin
            answer = await client.send(request, stream=True)
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "Retry-After" in answer.headers["access-control-expose-headers"]
            await answer.aclose()


async def test_a_reader_who_does_not_read_is_cut_and_finds_the_newest_on_return(stack: Stack, user: str) -> None:
    api = stack.start_api()
    stack.start_relay()
    await put(stack, "job", user, 0)
    port = urlsplit(api.url).port or 0
    with socket.create_connection(("127.0.0.1", port)) as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        headers = f"Host: x\r\nAuthorization: {bearer(user)['Authorization']}\r\n\r\n"
        deaf.sendall(f"GET /api/v1/jobs/job/events HTTP/1.1\r\n{headers}".encode())
        async with watching(api, "/jobs/job/events", user) as watcher:
            await watcher.until(lambda told: bool(told.states))
            done = 0
            while "headway_send_timeouts_total 1.0" not in await metrics_of(api):
                done += 1
                await asyncio.to_thread(stack.put, "job", user, prompt="x" * 300_000, scenes_completed=done % 20)
            await put(stack, "job", user, 20, "completed")
            await watcher.until(lambda told: 204 in told.statuses)
    assert api.get("/jobs/job/events", user).text.count("event: done") == 1


@pytest.mark.parametrize("path", ["/jobs/job/events", "/jobs/events"])
async def test_a_frozen_redis_is_noticed_told_and_mended(stack: Stack, user: str, path: str) -> None:
    api = stack.start_api()
    stack.start_relay()
    await put(stack, "job", user, 1)
    async with watching(api, path, user) as watcher:
        await watcher.until(lambda told: 5 in percents(told))
        stack.redis.send(signal.SIGSTOP)
        try:
            await watcher.until(lambda told: "stale" in [event.event for event in told.events])
            await put(stack, "job", user, 10)
            await watcher.until(lambda told: 50 in percents(told))  # by the table, slower
            assert watcher.events[-1].event == "stale" or "stale" in [event.event for event in watcher.events[-2:]]
            async with watching(api, path, user) as late:
                await late.until(lambda told: 50 in percents(told))
        finally:
            stack.redis.send(signal.SIGCONT)
        await put(stack, "job", user, 20, "completed")
        await watcher.until(lambda told: 100 in percents(told))
    shown = percents(watcher)
    assert shown == sorted(shown)


@pytest.mark.parametrize("path", ["/jobs/job/events", "/jobs/events"])
async def test_bars_move_by_the_table_on_a_process_that_started_without_redis(
    stack: Stack, user: str, path: str
) -> None:
    stack.redis.stop()
    api = stack.start_api()
    await put(stack, "job", user, 1)
    async with watching(api, path, user) as watcher:
        await watcher.until(lambda told: 5 in percents(told))
        assert "stale" in [event.event for event in watcher.events]
        await put(stack, "job", user, 10)
        await watcher.until(lambda told: 50 in percents(told))


@pytest.mark.parametrize("open_streams", [0, 3])
async def test_sigterm_ends_the_process_while_redis_is_away(stack: Stack, user: str, open_streams: int) -> None:
    api = stack.start_api()
    await put(stack, "job", user, 1)
    async with httpx.AsyncClient(timeout=30) as client:
        answers = [await client.send(streaming(client, api, user), stream=True) for _ in range(open_streams)]
        stack.redis.stop()
        while (await client.get(f"{api.url}/health/ready")).json()["status"] != "degraded":
            pass
        api.process.send(signal.SIGTERM)
        assert await asyncio.to_thread(api.process.wait, 5) == 0
        for answer in answers:
            assert (await answer.aread()).rstrip().endswith(b": bye, come back")


async def test_sigterm_ends_the_process_though_dynamodb_never_answers_and_asks_to_come_again(
    stack: Stack, user: str
) -> None:
    async with silent() as (url, asked):
        api = stack.start_api(AWS_ENDPOINT_URL_DYNAMODB=url)
        async with httpx.AsyncClient(timeout=30) as client:
            paths = ("/jobs", "/jobs/job", "/jobs/job/events", "/jobs/events")
            waiting = [asyncio.ensure_future(client.send(streaming(client, api, user, path))) for path in paths]
            for _ in paths:
                await asked.get()
            api.process.send(signal.SIGTERM)
            answers = await asyncio.gather(*waiting)
        assert await asyncio.to_thread(api.process.wait, 5) == 0
    assert [answer.status_code for answer in answers] == [503] * 4
    assert all(int(answer.headers["retry-after"]) > 0 for answer in answers)


@asynccontextmanager
async def silent() -> AsyncIterator[tuple[str, asyncio.Queue[bytes]]]:
    """Give the address of a server that never answers, and what it was asked."""
    asked: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(2**16):
            asked.put_nowait(data)
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
