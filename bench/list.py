"""The list: 20 of 1,000 jobs, with and without a status that 1 % have, against boto3 alone and a naive handler."""

import asyncio
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp

from bench import cost
from bench.report import Bars, Figure, Report, at_most, p50_p99
from streams.channel.channel import Channel, connect_redis
from streams.jobs.change import Change
from streams.jobs.job import Job
from streams.jobs.state import Version, state_of
from tests.support import dynamodb_local
from tests.support.stack import Api, Stack, bearer
from workers.demo.engines import free_port, local_aws, start_ministack

USER = "bench"
JOBS = 1_000
ROUNDS = 5
IN_A_ROUND = 32
AT_ONCE = 8
EVENTS = 250
EVERY = 0.02  # seconds between two events
WATCHED = "watched"
WATCHED_WITHIN = 60.0  # seconds, several times what all events take
CPU_TO_NAIVE = at_most(0.4)

QUERIES = {"20 of 1,000": "?page_size=20", "20 of 1,000, status of 1 %": "?page_size=20&status=failed"}
SHORT = dict(zip(QUERIES, ("all", "status"), strict=True))  # as figures name them


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
        cpu, started = self._spent(), time.perf_counter()
        await asyncio.gather(*(_repeat(self._once, times // AT_ONCE) for _ in range(AT_ONCE)))
        self.at_once += time.perf_counter() - started
        self.cpu += self._spent() - cpu

    def _spent(self) -> float:
        return 0.0 if self._pid is None else cost.cpu(self._pid)


Ways = dict[str, Way]
Times = tuple[float, float]  # p50 and p99, seconds


def run() -> Report:
    """Measure all ways in one run, on one table."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        directory = Path(name)
        port = free_port()
        lacking = _lacking()
        start = start_ministack if lacking else dynamodb_local.start
        stopping.callback(start(port, directory).stop)
        stack = Stack(local_aws(port), directory, stopping)
        stack.start_redis()
        _fill(stack)
        api, naive = stack.start_api(), _naive(stack)
        measured = {query: asyncio.run(_compare(stack, api, naive, query)) for query in QUERIES}
        idle, busy = asyncio.run(_watch_twice(stack, api))
    figures = {query: list(_figures(SHORT[query], ways)) for query, ways in measured.items()}
    return Report(
        f"The list: {JOBS:,} jobs of a user, on {'ministack' if lacking else 'DynamoDB Local'}",
        ["list", "by", "p50", "p99", f"requests/s, {AT_ONCE} at once", "CPU per request", "to naive's", "asked"],
        [row for query, ways in measured.items() for row in _rows(query, ways, figures[query][0])],
        f"The ways take turns: {ROUNDS} times {IN_A_ROUND} requests one after the other, then as many {AT_ONCE} at once. The naive handler reads one page, "
        "filters it after the limit and does not count; boto3 alone does the same query and answers nobody. "
        f"CPU is the process' user + system time while {AT_ONCE} ask at once.\n\nA watcher beside it, an event every {EVERY * 1000:.0f} ms, from Redis "
        f"to the client: {_told(idle)}; while {AT_ONCE} callers list without a pause: {_told(busy)}.",
        [*(figure for found in figures.values() for figure in found), Figure("list.watcher.p99", busy[1] * 1000, "ms")],
        [_bars(measured)],
        [f"DynamoDB Local: {lacking}"] if lacking else [],
    )


def _lacking() -> str:
    """Say why ministack has to do; its own time for a query grows with what it filters."""
    if lacking := dynamodb_local.missing():
        return lacking
    try:
        dynamodb_local.fetch(dynamodb_local.CURRENT)
    except subprocess.CalledProcessError as error:
        return f"Maven did not bring it: {error}"
    return ""


async def _compare(stack: Stack, api: Api, naive: Api, query: str) -> Ways:
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
    return ways


def _figures(query: str, ways: Ways) -> Iterator[Figure]:
    """Yield the CPU first: it is what something is asked of."""
    ours, naive, bare = ways["Headway"], ways["naive handler"], ways["boto3 alone"]
    yield Figure(f"list.{query}.cpu", ours.cpu / naive.cpu, "×", CPU_TO_NAIVE, "naive handler")
    yield Figure(f"list.{query}.requests", naive.at_once / ours.at_once, "×", peer="naive handler", better="higher")
    yield Figure(f"list.{query}.p50", p50_p99(ours.alone)[0] / p50_p99(bare.alone)[0], "×", peer="boto3 alone")


def _rows(query: str, ways: Ways, cpu: Figure) -> Iterator[list[str]]:
    for name, way in ways.items():
        times = [f"{seconds * 1000:.1f} ms" for seconds in p50_p99(way.alone[IN_A_ROUND:])]  # the first round warms up
        spent = [f"{_cpu(way):.2f} ms", f"{way.cpu / ways['naive handler'].cpu:.2f}"] if way.cpu else ["-", "-"]
        asked = cpu.verdict if name == "Headway" else ""
        yield [query, name, *times, f"{ROUNDS * IN_A_ROUND / way.at_once:.0f}", *spent, asked]


def _cpu(way: Way) -> float:
    """Return the milliseconds of a process per request."""
    return way.cpu / (ROUNDS * IN_A_ROUND) * 1000


def _bars(measured: dict[str, Ways]) -> Bars:
    names = ("Headway", "naive handler")
    series = {name: [_cpu(ways[name]) for ways in measured.values()] for name in names}
    return Bars("list-cpu", "CPU of the process per list request", "ms", list(measured), series)


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


def _naive(stack: Stack) -> Api:
    port = free_port()
    process = stack.start("naive", "bench.peers.naive", HEADWAY_PORT=str(port))
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


async def _watch_twice(stack: Stack, api: Api) -> tuple[Times, Times]:
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


async def _watched(stack: Stack, api: Api, first: int) -> Times:
    """Publish straight to Redis, so that only what the api does lies between."""
    channel = Channel(connect_redis(stack.environment["HEADWAY_REDIS_URL"]))
    told: dict[int, float] = {}
    heard: dict[int, float] = {}
    url = f"{api.url}/api/v1/jobs/{WATCHED}/events"
    try:
        await channel.publish([_change(1, first)])  # what the table says: so a reader knows its version from the start
        async with aiohttp.ClientSession(headers=bearer(USER)) as session, session.get(url) as stream:
            publishing = asyncio.ensure_future(_publish(channel, first, told))
            async with asyncio.timeout(WATCHED_WITHIN):
                # The newest state wins, so some may be left out; the last one never is.
                while first + EVENTS not in heard:
                    line = await stream.content.readline()
                    # The stream opens with what is not timed.
                    if line.startswith(b"id: 1-") and (number := int(line[6:])) in told:
                        heard[number] = time.perf_counter() - told[number]
            await publishing
    finally:
        await channel.close()
    return p50_p99(list(heard.values()))


def _told(times: Times) -> str:
    return f"p50 {times[0] * 1000:.1f} ms, p99 {times[1] * 1000:.1f} ms"


async def _publish(channel: Channel, first: int, told: dict[int, float]) -> None:
    for number in range(first + 1, first + EVENTS + 1):
        told[number] = time.perf_counter()
        await channel.publish([_change(number, number)])
        await asyncio.sleep(EVERY)


def _change(updated_at: int, number: int) -> Change:
    job = Job(job_id=WATCHED, user_id=USER, status="processing", created_at=1, updated_at=updated_at)
    return Change(USER, state_of(job, Version(1, number)))
