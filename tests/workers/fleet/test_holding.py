"""One lease and its holder, in the world of tests/workers/fleet/world.py's table."""

import asyncio

import pytest

from streams.errors import LeaseLost
from streams.feed.lease import Checkpoint, Lease
from streams.feed.leases import Leases
from tests.support.clock import run
from workers.relay.holding import Holding
from workers.relay.timing import CHECKPOINT_EVERY, HELD_FOR, RENEW_EVERY


class OneLease(Leases):
    """A table with one lease; the next writes may be taken without an answer."""

    def __init__(self, lease: Lease) -> None:
        self.lease: Lease | None = lease
        self.unanswered = 0

    async def get(self, shard_id: str) -> Lease | None:
        assert shard_id == "shard"
        return self.lease

    async def swap(self, old: Lease | None, new: Lease) -> bool:
        await asyncio.sleep(0)
        if self.lease != old:
            return False
        self.lease = new
        self.unanswered -= 1
        return self.unanswered < 0  # The SDK tries again by itself, and that attempt is refused.


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def held() -> tuple[OneLease, Holding, Clock]:
    clock = Clock()
    lease = Lease("shard", "me", 7, Checkpoint("1"))
    table = OneLease(lease)
    return table, Holding(table, lease, clock.now, clock), clock


def test_every_write_counts_the_counter_up() -> None:
    table, holding, _ = held()
    run(holding.save())
    run(holding.save())
    assert table.lease
    assert table.lease.counter == 9


def test_a_write_that_was_taken_without_an_answer_does_not_cost_the_lease() -> None:
    table, holding, _ = held()
    table.unanswered = 1
    holding.checkpoint = Checkpoint("2")
    run(holding.save())
    assert table.lease
    assert (table.lease.owner, table.lease.checkpoint) == ("me", Checkpoint("2"))


def test_who_was_robbed_is_told_by_its_next_write() -> None:
    table, holding, _ = held()
    table.lease = Lease("shard", "thief", 8, Checkpoint("1"))
    with pytest.raises(LeaseLost, match="thief"):
        run(holding.save())
    assert table.lease.owner == "thief"


def test_who_cannot_write_stops_believing_before_peers_may_take_over() -> None:
    _, holding, clock = held()
    clock.now += HELD_FOR - 0.01
    holding.check()
    clock.now += 0.02
    with pytest.raises(LeaseLost):
        holding.check()


def test_a_reading_of_the_table_that_is_older_than_ones_own_write_robs_nobody() -> None:
    _, holding, _ = held()
    holding.compare(Lease("shard", "before me", 6))
    with pytest.raises(LeaseLost):
        holding.compare(Lease("shard", "after me", 8))


def test_a_lease_is_written_when_something_was_published_and_else_more_rarely() -> None:
    _, holding, clock = held()
    clock.now += CHECKPOINT_EVERY
    assert not holding.is_due()
    holding.checkpoint = Checkpoint("2")
    assert holding.is_due()
    holding.checkpoint = Checkpoint("1")
    clock.now += RENEW_EVERY - CHECKPOINT_EVERY
    assert holding.is_due()


def test_writes_of_keeper_and_reader_do_not_refuse_each_other() -> None:
    table, holding, _ = held()

    async def both() -> None:
        await asyncio.gather(holding.save(), holding.finish(), holding.save())

    run(both())
    assert table.lease
    assert table.lease.counter == 10
    assert table.lease.checkpoint.done
