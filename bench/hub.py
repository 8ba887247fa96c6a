"""The push hub beside its peers, in one run: memory per stream, CPU per event, latency under load, fan-out.

Every server is one process and holds the same streams; windows alternate between them, so that whatever
else the machine does meets all of them. Streams are opened once, from few to many, for memory, and closed
again, from many to few, for CPU. Headway's events go into Redis as the relay publishes them, through
streams.channel, with made-up versions; all but nchan hear the very same messages. The floor, too, reads
them from Redis. What the relay costs is not measured here.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import uvloop

from bench import hub_cost
from bench.hub_cost import Memory
from bench.hub_load import AT_ONCE, allow_many_files
from bench.hub_servers import CROWD, Server, fill_table, start_headway, start_nchan, start_peer
from bench.hub_windows import Window, crowd, steady, warm_up
from bench.peers import nchan
from bench.report import Report
from streams.channel import Channel, connect_redis
from tests.stack import Stack
from workers.engines import free_port, local_aws, start_ministack

ROUNDS = 3
SECONDS = 1.5  # of events in one window
JOBS = [f"job-{number:05}" for number in range(10_000)]
MEMORY = (1_000, 5_000)
MEMORY_MOST = 10_000  # streams, of Headway and of nchan
BUSY = (5_000, 2_000)  # jobs with one watcher and one event per second each
QUICK = 1_000  # jobs, with QUICK_RATE events per second together
QUICK_RATE = 5_000
WATCHERS = 5_000  # of one job
CROWD_EVENTS = 5
SETTLE = 1.0  # seconds until what opening needed is given back

EASY = ("Headway", "textbook hub", "floor", "nchan")  # Channels searches all its channels for every event and every end

Rounds = dict[str, list[Window]]


def run() -> Iterator[Report]:
    """Measure all of it; each part is told when it is done."""
    allow_many_files()
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as name,
        ExitStack() as stopping,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        servers = runner.run(_start_all(_engines(Path(name), stopping), stopping))
        for measurement in (_memory, _busy, _quick, _crowd):
            yield runner.run(measurement(servers))
    yield _remarks(time.monotonic() - started)


def _engines(directory: Path, stopping: ExitStack) -> Stack:
    directory.chmod(0o755)  # nginx' workers are another user
    port = free_port()
    stopping.callback(start_ministack(port, directory).stop)
    stack = Stack(local_aws(port), directory, stopping)
    stack.start_redis()
    return stack


async def _start_all(stack: Stack, stopping: ExitStack) -> list[Server]:
    channel = Channel(connect_redis(stack.environment["HEADWAY_REDIS_URL"]))
    await fill_table(stack, channel, "headway", [*JOBS, CROWD])
    servers = _start(stack, channel)
    for server in servers:
        stopping.callback(server.stop)
    return servers


def _start(stack: Stack, channel: Channel) -> list[Server]:
    servers = [
        start_headway(stack, channel),
        start_peer(stack, channel, "textbook hub", "textbook"),
        start_peer(stack, channel, "floor", "floor"),
        start_peer(stack, channel, "Litestar Channels", "channels"),
    ]
    return servers if nchan.missing() else [*servers, start_nchan(stack)]


def _asked_of(servers: Sequence[Server], *names: str) -> list[Server]:
    return [server for server in servers if server.name in names]


async def _memory(servers: Sequence[Server]) -> Report:
    before = {server.name: await _warm_memory(server) for server in servers}
    rows: list[list[str]] = []
    opened = 0
    for number in (*MEMORY, MEMORY_MOST):
        chosen = servers if number != MEMORY_MOST else _asked_of(servers, "Headway", "nchan")
        await asyncio.gather(*(server.open(JOBS[opened:number]) for server in chosen))
        await asyncio.sleep(SETTLE)
        rows += _memory_rows(number, before, {server.name: hub_cost.memory(server.process.pid) for server in chosen})
        opened = number
    columns = [
        "idle streams",
        "server",
        "RSS per stream",
        "PSS per stream",
        "Headway is (PSS)",
        "asked",
        "RSS in all",
        "asked",
    ]
    return Report(
        "Hub: memory of idle streams",
        columns,
        rows,
        "What the process had before its first stream is not counted per stream.",
    )


async def _warm_memory(server: Server) -> Memory:
    """Open and close a few streams, so that what the first ones load and start is there before.

    One comes alone: first subscribers that come together to Litestar's Channels each connect to Redis, and
    all but one are deaf.
    """
    await server.open(JOBS[:1])
    await server.open(JOBS[1:AT_ONCE])
    await server.load.keep(0)
    await asyncio.sleep(SETTLE)
    return hub_cost.memory(server.process.pid)


def _memory_rows(number: int, before: dict[str, Memory], after: dict[str, Memory]) -> list[list[str]]:
    rss = {name: (after[name].rss - before[name].rss) / number for name in after}
    pss = {name: (after[name].pss - before[name].pss) / number for name in after}
    return [
        [
            f"{number:,}",
            name,
            f"{rss[name] / 1024:.1f} KiB",
            f"{pss[name] / 1024:.1f} KiB",
            *_ratio(name, [pss["Headway"] / pss[name]], {"nchan": 1.2}),
            f"{after[name].rss / 2**20:.0f} MiB",
            _held("< 250 MiB", after[name].rss < 250 * 2**20) if name == "Headway" else "",
        ]
        for name in after
    ]


async def _busy(servers: Sequence[Server]) -> Report:
    rows: list[list[str]] = []
    for number in BUSY:
        rounds = await _alternate(servers, number, lambda server, n=number: steady(server, JOBS[:n], n, SECONDS))  # type: ignore[misc]
        rows += [[f"{number:,} × 1", *row] for row in _cpu_rows(rounds, {"textbook hub": 0.35, "floor": 2.0})]
    return Report(
        "Hub: CPU per delivered event", ["jobs × watchers", *CPU_COLUMNS], rows, "One event per job and second."
    )


async def _quick(servers: Sequence[Server]) -> Report:
    servers = _asked_of(servers, *EASY)
    rounds = await _alternate(servers, QUICK, lambda server: steady(server, JOBS[:QUICK], QUICK_RATE, SECONDS))
    title = f"Hub: {QUICK_RATE:,} events/s over {QUICK:,} streams"
    return Report(
        title, [*CPU_COLUMNS, "asked"], [[*row, *_quick_bound(row[0], rounds)] for row in _cpu_rows(rounds, {})]
    )


def _quick_bound(name: str, rounds: Rounds) -> list[str]:
    return [_held("≤ 100 ms", median(w.p99 for w in rounds[name]) <= 0.1) if name == "Headway" else ""]  # noqa: PLR2004


async def _crowd(servers: Sequence[Server]) -> Report:
    servers = _asked_of(servers, *EASY)
    await _keep(servers, 0)
    await asyncio.gather(*(server.open([CROWD] * WATCHERS) for server in servers))
    ready = await _ready(servers, [CROWD], WATCHERS)
    rounds = await _rounds(ready, lambda server: crowd(server, WATCHERS, CROWD_EVENTS))
    return Report(
        f"Hub: one job, {WATCHERS:,} watchers",
        CPU_COLUMNS,
        _cpu_rows(rounds, {}),
        f"p50 and p99 are the median and the longest of {CROWD_EVENTS} times from publishing to the last watcher's read.",
    )


async def _alternate(servers: Sequence[Server], number: int, window: Callable[[Server], Awaitable[Window]]) -> Rounds:
    await _keep(servers, number)
    return await _rounds(await _ready(servers, JOBS[:number]), window)


async def _ready(servers: Sequence[Server], names: Sequence[str], each: int = 1) -> list[Server]:
    ready = [server for server in servers if await warm_up(server, names, each)]
    if servers[0] not in ready:
        raise TimeoutError("there is nothing to compare with: Headway itself does not deliver")
    return ready


async def _keep(servers: Sequence[Server], number: int) -> None:
    await asyncio.gather(*(server.load.keep(number) for server in servers))


async def _rounds(servers: Sequence[Server], window: Callable[[Server], Awaitable[Window]]) -> Rounds:
    rounds: Rounds = {server.name: [] for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            rounds[server.name].append(await window(server))
    return rounds


CPU_COLUMNS = ["server", "CPU per event", "Headway is", "asked", "delivered", "p50", "p99"]


def _cpu_rows(rounds: Rounds, bounds: dict[str, float]) -> list[list[str]]:
    ours = [window.per_event for window in rounds["Headway"]]
    return [
        [
            name,
            f"{median(window.per_event for window in windows) * 1e6:.1f} µs",
            *_ratio(name, [our / window.per_event for our, window in zip(ours, windows, strict=True)], bounds),
            f"{sum(w.delivered for w in windows) / sum(w.published for w in windows):.1%}",
            f"{median(w.p50 for w in windows) * 1e3:.1f} ms",
            f"{median(w.p99 for w in windows) * 1e3:.1f} ms",
        ]
        for name, windows in rounds.items()
    ]


def _ratio(name: str, ratios: Sequence[float], bounds: dict[str, float]) -> list[str]:
    if name == "Headway":
        return ["", ""]
    bound = bounds.get(name)
    return [f"{median(ratios):.2f} ×", _held(f"≤ {bound} ×", median(ratios) <= bound) if bound else ""]


def _held(bound: str, held: bool) -> str:
    return f"{bound}: {'held' if held else 'MISSED'}"


def _remarks(seconds: float) -> Report:
    lacking = nchan.missing()
    rows = [["rounds", f"{ROUNDS}, alternating; medians, and medians of each round's ratio"]]
    rows += [["took", f"{seconds:.0f} s"]]
    rows += [["LEFT OUT: nchan", lacking]] if lacking else []
    return Report("Hub: how it was measured", ["", ""], rows, (__doc__ or "").partition("\n\n")[2])
