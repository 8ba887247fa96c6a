"""A slot that moves, one step at a time: what is stored meanwhile reaches who listens, or is told as missed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from redis.crc import key_slot
from redis.exceptions import ConnectionError as Disconnected

from streams.channel.channel import channel_of
from streams.channel.message import message_of
from streams.errors import ChannelUnavailable
from tests.support.cluster import Cluster, Member, cluster_in
from tests.support.listening import Listening, change, eventually, listening


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes of the test's own: it leaves slots between two of them."""
    with cluster_in(tmp_path) as cluster:
        yield cluster


def slot_of(user: str) -> int:
    return key_slot(channel_of(user))


def others(cluster: Cluster, user: str) -> list[Member]:
    """Return the nodes to which the user's slot may move."""
    owner = cluster.owner_of(channel_of(user))
    return [member for member in cluster.members if member is not owner]


async def test_what_is_stored_at_the_new_node_is_told_though_another_change_of_its_page_waits(cluster: Cluster) -> None:
    async with listening(cluster.url) as ear:
        await ear.join("moved", "moving")
        await ear.channel.publish([change("moved", 1), change("moving", 1)])
        for user in ("moved", "moving"):
            cluster.begin_to_move(slot_of(user), others(cluster, user)[0])
        cluster.move_keys(slot_of("moved"), others(cluster, "moved")[0])
        with pytest.raises(ChannelUnavailable):
            await ear.channel.publish([change("moved", 2), change("moving", 1, "new")])
        await ear.until(lambda: ear.numbers("moved") == [1, 2])
        assert ear.told == [True]


async def test_what_was_stored_at_the_new_node_but_not_told_is_told_when_it_is_published_again(
    cluster: Cluster,
) -> None:
    source, target = cluster.owner_of(channel_of("moved")), others(cluster, "moved")[0]
    async with listening(cluster.url) as ear:
        await ear.join("moved")
        await ear.publish("moved", 1)
        cluster.begin_to_move(slot_of("moved"), target)
        cluster.move_keys(slot_of("moved"), target)
        source.ask("ACL", "SETUSER", "default", "-spublish")
        with pytest.raises(ChannelUnavailable):
            await ear.publish("moved", 2)
        source.ask("ACL", "SETUSER", "default", "+spublish")
        await ear.publish("moved", 2)
        await ear.until(lambda: ear.numbers("moved") == [1, 2])
        assert ear.told == [True]


async def test_what_is_heard_while_the_feed_is_broken_does_not_end_the_break(cluster: Cluster) -> None:
    owners = [cluster.owner_of(channel_of(user)) for user in ("first", "second")]
    refusing = next(member for member in cluster.members if member not in owners)
    async with listening(cluster.url) as ear:
        await ear.join("first", "second")
        await ear.until_heard("first", "second")
        refusing.ask("ACL", "SETUSER", "default", "resetchannels", "&hw:probe:*")
        move(cluster, "first", refusing)
        await ear.until(lambda: ear.told == [True, False])
        await ear.until_heard("second")
        move(cluster, "second", next(member for member in others(cluster, "second") if member is not refusing))
        tell_nobody(cluster, "second", 3)
        await publish_until_heard(ear, "second", 4)
        assert 3 not in ear.numbers("second")
        assert ear.untold("second") == []
        assert ear.told == [True, False]
        refusing.ask("ACL", "SETUSER", "default", "allchannels")
        await ear.until(lambda: ear.told == [True, False, True])
        await ear.until_heard("first", "second")


def move(cluster: Cluster, user: str, target: Member) -> None:
    for step in (cluster.begin_to_move, cluster.move_keys, cluster.finish_to_move):
        step(slot_of(user), target)


def tell_nobody(cluster: Cluster, user: str, number: int) -> None:
    """Tell a state where the user's slot is now, before anybody can have subscribed there."""
    message = message_of(structs.replace(change(user, number).state, position=number))
    assert cluster.owner_of(channel_of(user)).ask("SPUBLISH", channel_of(user), message) == 0


async def publish_until_heard(ear: Listening, user: str, number: int) -> None:
    """Publish one number after the other until one is heard."""
    while ear.numbers(user)[-1] < number:
        ear.begun = max(number, ear.begun + 1)
        await ear.publish(user, ear.begun)
        await asyncio.sleep(0.05)


async def test_a_late_word_of_a_node_that_was_left_does_not_say_that_a_channel_is_heard(cluster: Cluster) -> None:
    async with listening(cluster.url) as ear:
        cluster.owner_of(channel_of("new")).ask("CLIENT", "PAUSE", 500, "ALL")
        ear.listener.listen(channel_of("new"))
        hearing = asyncio.ensure_future(ear.listener.heard(channel_of("new")))
        await asyncio.sleep(0)
        ear.listener.confirmed(channel_of("new"))  # as a node says that had it before
        done, _ = await asyncio.wait([hearing], timeout=0.1)
        assert not done
        await hearing
        await ear.until_heard("new")


async def test_a_node_that_fails_in_the_moment_in_which_it_is_left_does_not_end_the_listener(cluster: Cluster) -> None:
    users = [f"user {number}" for number in range(12)]
    async with listening(cluster.url) as ear:
        await ear.join(*users)
        for user in users:
            ear.listener.forget(channel_of(user))
        await eventually(lambda: not any(user_channels(member) for member in cluster.members))
        # No engine can be made to close a connection in the one step of the loop in which it is given up.
        subscribers = list(ear.listener._subscribers.values())  # noqa: SLF001
        assert len(subscribers) == 3
        for subscriber in subscribers:
            assert subscriber._line  # noqa: SLF001
            subscriber._line._end(Disconnected("closed"))  # noqa: SLF001
        ear.listener._end_idle()  # noqa: SLF001
        await ear.until(lambda: ear.told == [True, False, True])
        await ear.join(*users)
        await ear.until_heard(*users)


def user_channels(member: Member) -> list[bytes]:
    return [name for name in member.ask("PUBSUB", "SHARDCHANNELS") if not name.startswith(b"hw:probe:")]
