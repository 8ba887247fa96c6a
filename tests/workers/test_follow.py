import asyncio
from typing import Any

from streams.errors import TableUnavailable
from streams.feed import Feed
from streams.leases import Leases
from tests.clock import run
from workers.follow import Followers
from workers.relay import Relay


class LeasesAway(Leases):
    """A leases table that does not answer."""

    def __init__(self) -> None:
        self.asked = 0

    async def succeed_others(self) -> bool:
        self.asked += 1
        raise TableUnavailable("away")


def test_a_relay_is_stopped_cleanly_while_the_leases_table_is_away_at_its_start() -> None:
    leases = LeasesAway()
    nothing: Any = None

    async def connect() -> Relay:
        return Relay(Feed(nothing, "arn"), nothing, leases, nothing, nothing, 1)

    async def main() -> None:
        stopping = asyncio.Event()
        asyncio.get_running_loop().call_later(60, stopping.set)
        await Followers(connect, "me").run(stopping)

    run(main())
    assert leases.asked > 5
