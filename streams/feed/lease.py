"""What a worker says of a shard that it relays. Pure."""

from msgspec import Struct

AWAY = 20 * 3600  # seconds; a stream keeps its records for 24 hours


class Checkpoint(Struct, frozen=True):
    """How far a shard was published: everything up to this sequence number.

    `done` where it was read to its end, `gap` where records were lost and the table was not yet re-read.
    """

    sequence: str | None = None
    done: bool = False
    gap: bool = False


START = Checkpoint()


class Lease(Struct, frozen=True):
    """A shard's item; the owner is None where it was handed back, `caught_up` where nothing was left to read.

    `written_at` (Unix seconds) says only whether the fleet was away for most of a day; nobody's expiry depends on it.
    """

    shard_id: str
    owner: str | None = None
    counter: int = 0
    checkpoint: Checkpoint = START
    caught_up: bool = False
    written_at: int = 0

    def is_stale(self, now: float) -> bool:
        """Say whether it was left alone for so long that the stream may have trimmed what comes after it."""
        return now - self.written_at > AWAY

    @property
    def is_over(self) -> bool:
        """Whether the shard needs nobody any more."""
        return self.checkpoint.done and not self.checkpoint.gap
