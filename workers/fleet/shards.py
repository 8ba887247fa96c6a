"""The shards of the stream as one worker knows them: which may be begun, and from where."""

import time

import structlog
from msgspec.structs import replace

from streams.errors import ShardGone, TableUnavailable
from streams.feed.feed import Feed
from streams.feed.lease import Checkpoint, Lease
from streams.feed.leases import Leases
from streams.feed.lineage import Shard, ready, unlisted_parents
from workers.fleet.shares import Offer
from workers.relay import metrics

log = structlog.get_logger()

ASK_CHILDREN = 5  # times that a shard's children are asked for when it is done; then the next listing must tell them


class Shards:
    """The shards of the stream as far as they were ever seen."""

    def __init__(self, feed: Feed, leases: Leases, *, succeeds: bool) -> None:
        self._feed = feed
        self._leases = leases
        self._succeeds = succeeds
        self._shards: dict[str, Shard] = {}
        self._gone: set[str] = set()
        self._asked: dict[str, int] = {}
        self._listed = False

    def startable(self, leases: dict[str, Lease]) -> list[Shard]:
        """Return the shards whose turn it is and that have no lease yet."""
        done = {shard_id for shard_id, lease in leases.items() if lease.checkpoint.done}
        behind = done | (self._gone - leases.keys())  # One that has a lease is over when its holder says so.
        return ready(self._shards.values(), leases.keys(), behind)

    def checkpoint_of(self, offer: Offer, leases: dict[str, Lease]) -> Checkpoint:
        """Return where a shard is to be read on, with the gap marked where something may have been trimmed unread.

        That is so where its lease, or its parents' while it has none, was left alone for most of a day; and on a
        stream that was followed before, where a parent is gone without ever having had a lease. Nobody knows what
        changed between two streams of the table.
        """
        now = time.time()
        if offer.lease:
            return replace(offer.lease.checkpoint, gap=offer.lease.checkpoint.gap or offer.lease.is_stale(now))
        shard = self._shards.get(offer.shard_id)
        parents = shard.parents if shard else []
        lost = any(leases[parent].is_stale(now) if parent in leases else parent in self._gone for parent in parents)
        return Checkpoint(gap=lost if leases else self._succeeds)

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
