"""One connection that hears every channel asked for, and that notices when it hears nothing any more.

Redis pub/sub tells nobody what was lost. So a probe of our own travels the whole way every 2 seconds;
after 6 without one, or when the connection fails, the feed is broken until every channel is confirmed
on a new connection. Whoever listens is told of both, and reads again what may have been missed.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from math import inf
from typing import Any
from uuid import uuid4

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from streams.errors import ChannelUnavailable

log = structlog.get_logger()

PROBE_EVERY = 2.0
BROKEN_AFTER = 6.0
RETRY_AFTER = (0.1, 0.5)  # seconds, jittered: every api process lost the same Redis
CHUNK = 500  # channels named in one command


class Listener:
    """The subscriber of one process.

    `hear(channel, message)` is called for every message, `told(whole)` when the feed breaks or mends.
    """

    def __init__(self, redis: Redis, hear: Callable[[bytes, bytes], None], told: Callable[[bool], None]) -> None:
        self._redis = redis
        self._hear = hear
        self._told = told
        self._probe = f"hw:probe:{uuid4().hex}".encode()
        self._wanted = {self._probe}
        self._waiting: dict[bytes, asyncio.Future[None]] = {}
        self.whole = False
        self.first_whole = asyncio.Event()
        self._start_over()

    def _start_over(self) -> None:
        self._joining = set(self._wanted)
        self._leaving: set[bytes] = set()
        self._asked: Counter[bytes] = Counter()  # subscriptions sent and not yet confirmed
        self._confirmed: set[bytes] = set()
        self._work = asyncio.Event()

    def listen(self, channel: bytes) -> None:
        """Start to hear a channel; heard() returns when that is so."""
        self._wanted.add(channel)
        if channel in self._leaving:
            self._leaving.discard(channel)
        else:
            self._joining.add(channel)
        self._work.set()

    def forget(self, channel: bytes) -> None:
        """Stop to hear a channel."""
        self._wanted.discard(channel)
        if channel in self._joining:
            self._joining.discard(channel)
        else:
            self._leaving.add(channel)
        self._work.set()

    async def heard(self, channel: bytes) -> None:
        """Return once no later message of the channel can be missed; raises ChannelUnavailable while the feed is broken."""
        if not self.whole:
            raise ChannelUnavailable("the feed is broken")
        if channel not in self._confirmed:
            if channel not in self._waiting:
                self._waiting[channel] = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._waiting[channel])

    async def run(self) -> None:
        """Listen until cancelled, on one connection after the other."""
        while True:
            try:
                await self._listen_once()
            except* (RedisError, OSError, ChannelUnavailable) as failed:
                log.warning("feed broken", reason=str(failed.exceptions[0]))
            self._break()
            await asyncio.sleep(random.uniform(*RETRY_AFTER))  # noqa: S311 - jitter, no secret

    async def _listen_once(self) -> None:
        connection = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        self._start_over()
        try:
            await connection.connect()
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read(connection))
                tasks.create_task(self._subscribe(connection))
                tasks.create_task(self._watch())
        finally:
            with suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)

    async def _read(self, connection: Any) -> None:
        while True:
            kind, channel, content = await connection.read_response(timeout=inf)
            if kind == b"message":
                self._take(channel, content)
            elif kind == b"subscribe":
                self._confirm(channel)

    def _take(self, channel: bytes, message: bytes) -> None:
        if channel == self._probe:
            self._probed = asyncio.get_running_loop().time()
        else:
            self._hear(channel, message)

    def _confirm(self, channel: bytes) -> None:
        self._asked[channel] -= 1
        if self._asked[channel] > 0:
            return  # It was left and joined again; only the last answer counts.
        del self._asked[channel]
        if channel not in self._wanted:
            return
        self._confirmed.add(channel)
        if waiting := self._waiting.pop(channel, None):
            waiting.set_result(None)
        if not self.whole and not self._asked and not self._joining:
            self.whole = True
            self.first_whole.set()
            self._told(True)

    async def _subscribe(self, connection: Any) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            for channels in _chunks(self._joining):
                self._asked.update(channels)
                await connection.send_command("SUBSCRIBE", *channels)
            for channels in _chunks(self._leaving):
                self._confirmed.difference_update(channels)
                await connection.send_command("UNSUBSCRIBE", *channels)

    async def _watch(self) -> None:
        """Send the probe round; raises ChannelUnavailable when it stays away."""
        loop = asyncio.get_running_loop()
        self._probed = loop.time()
        self._work.set()
        while True:
            with suppress(RedisError, OSError, TimeoutError):
                await asyncio.wait_for(self._redis.publish(self._probe, b""), PROBE_EVERY)
            await asyncio.sleep(PROBE_EVERY)
            if loop.time() - self._probed > BROKEN_AFTER:
                raise ChannelUnavailable(f"no probe came back for {BROKEN_AFTER:.0f} s")

    def _break(self) -> None:
        for waiting in self._waiting.values():
            waiting.set_exception(ChannelUnavailable("the feed broke"))
            waiting.exception()  # whoever waited may be gone
        self._waiting.clear()
        if self.whole:
            self.whole = False
            self._told(False)


def _chunks(channels: set[bytes]) -> Iterator[list[bytes]]:
    """Empty the set in chunks; what joins or leaves meanwhile is taken too."""
    while channels:
        chunk = list(islice(channels, CHUNK))
        channels.difference_update(chunk)
        yield chunk
