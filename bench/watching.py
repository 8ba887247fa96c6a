"""Writes into a table, watchers on a server, and what lies between: the window that `polling.py` opens on each side."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median

from msgspec import Struct

from bench import cost
from bench.hub.load import DIGITS, Load
from bench.hub.servers import get
from bench.report import p50_p99
from tests.support.stack import bearer, boto_client, typed

SECONDS = 8.0
WRITES = 25  # a second, at most
PAUSE = 2.0  # seconds, at least, between two writes of a job: a poller should see each
SETTLE = 1.0  # seconds from the last stream's opening to the first write
HEARD_WITHIN = 15.0  # seconds after the last write
HOUR = 3600.0


class Seen(Struct, frozen=True):
    """What one window showed; times in seconds, reads and CPU of the window alone."""

    watchers: int
    seconds: float
    p50: float
    p99: float
    put: float  # median of the writes themselves
    connecting: float  # reads an hour because streams end and come back
    reads: int
    relayed: int
    cpu: float

    @property
    def reads_an_hour(self) -> float:
        """Reads of the table for each watcher: while it watches, and when it connects."""
        return (self.reads / self.seconds * HOUR + self.connecting) / self.watchers

    @property
    def cpu_an_hour(self) -> float:
        """CPU seconds for each watcher."""
        return self.cpu / self.seconds * HOUR / self.watchers


class Side:
    """One server that is watched: its table, its watchers, its processes and the counted calls of the table."""

    def __init__(self, aws: Mapping[str, str], table: str, load: Load, pids: list[int], counts: Counter[str]) -> None:
        self.load = load
        self.counts = counts
        self.relayed: Counter[str] = Counter()
        self.connections = 0  # that a watcher makes in an hour; streams may live for ever
        self._pids = pids
        self._table = table
        self._client = boto_client("dynamodb", aws)
        self._threads = ThreadPoolExecutor(64)  # a table that is late holds up nobody's next write

    async def put(self, name: str, prompt: str, created: int) -> None:
        """Write a job."""
        job = typed({
            "job_id": name, "user_id": _user(name), "status": "processing", "prompt": prompt, "duration": 30,
            "created_at": created, "updated_at": int(time.time()), "scenes_completed": 1, "scenes_total": 3,
            "thumbnail_url": f"https://media.example.com/jobs/{name}/thumbnail.jpg",
        })  # fmt: skip
        write = partial(self._client.put_item, TableName=self._table, Item=job)
        await asyncio.get_running_loop().run_in_executor(self._threads, write)

    def cpu(self) -> float:
        """Return the CPU seconds of all its processes so far."""
        return sum(cost.cpu(pid) for pid in self._pids)

    def reads(self) -> int:
        """Return how often the table was read so far."""
        return sum(self.counts.values())


async def watched(side: Side, number: int) -> Seen:
    """Open so many streams, write, and return what came of it; the streams are closed again."""
    names = [f"job-{number}-{job}" for job in range(number)]
    await _fill(side, names)
    before = side.reads()
    await side.load.open([_request(name) for name in names])
    connecting = (side.reads() - before) * side.connections
    await asyncio.sleep(SETTLE)
    await side.load.hear()
    reads, relayed, cpu, began = side.reads(), side.relayed.total(), side.cpu(), time.monotonic()
    puts = await _write(side, names)
    seconds = time.monotonic() - began
    reads, relayed, cpu = side.reads() - reads, side.relayed.total() - relayed, side.cpu() - cpu
    latencies = await _latencies(side, len(puts))
    await side.load.keep(0)
    middle, high = p50_p99(latencies)
    return Seen(number, seconds, middle, high, median(puts), connecting, reads, relayed, cpu)


async def _fill(side: Side, names: list[str]) -> None:
    waiting = iter(names)

    async def fill() -> None:
        for name in waiting:
            await side.put(name, "an otter that learns to skate", 1)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(16):
            tasks.create_task(fill())


async def _write(side: Side, names: list[str]) -> list[float]:
    """Write to one job after the other, at a steady rate however long a write takes; return how long each took."""
    rate = min(WRITES, len(names) / PAUSE)
    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        writing = []
        for number in range(round(rate * SECONDS)):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            writing.append(tasks.create_task(_put(side, names[number % len(names)])))
        await asyncio.sleep(max(0.0, began + SECONDS - time.monotonic()))
    return [put.result() for put in writing]


async def _put(side: Side, name: str) -> float:
    began = time.monotonic_ns()
    await side.put(name, f"@{began:0{DIGITS}}, an otter that learns to skate", 1)
    return (time.monotonic_ns() - began) / 1e9


async def _latencies(side: Side, wanted: int) -> list[float]:
    """Wait for the events of all writes; return the seconds of each from its write to its being read."""
    until = time.monotonic() + HEARD_WITHIN
    while await side.load.count() < wanted and time.monotonic() < until:  # noqa: ASYNC110 - of another process
        await asyncio.sleep(0.05)
    heard = await side.load.hear()
    if heard.events < wanted * 0.9:
        raise TimeoutError(f"{heard.events} of {wanted} events came within {HEARD_WITHIN:.0f} s of the last write")
    return [latency / 1e9 for latency in heard.latencies]


def _user(name: str) -> str:
    return f"user-of-{name}"


def _request(name: str) -> bytes:
    return get(f"/api/v1/jobs/{name}/events", **bearer(_user(name)))
