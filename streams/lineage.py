"""Which shards of a stream may be read now. Pure.

A shard's records come after all records of its parent, so a child starts only when its parent is done.
A parent that the stream no longer lists was trimmed away after 24 hours: nothing is left to wait for.
"""

from collections.abc import Collection, Iterable

from msgspec import Struct


class Shard(Struct, frozen=True, rename="pascal"):
    """A shard as DescribeStream lists it."""

    shard_id: str
    parent_shard_id: str | None = None


def ready(shards: Iterable[Shard], done: Collection[str]) -> list[Shard]:
    """Return the shards that are not done and whose parents are, in the order given."""
    shards = list(shards)
    waiting = {shard.shard_id for shard in shards} - set(done)
    return [shard for shard in shards if shard.shard_id in waiting and shard.parent_shard_id not in waiting]
