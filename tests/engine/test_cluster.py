"""Publishing and listening on a real Redis Cluster: nodes die, slots move, replicas take over."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis.crc import key_slot

from streams.channel.channel import Outcome, channel_of
from streams.errors import ChannelUnavailable
from tests.support.cluster import Cluster, Member, cluster_in
from tests.support.listening import change, eventually, listening

USERS = [f"user {number}" for number in range(60)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three nodes that no test ends; slots move about."""
    with cluster_in(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Cluster]:
    """Three nodes of the test's own."""
    with cluster_in(tmp_path) as cluster:
        yield cluster


def subscribed(cluster: Cluster) -> set[bytes]:
    names = {name for member in cluster.members for name in member.ask("PUBSUB", "SHARDCHANNELS")}
    return {name for name in names if not name.startswith(b"hw:probe:")}


def other_than(member: Member, cluster: Cluster) -> Member:
    return next(other for other in cluster.members if other is not member)


async def test_changes_of_many_users_are_heard_whichever_node_the_url_names(cluster: Cluster) -> None:
    owners = {cluster.owner_of(channel_of(user)).port for user in USERS}
    assert len(owners) == 3
    for member in cluster.members:
        async with listening(f"redis://127.0.0.1:{member.port}/0") as ear:
            await ear.join(*USERS)
            changes = [change(user, number, f"at {member.port}") for number in range(1, 6) for user in USERS]
            assert await ear.channel.publish(changes) == [Outcome.PUBLISHED] * len(changes)
            await ear.until(lambda: all(ear.numbers(user) == [1, 2, 3, 4, 5] for user in USERS))
            await ear.channel.ping()


async def test_replays_and_older_changes_move_nothing(cluster: Cluster) -> None:
    async with listening(cluster.url) as ear:
        changes = [change(user, number, "replayed") for user in USERS[:6] for number in (2, 2, 1)]
        outcomes = await ear.channel.publish(changes)
        assert outcomes == [Outcome.PUBLISHED, Outcome.REPEATED, Outcome.OLDER] * 6


async def test_latest_and_recent_are_read_where_they_are(cluster: Cluster) -> None:
    async with listening(cluster.url) as ear:
        await ear.channel.publish([change(user, 7, "latest") for user in USERS])
        latest = await ear.channel.latest((user, job) for user in USERS for job in ("latest", "no such job"))
        assert [state.version and state.version.sequence for state in latest] == [7] * len(USERS)
        known = [job async for some in ear.channel.known() for job in some]
        assert {(user, "latest") for user in USERS} <= set(known)
        recent = await ear.channel.recent(USERS[0], None)
        assert "latest" in recent.job_ids
        assert (await ear.channel.recent(USERS[0], recent.now)).job_ids == []


async def test_a_node_that_lost_its_scripts_is_given_them(cluster: Cluster) -> None:
    async with listening(cluster.url) as ear:
        await ear.join(*USERS)
        for number, member in enumerate(cluster.members):
            member.ask("SCRIPT", "FLUSH")
            await ear.channel.publish([change(user, number, "scripts") for user in USERS])
        await ear.until(lambda: all(len(ear.numbers(user)) == 3 for user in USERS))


async def test_exactly_the_wanted_channels_are_subscribed_where_they_belong(cluster: Cluster) -> None:
    async with listening(cluster.url) as ear:
        await ear.join(*USERS)
        for user in USERS[::2]:
            ear.listener.forget(channel_of(user))
        await eventually(lambda: subscribed(cluster) == {channel_of(user) for user in USERS[1::2]})
        for user in USERS[1::2]:
            assert channel_of(user) in cluster.owner_of(channel_of(user)).ask("PUBSUB", "SHARDCHANNELS")


async def test_nothing_is_lost_while_a_slot_moves(cluster: Cluster) -> None:
    user, slot = USERS[0], key_slot(channel_of(USERS[0]))
    target = other_than(cluster.owner_of(channel_of(user)), cluster)
    async with listening(cluster.url) as ear:
        await ear.join(*USERS)
        await ear.until_heard(user)
        cluster.begin_to_move(slot, target)
        await ear.until_heard(user)
        cluster.move_keys(slot, target)
        await ear.until_heard(user)
        assert ear.told == [True]
        cluster.finish_to_move(slot, target)
        await ear.until(lambda: ear.told == [True, False, True])
        await ear.until_heard(*USERS)
        assert ear.numbers(user) == sorted(ear.numbers(user))
        positions = [state.position for state in ear.states[channel_of(user)]]
        assert positions == sorted(positions)


