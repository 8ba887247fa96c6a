"""Which shards of a stream may be read now. Pure.

A shard's records come after all records of its parents, so a child starts only when its parents are done.
A parent that the stream no longer holds was trimmed away after 24 hours: nothing is left to wait for. But
a listing may leave out a shard that is there, so "not listed" alone is no proof.
"""

from collections.abc import Collection, Iterable

from msgspec import Struct


class Shard(Struct, frozen=True, rename="pascal"):
    """A shard as DescribeStream lists it; a second parent is how a merge would look, as in Kinesis."""

    shard_id: str
    parent_shard_id: str | None = None
    adjacent_parent_shard_id: str | None = None

    @property
    def parents(self) -> list[str]:
        """The shards whose records come before this one's."""
        return [parent for parent in (self.parent_shard_id, self.adjacent_parent_shard_id) if parent]


def ready(shards: Iterable[Shard], started: Collection[str], behind: Collection[str]) -> list[Shard]:
    """Return the shards that nobody started and whose parents all lie behind us: done, or known to be gone."""
    return [
        shard for shard in shards if shard.shard_id not in started and all(parent in behind for parent in shard.parents)
    ]


def unlisted_parents(shards: Iterable[Shard], known: Collection[str]) -> set[str]:
    """Return the parents of which nothing is known: trimmed away, or left out of the listing."""
    shards = list(shards)
    listed = {shard.shard_id for shard in shards}
    return {parent for shard in shards for parent in shard.parents if parent not in listed and parent not in known}
