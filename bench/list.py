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
ROUNDS = 8
IN_A_ROUND = 40
AT_ONCE = 8
TICK = os.sysconf("SC_CLK_TCK")
EVENTS = 400
EVERY = 0.02  # seconds between two events
WATCHED = "watched"

QUERIES = {"20 of 1,000": "?page_size=20", "20 of 1,000, status of 1 %": "?page_size=20&status=failed"}


class Way:
    """One way of listing, and what it took: seconds of each request, CPU and time of all that were made at once."""

    def __init__(self, once: Callable[[], Awaitable[Any]], pid: int | None) -> None:
        self._once = once
        self._pid = pid
        self.alone: list[float] = []
        self.at_once = 0.0
        self.cpu = 0.0

    async def one_by_one(self, times: int) -> None:
        """Ask so many times, one after the other."""
        for _ in range(times):
            started = time.perf_counter()
            await self._once()
            self.alone.append(time.perf_counter() - started)

    async def side_by_side(self, times: int) -> None:
        """Ask so many times, several at once."""
        cpu, started = _cpu(self._pid), time.perf_counter()
        await asyncio.gather(*(_repeat(self._once, times // AT_ONCE) for _ in range(AT_ONCE)))
        self.at_once += time.perf_counter() - started
        self.cpu += _cpu(self._pid) - cpu


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
        rows = [row for query in QUERIES for row in asyncio.run(_compare(stack, api, naive, query))]
        idle, busy = asyncio.run(_watch_twice(stack, api))
    return Report(
        f"The list: {JOBS:,} jobs of a user, on {engine}",
        ["list", "by", "p50", "p99", f"requests/s, {AT_ONCE} at once", "CPU of the process per request", "to naive's"],
        rows,
        f"The ways take turns: {ROUNDS} times {IN_A_ROUND} requests one after the other, then as many {AT_ONCE} at once. The naive handler reads one page, "
        "filters it after the limit and does not count; boto3 alone does the same query and answers nobody. "
        f"CPU is user + system time while {AT_ONCE} ask at once.\n\nA watcher beside it, an event every {EVERY * 1000:.0f} ms, from Redis "
        f"to the client: {idle}; while {AT_ONCE} callers list without a pause: {busy}.",
    )


def _engine() -> tuple[str, Callable[[int, Path], Process]]:
    """DynamoDB Local where Java is found: ministack's own time for a query grows with what it filters."""
    if dynamodb_local.missing():
        return "ministack", start_ministack
    return "DynamoDB Local", dynamodb_local.start


async def _compare(stack: Stack, api: Api, naive: Api, query: str) -> list[list[str]]:
    """Let the ways take turns, so that whatever else the machine does meets them all."""
    async with aiohttp.ClientSession(headers=bearer(USER)) as session:
        ways = {
            "boto3 alone": Way(_bare(stack, query), None),
            "naive handler": Way(_get(session, naive, query), naive.process.pid),
            "Headway": Way(_get(session, api, query), api.process.pid),
        }
        for _ in range(ROUNDS):
            for way in ways.values():
                await way.one_by_one(IN_A_ROUND)
                await way.side_by_side(IN_A_ROUND)
    return [[query, name, *_cells(way, ways["naive handler"])] for name, way in ways.items()]


def _cells(way: Way, naive: Way) -> list[str]:
    requests = ROUNDS * IN_A_ROUND
    times = [f"{seconds * 1000:.1f} ms" for seconds in p50_p99(way.alone[IN_A_ROUND:])]  # the first round warms up
    cpu = [f"{way.cpu / requests * 1000:.2f} ms", f"{way.cpu / naive.cpu:.2f}"] if way.cpu else ["-", "-"]
    return [*times, f"{requests / way.at_once:.0f}", *cpu]


def _get(session: aiohttp.ClientSession, api: Api, query: str) -> Callable[[], Awaitable[Any]]:
    async def once() -> None:
        async with session.get(f"{api.url}/api/v1/jobs{QUERIES[query]}") as answer:
            answer.raise_for_status()
            await answer.read()

    return once


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
    stack.put(WATCHED, USER, created_at=1, updated_at=1)


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
        once = _get(session, api, next(iter(QUERIES)))
        await asyncio.gather(*(_repeat(once, 1_000_000) for _ in range(AT_ONCE)))


async def _watched(stack: Stack, api: Api, first: int) -> str:
    """Publish straight to Redis, so that only what the api does lies between."""
    channel = Channel(connect_redis(stack.environment["HEADWAY_REDIS_URL"]))
    told: dict[int, float] = {}
    heard: dict[int, float] = {}
    url = f"{api.url}/api/v1/jobs/{WATCHED}/events"
    try:
        await channel.publish([_change(1, first)])  # what the table says: so a reader knows its version from the start
        async with aiohttp.ClientSession(headers=bearer(USER)) as session, session.get(url) as stream:
            publishing = asyncio.ensure_future(_publish(channel, first, told))
            # The newest state wins, so some may be left out; the last one never is.
            while first + EVENTS not in heard:
                line = await stream.content.readline()
                # The stream opens with what is not timed.
                if line.startswith(b"id: 1-") and (number := int(line[6:])) in told:
                    heard[number] = time.perf_counter() - told[number]
            await publishing
    finally:
        await channel.close()
    middle, high = p50_p99(list(heard.values()))
    return f"p50 {middle * 1000:.1f} ms, p99 {high * 1000:.1f} ms"


async def _publish(channel: Channel, first: int, told: dict[int, float]) -> None:
    for number in range(first + 1, first + EVENTS + 1):
        told[number] = time.perf_counter()
        await channel.publish([_change(number, number)])
        await asyncio.sleep(EVERY)


def _change(updated_at: int, number: int) -> Change:
    job = Job(job_id=WATCHED, user_id=USER, status="processing", created_at=1, updated_at=updated_at)
    return Change(USER, state_of(job, Version(1, number)))
