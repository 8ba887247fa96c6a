"""One worker of the fleet: it agrees with its peers, through the leases table, on who relays which shard.

Nobody leads. Each worker looks at the table, takes what is free or left by the dead, evens the load one lease
at a time, relays what it holds, and hands it back when asked to stop.
"""

import asyncio
import random
import time
from collections.abc import Callable
from functools import partial

import structlog
from msgspec.structs import replace

from streams.errors import LeaseLost, ShardGone, TableUnavailable
from streams.lease import Checkpoint, Lease
from streams.lineage import Shard, ready, unlisted_parents
from workers import metrics
from workers.holding import Holding
from workers.mend import mend
from workers.patience import Stopped, hold, wait
from workers.relay import Relay, relay_shard
from workers.shares import Offer, Sightings, to_take, view_of

log = structlog.get_logger()

LOOK_EVERY = 0.4  # seconds between two looks at the leases: what was handed back flows again within
LIST_EVERY = 30.0  # seconds between two listings of the whole stream; children are asked for when a parent is done
LIST_AGAIN = 2.0  # seconds, while a listing leaves out what is there
ASK_CHILDREN = 5  # times, until the next listing
LOOK_PATIENCE = 1.0  # seconds; the longest pause between looks while the table is away
KEEP_TICK = 0.25  # seconds between two looks at whether a lease is due
LET_GO_WITHIN = 0.3  # seconds for the pages under way
RELEASE_WITHIN = 0.6  # seconds


