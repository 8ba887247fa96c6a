"""How late a fleet of relays publishes, and how soon another relay goes on after SIGTERM."""

import asyncio
import signal
from statistics import median

from bench.report import Figure, Report, at_most, p50_p99
from tests.chaos import end_holder, loaded, own_stack

RELAYS = 3
JOBS = 20
LATENCY_FOR = 15.0  # seconds
STOPS = 10


def run() -> Report:
    """Measure on real processes."""
    found = asyncio.run(_measure())
    return Report(
        "Relay: latency and hand-over",
        ["what", "measured", "asked"],
        [[what, str(figure), figure.verdict] for what, figure in found.items()],
        f"{RELAYS} relay processes on ministack, {JOBS} jobs, written in turn as fast as 50 a second; latency from before PutItem is called, "
        f"which is some milliseconds before the record is visible, for {LATENCY_FOR:.0f} s.",
        list(found.values()),
    )


async def _measure() -> dict[str, Figure]:
    """Take latencies, then stop relays."""
    async with own_stack() as stack, loaded(stack, JOBS, RELAYS) as (load, fleet):
        load.latencies.clear()
        await asyncio.sleep(LATENCY_FOR)
        late = p50_p99(load.latencies)
        samples = len(load.latencies)
        stops = []
        for _ in range(STOPS):
            await fleet.fill_up()
            stops.append(await end_holder(load, fleet, signal.SIGTERM))
    return {
        f"visible → published, p50 of {samples}": Figure("relay.latency.p50", late[0] * 1000, "ms", at_most(150)),
        "visible → published, p99": Figure("relay.latency.p99", late[1] * 1000, "ms", at_most(500)),
        f"SIGTERM → the shard flows again, p50 of {STOPS}": Figure("relay.handover.p50", median(stops), "s"),
        "SIGTERM → the shard flows again, max": Figure("relay.handover.max", max(stops), "s", at_most(1)),
    }
