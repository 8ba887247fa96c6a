"""`make chaos`: relays, Redis and a table under load; everything in turn is killed, frozen, stopped. Nothing may be lost.

Three relays share a stream. Whoever holds the shard is killed (-9), frozen for longer than its lease lasts, and
stopped (SIGTERM); Redis is restarted and frozen. Meanwhile jobs move on, each with a watcher. In the end every watcher
has seen its job's end, and none has ever been told an older state. Prints how long updates stood still each time.
"""

import argparse
import asyncio
import signal
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from itertools import count, cycle
from pathlib import Path

import httpx
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.channel.channel import channel_of
from streams.channel.message import state_from_message
from streams.jobs.state import Version
from tests.support.stack import Stack, bearer
from tests.support.watcher import Watcher
from workers.demo.engines import Process, free_port, local_aws, start_ministack
from workers.relay.timing import EXPIRED_AFTER

USER = "chaos"
JOBS = 20
EVERY = 0.02  # seconds between two updates
FROZEN_FOR = EXPIRED_AFTER + 4.0  # seconds
AGAIN_WITHIN = 30.0  # seconds; how long is measured, that it happens is tested


class Relay(Struct):
    """A relay process and where it tells how it is."""

    process: Process
    port: int

    def holds_leases(self) -> bool:
        """Say whether it holds any lease."""
        for line in httpx.get(f"http://127.0.0.1:{self.port}/metrics").text.splitlines():
            if line.startswith("headway_leases_held "):
                return float(line.split()[1]) > 0
        raise AssertionError("no metric headway_leases_held")


class Relays:
    """Several relays of one stack."""

    def __init__(self, stack: Stack, wanted: int) -> None:
        self._stack = stack
        self._wanted = wanted
        self._running: list[Relay] = []

    async def fill_up(self) -> None:
        """Start as many as are wanted, and wait until they are ready."""
        self._running = [relay for relay in self._running if relay.process.code is None]
        while len(self._running) < self._wanted:
            port = free_port()
            process = self._stack.start("relay", "workers", "relay", HEADWAY_METRICS_PORT=str(port))
            await asyncio.to_thread(process.until_listening, port)
            self._running.append(Relay(process, port))
        for relay in self._running:
            await until(partial(self._is_ready, relay))

    @staticmethod
    def _is_ready(relay: Relay) -> bool:
        return httpx.get(f"http://127.0.0.1:{relay.port}/health/ready").status_code == httpx.codes.OK

    async def holder(self) -> Process:
        """Return the relay that holds the shard, once one does."""
        while True:
            for relay in self._running:
                if relay.process.code is None and await asyncio.to_thread(relay.holds_leases):
                    return relay.process
            await asyncio.sleep(0.1)


