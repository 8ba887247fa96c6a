"""The listener on a real Redis that is stopped, frozen, and asked for ever changing channels."""

import asyncio
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis as BlockingRedis

from streams.channel.channel import channel_of
from streams.channel.connection import TOGETHER
from streams.errors import ChannelUnavailable
from tests.support.listening import change, eventually, listening
from tests.support.tls import tls_in_front_of
from workers.demo.engines import Process, free_port, start_valkey

PASSWORD = "only the tests know it"


class Server:
    """A Redis that keeps its address when it is started again."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"redis://:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}/0"
        self.client: Any = BlockingRedis(port=self.port, password=PASSWORD, protocol=2)
        self.process: Process
        self._directory = directory

    def start(self) -> None:
        self.process = start_valkey(self.port, self._directory, "--requirepass", PASSWORD)

    def channels(self) -> set[bytes]:
        return {name for name in self.client.pubsub_channels() if not name.startswith(b"hw:probe:")}


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.start()
    yield server
    server.process.send(signal.SIGCONT)
    server.process.stop()
    server.client.close()


async def test_what_is_published_after_heard_is_heard_in_order(redis: Server) -> None:
    async with listening(redis.url) as ear:
        await ear.join("ann", "bob")
        for number in range(1, 200):
            await ear.publish("ann", number)
            await ear.publish("bob", number)
        await ear.until(lambda: len(ear.numbers("bob")) == 199)
        assert ear.numbers("ann") == ear.numbers("bob") == list(range(1, 200))


async def test_after_any_churn_exactly_the_wanted_channels_are_subscribed(redis: Server) -> None:
    chance = random.Random(5)  # noqa: S311 - a repeatable test, no secret
    users = [f"user {number}" for number in range(40)]
    wanted: set[str] = set()
    waiting: list[asyncio.Task[None]] = []
    async with listening(redis.url) as ear:
        for _ in range(3000):
            user = chance.choice(users)
            if user in wanted:
                wanted.discard(user)
                ear.listener.forget(channel_of(user))
            else:
                wanted.add(user)
                ear.listener.listen(channel_of(user))
                waiting.append(asyncio.ensure_future(ear.listener.heard(channel_of(user))))
            await asyncio.sleep(chance.choice([0, 0, 0, 0.001]))
        await ear.join(*wanted)
        await eventually(lambda: redis.channels() == {channel_of(user) for user in wanted})
        answers = await asyncio.wait_for(asyncio.gather(*waiting, return_exceptions=True), 5)
        assert all(answer is None or isinstance(answer, ChannelUnavailable) for answer in answers)
        for user in users:
            await ear.publish(user, 1)
        await ear.until(lambda: len(ear.states) == len(wanted))
        assert ear.told == [True]


async def test_a_forgotten_channel_lingers_and_is_heard_again_at_once(redis: Server) -> None:
    async with listening(redis.url, linger=60) as ear:
        await ear.join("ann", "bob")
        ear.listener.forget(channel_of("ann"))
        await ear.publish("bob", 1)
        await ear.until(lambda: ear.numbers("bob") == [1])
        assert channel_of("ann") in redis.channels()
        await ear.join("ann")
        await ear.publish("ann", 2)
        await ear.until(lambda: ear.numbers("ann") == [2])


async def test_what_follows_several_messages_is_read_a_moment_later_in_one_piece(redis: Server) -> None:
    async with listening(redis.url) as ear:
        await ear.join("ann")
        long = "job" * 100
        await ear.channel.publish([change("ann", number, f"{long}{number}") for number in range(1, 31)])
        await ear.until(lambda: len(ear.numbers("ann")) == 30)
        heard = time.monotonic()
        await ear.publish("ann", 31)
        await ear.until(lambda: len(ear.numbers("ann")) == 31)
        assert time.monotonic() - heard >= TOGETHER * 0.9  # the loop's clock may be a little behind


async def test_one_long_message_makes_no_busy_connection(redis: Server) -> None:
    async with listening(redis.url) as ear:
        await ear.join("ann")
        pieces = []
        for number in range(1, 21):
            await ear.publish("ann", number, "j" * 5000)
            published = time.monotonic()
            await ear.until(lambda wanted=number: len(ear.numbers("ann")) == wanted)  # type: ignore[misc]
            pieces.append(time.monotonic() - published)
        assert min(pieces[1:]) < TOGETHER / 2


async def test_a_channel_that_lingered_long_enough_is_left(redis: Server) -> None:
    async with listening(redis.url, linger=0.5) as ear:
        await ear.join("ann", "bob")
        ear.listener.forget(channel_of("ann"))
        await eventually(lambda: redis.channels() == {channel_of("bob")})


async def test_whoever_waits_for_a_forgotten_channel_is_told(redis: Server) -> None:
    async with listening(redis.url) as ear:
        redis.process.send(signal.SIGSTOP)
        ear.listener.listen(b"hw:{ann}")
        waiting = asyncio.ensure_future(ear.listener.heard(b"hw:{ann}"))
        await asyncio.sleep(0)
        ear.listener.forget(b"hw:{ann}")
        with pytest.raises(ChannelUnavailable):
            await asyncio.wait_for(waiting, 1)


async def test_a_restarted_redis_is_heard_again_on_every_channel(redis: Server) -> None:
    users = [f"user {number}" for number in range(1200)]
    async with listening(redis.url) as ear:
        await ear.join(*users)
        redis.process.stop()
        await ear.until(lambda: ear.told == [True, False])
        with pytest.raises(ChannelUnavailable):
            await ear.listener.heard(channel_of(users[0]))
        ear.listener.forget(channel_of(users.pop()))
        ear.listener.listen(channel_of("a new one"))
        redis.start()
        await ear.until(lambda: ear.told == [True, False, True])
        assert redis.channels() == {channel_of(user) for user in [*users, "a new one"]}
        for user in [users[0], users[-1], "a new one"]:
            await ear.publish(user, 1)
        await ear.until(lambda: len(ear.states) == 3)


async def test_a_redis_that_is_gone_for_a_while_is_found_when_it_is_back(redis: Server) -> None:
    async with listening(redis.url) as ear:
        await ear.join("ann")
        redis.process.stop()
        await ear.until(lambda: not ear.listener.whole)
        await asyncio.sleep(4)
        redis.start()
        await ear.until_whole()
        await ear.until_heard("ann")


async def test_a_frozen_redis_is_noticed_within_eight_seconds_and_heard_when_it_thaws(redis: Server) -> None:
    async with listening(redis.url) as ear:
        await ear.join("ann")
        frozen = time.monotonic()
        redis.process.send(signal.SIGSTOP)
        ear.listener.listen(channel_of("bob"))
        waiting = asyncio.ensure_future(ear.listener.heard(channel_of("bob")))
        await ear.until(lambda: ear.told == [True, False])
        assert time.monotonic() - frozen <= 8
        with pytest.raises(ChannelUnavailable):
            await waiting
        redis.process.send(signal.SIGCONT)
        await ear.until(lambda: ear.told == [True, False, True])
        await ear.until_heard("ann", "bob")


async def test_an_error_of_whoever_hears_ends_the_listener_loudly(redis: Server) -> None:
    async with listening(redis.url) as ear:
        await ear.join("ann")
        ear.listener.hear = broken
        await ear.publish("ann", 1)
        await asyncio.wait([ear.running], timeout=5)
        failed = ear.running.exception()
        assert isinstance(failed, ExceptionGroup)
        assert failed.subgroup(ZeroDivisionError)


def broken(_channel: bytes, _message: bytes) -> None:
    raise ZeroDivisionError


async def test_a_redis_behind_tls_is_heard(redis: Server, tmp_path: Path) -> None:
    async with tls_in_front_of(redis.port, tmp_path) as (port, certificate):
        url = redis.url.replace("redis://", "rediss://").replace(str(redis.port), str(port))
        async with listening(f"{url}?ssl_ca_certs={certificate}") as ear:
            await ear.join("ann")
            for number in range(1, 300):
                await ear.publish("ann", number)
            await ear.until(lambda: ear.numbers("ann") == list(range(1, 300)))
