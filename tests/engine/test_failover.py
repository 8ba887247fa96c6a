"""A Redis failover behind one name: the old primary is a replica now, and keeps its connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from streams.channel.channel import Channel, Outcome, connect_redis
from streams.errors import ChannelUnavailable
from tests.engine.test_streams import has_shown, put, watching
from tests.support.listening import change, listening
from tests.support.stack import Stack
from tests.support.switch import Switch, switch_to
from workers.demo.engines import Process, free_port, start_valkey


class Pair:
    """Two servers, the second a replica of the first, and a name that stands for the first."""

    def __init__(self, directory: Path) -> None:
        self.ports = [free_port(), free_port()]
        self.processes: list[Process] = []
        for number, port in enumerate(self.ports):
            (directory / str(number)).mkdir()
            self.processes.append(start_valkey(port, directory / str(number), "--repl-diskless-sync-delay", "0"))
        self.clients = [Redis(port=port) for port in self.ports]
        self.clients[1].replicaof("127.0.0.1", str(self.ports[0]))
        while self.clients[1].info("replication")["master_link_status"] != "up":
            pass

    def fail_over(self, switch: Switch, *, is_linked: bool = True) -> None:
        """Make the second server the primary, and the first its replica, cut off from it perhaps."""
        self.clients[1].replicaof("NO", "ONE")
        self.clients[0].replicaof("127.0.0.1", str(self.ports[1] if is_linked else free_port()))
        switch.port = self.ports[1]

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        for process in self.processes:
            process.stop()


@asynccontextmanager
async def failing_over(directory: Path) -> AsyncIterator[tuple[Pair, Switch, str]]:
    pair = await asyncio.to_thread(Pair, directory)
    try:
        async with switch_to(pair.ports[0]) as (switch, port):
            yield pair, switch, f"redis://127.0.0.1:{port}/0"
    finally:
        await asyncio.to_thread(pair.stop)


async def published(channel: Channel, number: int) -> list[Outcome]:
    """Publish as the relay does: hold, and try again."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await channel.publish([change("ann", number)])
            except ChannelUnavailable:
                await asyncio.sleep(0)


async def test_what_publishes_finds_the_new_primary_and_loses_nothing(tmp_path: Path) -> None:
    async with failing_over(tmp_path) as (pair, switch, url):
        relay = Channel(connect_redis(url))
        assert await published(relay, 1) == [Outcome.PUBLISHED]
        before = switch.accepted
        pair.fail_over(switch)
        assert await published(relay, 2) == [Outcome.PUBLISHED]
        assert switch.accepted > before
        assert pair.clients[1].hget("hw:{ann}:job:job", "version") == b"1-2"
        await relay.close()


@pytest.mark.parametrize("is_linked", [True, False], ids=["linked", "cut off"])
async def test_who_subscribes_finds_the_new_primary_and_is_told_of_the_break(tmp_path: Path, is_linked: bool) -> None:
    async with failing_over(tmp_path) as (pair, switch, url), listening(url) as ear:
        relay = Channel(connect_redis(url))
        await ear.join("ann")
        await published(relay, 1)
        await ear.until(lambda: ear.numbers("ann") == [1])
        pair.fail_over(switch, is_linked=is_linked)
        ear.begun = 2
        await published(relay, 2)
        await ear.until(lambda: ear.told[-2:] == [False, True])
        ear.begun = 3
        await published(relay, 3)
        await ear.until(lambda: ear.numbers("ann")[-1] == 3)
        assert not ear.untold("ann")
        assert [client["name"] for client in clients_of(pair.clients[0]) if client["sub"] != "0"] == []
        await relay.close()


def clients_of(client: "Redis") -> list[dict[str, str]]:
    listed: list[dict[str, str]] = client.client_list()
    return listed


async def test_a_demoted_server_tells_nothing_that_it_does_not_store(tmp_path: Path) -> None:
    async with failing_over(tmp_path) as (pair, switch, url):
        replica = f"redis://127.0.0.1:{pair.ports[0]}/0"
        pair.fail_over(switch)
        async with listening(url) as ear:
            await ear.join("ann")
            old = Channel(connect_redis(replica))
            with pytest.raises(ChannelUnavailable, match="read only"):
                await old.publish([change("ann", 1)])
            await old.close()
            await ear.until_heard("ann")
            assert ear.numbers("ann")[0] == max(ear.numbers("ann"))


async def test_a_reader_of_states_finds_the_new_primary(tmp_path: Path) -> None:
    async with failing_over(tmp_path) as (pair, switch, url):
        relay, reader = Channel(connect_redis(url)), Channel(connect_redis(url))
        await published(relay, 1)
        assert [str(state.version) for state in await reader.latest([("ann", "job")])] == ["1-1"]
        pair.fail_over(switch, is_linked=False)
        await published(relay, 2)
        async with asyncio.timeout(10):
            while [str(state.version) for state in await reader.latest([("ann", "job")])] != ["1-2"]:
                with suppress(ChannelUnavailable):
                    await reader.tell_watched(5)  # as each process does every other second
        await relay.close()
        await reader.close()


async def test_bars_move_on_after_a_failover_and_the_end_is_told(stack: Stack, user: str, tmp_path: Path) -> None:
    directory = tmp_path / "pair"
    directory.mkdir()
    async with failing_over(directory) as (pair, switch, url):
        await asyncio.to_thread(stack.start_relay, HEADWAY_REDIS_URL=url)
        api = await asyncio.to_thread(partial(stack.start_api, HEADWAY_REDIS_URL=url))
        await put(stack, "job", user, 1)
        async with watching(api, "/jobs/job/events", user) as watcher:
            await watcher.until(partial(has_shown, 5))
            pair.fail_over(switch, is_linked=False)
            await put(stack, "job", user, 10)
            await watcher.until(partial(has_shown, 50))
            await put(stack, "job", user, 20, "completed")
            await watcher.until(partial(has_shown, 100))
