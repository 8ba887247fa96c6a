"""The list: 20 of 1,000 jobs, with and without a status that 1 % have, against boto3 alone and a naive handler."""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import Struct

from bench.report import Report, p50_p99
from streams.channel import Channel, connect_redis
from streams.job import Job
from streams.record import Change
from streams.state import Version, state_of
from tests import dynamodb_local
from tests.stack import Api, Stack, bearer
from workers.engines import Process, free_port, local_aws, start_ministack

USER = "bench"
JOBS = 1_000
REQUESTS = 100
AT_ONCE = 8
WARM_UP = 10
TICK = os.sysconf("SC_CLK_TCK")
EVENTS = 400
EVERY = 0.02  # seconds between two events
WATCHED = "watched"

QUERIES = {"20 of 1,000": "?page_size=20", "20 of 1,000, status of 1 %": "?page_size=20&status=failed"}


class Measured(Struct, frozen=True):
    """What one way of listing took: seconds of each request one by one, requests per second, CPU seconds per request."""

    alone: list[float]
    rate: float
    cpu: float | None


def run() -> Report:
    """Measure all ways in one run, on one table."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        directory = Path(name)
        port = free_port()
        engine, start = _engine()
        stopping.callback(start(port, directory).stop)
        stack = Stack(local_aws(port), directory, stopping)
        stack.start_redis()
        _fill(stack)
        api, naive = stack.start_api(), _naive(stack)
        rows = [row for query in QUERIES for row in _compare(stack, api, naive, query)]
        idle, busy = asyncio.run(_watch_twice(stack, api))
    return Report(
        f"The list: {JOBS:,} jobs of a user, on {engine}",
        ["list", "by", "p50", "p99", f"requests/s, {AT_ONCE} at once", "CPU of the process per request", "to naive's"],
        rows,
        f"{REQUESTS} requests each way, one after the other, then {AT_ONCE} at once. The naive handler reads one page, "
        "filters it after the limit and does not count; boto3 alone does the same query and answers nobody. "
        f"CPU is user + system time from /proc.\n\nA watcher beside it, an event every {EVERY * 1000:.0f} ms, from Redis "
        f"to the client: {idle}; while {AT_ONCE} callers list without a pause: {busy}.",
    )


def _engine() -> tuple[str, Callable[[int, Path], Process]]:
    """DynamoDB Local where Java is found: ministack's own time for a query grows with what it filters."""
    if dynamodb_local.missing():
        return "ministack", start_ministack
    return "DynamoDB Local", dynamodb_local.start


def _compare(stack: Stack, api: Api, naive: Api, query: str) -> list[list[str]]:
    bare = asyncio.run(_measure(_bare(stack, query), None))
    slow = asyncio.run(_over_http(naive, QUERIES[query]))
    ours = asyncio.run(_over_http(api, QUERIES[query]))
    named = {"boto3 alone": bare, "naive handler": slow, "Headway": ours}
    return [[query, name, *_cells(measured, slow)] for name, measured in named.items()]


def _cells(measured: Measured, naive: Measured) -> list[str]:
    times = [f"{seconds * 1000:.1f} ms" for seconds in p50_p99(measured.alone)]
    if measured.cpu is None or naive.cpu is None:
        return [*times, f"{measured.rate:.0f}", "-", "-"]
    return [*times, f"{measured.rate:.0f}", f"{measured.cpu * 1000:.2f} ms", f"{measured.cpu / naive.cpu:.2f}"]


async def _over_http(api: Api, query: str) -> Measured:
    async with aiohttp.ClientSession(headers=bearer(USER)) as session:

        async def once() -> None:
            async with session.get(f"{api.url}/api/v1/jobs{query}") as answer:
                answer.raise_for_status()
                await answer.read()

        return await _measure(once, api.process.pid)


