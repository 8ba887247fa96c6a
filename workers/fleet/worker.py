"""One worker of the fleet: it agrees with its peers, through the leases table, on who relays which shard.

Nobody leads. Each worker looks at the table, takes what is free or left by the dead, evens the load one lease
at a time, relays what it holds, and hands it back when asked to stop.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable, Iterable
from functools import partial

import structlog

from streams.errors import LeaseLost, TableUnavailable
from streams.feed.lease import Lease
from streams.retry import Stopped, wait
from workers.fleet.claims import UNCLAIMED_AFTER, Claims, Report
from workers.fleet.shards import Shards
from workers.fleet.shares import Offer, Sightings, to_take, view_of
from workers.relay import metrics
from workers.relay.holding import Holding
from workers.relay.mend import mend
from workers.relay.relay import Relay, relay_shard
from workers.relay.retry import SOON, hold
from workers.relay.timing import (
    KEEP_TICK,
    LET_GO_WITHIN,
    LIST_AGAIN,
    LIST_EVERY,
    LOOK_EVERY,
    RELEASE_WITHIN,
)

log = structlog.get_logger()


class Worker:
    """One worker; `me` must be new with each process, and `clock` monotonic (seconds).

    `succeeds` says that another stream of the table was followed before: what changed between the two, neither tells.
    """

    def __init__(
        self,
        parts: Relay,
        me: str,
        clock: Callable[[], float] = time.monotonic,
        chance: random.Random | None = None,
        *,
        succeeds: bool = False,
    ) -> None:
        self.me = me
        self.holdings: dict[str, Holding] = {}
        self._looked_at: float | None = None
        self._parts = parts
        self._clock = clock
        self._chance = chance or random.Random()  # noqa: S311 - no secret
        self._shards = Shards(parts.feed, parts.leases, succeeds=succeeds)
        self._leases: dict[str, Lease] = {}
        self._sightings = Sightings()
        self._claims = Claims()
        self._running: dict[str, asyncio.Task[None]] = {}
        self._news = asyncio.Event()
        self._mending = asyncio.Lock()
        self._mended_from = -math.inf

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

    def report(self) -> Report:
        """Say how much of the stream is relayed, as far as this worker sees."""
        now = self._clock()
        lags, standing = [holding.lag for holding in self.holdings.values()], self._claims.standing(now)
        return Report(
            behind=max([*lags, *standing], default=0.0),
            unclaimed=len(standing),
            sees_all=self.has_looked_within(UNCLAIMED_AFTER) and self._claims.knows_all(now),
        )

    async def _list_on(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await hold("list shards", partial(self._shards.list, self._leases), stopping)
            except Stopped:
                return
            self._news.set()
            pause = LIST_EVERY if self._shards.is_whole(self._leases) else LIST_AGAIN
            await wait(stopping, pause * self._chance.uniform(0.8, 1.2))

    async def _look_on(self, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await hold("look at leases", partial(self._look, tasks, stopping), stopping, SOON)
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
        await self._shards.learn_children(self._leases)
        unstarted = [
            shard.shard_id for shard in self._shards.startable(self._leases) if shard.shard_id not in self.holdings
        ]
        self._note_claims(unstarted)
        view = view_of(self.me, self.holdings, self._leases.values(), unstarted, self._sightings.is_expired)
        takes = [self._take(offer, tasks, stopping) for offer in to_take(view, self._chance) if not stopping.is_set()]
        await asyncio.gather(*takes)

    def _note_claims(self, unstarted: Iterable[str]) -> None:
        counters: dict[str, int | None] = dict.fromkeys(unstarted)
        for shard_id, lease in self._leases.items():
            if not (lease.is_over or shard_id in self.holdings):
                counters[shard_id] = lease.counter
        self._claims.note(self.holdings, counters, self._clock())

    def _drop_lost(self) -> None:
        for shard_id, holding in self.holdings.items():
            try:
                if lease := self._leases.get(shard_id):
                    holding.compare(lease)
            except LeaseLost as lost:
                note_loss(shard_id, lost)
                self._running[shard_id].cancel()

    async def _take(self, offer: Offer, tasks: asyncio.TaskGroup, stopping: asyncio.Event) -> None:
        begun = self._clock()
        old = offer.lease
        checkpoint = self._shards.checkpoint_of(offer, self._leases)
        lease = Lease(offer.shard_id, self.me, old.counter + 1 if old else 1, checkpoint)
        if not await self._parts.leases.swap(old, lease):
            return  # A peer was faster; or our answer was lost, and the next look shows the lease as ours.
        log.info("lease taken", shard=lease.shard_id, of=old and old.owner, after=lease.checkpoint.sequence)
        holding = Holding(self._parts.leases, lease, begun, self._clock)
        self.holdings[lease.shard_id] = holding
        metrics.show_shard(lease.shard_id, lambda: holding.lag)
        self._running[lease.shard_id] = tasks.create_task(self._work_on(holding, stopping))

    async def _work_on(self, holding: Holding, stopping: asyncio.Event) -> None:
        """Relay a shard for as long as its lease is held."""
        structlog.contextvars.bind_contextvars(shard=holding.shard_id)  # in this task and those that it starts
        try:
            async with asyncio.TaskGroup() as tasks:
                helpers = [
                    tasks.create_task(keep(holding, stopping)),
                    tasks.create_task(self._mend_on(holding, stopping)),
                ]
                await relay_shard(self._parts, holding, tasks, stopping)
                if not stopping.is_set():
                    await holding.whole.wait()  # A shard that is done is kept until its gap is mended.
                for helper in helpers:
                    helper.cancel()
        except* LeaseLost as lost:
            note_loss(holding.shard_id, lost.exceptions[0])
        except* Stopped:
            log.info("stopped while holding")
        finally:
            if not stopping.is_set():  # Else it is about to be handed back.
                self._forget(holding)

    async def _mend_on(self, holding: Holding, stopping: asyncio.Event) -> None:
        """Mend the gaps of a shard, as they are found."""
        while True:
            await holding.gap_found.wait()
            holding.gap_found.clear()
            found_at = self._clock()
            async with self._mending:
                if self._mended_from <= found_at:  # Else what began since, for another shard, has served this one too.
                    begun = self._clock()
                    await mend(self._parts, stopping)
                    self._mended_from = begun
            await hold("save lease", holding.mended, stopping)

    def _forget(self, holding: Holding) -> None:
        del self.holdings[holding.shard_id], self._running[holding.shard_id]
        metrics.forget_shard(holding.shard_id)
        self._news.set()

    async def _let_go(self, looking: asyncio.Task[None]) -> None:
        """Finish the pages under way, and hand the leases back with what was published."""
        running = [looking, *self._running.values()]
        await asyncio.wait(running, timeout=LET_GO_WITHIN)
        for task in running:
            task.cancel()
        await asyncio.gather(*map(release, self.holdings.values()))


async def keep(holding: Holding, stopping: asyncio.Event) -> None:
    """Renew the lease and save the checkpoint, in time; raises LeaseLost."""

    async def attempt() -> None:
        holding.check()
        await holding.save()

    while True:
        if holding.is_due():
            await hold("save lease", attempt, stopping, SOON)
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


def note_loss(shard_id: str, lost: Exception) -> None:
    """Count and log that a lease was lost."""
    metrics.count_error(lost)
    log.warning("lease lost", shard=shard_id, reason=str(lost))
