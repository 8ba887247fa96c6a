"""The heartbeat of one relay process: sent once a second, answered with whether anybody watches."""

import asyncio
from collections.abc import Callable
from itertools import count

import structlog
from prometheus_client import Gauge

from streams.channel.channel import Channel
from streams.channel.heartbeat import BEAT_EVERY, Heartbeat
from streams.errors import ChannelUnavailable
from streams.retry import wait
from workers.relay import metrics
from workers.relay.interest import Interest

log = structlog.get_logger()

ANSWER_WITHIN = 2.0  # seconds
LOOK_UP_EVERY = 10  # heartbeats
TICK = 0.1  # seconds

watched = Gauge(
    "headway_watched", "1 while an api process says that somebody watches: then idle shards are polled often"
)


class Pulse:
    """Sends heartbeats, and hands on what comes back to those who poll."""

    def __init__(self, channel: Channel, interest: Interest) -> None:
        self._channel = channel
        self._interest = interest

    async def beat_on(self, heartbeat: Callable[[], Heartbeat], stopping: asyncio.Event) -> None:
        """Send a heartbeat a second, and at once when the worker has seen all, until asked to stop.

        Where Redis is away its readers notice by themselves.
        """
        for number in count():
            if number % LOOK_UP_EVERY == 0:
                await self._channel.look_up()
            told = heartbeat()
            await self.beat(told)
            for _ in range(round(BEAT_EVERY / TICK)):
                await wait(stopping, TICK)
                if stopping.is_set():
                    return
                if heartbeat().sees_all and not told.sees_all:
                    break

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Send one heartbeat, as far as Redis takes it."""
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                is_watched = await self._channel.beat(heartbeat)
        except (ChannelUnavailable, TimeoutError) as error:
            metrics.count_error(error)
            log.debug("heartbeat not sent", reason=str(error))
        else:
            watched.set(is_watched)
            self._interest.note(is_there=is_watched)
