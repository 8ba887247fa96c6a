"""Which leases a worker should take, from what it sees in the leases table. Pure.

Nobody assigns shards. Each worker takes what is free up to a fair share, and one lease at a time from the
busiest peer while that one holds at least two more: every such step evens the load, so the fleet comes to rest.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from math import ceil

from msgspec import Struct

from streams.feed.lease import Lease
from workers.relay.timing import EXPIRED_AFTER


class Sightings:
    """Since when each lease's counter stands still, by this worker's own monotonic clock; clocks are never compared."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[int, float]] = {}
        self._asked_at = 0.0

    def note(self, leases: Mapping[str, Lease], asked_at: float, answered_at: float) -> None:
        """Remember a reading of the table that was asked for and answered at these times.

        A counter was seen when it was answered and stood still until the next reading was asked for: a pause of
        this process in between must not make a live peer look dead.
        """
        self._asked_at = asked_at
        for shard_id in self._seen.keys() - leases.keys():
            del self._seen[shard_id]
        for lease in leases.values():
            counter, _ = self._seen.get(lease.shard_id, (-1, 0.0))
            if lease.counter != counter:
                self._seen[lease.shard_id] = (lease.counter, answered_at)

    def is_expired(self, lease: Lease) -> bool:
        """Say whether the owner has not written for so long that it must be dead, or believes its lease lost."""
        counter, since = self._seen.get(lease.shard_id, (-1, self._asked_at))
        return lease.counter == counter and self._asked_at - since >= EXPIRED_AFTER


class Offer(Struct, frozen=True):
    """A shard to take, and its lease as it is now; None where the shard never had one."""

    shard_id: str
    lease: Lease | None = None


class View(Struct, frozen=True):
    """What one worker sees: open leases of others by owner, what is free, and how many it holds itself."""

    held: int
    free: list[Offer]
    peers: dict[str, list[Lease]]


def view_of(
    me: str,
    held: Iterable[str],
    leases: Iterable[Lease],
    unstarted: Iterable[str],
    is_expired: Callable[[Lease], bool],
) -> View:
    """Sort the leases; one that is mine in the table but not held any more is free."""
    held = set(held)
    free = [Offer(shard_id) for shard_id in unstarted]
    peers: dict[str, list[Lease]] = {}
    for lease in leases:
        if lease.is_over or lease.shard_id in held:
            continue
        if lease.owner in {None, me} or is_expired(lease):
            free.append(Offer(lease.shard_id, lease))
        else:
            peers.setdefault(lease.owner or "", []).append(lease)
    return View(len(held), free, peers)


def to_take(view: View, chance: random.Random) -> list[Offer]:
    """Return what to take now; several workers that see the same choose differently, by chance."""
    if view.free:
        total = view.held + len(view.free) + sum(map(len, view.peers.values()))
        share = ceil(total / (len(view.peers) + 1))
        wanted = max(share - view.held, 1)  # At least one: a shard that nobody takes is worse than an uneven load.
        return chance.sample(view.free, min(wanted, len(view.free)))
    return to_steal(view, chance)


def to_steal(view: View, chance: random.Random) -> list[Offer]:
    """Return one lease of the busiest peer, where that makes the load more even."""
    counts = Counter({owner: len(leases) for owner, leases in view.peers.items()})
    if not counts:
        return []
    [(busiest, count)] = counts.most_common(1)
    if count < view.held + 2:
        return []
    lease = chance.choice(view.peers[busiest])
    return [Offer(lease.shard_id, lease)]
