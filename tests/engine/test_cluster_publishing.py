"""Publishing to a real Redis Cluster while a slot moves to a new node, many publish at once, or addresses change.

redis-py's RedisCluster fails these, see docs/adr/0012-redis-cluster-routing-of-our-own.md.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from redis.crc import key_slot

from streams.channel.channel import Channel, Outcome, channel_of, connect_redis
from streams.errors import ChannelUnavailable
from tests.engine.test_cluster import other_than
from tests.support.cluster import Cluster, cluster_in
from tests.support.listening import change, listening

USERS = [f"user {number}" for number in range(60)]
MOVING = USERS[0]
SLOT = key_slot(channel_of(MOVING))


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes of the test's own."""
    with cluster_in(tmp_path) as cluster:
        yield cluster


@asynccontextmanager
async def publishing_to(url: str) -> AsyncIterator[Channel]:
    channel = Channel(connect_redis(url))
    try:
        yield channel
    finally:
        await channel.close()


async def publish_to_all(channel: Channel, number: int) -> None:
    """Publish a change of every user, again until all nodes take it."""
    async with asyncio.timeout(20):
        while True:
            try:
                await channel.publish([change(user, number) for user in USERS])
            except ChannelUnavailable:
                await asyncio.sleep(0.1)
            else:
                return


async def latest_numbers(channel: Channel, *users: str) -> list[int]:
    latest = await channel.latest((user, "job") for user in users)
    return [state.version.sequence for state in latest if state.version]


class Address:
    """A port that leads to a node, to be changed like the address behind a service's name."""

    def __init__(self, target: int) -> None:
        self.target = target
        self._server: asyncio.Server

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1")
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
        else:
            await asyncio.gather(_copy(reader, requests), _copy(answers, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


async def test_a_slot_moves_to_a_node_that_owned_none(cluster: Cluster, tmp_path: Path) -> None:
    target = cluster.add(tmp_path)
    async with listening(cluster.url) as ear:
        await ear.join(MOVING)
        await ear.publish(MOVING, 1)
        cluster.begin_to_move(SLOT, target)
        cluster.move_keys(SLOT, target)
        await ear.publish(MOVING, 2)
        await ear.until(lambda: ear.numbers(MOVING) == [1, 2])
        assert await latest_numbers(ear.channel, MOVING) == [2]


async def test_many_publish_at_once_what_has_moved_already(cluster: Cluster) -> None:
    target = other_than(cluster.owner_of(channel_of(MOVING)), cluster)
    async with publishing_to(cluster.url) as channel:
        await channel.publish([change(MOVING, 1, f"job {n}") for n in range(20)])
        cluster.begin_to_move(SLOT, target)
        cluster.move_keys(SLOT, target)
        publishing = [channel.publish([change(MOVING, 2, f"job {n}")]) for n in range(20)]
        assert await asyncio.gather(*publishing) == [[Outcome.PUBLISHED]] * 20


async def test_the_node_that_the_url_names_is_needed_only_at_the_start(cluster: Cluster, tmp_path: Path) -> None:
    cluster.replicate(cluster.members[0], tmp_path)
    async with publishing_to(cluster.url) as channel:
        await publish_to_all(channel, 1)
        cluster.members[0].process.send(signal.SIGKILL)
        await publish_to_all(channel, 2)
        assert await latest_numbers(channel, *USERS) == [2] * len(USERS)


async def test_a_cluster_that_came_back_at_other_addresses_is_found_by_its_url(
    cluster: Cluster, tmp_path: Path
) -> None:
    address = Address(cluster.members[0].port)
    async with address as url, publishing_to(url) as channel:
        await publish_to_all(channel, 1)
        cluster.stop()
        with cluster_in(tmp_path) as elsewhere:
            address.target = elsewhere.members[0].port
            await publish_to_all(channel, 2)
            assert await latest_numbers(channel, *USERS) == [2] * len(USERS)


async def test_nodes_that_tell_no_host_are_at_the_host_that_answered(cluster: Cluster) -> None:
    for member in cluster.members:
        member.ask("CONFIG", "SET", "cluster-preferred-endpoint-type", "unknown-endpoint")
    target = other_than(cluster.owner_of(channel_of(MOVING)), cluster)
    async with publishing_to(cluster.url) as channel:
        await publish_to_all(channel, 1)
        cluster.begin_to_move(SLOT, target)
        cluster.move_keys(SLOT, target)
        await channel.publish([change(MOVING, 2)])
        cluster.finish_to_move(SLOT, target)
        await channel.publish([change(MOVING, 3)])
        assert await latest_numbers(channel, MOVING) == [3]