async def test_a_new_job_waits_until_its_slot_has_moved(cluster: Cluster) -> None:
    user, slot = USERS[1], key_slot(channel_of(USERS[1]))
    target = other_than(cluster.owner_of(channel_of(user)), cluster)
    async with listening(cluster.url) as ear:
        await ear.publish(user, 1, "old")
        cluster.begin_to_move(slot, target)
        publishing = asyncio.ensure_future(ear.publish(user, 1, "new"))
        done, _ = await asyncio.wait([publishing], timeout=0.5)
        assert not done
        cluster.move_keys(slot, target)
        cluster.finish_to_move(slot, target)
        await publishing
        assert len(await ear.channel.latest([(user, "old"), (user, "new")])) == 2


async def test_what_is_missed_while_slots_move_under_load_is_told(cluster: Cluster) -> None:
    moving = USERS[10:16]
    async with listening(cluster.url) as ear, listening(cluster.url) as publisher:
        await ear.join(*moving)
        stopping = asyncio.Event()

        async def publish_on() -> int:
            number = 100
            while not stopping.is_set():
                number += 1
                ear.begun = number
                await publisher.channel.publish([change(user, number) for user in moving])
            return number

        publishing = asyncio.ensure_future(publish_on())
        for user in moving:
            slot = key_slot(channel_of(user))
            target = other_than(cluster.owner_of(channel_of(user)), cluster)
            for step in (cluster.begin_to_move, cluster.move_keys, cluster.finish_to_move):
                await asyncio.to_thread(step, slot, target)
        stopping.set()
        last = await publishing
        await ear.until_whole()
        await publisher.channel.publish([change(user, last + 1) for user in moving])
        await ear.until(lambda: all(ear.numbers(user)[-1:] == [last + 1] for user in moving))
        for user in moving:
            assert ear.numbers(user) == sorted(ear.numbers(user))
            assert ear.untold(user) == []


async def test_a_listener_that_knows_an_old_slot_map_finds_the_node(cluster: Cluster) -> None:
    user, slot = "nobody yet", key_slot(channel_of("nobody yet"))
    target = other_than(cluster.owner_of(channel_of(user)), cluster)
    async with listening(cluster.url) as ear:
        cluster.begin_to_move(slot, target)
        cluster.finish_to_move(slot, target)
        await ear.join(user)
        await ear.until_heard(user)
        assert ear.told == [True]


async def test_a_node_that_is_killed_and_started_again_is_heard_again(mortal: Cluster) -> None:
    async with listening(mortal.url) as ear:
        await ear.join(*USERS)
        dead = mortal.members[0]
        dead.process.send(signal.SIGKILL)
        await ear.until(lambda: ear.told == [True, False])
        with pytest.raises(ChannelUnavailable):
            await ear.channel.publish([change(user, 1) for user in USERS])
        dead.process.wait(5)
        dead.start()
        await ear.until_whole()
        mortal.settle()
        await ear.until_whole()
        await ear.until_heard(*USERS)


async def test_a_frozen_node_breaks_the_feed_until_it_thaws(mortal: Cluster) -> None:
    async with listening(mortal.url) as ear:
        await ear.join(*USERS)
        mortal.members[1].process.send(signal.SIGSTOP)
        await ear.until(lambda: ear.told == [True, False], 8)
        mortal.members[1].process.send(signal.SIGCONT)
        mortal.settle()
        await ear.until_whole()
        await ear.until_heard(*USERS)


async def test_a_replica_that_takes_over_is_heard(mortal: Cluster, tmp_path: Path) -> None:
    replica = mortal.replicate(mortal.members[0], tmp_path)
    async with listening(f"redis://127.0.0.1:{mortal.members[1].port}/0") as ear:
        await ear.join(*USERS)
        mortal.members[0].process.send(signal.SIGKILL)
        await ear.until(lambda: ear.told[:2] == [True, False])
        await eventually(lambda: replica.client.info("replication")["role"] == "master")
        await ear.until_whole()
        await ear.until_heard(*USERS)
        assert replica.ask("PUBSUB", "SHARDCHANNELS")
