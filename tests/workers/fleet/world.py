"""A fleet in a world of its own: a stream, a leases table and a Redis that fail on demand, and one clock that jumps.

Everything that a real fleet does with I/O goes through a Desk, one per worker, where it takes time, waits while the
worker is paused, and may fail before or after it had its effect. Whatever must never happen is asserted right there.
"""

import asyncio
import random
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from msgspec import Struct, convert

from streams.feed.feed import epoch_of
from streams.feed.lease import Lease
from streams.feed.parked import Parked
from streams.jobs.change import Change
from streams.jobs.item import Item, job_from_item
from streams.jobs.state import State, state_of
from tests.support.stack import typed
from tests.workers.fleet.fake_stream import EPOCH_LABEL, FakeStream, record_of
from workers.relay.timing import HELD_FOR, LOOK_EVERY

EPOCH = epoch_of(EPOCH_LABEL)
DRIFT = 0.03  # how much faster or slower a worker's clock runs


if TYPE_CHECKING:
    from tests.workers.fleet.desk import Desk


class Write(Struct):
    """One write to an item: where its record lies, and what became of it."""

    job_id: str
    shard_id: str
    sequence: int
    poison: bool = False
    published: bool = False
    lost: bool = False


class Taken(Struct):
    """When a worker lost a shard to another, and whether it was taken for dead."""

    at: float
    as_expired: bool


