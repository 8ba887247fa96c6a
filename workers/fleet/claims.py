"""What a worker sees of the shards that it does not hold: renewed by somebody, or left alone. Pure."""

from collections.abc import Collection, Mapping

from msgspec import Struct

UNCLAIMED_AFTER = 5.0  # seconds; a holder renews every 3, and what a worker sees may be a second old


class Report(Struct, frozen=True):
    """How much of a stream is relayed, as far as one worker sees; see streams/channel/heartbeat.py."""

    behind: float = 0.0
    unclaimed: int = 0
    sees_all: bool = False


class _Seen(Struct, frozen=True):
    counter: int | None  # None where the shard has no lease yet
    since: float
    has_moved: bool


class Claims:
    """The open shards of others, by a monotonic clock of one's own in seconds."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._held: set[str] = set()

    def note(self, held: Collection[str], counters: Mapping[str, int | None], now: float) -> None:
        """Remember a reading of the leases: the counters of all open shards that this worker does not hold."""
        self._seen = {shard_id: self._saw(shard_id, counter, now) for shard_id, counter in counters.items()}
        self._held = set(held)

    def _saw(self, shard_id: str, counter: int | None, now: float) -> _Seen:
        before = self._seen.get(shard_id)
        if before and before.counter == counter:
            return before
        # One that was this worker's until now was relayed until now.
        return _Seen(counter, now, has_moved=before is not None or shard_id in self._held)

    def standing(self, now: float) -> list[float]:
        """Return for how many seconds each shard that nobody relays was left alone."""
        ages = (now - seen.since for seen in self._seen.values())
        return [age for age in ages if age >= UNCLAIMED_AFTER]

    def knows_all(self, now: float) -> bool:
        """Whether it is known of every shard that somebody relays it, or that nobody does."""
        return all(seen.has_moved or now - seen.since >= UNCLAIMED_AFTER for seen in self._seen.values())
