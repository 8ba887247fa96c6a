"""What an idle stream holds in memory, on each server."""

import asyncio
from collections.abc import Iterator, Sequence

from bench import cost
from bench.cost import Memory
from bench.hub.load import AT_ONCE
from bench.hub.servers import JOBS, Server
from bench.report import Bars, Figure, Report, at_most

STREAMS = (1_000, 5_000)
MOST = 10_000  # streams
SETTLE = 1.0  # seconds until what opening needed is given back
TO_NCHAN = at_most(1.2)
IN_ALL = at_most(250.0)  # MiB, at the most streams
COLUMNS = ["idle streams", "server", "RSS per stream", "PSS per stream", "Headway is (PSS)", "asked", "RSS in all"]

Measured = dict[int, dict[str, Memory]]


async def idle(servers: Sequence[Server]) -> Report:
    """Open streams, from few to many, and look after each step."""
    before = {server.name: await _warm(server) for server in servers}
    after: Measured = {}
    opened = 0
    for number in (*STREAMS, MOST):
        await asyncio.gather(*(server.open(JOBS[opened : min(number, server.most)]) for server in servers))
        await asyncio.sleep(SETTLE)
        holding = [server for server in servers if server.may_hold(number)]
        after[number] = {server.name: cost.memory(server.process.pid) for server in holding}
        opened = number
    return _report(before, after)


async def _warm(server: Server) -> Memory:
    """Open and close a few streams, so that what the first ones load and start is there before.

    One comes alone: first subscribers that come together to Litestar's Channels each connect to Redis, and
    all but one are deaf.
    """
    await server.open(JOBS[:1])
    await server.open(JOBS[1:AT_ONCE])
    await server.load.keep(0)
    await asyncio.sleep(SETTLE)
    return cost.memory(server.process.pid)


def _report(before: dict[str, Memory], after: Measured) -> Report:
    per_stream = {
        number: {name: (memory.pss - before[name].pss) / number / 1024 for name, memory in now.items()}
        for number, now in after.items()
    }
    figures = list(_figures(per_stream, after[MOST]["Headway"].rss / 2**20))
    names = list(after[STREAMS[0]])
    return Report(
        "Hub: memory of idle streams",
        COLUMNS,
        [row for number, now in after.items() for row in _rows(number, now, before, per_stream[number], figures)],
        f"What the process had before its first stream is not counted per stream. All of it: {figures[-1]}, asked {figures[-1].verdict}.",
        figures,
        [
            Bars(
                "hub-memory",
                "Memory per idle stream",
                "KiB (PSS), beyond what the process had before",
                [f"{number:,} streams" for number in after],
                {name: [per_stream[number].get(name) for number in after] for name in names},
            )
        ],
    )


def _rows(
    number: int, now: dict[str, Memory], before: dict[str, Memory], pss: dict[str, float], figures: Sequence[Figure]
) -> Iterator[list[str]]:
    known = {figure.name: figure for figure in figures}
    for name, memory in now.items():
        ratio = known.get(f"hub.memory.{number}.to_{name}")
        yield [
            f"{number:,}",
            name,
            f"{(memory.rss - before[name].rss) / number / 1024:.1f} KiB",
            f"{pss[name]:.1f} KiB",
            str(ratio or ""),
            ratio.verdict if ratio else "",
            f"{memory.rss / 2**20:.0f} MiB",
        ]


def _figures(per_stream: dict[int, dict[str, float]], in_all: float) -> Iterator[Figure]:
    for number, pss in per_stream.items():
        yield Figure(f"hub.memory.{number}", pss["Headway"], "KiB")
        for peer in pss:
            if peer != "Headway":
                wanted = TO_NCHAN if peer == "nchan" else None
                yield Figure(f"hub.memory.{number}.to_{peer}", pss["Headway"] / pss[peer], "×", wanted, peer)
    yield Figure(f"hub.memory.{MOST}.in_all", in_all, "MiB", IN_ALL)
