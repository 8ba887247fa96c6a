"""Invariants 1 and 2, with three relays, while everything goes wrong once; `make chaos` does it over and over."""

from tests.chaos import chaos, own_stack
from workers.relay.timing import EXPIRED_AFTER

FLOWS_AGAIN = EXPIRED_AFTER + 20.0  # not a measurement: those are in bench/


async def test_every_watcher_sees_the_end_though_everything_is_killed_frozen_and_stopped() -> None:
    stood_still: dict[str, float] = {}
    async with own_stack() as stack:
        await chaos(stack, 1, stood_still.__setitem__)
    assert all(seconds < FLOWS_AGAIN for seconds in stood_still.values()), stood_still
