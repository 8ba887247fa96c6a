import random

from hypothesis import given
from hypothesis import strategies as st

from streams.feed.lease import Checkpoint, Lease
from workers.fleet.shares import Offer, Sightings, View, to_take, view_of
from workers.relay.timing import EXPIRED_AFTER, HELD_FOR

CHANCE = random.Random(1)  # noqa: S311 - chance of a test


def view(me: str, leases: dict[str, str | None]) -> View:
    """Return what a worker sees of leases by their owner; nobody is dead."""
    mine = [shard for shard, owner in leases.items() if owner == me]
    return view_of(me, mine, [Lease(shard, owner, 1) for shard, owner in leases.items()], [], lambda _: False)


@given(st.dictionaries(st.integers(0, 40).map(str), st.sampled_from(["a", "b", "c", "d", None])))
def test_workers_that_take_in_turn_come_to_rest_with_even_shares(leases: dict[str, str | None]) -> None:
    for _ in range(200):
        takes = {me: to_take(view(me, leases), CHANCE) for me in "abcd"}
        if not any(takes.values()):
            break
        for me in "abcd":
            for offer in to_take(view(me, leases), CHANCE):
                leases[offer.shard_id] = me
    held = [list(leases.values()).count(me) for me in "abcd"]
    assert sum(held) == len(leases)
    assert max(held) - min(held) <= 1


@given(st.integers(0, 20), st.integers(1, 20))
def test_one_steal_at_a_time_and_only_where_it_evens_the_load(mine: int, theirs: int) -> None:
    leases: dict[str, str | None] = dict.fromkeys(map("m{}".format, range(mine)), "me")
    leases |= dict.fromkeys(map("t{}".format, range(theirs)), "they")
    taken = to_take(view("me", leases), CHANCE)
    assert len(taken) == (1 if theirs >= mine + 2 else 0)


def test_a_worker_that_is_alone_takes_all_at_once() -> None:
    free = [Offer(str(number)) for number in range(64)]
    assert len(to_take(View(0, free, {}), CHANCE)) == 64


def test_leases_of_the_dead_and_ones_own_of_before_are_free() -> None:
    leases = [Lease("dead", "they", 1), Lease("lost", "me", 1), Lease("alive", "they", 1), Lease("back", None, 1)]
    seen = view_of("me", [], leases, ["new"], lambda lease: lease.shard_id == "dead")
    assert {offer.shard_id for offer in seen.free} == {"dead", "lost", "back", "new"}


def test_what_is_over_is_nobodys_business_but_a_gap_still_is() -> None:
    over = Lease("over", "they", 1, Checkpoint("5", done=True))
    gap = Lease("gap", None, 1, Checkpoint("5", done=True, gap=True))
    assert [offer.shard_id for offer in view_of("me", [], [over, gap], [], lambda _: False).free] == ["gap"]


def test_a_counter_that_stands_still_is_expired_and_one_that_moves_is_not() -> None:
    sightings = Sightings()
    still = Lease("still", "they", 5)
    for number in range(20):
        sightings.note({"still": still, "alive": Lease("alive", "they", number)}, number, number + 0.01)
    assert sightings.is_expired(still)
    assert not sightings.is_expired(Lease("alive", "they", 19))


def test_a_worker_that_slept_through_an_hour_does_not_take_its_peers_for_dead() -> None:
    sightings = Sightings()
    lease = Lease("shard", "they", 5)
    sightings.note({"shard": lease}, 0.0, 0.01)
    sightings.note({"shard": lease}, 0.4, 3600.0)  # Asked before, answered after it slept.
    assert not sightings.is_expired(lease)
    sightings.note({"shard": Lease("shard", "they", 6)}, 3600.1, 3600.2)
    assert not sightings.is_expired(Lease("shard", "they", 6))


def test_a_holder_gives_up_before_a_peer_takes_over_though_clocks_run_apart() -> None:
    assert HELD_FOR * 1.1 < EXPIRED_AFTER / 1.1
