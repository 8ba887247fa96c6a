"""The feed of this process: what it hears from Redis, and whether everything written to the table gets there."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import structlog
from redis.asyncio import Redis

from streams.channel.channel import Channel
from streams.channel.heartbeat import CHANNEL, NO_REDIS, Health, Relays, heartbeat_from
from streams.channel.listener import Listener
from streams.errors import ChannelUnavailable

log = structlog.get_logger()

JUDGE_EVERY = 0.25  # seconds; a break is told at the latest that long after it is one


class Feed:
    """Listens to channels, and to the relays' heartbeats.

    `hear(channel, message)` is called for every message, `told(health)` when the feed breaks or is whole again.
    Without a table relays tell nothing of themselves (they are a Lambda function): then the feed is whole while
    Redis is heard.
    """

    def __init__(
        self,
        redis: Redis,
        channel: Channel,
        table: str | None,
        hear: Callable[[bytes, bytes], None],
        told: Callable[[Health], None],
    ) -> None:
        self.health = Health(NO_REDIS)
        self.first_whole = asyncio.Event()
        self._channel = channel
        self._hear = hear
        self._told = told
        self._clock = asyncio.get_running_loop().time
        self._relays = Relays(table, self._clock()) if table else None
        self._broken_at = self._clock()
        self.listener = Listener(redis, self._heard, self._redis_told)

    @property
    def is_whole(self) -> bool:
        """Whether everything that is written to the table is heard here."""
        return self.health.is_whole

    @property
    def has_redis(self) -> bool:
        """Whether everything that is published is heard here; it may be late."""
        return self.listener.whole

    async def run(self) -> None:
        """Listen and judge until cancelled."""
        if self._relays:
            self.listener.listen(CHANNEL)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.listener.run())
            tasks.create_task(self._ask_relays())
            while True:
                self._judge()
                await asyncio.sleep(JUDGE_EVERY)

    async def _ask_relays(self) -> None:
        """Learn at the start what the relays told last: no reader has to wait for the next heartbeat."""
        await self.listener.first_whole.wait()
        if self._relays:
            with suppress(ChannelUnavailable):
                for heartbeat, age in await self._channel.last_heartbeats():
                    self._relays.note(heartbeat, self._clock() - age)
            self._judge()

    def _heard(self, channel: bytes, message: bytes) -> None:
        if channel != CHANNEL:
            self._hear(channel, message)
        elif self._relays:
            try:
                self._relays.note(heartbeat_from(message), self._clock())
            except ValueError as error:
                log.debug("heartbeat refused", reason=str(error))
            self._judge()

    def _redis_told(self, whole: bool) -> None:
        if not whole:
            self._broken_at = self._clock()
        self._judge()

    def _judge(self) -> None:
        before, self.health = self.health, self._judged()
        if self.health.reason == before.reason:
            return
        if self.is_whole:
            self.first_whole.set()
            log.info("feed live")
        elif self.has_redis:  # Else the listener has said so.
            log.warning("feed stale", reason=self.health.reason, behind_seconds=round(self.health.behind, 1))
        if before.is_whole != self.is_whole:
            self._told(self.health)

    def _judged(self) -> Health:
        now = self._clock()
        relays = self._relays.health(now) if self._relays else Health()
        return relays if self.has_redis else Health(NO_REDIS, now - self._broken_at)
