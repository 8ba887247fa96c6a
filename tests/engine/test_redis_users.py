"""The users of deploy/redis on a real Redis and a real cluster: they may do what api and relay do, and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from streams.channel.channel import Channel, Outcome, channel_of, connect_redis
from streams.channel.heartbeat import Heartbeat
from tests.support.cluster import cluster_in
from tests.support.listening import change, eventually, listening
from workers.demo.engines import free_port, start_valkey

RULES = Path(__file__).parents[2] / "deploy" / "redis"
PASSWORD = "letters0and1digits"
USERS = [f"user {number}" for number in range(20)]

SHARDED = {"cluster|slots", "ssubscribe", "sunsubscribe", "spublish"}  # asked of a cluster only
PLAIN = {"subscribe", "unsubscribe", "publish"}
RARE = {"asking", "del"}  # while a slot moves; where telling is refused


class Server:
    """One Redis, or the nodes of a cluster, with the two users."""

    def __init__(self, ports: list[int], *, is_cluster: bool) -> None:
        self.clients: list[Any] = [Redis(port=port, protocol=2) for port in ports]
        self.never_used = RARE | (PLAIN if is_cluster else SHARDED)
        self._port = ports[0]
        for client in self.clients:
            for user in ("api", "relay"):
                client.execute_command("ACL", "SETUSER", user, f">{PASSWORD}", *rules_of(user))

    def url(self, user: str) -> str:
        return f"redis://{user}:{PASSWORD}@127.0.0.1:{self._port}/0"

    def refusals(self) -> list[Any]:
        return [entry for client in self.clients for entry in client.execute_command("ACL", "LOG")]

    def commands(self) -> set[str]:
        return {name.removeprefix("cmdstat_") for client in self.clients for name in client.info("commandstats")}

    def subscribed(self) -> set[bytes]:
        names = {
            name
            for client in self.clients
            for kind in ("CHANNELS", "SHARDCHANNELS")
            for name in client.execute_command("PUBSUB", kind)
        }
        return {name for name in names if not name.startswith(b"hw:probe:")}


@pytest.fixture(params=["one", "cluster"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    if request.param == "cluster":
        with cluster_in(tmp_path) as cluster:
            yield Server([member.port for member in cluster.members], is_cluster=True)
        return
    port = free_port()
    process = start_valkey(port, tmp_path)
    yield Server([port], is_cluster=False)
    process.stop()


async def test_api_and_relay_do_what_their_users_may_and_nothing_else(server: Server) -> None:
    relay = Channel(connect_redis(server.url("relay")))
    changes = [change(user, 1) for user in USERS]
    async with listening(server.url("api")) as ear:
        await ear.join(*USERS)
        assert await relay.publish(changes) == [Outcome.PUBLISHED] * len(USERS)
        assert await relay.publish(changes) == [Outcome.REPEATED] * len(USERS)
        await ear.until(lambda: all(ear.numbers(user) == [1] for user in USERS))
        for channel in (relay, ear.channel):
            assert len(await channel.latest((user, "job") for user in USERS)) == len(USERS)
            await channel.ping()
        assert {job async for some in relay.known() for job in some} == {(user, "job") for user in USERS}
        assert (await ear.channel.recent(USERS[0], None)).job_ids == ["job"]
        await ear.channel.tell_watched(5)
        assert await ear.channel.shared_key() == await ear.channel.shared_key()
        assert await relay.beat(Heartbeat(relay="one", table="jobs"))
        assert [beat.relay for beat, _ in await ear.channel.last_heartbeats()] == ["one"]
        assert await relay.beat(Heartbeat(relay="one", table="jobs", is_leaving=True))
        assert await ear.channel.last_heartbeats() == []
        for user in USERS:
            ear.listener.forget(channel_of(user))
        await eventually(lambda: not server.subscribed())
    await relay.close()
    assert server.refusals() == []
    assert commands_in("api") | commands_in("relay") <= server.commands() | server.never_used


def rules_of(user: str) -> list[str]:
    return (RULES / f"{user}.acl").read_text().split()


def commands_in(user: str) -> set[str]:
    return {word[1:] for word in rules_of(user) if word.startswith("+")}