class Worker:
    """One worker; `me` must be new with each process, and `clock` monotonic (seconds)."""

    def __init__(
        self, parts: Relay, me: str, clock: Callable[[], float] = time.monotonic, chance: random.Random | None = None
    ) -> None:
        self.me = me
        self.holdings: dict[str, Holding] = {}
        self._looked_at: float | None = None
        self._parts = parts
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 - no secret
        self._stream = Stream(parts)
        self._leases: dict[str, Lease] = {}
        self._sightings = Sightings()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until asked to stop, then hand every lease back; raises ShardGone when the stream is no more."""
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(self._look_on(tasks, stopping))
            listing = tasks.create_task(self._list_on(stopping))
            await stopping.wait()
            self._news.set()
            await self._let_go(looking)
            listing.cancel()

    def has_looked_within(self, seconds: float) -> bool:
        """Say whether this worker saw the leases lately: it holds some, or stands by to take them."""
        return self._looked_at is not None and self._clock() - self._looked_at <= seconds

    async def _list_on(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await hold(partial(self._stream.list, self._leases), stopping)
            except Stopped:
                return
            self._news.set()
            pause = LIST_EVERY if self._stream.is_whole(self._leases) else LIST_AGAIN
            await wait(stopping, pause * self._chance.uniform(0.8, 1.2))

    async def _look_on(self, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await hold(partial(self._look, tasks, stopping), stopping, LOOK_PATIENCE)
            except Stopped:
                return
            await wait(self._news, LOOK_EVERY)
            self._news.clear()

    async def _look(self, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        """See what changed hands, and take what is mine to take."""
        asked_at = self._clock()
        self._leases = await self._parts.leases.load()
        self._looked_at = self._clock()
        self._sightings.note(self._leases, asked_at, self._looked_at)
        self._drop_lost()
        await self._stream.learn_children(self._leases)
        unstarted = [
            shard.shard_id for shard in self._stream.startable(self._leases) if shard.shard_id not in self.holdings
        ]
        view = view_of(self.me, self.holdings, self._leases.values(), unstarted, self._sightings.is_expired)
        takes = [self._take(offer, tasks, stopping) for offer in to_take(view, self._chance) if not stopping.is_set()]
        await asyncio.gather(*takes)

    def _drop_lost(self) -> None:
        for shard_id, holding in self.holdings.items():
            try:
                if lease := self._leases.get(shard_id):
                    holding.compare(lease)
            except LeaseLost as lost:
                note_loss(lost)
                self._running[shard_id].cancel()

    async def _take(self, offer: Offer, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        begun = self._clock()
        old = offer.lease
        checkpoint = self._stream.checkpoint_of(offer, self._leases)
        lease = Lease(offer.shard_id, self.me, old.counter + 1 if old else 1, checkpoint)
        if not await self._parts.leases.swap(old, lease):
            return  # A peer was faster; or our answer was lost, and the next look shows the lease as ours.
        log.info("lease taken", shard=lease.shard_id, of=old and old.owner, after=lease.checkpoint.sequence)
        holding = Holding(self._parts.leases, lease, begun, self._clock)
        self.holdings[lease.shard_id] = holding
        metrics.leases_held.inc()
        self._running[lease.shard_id] = tasks.create_task(self._work_on(holding, stopping))

    async def _work_on(self, holding: Holding, stopping: asyncio.Event) -> None:
        """Relay a shard for as long as its lease is held."""
        try:
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(keep(holding, stopping))
                mending = tasks.create_task(self._mend(holding, stopping))
                await relay_shard(self._parts, holding, stopping)
                if stopping.is_set() or not holding.checkpoint.gap:
                    mending.cancel()
                await asyncio.wait([mending])
                keeping.cancel()
        except* LeaseLost as lost:
            note_loss(lost.exceptions[0])
        except* Stopped:
            log.info("stopped while holding", shard=holding.shard_id)
        finally:
            self._forget(holding)

    async def _mend(self, holding: Holding, stopping: asyncio.Event) -> None:
        await holding.gap_found.wait()
        await mend(self._parts, stopping)
        await hold(lambda: holding.finish(done=holding.checkpoint.done, gap=False), stopping)

    def _forget(self, holding: Holding) -> None:
        del self.holdings[holding.shard_id], self._running[holding.shard_id]
        metrics.forget_shard(holding.shard_id)
        metrics.leases_held.dec()
        self._news.set()

    async def _let_go(self, looking: asyncio.Task[None]) -> None:
        """Finish the pages under way, and hand the leases back with what was published."""
        holdings = list(self.holdings.values())
        running = {looking, *self._running.values()}
        await asyncio.wait(running, timeout=LET_GO_WITHIN)
        for task in running:
            task.cancel()
        holdings += [holding for holding in self.holdings.values() if holding not in holdings]
        await asyncio.gather(*map(release, holdings))


async def keep(holding: Holding, stopping: asyncio.Event) -> None:
    """Renew the lease and save the checkpoint, in time; raises LeaseLost."""

    async def attempt() -> None:
        holding.check()
        await holding.save()

    while True:
        if holding.is_due():
            await hold(attempt, stopping, LOOK_PATIENCE)
        await asyncio.sleep(KEEP_TICK)


async def release(holding: Holding) -> None:
    """Hand a lease back; where that fails, peers take it when it expires."""
    try:
        async with asyncio.timeout(RELEASE_WITHIN):
            await holding.release()
    except (LeaseLost, TableUnavailable, TimeoutError) as error:
        log.warning("lease not handed back", shard=holding.shard_id, reason=str(error))
    else:
        log.info("lease handed back", shard=holding.shard_id, after=holding.checkpoint.sequence)


def note_loss(lost: Exception) -> None:
    """Count and log that a lease was lost."""
    metrics.count_error(lost)
    log.warning("lease lost", reason=str(lost))


class Stream:
    """The shards of the stream as far as they were ever seen."""

    def __init__(self, parts: Relay) -> None:
        self._feed = parts.feed
        self._leases = parts.leases
        self._shards: dict[str, Shard] = {}
        self._gone: set[str] = set()
        self._asked: dict[str, int] = {}
        self._listed = False

    def startable(self, leases: dict[str, Lease]) -> list[Shard]:
        """Return the shards whose turn it is and that have no lease yet."""
        behind = {shard_id for shard_id, lease in leases.items() if lease.checkpoint.done} | self._gone
        return ready(self._shards.values(), leases.keys(), behind)

    def checkpoint_of(self, offer: Offer, leases: dict[str, Lease]) -> Checkpoint:
        """Return where a shard is to be read on, with the gap marked where something may have been trimmed unread.

        That is so where its lease, or its parents' while it has none, was left alone for most of a day; and on a
        stream that was followed before, where a parent is gone without ever having had a lease.
        """
        now = time.time()
        if offer.lease:
            return replace(offer.lease.checkpoint, gap=offer.lease.checkpoint.gap or offer.lease.is_stale(now))
        shard = self._shards.get(offer.shard_id)
        parents = shard.parents if shard else []
        lost = any(leases[parent].is_stale(now) if parent in leases else parent in self._gone for parent in parents)
        return Checkpoint(gap=bool(leases) and lost)

    def is_whole(self, leases: dict[str, Lease]) -> bool:
        """Say whether every parent is known, or known to be gone."""
        return not unlisted_parents(self._shards.values(), leases.keys() | self._gone)

    async def list(self, leases: dict[str, Lease]) -> None:
        """Ask for all shards; raises ShardGone where there is no such stream any more."""
        listed = {shard.shard_id: shard for shard in await self._feed.shards()}
        over = {shard_id for shard_id, lease in leases.items() if lease.is_over}
        for shard_id in over - listed.keys():
            if not await self._feed.holds(shard_id):
                await self._leases.forget(leases[shard_id])
        for shard_id in self._shards.keys() - listed.keys():
            if shard_id in over or (shard_id not in leases and not await self._feed.holds(shard_id)):
                del self._shards[shard_id]  # Not for being unlisted alone: a listing may leave out what is there.
        self._shards |= listed
        await self._learn_parents(leases)

    async def _learn_parents(self, leases: dict[str, Lease]) -> None:
        for parent in unlisted_parents(self._shards.values(), leases.keys() | self._gone):
            if await self._feed.holds(parent):
                log.warning("a listing left out a shard", shard=parent)
            else:
                self._gone.add(parent)
        self._gone &= {parent for shard in self._shards.values() for parent in shard.parents}

    async def learn_children(self, leases: dict[str, Lease]) -> None:
        """Ask for the children of shards that are done since the first look."""
        done = {shard_id for shard_id, lease in leases.items() if lease.checkpoint.done}
        if not self._listed:
            self._asked = dict.fromkeys(done, ASK_CHILDREN)
            self._listed = True
        parents = {parent for shard in self._shards.values() for parent in shard.parents}
        self._asked = {name: times for name, times in self._asked.items() if name in done}
        for shard_id in done - parents:
            if self._asked.setdefault(shard_id, 0) < ASK_CHILDREN:
                self._asked[shard_id] += 1
                await self._ask_children(shard_id)

    async def _ask_children(self, shard_id: str) -> None:
        try:
            self._shards |= {shard.shard_id: shard for shard in await self._feed.children(shard_id)}
        except (ShardGone, TableUnavailable) as error:
            metrics.count_error(error)
