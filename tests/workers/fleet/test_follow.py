"""Which stream is followed, and what its successor is told."""

import asyncio
from typing import Any, cast

from streams.errors import ShardGone, TableUnavailable
from streams.feed.feed import Feed
from streams.feed.lease import Lease
from streams.feed.leases import Leases
from streams.feed.lineage import Shard
from tests.support.clock import run
from workers.fleet.follow import Followers
from workers.relay.relay import Relay


class Stream:
    """A stream and its leases, as far as a worker asks before it reads."""

    def __init__(self, arn: str, *, is_gone: bool = False) -> None:
        self.arn = arn
        self.taken: asyncio.Future[Lease] = asyncio.get_running_loop().create_future()
        self.was_asked = False
        self._is_gone = is_gone

    async def shards(self) -> list[Shard]:
        self.was_asked = True
        if self._is_gone:
            raise ShardGone(self.arn)
        return [Shard("shard")]

    async def load(self) -> dict[str, Lease]:
        return {}

    async def succeed_others(self) -> bool:
        return False

    async def swap(self, old: Lease | None, new: Lease) -> bool:
        assert old is None
        if not self.taken.done():
            self.taken.set_result(new)
        return False

    def parts(self) -> Relay:
        me, unused = cast("Any", self), cast("Any", None)
        return Relay(feed=me, channel=unused, leases=me, parked=unused, table=unused, epoch=1)


async def test_a_stream_begins_with_a_gap_though_the_one_before_it_is_gone_already() -> None:
    old, new = Stream("old", is_gone=True), Stream("new")

    async def connect() -> Relay:
        is_over = old.was_asked and not followers._workers  # noqa: SLF001 - nobody follows the old one any more
        return (new if is_over else old).parts()

    followers = Followers(connect, "me", ask_every=0.01)
    stopping = asyncio.Event()
    running = asyncio.ensure_future(followers.run(stopping))
    lease = await new.taken
    stopping.set()
    await running
    assert lease.checkpoint.gap


async def test_the_first_stream_begins_without_a_gap() -> None:
    only = Stream("only")

    async def connect() -> Relay:
        return only.parts()

    stopping = asyncio.Event()
    running = asyncio.ensure_future(Followers(connect, "me", ask_every=0.01).run(stopping))
    lease = await only.taken
    stopping.set()
    await running
    assert not lease.checkpoint.gap


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
