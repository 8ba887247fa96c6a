"""A small world to watch jobs in: what was truly written, what the table, the index and Redis say of it, and clients.

Every read waits at its gates, so that whoever drives the world decides what happens in between.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable, Sequence
from typing import Any, TypeVar, cast

from msgspec import json, structs

from api.push.reader import StateReader
from streams.channel.channel import Channel, Recent
from streams.errors import ChannelUnavailable
from streams.jobs.job import Job
from streams.jobs.state import State, Version, deletion_of, state_of
from streams.table.table import Table
from tests.support.clock import JumpingLoop
from tests.support.sse import Block, blocks

T = TypeVar("T")

USER = "somebody"
JOBS = ("job_a", "job_b")
START = 1_700_000_000  # seconds


class History:
    """All that was ever written of one job, in order."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        self.jobs: list[Job | None] = []
        self.states: list[State] = []

    def write(self, job: Job | None, sequence: int, seconds: int) -> None:
        """Append a state, or a deletion, unless nothing changed; no state comes again, since equal states are taken for one."""
        last = self.states[-1] if self.states else None
        version = Version(1, sequence)
        state = (
            state_of(job, version) if job else deletion_of(self.job_id, last.updated_at if last else seconds, version)
        )
        if job and any(state.data == before.data for before in self.states):
            return
        if job or (last and last.data != state.data):
            self.jobs.append(job)
            self.states.append(state)

    def find(self, data: bytes, start: int) -> int:
        """Return the first moment, not before `start`, at which this was true."""
        moments = range(start, len(self.states))
        found = next((moment for moment in moments if self.states[moment].data == data), None)
        assert found is not None, f"{data!r} goes back: {[state.data for state in self.states]}, seen up to {start}"
        return found


