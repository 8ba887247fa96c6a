"""The push hub beside its peers, in one run: memory per stream, CPU per event, latency under load, fan-out, leaving.

Every server is one process and holds the same streams; windows alternate between them, so that whatever
else the machine does meets all of them. Streams are opened once, from few to many, for memory, and closed
again, from many to few, for CPU. Headway's events go into Redis as the relay publishes them, through
streams.channel, with made-up versions; all but nchan hear the very same messages. The floor, too, reads
them from Redis. Litestar's Channels is asked for 2,000 streams: it searches all its channels for every event
and every end, and with 5,000 it was 3 s late. What the relay costs is not measured here. Headway reads jobs from
`bench/items.py`, so that opening streams does not wait for the tests' table engine.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench.hub.events import busy, crowded, quick
from bench.hub.leave import leave
from bench.hub.load import allow_many_files
from bench.hub.memory import idle
from bench.hub.servers import CROWD, JOBS, Server, Stage, start_headway, start_nchan, start_peer
from bench.hub.windows import ROUNDS
from bench.peers import nchan
from bench.report import Report


def run() -> Iterator[Report]:
    """Measure all of it; each part is told when it is done."""
    allow_many_files()
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as name,
        ExitStack() as stopping,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        directory = Path(name)
        directory.chmod(0o755)  # nginx' workers are another user
        servers = runner.run(_start_all(directory, stopping))
        for measurement in (idle, busy, quick, crowded, leave):
            yield runner.run(measurement(servers))
    yield _remarks(time.monotonic() - started)


async def _start_all(directory: Path, stopping: ExitStack) -> list[Server]:
    stage = Stage(directory, stopping)
    await stage.fill_table("headway", [*JOBS, CROWD])
    servers = [
        start_headway(stage),
        start_peer(stage, "textbook hub", "textbook"),
        start_peer(stage, "floor", "floor"),
        start_peer(stage, "Litestar Channels", "channels", most=2_000),  # with 5,000 it is seconds late
    ]
    if not nchan.missing():
        servers.append(start_nchan(stage))
    for server in servers:
        stopping.callback(server.stop)
    return servers


def _remarks(seconds: float) -> Report:
    lacking = nchan.missing()
    return Report(
        "Hub: how it was measured",
        ["", ""],
        [
            ["rounds", f"{ROUNDS}, alternating; medians, and medians of each round's ratio"],
            ["took", f"{seconds:.0f} s"],
        ],
        (__doc__ or "").partition("\n\n")[2].strip(),
        skipped=[f"nchan, the peer of Debian (libnginx-mod-nchan): {lacking}"] if lacking else [],
    )
