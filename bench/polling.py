"""Headway beside what it replaces: a server that reads the table once a second for every open stream.

Both get the same writes into the same table engine (ministack), one side after the other, and the same watchers, each
of a job of its own. The tests' engine answers some 300 calls a second: a thousand watchers ask for more, and what
happens then is shown; a third side polls `bench/items.py`, which answers at once, to show what polling costs by itself.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import uvloop

from bench import items
from bench.counting import Counting, counting
from bench.hub.load import Load, allow_many_files
from bench.report import Bars, Figure, Report
from bench.watching import Seen, Side, watched
from tests.support.stack import Api, Stack
from workers.demo.engines import Process, free_port, local_aws, start_ministack

WATCHERS = (10, 100, 1_000)
CONNECTIONS_AN_HOUR = 6  # of a watcher to Headway: its streams live for 10 minutes
HEADWAY, POLLING, ALONE = "Headway", "polling", "polling, fast table"
P99_NOISE = 0.5  # of a few hundred samples
COLUMNS = [
    "watchers", "server", "write → event p50", "p99", "PutItem p50", "table reads per watcher-hour",
    "reads a second", "CPU s per watcher-hour", "cores",
]  # fmt: skip

Measured = dict[int, dict[str, Seen]]


def run() -> Report:
    """Measure one side after the other."""
    allow_many_files()
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        directory = Path(name)
        port = free_port()
        stopping.callback(start_ministack(port, directory).stop)
        stack = Stack(local_aws(port), directory, stopping)
        stack.start_redis()
        return _report(uvloop.run(_measure(stack)))


async def _measure(stack: Stack) -> Measured:
    measured: Measured = {number: {} for number in WATCHERS}
    async with _headway(stack) as side:
        for number in WATCHERS:
            measured[number][HEADWAY] = await watched(side, number)
    async with _polling(stack, stack.aws) as side:
        for number in WATCHERS:
            measured[number][POLLING] = await watched(side, number)
    async with _table(stack) as aws, _polling(stack, aws) as side:
        measured[WATCHERS[-1]][ALONE] = await watched(side, WATCHERS[-1])
    return measured


@asynccontextmanager
async def _headway(stack: Stack) -> AsyncIterator[Side]:
    async with counting(stack.aws["AWS_ENDPOINT_URL"]) as reads, counting(stack.aws["AWS_ENDPOINT_URL"]) as relayed:
        relay = await asyncio.to_thread(lambda: stack.start_relay(**_through(relayed)))
        api = await asyncio.to_thread(lambda: stack.start_api(None, HEADWAY_LOG_LEVEL="info", **_through(reads)))
        with _side(stack, stack.aws, api, [api.process, relay, stack.redis], reads) as side:
            side.relayed, side.connections = relayed.counts, CONNECTIONS_AN_HOUR
            yield side
        relay.stop()


@asynccontextmanager
async def _polling(stack: Stack, aws: Mapping[str, str]) -> AsyncIterator[Side]:
    async with counting(aws["AWS_ENDPOINT_URL"]) as reads:
        port = free_port()
        process = stack.start("polling", "bench.peers.polling", HEADWAY_PORT=str(port), **_through(reads))
        await asyncio.to_thread(process.until_listening, port)
        with _side(stack, aws, Api(process, f"http://127.0.0.1:{port}"), [process], reads) as side:
            yield side


@asynccontextmanager
async def _table(stack: Stack) -> AsyncIterator[dict[str, str]]:
    port = free_port()
    process = items.start(port, stack.directory)
    try:
        yield local_aws(port)
    finally:
        process.stop()


@contextmanager
def _side(stack: Stack, aws: Mapping[str, str], api: Api, processes: list[Process], reads: Counting) -> Iterator[Side]:
    load = Load(int(api.url.rpartition(":")[2]))
    try:
        yield Side(aws, stack.table, load, [process.pid for process in processes], reads.counts)
    finally:
        load.stop()
        api.process.stop()


def _through(proxy: Counting) -> dict[str, str]:
    return {name: value for name, value in local_aws(int(proxy.url.rpartition(":")[2])).items() if "ENDPOINT" in name}


def _report(measured: Measured) -> Report:
    return Report(
        "Beside what it replaces: a server that polls the table for every open stream",
        COLUMNS,
        [_row(number, name, seen) for number, sides in measured.items() for name, seen in sides.items()],
        _remarks(measured),
        list(_figures(measured)),
        list(_bars(measured)),
    )


def _row(number: int, name: str, seen: Seen) -> list[str]:
    return [
        f"{number:,}",
        name,
        f"{seen.p50 * 1000:,.0f} ms",
        f"{seen.p99 * 1000:,.0f} ms",
        f"{seen.put * 1000:,.0f} ms",
        f"{seen.reads_an_hour:,.0f}",
        f"{seen.reads / seen.seconds:,.0f}",
        f"{seen.cpu_an_hour:,.1f}",
        f"{seen.cpu / seen.seconds:.2f}",
    ]


def _remarks(measured: Measured) -> str:
    most = measured[WATCHERS[-1]]
    headway, polling, alone = most[HEADWAY], most[POLLING], most[ALONE]
    relayed = headway.relayed / headway.seconds * 3600
    return (
        "From before PutItem is called to the watcher's read; jobs change every 2 s at most, 25 writes a second in all. CPU is "
        "of all that a side runs: api, relay and Redis, or the polling server. Headway reads the table once per connection "
        f"({CONNECTIONS_AN_HOUR} an hour, as streams live 10 minutes) and not while it watches; its relay makes {relayed:,.0f} calls "
        f"an hour (stream reads and leases), whatever the number of watchers.\n\n{WATCHERS[-1]:,} watchers need {WATCHERS[-1]:,} reads a second. "
        f"ministack answered {polling.reads / polling.seconds:,.0f} of them, so that a write itself took {polling.put * 1000:,.0f} ms (p50) and its event "
        f"{polling.p50 * 1000:,.0f} ms. From a table that answers at once, one polling process read {alone.reads / alone.seconds:,.0f} a second with "
        f"{alone.cpu / alone.seconds:.2f} cores, events after {alone.p50 * 1000:,.0f} ms (p50)."
    )


def _figures(measured: Measured) -> Iterator[Figure]:
    for number, sides in measured.items():
        ours = sides[HEADWAY]
        yield Figure(f"polling.{number}.p50", ours.p50 * 1000, "ms")
        yield Figure(f"polling.{number}.p99", ours.p99 * 1000, "ms")
        for peer in (POLLING, ALONE):
            if theirs := sides.get(peer):
                short = f"polling.{number}.to_{peer}"
                yield Figure(f"{short}.p50", ours.p50 / theirs.p50, "×", peer=peer)
                yield Figure(f"{short}.p99", ours.p99 / theirs.p99, "×", peer=peer, noise=P99_NOISE)
                yield Figure(f"{short}.cpu", ours.cpu_an_hour / theirs.cpu_an_hour, "×", peer=peer)
                yield Figure(f"{short}.reads", ours.reads_an_hour / theirs.reads_an_hour, "×", peer=peer)


def _bars(measured: Measured) -> Iterator[Bars]:
    groups = [f"{number:,} watchers" for number in measured]
    for name, title, unit in (
        ("p50", "From the write to the event, median", "ms"),
        ("reads_an_hour", "Reads of the table per watcher-hour", "reads"),
        ("cpu_an_hour", "CPU per watcher-hour, of all that a side runs", "s"),
    ):
        series = {
            side: [_value(sides.get(side), name) for sides in measured.values()] for side in (HEADWAY, POLLING, ALONE)
        }
        yield Bars(f"polling-{name.partition('_')[0]}", title, unit, groups, series, log=True)


def _value(seen: Seen | None, name: str) -> float | None:
    if seen is None:
        return None
    value: float = getattr(seen, name)
    return value * 1000 if name == "p50" else value
