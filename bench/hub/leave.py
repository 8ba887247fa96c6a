"""How long the process takes to leave on SIGTERM, while it has many streams open."""

import asyncio
import signal
import time
from collections.abc import Sequence

from bench.hub.servers import JOBS, Server
from bench.report import Figure, Report, at_most

STREAMS = 1_000
ASKED = at_most(1.0)  # seconds


async def leave(servers: Sequence[Server]) -> Report:
    """Stop Headway; it is the last thing that it is measured for."""
    headway = servers[0]
    await headway.load.keep(0)
    await headway.open(JOBS[:STREAMS])
    began = time.monotonic()
    headway.process.send(signal.SIGTERM)
    code = await asyncio.to_thread(headway.process.wait, 30)
    took = Figure("hub.sigterm", time.monotonic() - began, "s", ASKED)
    return Report(
        f"Hub: SIGTERM under {STREAMS:,} open streams",
        ["SIGTERM → the process is gone", "asked", "exit code"],
        [[str(took), took.verdict, str(code)]],
        figures=[took],
    )
