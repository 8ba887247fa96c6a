"""Whatever happens to several workers, their clocks, the stream, the table and Redis: nothing is lost or misordered.

What must never happen is asserted in tests/workers/fleet/world.py, where it would happen. Here it is made to happen.
"""

import asyncio
from collections.abc import Coroutine
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from msgspec.structs import replace

from tests.support.clock import JumpingLoop
from tests.workers.fleet.desk import Desk
from tests.workers.fleet.world import World
from workers.relay.batch import SIZE
from workers.relay.pace import BACKLOG

RESTS_WITHIN = 240.0  # seconds, after the last thing went wrong; most of it is the mending of gaps
MOST_WORKERS = 4
MOST_SHARDS = 8

chance = st.floats(0, 0.999)


class Fleet(RuleBasedStateMachine):
    """Workers come, crash, pause and stop; shards close; calls fail; and then the fleet must come to rest."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=JumpingLoop)
        self.names = count()
        self.failures: list[BaseException] = []

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        self.runner.run(work)
        self.check()

    def check(self) -> None:
        """Raise what was raised in a worker, or behind its back."""
        for desk in self.world.desks:
            if desk.task.done():
                desk.task.result()
        if self.failures:
            raise self.failures[0]

    @initialize(
        seed=st.integers(0, 2**32),
        shards=st.integers(1, 3),
        workers=st.integers(1, 3),
        page=st.sampled_from([4, BACKLOG, SIZE + 50]),
    )
    def begin(self, seed: int, shards: int, workers: int, page: int) -> None:
        async def make() -> None:
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, told: self.failures.append(told.get("exception") or Exception(told)))
            self.world = World(seed, shards)
            self.world.stream.limit = page
            for _ in range(workers):
                self._start()

        self.runner.run(make())

    def _start(self) -> None:
        Desk(self.world, f"worker-{next(self.names)}")

    def desk(self, which: float) -> Desk:
        return self.world.desks[int(which * len(self.world.desks))]

    @rule(seconds=st.floats(0.01, 20))
    def pass_time(self, seconds: float) -> None:
        self.do(asyncio.sleep(seconds))

    @rule(jobs=st.lists(st.integers(0, 9), min_size=1, max_size=20))
    def write(self, jobs: list[int]) -> None:
        for job in jobs:
            self.world.write(f"job {job}")

    @rule(job=st.integers(0, 9))
    def write_poison(self, job: int) -> None:
        self.world.write(f"job {job}", poison=True)
        self.world.write(f"job {job}")

    @precondition(lambda self: self.world.items)
    @rule(which=chance)
    def delete(self, which: float) -> None:
        jobs = sorted(self.world.items)
        self.world.delete(jobs[int(which * len(jobs))])

    @precondition(
        lambda self: self.world.stream.limit >= BACKLOG and sum(map(len, self.world.writes.values())) < 2 * SIZE
    )
    @rule(jobs=st.integers(1, 10))
    def flood(self, jobs: int) -> None:
        """More than is published at once, so that one batch is read while the one before is on its way."""
        for number in range(SIZE + 50):
            self.world.write(f"job {number % jobs}")

    @precondition(lambda self: len(self.world.desks) < MOST_WORKERS)
    @rule()
    def start_worker(self) -> None:
        async def start() -> None:
            self._start()

        self.do(start())

    @precondition(lambda self: self.world.desks)
    @rule(which=chance)
    def crash_worker(self, which: float) -> None:
        self.do(self.desk(which).crash())

    @precondition(lambda self: self.world.desks)
    @rule(which=chance)
    def stop_worker(self, which: float) -> None:
        self.desk(which).resume()
        self.do(self.desk(which).stop())

    @precondition(lambda self: self.world.desks)
    @rule(which=chance)
    def pause_worker(self, which: float) -> None:
        self.desk(which).pause()

    @precondition(lambda self: self.world.desks)
    @rule(which=chance)
    def resume_worker(self, which: float) -> None:
        self.desk(which).resume()

    @precondition(lambda self: len(self.world.open_shards()) < MOST_SHARDS)
    @rule(place=chance)
    def split(self, place: float) -> None:
        self.world.stream.split(self.world.stream.open_shard(place))

    @rule(place=chance)
    def roll(self, place: float) -> None:
        self.world.stream.roll(self.world.stream.open_shard(place))

    @precondition(lambda self: len(self.world.open_shards()) > 1)
    @rule(place=chance)
    def merge(self, place: float) -> None:
        shards = sorted(self.world.stream.open_shards(), key=lambda shard: shard.low)
        at = int(place * (len(shards) - 1))
        self.world.stream.merge(shards[at], shards[at + 1])

    @precondition(lambda self: self._trimmable())
    @rule(which=chance, records=st.integers(0, 5))
    def trim_what_was_begun(self, which: float, records: int) -> None:
        """A fleet that is a day behind loses records under its eyes."""
        begun = self._trimmable()
        self.world.trim(begun[int(which * len(begun))], records)

    def _trimmable(self) -> list[str]:
        """What was never read past its beginning is another matter, see let_a_day_pass."""
        leases = self.world.leases
        return [name for name in self._oldest() if name in leases and leases[name].checkpoint.sequence is not None]

    def _oldest(self) -> list[str]:
        """A stream trims its oldest shards first."""
        shards = self.world.stream.shards
        return [name for name in sorted(shards) if not set(shards[name].parents) & shards.keys()]

    @precondition(lambda self: not self.world.desks and self.world.leases)
    @rule(which=chance, records=st.integers(0, 20))
    def let_a_day_pass(self, which: float, records: int) -> None:
        """A fleet that was away for a day finds shards trimmed that it never began."""
        leases = self.world.leases
        self.world.leases = {name: replace(lease, written_at=0) for name, lease in leases.items()}
        shards = self.world.stream.shards
        known = [name for name in self._oldest() if leases.keys() & {name, *shards[name].parents}]
        if known:
            self.world.trim(known[int(which * len(known))], records)

    @rule(faults=st.sampled_from([0.0, 0.1, 0.5]))
    def break_stream(self, faults: float) -> None:
        self.world.stream.faults = faults

    @rule(faults=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    def break_table(self, faults: float) -> None:
        self.world.break_table(faults)

    @rule(faults=st.sampled_from([0.0, 0.1, 0.5]), away=st.booleans())
    def break_redis(self, faults: float, away: bool) -> None:
        self.world.redis_faults = faults
        self.world.redis_is_away = away

    def teardown(self) -> None:
        """The fleet always comes to rest with everything relayed, and what was lost read from the table."""
        try:
            if hasattr(self, "world"):
                self.check()
                self.do(self._come_to_rest())
                self.do(self._end())
        finally:
            self.runner.close()

    async def _come_to_rest(self) -> None:
        world = self.world
        world.stream.faults = world.redis_faults = 0.0
        world.break_table(0.0)
        world.redis_is_away = False
        for desk in world.desks:
            desk.resume()
        if not world.desks:
            self._start()
        until = world.loop.time() + RESTS_WITHIN
        while not self._is_at_rest():
            assert world.loop.time() < until, f"the fleet does not come to rest: {world.unrest()}"
            await asyncio.sleep(1)
            self.check()

    def _is_at_rest(self) -> bool:
        world = self.world
        held = [len(desk.worker.holdings) for desk in world.desks]
        shown = all(world.is_shown(job_id) for job_id in world.writes)
        return world.rests() and shown and max(held) - min(held) <= 1

    async def _end(self) -> None:
        for desk in list(self.world.desks):
            await desk.stop()
        assert not any(lease.owner for lease in self.world.leases.values() if not lease.is_over)


TestFleet = Fleet.TestCase
TestFleet.settings = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # To shrink a whole fleet takes longer than to read it.
    suppress_health_check=list(HealthCheck),
)
