"""What one relay process can publish for its CPU, and whether its memory grows."""

import asyncio
import resource
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar, cast

from botocore.parsers import ResponseParserFactory
from msgspec import json

from bench.report import Figure, Report, at_least, at_most
from streams.channel.channel import Channel, connect_redis
from streams.feed.feed import Feed
from streams.feed.lease import Lease
from streams.feed.leases import Leases
from streams.table.client import DynamoDB
from streams.table.endpoint import plain_client
from tests.support.stack import typed
from tests.workers.fleet.fake_stream import record_of
from workers.demo.engines import free_port, local_aws, start_valkey
from workers.relay.holding import Holding
from workers.relay.relay import Relay, relay_shard

T = TypeVar("T")

PAGES = 1000
PAGE = 1000  # records
USERS = 100
WARM = 100  # pages, after which memory is compared
FLAT = 2.0  # MiB by which peak memory may grow from then on
PLACE = b"@PAGE@"
PARSED = 5  # pages, by botocore


def run() -> Report:
    """Relay canned pages as a worker does."""
    found = asyncio.run(throughput())
    return Report(
        "Relay: throughput and memory",
        ["what", "measured", "asked"],
        [[what, str(figure), figure.verdict] for what, figure in found.items()],
        f"{PAGES} canned pages of {PAGE} records (1 kB jobs of {USERS} users, both images, each a change of a job of its "
        "own), decoded, compared and published through a real Valkey. The parser of botocore, alone, on the same pages: "
        "what a relay on boto3's own client could not go below.",
        list(found.values()),
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
        return json.decode(self.page(self.given), type=into)

    def page(self, number: int) -> bytes:
        """Return the body of an answer."""
        records = self._page.replace(PLACE, b"%d" % (10**15 + number))
        next_one = b"" if number == self._pages else b', "NextShardIterator": "0"'
        return b'{"Records": %s%s}' % (records, next_one)


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


async def throughput() -> dict[str, Figure]:
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
    parser = parser_cpu(stream) / PAGE
    return {
        "records a second of the relay's CPU": Figure(
            "relay.throughput", records / cpu, "records/s", at_least(15_000), better="higher"
        ),
        "records a second by the clock": Figure(
            "relay.clock", records / seconds, "records/s", at_least(15_000), better="higher"
        ),
        "records a second by the clock, without the wait for a core": Figure(
            "relay.clock.unqueued", records / (seconds - lent), "records/s", better="higher"
        ),
        "CPU per record, to botocore's parser alone": Figure(
            "relay.cpu.to_parser", cpu / records / parser, "×", peer="botocore's parser"
        ),
        f"growth of memory over {records:,} records": Figure("relay.memory.growth", growth, "MiB", at_most(FLAT)),
    }


def queued() -> float:
    """Return for how many seconds this thread was ready to run and others had the core; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except OSError:
        return 0.0


def parser_cpu(stream: CannedStream) -> float:
    """Return the CPU seconds in which botocore's own parser reads a page."""
    client = plain_client("dynamodbstreams", local_aws(1))
    shape = client.meta.service_model.operation_model("GetRecords").output_shape
    parser = ResponseParserFactory().create_parser("json")
    answer = {"body": stream.page(PAGES + 1), "headers": {}, "status_code": 200}
    begun = time.process_time()
    for _ in range(PARSED):
        parser.parse(answer, shape)
    return (time.process_time() - begun) / PARSED
