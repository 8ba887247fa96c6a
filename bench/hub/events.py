"""What an event costs each server, and how late it comes: one event per job and second, many a second, one to a crowd."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from statistics import median

from bench.hub.servers import CROWD, JOBS, Server, asked_of
from bench.hub.windows import ROUNDS, Window, crowd, steady, warm_up
from bench.report import Bars, Figure, Report, Wanted, at_most

SECONDS = 1.5  # of events in one window
BUSY = (5_000, 2_000)  # jobs with one watcher and one event per second each
QUICK = 1_000  # jobs, with QUICK_RATE events per second together
QUICK_RATE = 5_000
WATCHERS = 5_000  # of one job
CROWD_EVENTS = 5

EASY = ("Headway", "textbook hub", "floor", "nchan")  # Channels searches all its channels for every event and every end
COLUMNS = ["server", "CPU per event", "Headway is", "asked", "delivered", "p50", "p99"]
BUSY_ASKED = {"textbook hub": at_most(0.35), "floor": at_most(2.0)}
QUICK_ASKED = at_most(100.0)  # ms, at p99

Rounds = dict[str, list[Window]]


async def busy(servers: Sequence[Server]) -> Report:
    """Push one event per job and second, to its one watcher."""
    rows: list[list[str]] = []
    figures: list[Figure] = []
    skipped: list[str] = []
    costs: dict[str, dict[int, float]] = {server.name: {} for server in servers}
    for number in BUSY:
        await _keep(servers, number)
        holding = [server for server in servers if server.may_hold(number)]
        ready = await _ready(holding, JOBS[:number])
        rounds = await _rounds(ready, lambda server, n=number: steady(server, JOBS[:n], n, SECONDS))  # type: ignore[misc]
        found = list(_ratios(f"hub.cpu.{number}", rounds, BUSY_ASKED))
        rows += [[f"{number:,} × 1", *row] for row in _rows(rounds, found)]
        figures += found
        skipped += _left_out(holding, rounds)
        for name, windows in rounds.items():
            costs[name][number] = _cpu(windows)
    return Report(
        "Hub: CPU per delivered event",
        ["jobs × watchers", *COLUMNS],
        rows,
        "One event per job and second.",
        figures,
        [_bars(costs)],
        skipped,
    )


async def quick(servers: Sequence[Server]) -> Report:
    """Push as many events a second as several relays would."""
    chosen = asked_of(servers, *EASY)
    await _keep(chosen, QUICK)
    ready = await _ready(chosen, JOBS[:QUICK])
    rounds = await _rounds(ready, lambda server: steady(server, JOBS[:QUICK], QUICK_RATE, SECONDS))
    found = list(_ratios("hub.quick.cpu", rounds, {}))
    late = Figure("hub.quick.p99", median(window.p99 for window in rounds["Headway"]) * 1e3, "ms", QUICK_ASKED)
    return Report(
        f"Hub: {QUICK_RATE:,} events/s over {QUICK:,} streams",
        COLUMNS,
        list(_rows(rounds, found)),
        f"Headway's p99: {late.verdict}.",
        [*found, late],
        skipped=_left_out(chosen, rounds),
    )


async def crowded(servers: Sequence[Server]) -> Report:
    """Push one job's events to many."""
    chosen = asked_of(servers, *EASY)
    await _keep(chosen, 0)
    await asyncio.gather(*(server.open([CROWD] * WATCHERS) for server in chosen))
    ready = await _ready(chosen, [CROWD], WATCHERS)
    rounds = await _rounds(ready, lambda server: crowd(server, WATCHERS, CROWD_EVENTS))
    found = list(_ratios("hub.crowd.cpu", rounds, {}))
    last = Figure("hub.crowd.last", median(window.p50 for window in rounds["Headway"]) * 1e3, "ms")
    return Report(
        f"Hub: one job, {WATCHERS:,} watchers",
        COLUMNS,
        list(_rows(rounds, found)),
        f"p50 and p99 are the median and the longest of {CROWD_EVENTS} times from publishing to the last watcher's read.",
        [*found, last],
        skipped=_left_out(chosen, rounds),
    )


async def _ready(servers: Sequence[Server], names: Sequence[str], each: int = 1) -> list[Server]:
    ready = [server for server in servers if await warm_up(server, names, each)]
    if servers[0] not in ready:
        raise TimeoutError("there is nothing to compare with: Headway itself does not deliver")
    return ready


def _left_out(asked: Sequence[Server], rounds: Rounds) -> list[str]:
    return [f"{server.name}: its events did not reach its watchers" for server in asked if server.name not in rounds]


async def _keep(servers: Sequence[Server], number: int) -> None:
    await asyncio.gather(*(server.load.keep(number) for server in servers))


async def _rounds(servers: Sequence[Server], window: Callable[[Server], Awaitable[Window]]) -> Rounds:
    rounds: Rounds = {server.name: [] for server in servers}
    for _ in range(ROUNDS):
        for server in servers:
            rounds[server.name].append(await window(server))
    return rounds


def _ratios(name: str, rounds: Rounds, asked: dict[str, Wanted]) -> Iterator[Figure]:
    ours = [window.per_event for window in rounds["Headway"]]
    yield Figure(name, _cpu(rounds["Headway"]), "µs")
    for peer, windows in rounds.items():
        if peer != "Headway":
            ratio = median(our / window.per_event for our, window in zip(ours, windows, strict=True))
            yield Figure(f"{name}.to_{peer}", ratio, "×", asked.get(peer), peer)


def _rows(rounds: Rounds, figures: Sequence[Figure]) -> Iterator[list[str]]:
    ratios = {figure.peer: figure for figure in figures}
    for name, windows in rounds.items():
        ratio = ratios.get(name)
        yield [
            name,
            f"{_cpu(windows):.1f} µs",
            str(ratio or ""),
            ratio.verdict if ratio else "",
            f"{sum(w.delivered for w in windows) / sum(w.published for w in windows):.1%}",
            f"{median(w.p50 for w in windows) * 1e3:.1f} ms",
            f"{median(w.p99 for w in windows) * 1e3:.1f} ms",
        ]


def _cpu(windows: Sequence[Window]) -> float:
    """Return the microseconds of a server per delivered event."""
    return median(window.per_event for window in windows) * 1e6


def _bars(costs: dict[str, dict[int, float]]) -> Bars:
    numbers = sorted(BUSY)
    return Bars(
        "hub-cpu",
        "CPU of the server per delivered event",
        "µs",
        [f"{number:,} jobs, one watcher each" for number in numbers],
        {name: [found.get(number) for number in numbers] for name, found in costs.items()},
    )