class World:
    """The table and Redis as StateReader reads them, on a loop that turns only when told to."""

    def __init__(self) -> None:
        self.loop = JumpingLoop()
        self.histories = {job_id: History(job_id) for job_id in JOBS}
        self.relayed = dict.fromkeys(JOBS, 0)  # how many states of each job the relay has published
        self.latest_states: dict[str, State] = {}
        self.behind: set[str] = set(JOBS)  # jobs of which Redis does not know the newest that was ever published
        self.forgotten: set[str] = set()  # jobs whose deletion Redis knew and lost
        self.micros = START * 1_000_000
        self.sequence = 0
        self.index_lag = 0
        self.redis_away = False
        self.gates: list[asyncio.Future[None]] = []
        self._under_way: list[asyncio.Task[Any]] = []
        self.reader = StateReader(cast("Table", self), cast("Channel", self), redis_within=None)

    @property
    def seconds(self) -> int:
        return self.micros // 1_000_000

    def write(self, job_id: str, status: str, scenes: int) -> None:
        self.sequence += 1
        job = Job(
            job_id=job_id,
            user_id=USER,
            status=status,
            created_at=START,
            updated_at=self.seconds,
            scenes_completed=scenes,
        )
        self.histories[job_id].write(job, self.sequence, self.seconds)

    def delete(self, job_id: str) -> None:
        self.sequence += 1
        self.histories[job_id].write(None, self.sequence, self.seconds)

    def publish(self, job_id: str) -> State | None:
        """Publish the next state of a job as streams/channel/publish.lua does; return the message, None where there is none."""
        states = self.histories[job_id].states
        if self.redis_away or self.relayed[job_id] == len(states):
            return None
        state = states[self.relayed[job_id]]
        self.relayed[job_id] += 1
        stored = self.latest_states.get(job_id)
        if stored and stored.version and state.version and state.version <= stored.version:
            return None
        self.micros += 1
        self.latest_states[job_id] = structs.replace(state, position=self.micros)
        if self.relayed[job_id] == len(states):
            self.behind.discard(job_id)
        return self.latest_states[job_id]

    def lose_redis(self) -> None:
        """Empty Redis; then nothing tells any more that a job was deleted."""
        self.forgotten |= {job_id for job_id, state in self.latest_states.items() if state.kind == "deleted"}
        self.latest_states.clear()
        self.behind = set(JOBS)

    async def get(self, job_id: str) -> Job | None:
        await self.gate()
        jobs = self.histories[job_id].jobs
        return jobs[-1] if jobs else None

    async def get_many(self, job_ids: Collection[str]) -> dict[str, Job]:
        await self.gate()
        newest = {job_id: self.histories[job_id].jobs[-1:] for job_id in job_ids}
        return {job_id: jobs[0] for job_id, jobs in newest.items() if jobs and jobs[0]}

    async def unfinished_of(self, user_id: str, since: int | None) -> AsyncIterator[Job]:
        """Yield what the index says, which may lag behind the table while Redis knows better."""
        assert user_id == USER
        await self.gate()
        for job_id, history in self.histories.items():
            lag = 0 if self.redis_away or job_id in self.behind else self.index_lag
            job = history.jobs[-1 - min(lag, len(history.jobs) - 1)] if history.jobs else None
            if job and (job.status in {"pending", "processing"} or (since and job.updated_at >= since)):
                yield job

    async def latest(self, jobs: Iterable[tuple[str, str]]) -> list[State]:
        await self.gate()
        self._answer()
        return [self.latest_states[job_id] for _, job_id in jobs if job_id in self.latest_states]

    async def recent(self, user_id: str, since: int | None) -> Recent:
        assert user_id == USER
        await self.gate()
        self._answer()
        after = since or 0
        return Recent(self.micros, [job_id for job_id, state in self.latest_states.items() if state.position > after])

    def _answer(self) -> None:
        if self.redis_away:
            raise ChannelUnavailable("away")

    async def gate(self) -> None:
        """Wait until let through."""
        gate = self.loop.create_future()
        self.gates.append(gate)
        await gate

    def let_through(self, number: int) -> None:
        """Let one of those who wait go on to its next gate."""
        self.gates.pop(number).set_result(None)
        self.turn()

    def start(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Begin some work, which goes on when the world turns."""
        task = self.loop.create_task(work)
        self._under_way.append(task)
        return task

    def turn(self) -> None:
        """Let every task go on to its next gate; what went wrong in one goes wrong here."""
        for _ in range(6):
            self.loop.jump(1.0)
            self.loop.call_soon(self.loop.stop)
            self.loop.run_forever()
        for task in [task for task in self._under_way if task.done()]:
            self._under_way.remove(task)
            if not task.cancelled():
                task.result()

    def close(self) -> None:
        for task in self._under_way:
            task.cancel()
        self.turn()
        self.loop.close()


class Client:
    """A browser: what it was told over all its connections, and the id it would come back with."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._moments = dict.fromkeys(JOBS, 0)
        self.shown: dict[str, Block] = {}
        self.last_event_id = ""
        self.told_everything = False

    def hear(self, stream: bytes) -> None:
        """Take what a connection sent; no state may be older than the one before it."""
        for block in blocks(stream):
            self.last_event_id = block.get("id", self.last_event_id)
            if block["event"] in {"update", "done", "deleted"}:
                self._see(block)
            self.told_everything = self.told_everything or block["event"] == "live"

    def _see(self, block: Block) -> None:
        job_id = json.decode(block["data"])["job_id"]
        history = self._world.histories[job_id]
        self._moments[job_id] = history.find(block["data"].encode(), self._moments[job_id])
        self.shown[job_id] = block

    def assert_current(self, job_id: str) -> None:
        assert self.shown[job_id]["data"].encode() == self._world.histories[job_id].states[-1].data


def statuses_of(shown: Sequence[Block]) -> set[str]:
    """Return the statuses in some events, none for deletions."""
    return {json.decode(block["data"]).get("status", "") for block in shown}