class Load:
    """Jobs that move on all the time, and when which update was heard on their channel."""

    def __init__(self, stack: Stack, jobs: int, every: float = EVERY) -> None:
        self._stack = stack
        self._every = every
        self._names = [f"job {number}" for number in range(jobs)]
        self._numbers = count(1)
        self.heard_until = 0.0  # when the youngest update that was heard had been written
        self.latencies: deque[float] = deque(maxlen=10_000)  # seconds from the write's begin to its publishing
        self._heard = asyncio.Event()

    async def flows_again_after(self, moment: float) -> float:
        """Wait for an update that was written after a moment; return the seconds from then to now."""
        async with asyncio.timeout(AGAIN_WITHIN):
            while self.heard_until <= moment:
                self._heard.clear()
                await self._heard.wait()
        return time.monotonic() - moment

    async def begin(self) -> None:
        """Write every job once, so that it can be watched."""
        for name in self._names:
            await self.put(name, "pending")

    async def run(self) -> None:
        """Write and listen until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._write())
            tasks.create_task(self._listen())

    async def _write(self) -> None:
        for name in cycle(self._names):
            await self.put(name, "processing")
            await asyncio.sleep(self._every)

    async def put(self, name: str, status: str) -> None:
        """Write a job; its title says when."""
        done = next(self._numbers)
        write = partial(self._stack.put, name, USER, status=status, scenes_completed=done, scenes_total=10**9)
        await asyncio.to_thread(write, title=str(time.monotonic()))

    async def _listen(self) -> None:
        while True:
            try:
                await self._listen_once()
            except (OSError, RedisError):  # Redis is killed on purpose
                await asyncio.sleep(0.02)

    async def _listen_once(self) -> None:
        redis = Redis(port=self._stack.redis_port, protocol=2)
        async with redis, redis.pubsub() as subscriber:
            await subscriber.subscribe(channel_of(USER))
            async for message in subscriber.listen():
                if message["type"] == "message":
                    text = state_from_message(message["data"]).data.partition(b'"title":"')[2]
                    written = float(text.partition(b'"')[0])
                    self.latencies.append(time.monotonic() - written)
                    self.heard_until = max(self.heard_until, written)
                    self._heard.set()

    async def finish(self) -> None:
        """Bring every job to its end."""
        for name in self._names:
            await self.put(name, "completed")


@asynccontextmanager
async def loaded(stack: Stack, jobs: int, relays: int, every: float = EVERY) -> AsyncIterator[tuple[Load, Relays]]:
    """Give jobs that move on, relayed by some relays."""
    fleet = Relays(stack, relays)
    await fleet.fill_up()
    load = Load(stack, jobs, every)
    await load.begin()
    running = asyncio.ensure_future(load.run())
    try:
        await load.flows_again_after(time.monotonic())
        yield load, fleet
    finally:
        running.cancel()
        await asyncio.wait([running])


async def end_holder(load: Load, fleet: Relays, number: signal.Signals) -> float:
    """Kill or stop whoever holds the shard; return the seconds until updates flow again."""
    holder = await fleet.holder()
    moment = time.monotonic()
    holder.send(number)
    seconds = await load.flows_again_after(moment)
    await asyncio.to_thread(holder.wait, 10)
    return seconds


async def freeze_holder(load: Load, fleet: Relays) -> float:
    """Freeze whoever holds the shard until long after its lease; return the seconds until updates flow again."""
    holder = await fleet.holder()
    moment = time.monotonic()
    holder.send(signal.SIGSTOP)
    seconds = await load.flows_again_after(moment)
    await asyncio.sleep(max(0.0, moment + FROZEN_FOR - time.monotonic()))
    holder.send(signal.SIGCONT)
    return seconds


async def restart_redis(load: Load, stack: Stack) -> float:
    """End Redis and start an empty one; return the seconds until updates flow again."""
    stack.redis.send(signal.SIGKILL)
    stack.redis.wait(5)
    await asyncio.sleep(1)
    moment = time.monotonic()
    await asyncio.to_thread(stack.start_redis)
    return await load.flows_again_after(moment)


async def freeze_redis(load: Load, stack: Stack) -> float:
    """Freeze Redis for longer than its clients wait; return the seconds until updates flow again."""
    stack.redis.send(signal.SIGSTOP)
    await asyncio.sleep(8)
    stack.redis.send(signal.SIGCONT)
    return await load.flows_again_after(time.monotonic())


Told = Callable[[str, float], None]


async def chaos(stack: Stack, rounds: int, told: Told) -> None:
    """Let everything go wrong some times over; raises AssertionError where a watcher was misled."""
    api = stack.start_api()
    async with loaded(stack, JOBS, relays=3) as (load, fleet):
        watchers = [Watcher(f"{api.url}/api/v1/jobs/job {number}/events", bearer(USER)) for number in range(JOBS)]
        watching = [asyncio.ensure_future(watcher.run()) for watcher in watchers]
        for _ in range(rounds):
            for what, happens in mishaps(load, fleet, stack):
                await fleet.fill_up()
                told(what, await happens())
    await load.finish()
    async with asyncio.timeout(60):
        await asyncio.gather(*watching)
    for watcher in watchers:
        check(watcher)


def mishaps(load: Load, fleet: Relays, stack: Stack) -> list[tuple[str, Callable[[], Awaitable[float]]]]:
    """Return what goes wrong in one round, in order."""
    return [
        ("relay killed", partial(end_holder, load, fleet, signal.SIGKILL)),
        ("relay frozen", partial(freeze_holder, load, fleet)),
        ("relay stopped", partial(end_holder, load, fleet, signal.SIGTERM)),
        ("Redis restarted", partial(restart_redis, load, stack)),
        ("Redis frozen", partial(freeze_redis, load, stack)),
    ]


def check(watcher: Watcher) -> None:
    """A watcher ends on the final state, and was never told an older one."""
    assert watcher.statuses[-1] == httpx.codes.NO_CONTENT, watcher.statuses[-5:]
    assert watcher.states[-1]["status"] == "completed"
    versions = [Version.parse(event.id) for event in watcher.events if event.id and "table" not in event.id]
    assert versions == sorted(versions)
    shown = [state["scenes_completed"] for state in watcher.states]
    assert shown == sorted(shown)


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(AGAIN_WITHIN):
        while not await asyncio.to_thread(condition):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.05)


@asynccontextmanager
async def own_stack() -> AsyncIterator[Stack]:
    """Give a stack on a table engine of its own."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stopping:
        port = free_port()
        stopping.callback(start_ministack(port, Path(name)).stop)
        stack = Stack(local_aws(port), Path(name), stopping)
        stack.start_redis()
        yield stack


async def main(rounds: int) -> None:
    """Run, and print what took how long."""
    async with own_stack() as stack:
        await chaos(
            stack, rounds, lambda what, seconds: print(f"{what:<16} flows again after {seconds:6.2f} s", flush=True)
        )
    print(f"{JOBS} watchers: each saw its job's end, none an older state")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    asyncio.run(main(parser.parse_args().rounds))