class World:
    """All that the workers share."""

    def __init__(self, seed: int, shards: int = 1) -> None:
        self.loop = asyncio.get_running_loop()
        self.chance = random.Random(seed)  # noqa: S311 - chance of a test
        self.stream = FakeStream(self.loop.time, self.chance, shards)
        self.items: dict[str, dict[str, Any]] = {}
        self.users: dict[str, str] = {}
        self.places: dict[str, float] = {}
        self.writes: dict[str, list[Write]] = {}
        self.leases: dict[str, Lease] = {}
        self.stored: dict[str, State] = {}
        self.robbed: dict[tuple[str, str], Taken] = {}
        self.redis_is_away = False
        self.table_faults = 0.0
        self._table_was_ill_at = -100.0
        self.redis_faults = 0.0
        self.desks: list[Desk] = []
        self.stream.on_read = self.check_lineage

    def write(self, job_id: str, *, poison: bool = False) -> None:
        """Write an item; its record goes to the shard that takes the item."""
        count = len(self.writes.get(job_id, ())) + 1
        user = self.users.setdefault(job_id, f"user {len(self.users) % 3}")
        after = typed({
            "job_id": job_id, "user_id": user, "status": None if poison else "processing",
            "created_at": 1, "updated_at": count, "scenes_completed": count,
        })  # fmt: skip
        self._record(job_id, after, poison=poison)

    def delete(self, job_id: str) -> None:
        """Delete an item."""
        self._record(job_id, None)

    def _record(self, job_id: str, after: dict[str, Any] | None, *, poison: bool = False) -> None:
        place = self.places.setdefault(job_id, self.chance.random())
        shard = self.stream.open_shard(place)
        before = self.items.pop(job_id, None)
        sequence = self.stream.write(place, lambda sequence: record_of(sequence, before, after, self.now()))
        write = Write(job_id, shard.shard_id, int(sequence), poison)
        write.published = after is None and (before is None or "status" not in before)  # Nobody was told of it.
        self.writes.setdefault(job_id, []).append(write)
        if after is not None:
            self.items[job_id] = after

    def now(self) -> float:
        """Return the time as DynamoDB and the workers' machines have it, in Unix seconds."""
        return 1.7e9 + self.loop.time()

    def trim(self, shard_id: str, records: int) -> None:
        """Trim a shard, and write down which records nobody can read any more."""
        shard = self.stream.shards[shard_id]
        self.stream.trim(shard, records)
        gone = set(shard.sequences[: shard.trimmed])
        for write in self.all_writes():
            if write.shard_id == shard_id and write.sequence in gone and not write.published:
                write.lost = True

    def all_writes(self) -> Iterable[Write]:
        return (write for writes in self.writes.values() for write in writes)

    # What must never happen.

    def check_lineage(self, shard_id: str) -> None:
        """No shard is read before its parents were relayed or are gone."""
        for parent in self.stream.shards[shard_id].parents:
            lease = self.leases.get(parent)
            assert (lease and lease.checkpoint.done) or parent in self.stream.gone, f"{shard_id} before {parent}"

    def check_swap(self, desk: "Desk", old: Lease | None, new: Lease) -> None:
        """Only the owner writes, and nothing is checkpointed that is not published."""
        assert new.owner in {desk.me, None}
        assert new.counter == (old.counter if old else 0) + 1
        done = new.checkpoint.done
        assert done >= bool(old and old.checkpoint.done)
        for write in self.all_writes():
            behind = done or (new.checkpoint.sequence is not None and write.sequence <= int(new.checkpoint.sequence))
            if write.shard_id == new.shard_id and behind:
                assert write.published or write.lost, f"{new} forgets {write}"
        if old and old.owner and old.owner != new.owner == desk.me:
            self.robbed[old.owner, old.shard_id] = Taken(self.loop.time(), desk.believes_expired(old))

    def check_publishing(self, desk: "Desk", begun: float, change: Change) -> None:
        """Each item's records come in order; and who lost a lease has stopped."""
        writes = self.writes[change.state.job_id]
        assert change.state.version
        [write] = [write for write in writes if write.sequence == change.state.version.sequence]
        for earlier in writes[: writes.index(write)]:
            assert earlier.published or earlier.lost or earlier.poison, f"{write} before {earlier}"
        taken = self.robbed.get((desk.me, write.shard_id))
        lease = self.leases.get(write.shard_id)
        if taken and lease and lease.owner != desk.me and not desk.was_paused_since(taken.at):
            grace = 0.0 if taken.as_expired else HELD_FOR * (1 + DRIFT)
            if self.table_is_well and not taken.as_expired:
                grace = LOOK_EVERY + 0.1
            assert begun <= taken.at + grace, f"{desk.me} publishes of {write.shard_id}, lost at {taken.at}"
        write.published = True

    def park(self, record: Parked) -> None:
        """Poison is parked, whole and with its reason, and nothing else is."""
        [write] = [write for write in self.all_writes() if write.sequence == int(record.sequence)]
        assert write.poison
        assert record.shard_id in self.stream.gone or record.raw in self.stream.shards[record.shard_id].records
        assert "status" in record.reason
        write.published = True

    async def published(self, job_id: str) -> None:
        """Return when all that was written to a job was published."""
        async with asyncio.timeout(120):
            while not all(write.published for write in self.writes[job_id]):  # noqa: ASYNC110 - any worker may do it
                await asyncio.sleep(0.01)

    @property
    def table_is_well(self) -> bool:
        return not self.table_faults and self.loop.time() > self._table_was_ill_at + 10

    def break_table(self, faults: float) -> None:
        self.table_faults = faults
        self._table_was_ill_at = self.loop.time()

    def rests(self) -> bool:
        """Say whether everything was relayed, and every open shard has one worker."""
        needed = sorted(lease.shard_id for lease in self.leases.values() if not lease.is_over)
        held = sorted(shard_id for desk in self.desks for shard_id in desk.worker.holdings)
        return (
            all(write.published or write.lost for write in self.all_writes())
            and needed == held == sorted(self.open_shards())
            and not any(lease.checkpoint.gap for lease in self.leases.values())
        )

    def unrest(self) -> dict[str, Any]:
        """Say what is not done yet, for a test that fails."""
        return {
            "unpublished": [write for write in self.all_writes() if not (write.published or write.lost)],
            "not shown": [job_id for job_id in self.writes if not self.is_shown(job_id)],
            "open": self.open_shards(),
            "held": {desk.me: list(desk.worker.holdings) for desk in self.desks},
            "leases": [lease for lease in self.leases.values() if not lease.is_over],
        }

    def open_shards(self) -> list[str]:
        return [shard.shard_id for shard in self.stream.open_shards()]

    def is_shown(self, job_id: str) -> bool:
        """Say whether Redis holds what the table holds; a job that was never told need not be told as deleted."""
        stored = self.stored.get(job_id)
        if job_id not in self.items:
            return stored is None or stored.kind == "deleted"
        job, _ = job_from_item(convert(self.items[job_id], Item))
        return stored is not None and stored.data == state_of(job).data
