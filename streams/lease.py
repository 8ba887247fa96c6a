"""What a worker says of a shard that it relays. Pure."""

from msgspec import Struct


class Checkpoint(Struct, frozen=True):
    """How far a shard was published: everything up to this sequence number.

    `done` where it was read to its end, `gap` where records were lost and the table was not yet re-read.
    """

    sequence: str | None = None
    done: bool = False
    gap: bool = False


START = Checkpoint()


class Lease(Struct, frozen=True):
    """A shard's item; the owner is None where it was handed back, `caught_up` where nothing was left to read."""

    shard_id: str
    owner: str | None = None
    counter: int = 0
    checkpoint: Checkpoint = START
    caught_up: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the shard needs nobody any more."""
        return self.checkpoint.done and not self.checkpoint.gap