async def _measure(once: Callable[[], Awaitable[Any]], pid: int | None) -> Measured:
    for _ in range(WARM_UP):
        await once()
    alone = []
    before = _cpu(pid)
    for _ in range(REQUESTS):
        started = time.perf_counter()
        await once()
        alone.append(time.perf_counter() - started)
    cpu = None if pid is None else (_cpu(pid) - before) / REQUESTS
    started = time.perf_counter()
    await asyncio.gather(*(_repeat(once, REQUESTS // AT_ONCE) for _ in range(AT_ONCE)))
    return Measured(alone, REQUESTS / (time.perf_counter() - started), cpu)


async def _repeat(once: Callable[[], Awaitable[Any]], times: int) -> None:
    for _ in range(times):
        await once()


def _bare(stack: Stack, query: str) -> Callable[[], Awaitable[Any]]:
    asked: dict[str, Any] = {
        "TableName": stack.table,
        "IndexName": "UserJobsIndex",
        "KeyConditionExpression": "user_id = :user",
        "ExpressionAttributeValues": {":user": {"S": USER}},
        "ScanIndexForward": False,
        "Limit": 20,
    }
    if "status" in QUERIES[query]:
        asked |= {"FilterExpression": "#status = :status", "ExpressionAttributeNames": {"#status": "status"}}
        asked["ExpressionAttributeValues"][":status"] = {"S": "failed"}
    return lambda: asyncio.to_thread(stack.client.query, **asked)


def _cpu(pid: int | None) -> float:
    """Return the CPU seconds that a process has used."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def _naive(stack: Stack) -> Api:
    port = free_port()
    process = stack.start("naive", "bench.naive", HEADWAY_PORT=str(port))
    process.until_listening(port)
    return Api(process, f"http://127.0.0.1:{port}")


def _fill(stack: Stack) -> None:
    for first in range(0, JOBS, 25):
        puts = [{"PutRequest": {"Item": _item(number)}} for number in range(first, first + 25)]
        stack.client.batch_write_item(RequestItems={stack.table: puts})
    stack.put(WATCHED, USER)


def _item(number: int) -> dict[str, Any]:
    status = "failed" if number % 100 == 0 else "completed"
    clips = [{"S": f"https://media.example/{number}/scene_{scene}.mp4"} for scene in (1, 2, 3)]
    return {
        "job_id": {"S": f"job_{number:05}"},
        "user_id": {"S": USER},
        "status": {"S": status},
        "stage": {"S": "scene_3_complete"},
        "thumbnail_url": {"S": f"https://media.example/{number}/thumbnail.jpg"},
        "audio_url": {"S": f"https://media.example/{number}/audio.mp3"},
        "scenes_completed": {"N": "3"},
        "scene_video_urls": {"L": clips},
        "prompt": {"S": f"A film of 30 seconds about the sea, number {number}, with gulls and a red boat"},
        "duration": {"N": "30"},
        "created_at": {"N": str(1_700_000_000 + number)},
        "updated_at": {"N": str(1_700_000_100 + number)},
    }


async def _watch_twice(stack: Stack, api: Api) -> tuple[str, str]:
    idle = await _watched(stack, api, 0)
    listing = asyncio.ensure_future(_list_on(api))
    try:
        return idle, await _watched(stack, api, 100_000)
    finally:
        listing.cancel()


async def _list_on(api: Api) -> None:
    async with aiohttp.ClientSession(headers=bearer(USER)) as session:

        async def once() -> None:
            async with session.get(f"{api.url}/api/v1/jobs?page_size=20") as answer:
                await answer.read()

        await asyncio.gather(*(_repeat(once, 1_000_000) for _ in range(AT_ONCE)))


async def _watched(stack: Stack, api: Api, first: int) -> str:
    """Publish straight to Redis, so that only what the api does lies between."""
    channel = Channel(connect_redis(stack.environment["HEADWAY_REDIS_URL"]))
    told: dict[int, float] = {}
    heard: dict[int, float] = {}
    url = f"{api.url}/api/v1/jobs/{WATCHED}/events"
    try:
        async with aiohttp.ClientSession(headers=bearer(USER)) as session, session.get(url) as stream:
            publishing = asyncio.ensure_future(_publish(channel, first, told))
            # The newest state wins, so some may be left out; the last one never is.
            while first + EVENTS not in heard:
                line = await stream.content.readline()
                if line.startswith(b"id: 1-"):
                    number = int(line[6:])
                    heard[number] = time.perf_counter() - told[number]
            await publishing
    finally:
        await channel.close()
    middle, high = p50_p99(list(heard.values()))
    return f"p50 {middle * 1000:.1f} ms, p99 {high * 1000:.1f} ms"


async def _publish(channel: Channel, first: int, told: dict[int, float]) -> None:
    for number in range(first + 1, first + EVENTS + 1):
        job = Job(
            job_id=WATCHED, user_id=USER, status="processing", created_at=1, updated_at=number, scenes_completed=number
        )
        told[number] = time.perf_counter()
        await channel.publish([Change(USER, state_of(job, Version(1, number)))])
        await asyncio.sleep(EVERY)
