"""What one relay process can publish, how late, and whether its memory grows."""

import asyncio
import os
import resource
import signal
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from msgspec import json

from bench.report import Report, milliseconds, p50_p99
from streams.channel import Channel, connect_redis
from streams.dynamodb import DynamoDB
from streams.feed import Feed
from streams.lease import Lease
from streams.leases import Leases
from tests.chaos import end_holder, loaded, own_stack
from tests.fleet.fake_stream import record_of
from tests.stack import typed
from workers.engines import free_port, start_valkey
from workers.holding import Holding
from workers.relay import Relay, relay_shard

T = TypeVar("T")

PAGES = 1000
PAGE = 1000  # records
USERS = 100
WARM = 100  # pages, after which memory is compared
PLACE = b"@PAGE@"
LATENCY_FOR = 30.0  # seconds
KILLS = 20
STOPS = 10


def run() -> Report:
    """Measure throughput and memory on canned pages; latency and failover on real processes."""
    rows = asyncio.run(throughput()) + asyncio.run(on_processes())
    return Report(
        "Relay",
        ["what", "measured", "wanted"],
        rows,
        f"Throughput: {PAGES} canned pages of {PAGE} records (1 kB jobs of {USERS} users, both images, each a change of a job of its "
        "own), decoded, compared and published through a real Valkey on the machine's other core. Latency, kills and stops: three relay "
        "processes on ministack, 20 jobs, some 40 updates a second; latency from before PutItem is called, which is some milliseconds before the record is visible.",
    )


class CannedStream:
    """A stream's client that gives one page over and over, each time as new records, decoded as real answers are."""

    def __init__(self, pages: int) -> None:
        records = [record_of(f"{PLACE.decode()}{number:06d}", job(number, 1), job(number, 2)) for number in range(PAGE)]
        self._page = json.encode(records)
        self._pages = pages
        self.given = 0
        self.memory: list[int] = []

    async def call(self, operation: str, into: type[T], /, **_: Any) -> T:
        """Answer a call of the stream's API."""
        if operation == "get_shard_iterator":
            return json.decode(b'{"ShardIterator": "0"}', type=into)
        self.given += 1
        if self.given % WARM == 0:
            self.memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
        records = self._page.replace(PLACE, b"%d" % (10**15 + self.given))
        next_one = b"" if self.given == self._pages else b', "NextShardIterator": "0"'
        return json.decode(b'{"Records": %s%s}' % (records, next_one), type=into)


class NoLeases(Leases):
    """A table that agrees to everything."""

    def __init__(self) -> None:
        pass

    async def swap(self, old: Lease | None, new: Lease) -> bool:
        """Take every write."""
        return old != new


def job(number: int, done: int) -> dict[str, Any]:
    """Return a job's item of some 1 kB."""
    item = typed({
        "job_id": f"{number:08d}-4f5e-9c1d-8a2b-1234567890ab", "user_id": f"user-{number % USERS}", "status": "processing",
        "stage": f"scene_{done}_complete", "prompt": "A prompt of some length. " * 14, "title": "A title", "duration": 30,
        "thumbnail_url": "https://s3.example/thumbnail.jpg", "scenes_completed": done, "scenes_total": 20,
        "created_at": 1_700_000_000, "updated_at": 1_700_000_000 + done, "ttl": 1_800_000_000,
    })  # fmt: skip
    urls = [{"S": f"https://s3.example/{number}/scene_{scene}.mp4"} for scene in range(3)]
    return {**item, "scene_video_urls": {"L": urls}, "metadata": {"M": {"model": {"S": "x" * 60}}}}


async def throughput() -> list[list[str]]:
    """Relay the canned pages as a worker does."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        port = free_port()
        stopping.callback(start_valkey(port, Path(name)).stop)
        channel = Channel(connect_redis(f"redis://127.0.0.1:{port}/0"))
        stream = CannedStream(PAGES)
        leases = NoLeases()
        unused: Any = None
        parts = Relay(Feed(cast("DynamoDB", stream), "canned"), channel, leases, unused, unused, 1)
        holding = Holding(leases, Lease("shard", "bench", 1), 0.0, lambda: 0.0)
        begun, begun_cpu, begun_queued = time.monotonic(), time.process_time(), queued()
        async with asyncio.TaskGroup() as tasks:
            await relay_shard(parts, holding, tasks, asyncio.Event())
        seconds, cpu, lent = time.monotonic() - begun, time.process_time() - begun_cpu, queued() - begun_queued
        await channel.close()
    records = PAGES * PAGE
    growth = (stream.memory[-1] - stream.memory[0]) / 1024
    return [
        ["records a second of the relay's CPU", f"{records / cpu:,.0f}", "≥ 15,000"],
        [
            f"records a second by the clock, at a load of {os.getloadavg()[0]:.1f}",
            f"{records / seconds:,.0f}",
            "≥ 15,000",
        ],
        ["records a second by the clock, without the wait for a core", f"{records / (seconds - lent):,.0f}", ""],
        [f"growth of memory over {records:,} records", f"{growth:.1f} MiB", "flat"],
    ]


def queued() -> float:
    """Return for how many seconds this thread was ready to run and others had the core; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


async def on_processes() -> list[list[str]]:
    """Measure latency, then kill and stop relays."""
    async with own_stack() as stack, loaded(stack, 20, relays=3) as (load, fleet):
        load.latencies.clear()
        await asyncio.sleep(LATENCY_FOR)
        middle, high = p50_p99(load.latencies)
        rows = [
            [f"visible → published, p50 of {len(load.latencies)}", milliseconds(middle), "≤ 150 ms"],
            ["visible → published, p99", milliseconds(high), "≤ 500 ms"],
        ]
        for what, number, times, wanted in (
            ("killed (-9)", signal.SIGKILL, KILLS, "≤ 12 s"),
            ("stopped (SIGTERM)", signal.SIGTERM, STOPS, "≤ 1 s"),
        ):
            seconds = []
            for _ in range(times):
                await fleet.fill_up()
                seconds.append(await end_holder(load, fleet, number))
            middle, high = p50_p99(seconds)
            rows.append(
                [f"{what}, shard flows again: p50, p99, max of {times}", _three(middle, high, max(seconds)), wanted]
            )
    return rows


_three = partial("{:.2f} s, {:.2f} s, {:.2f} s".format)
