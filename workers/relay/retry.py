"""Holding on while DynamoDB or Redis is away, and stopping when asked to."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from streams.errors import ChannelUnavailable, TableUnavailable
from workers.relay import metrics

T = TypeVar("T")

log = structlog.get_logger()

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0


class Stopped(Exception):
    """The process was asked to stop before the attempt succeeded."""


async def hold(attempt: Callable[[], Awaitable[T]], stopping: asyncio.Event, longest: float = LONGEST_PAUSE) -> T:
    """Try until it succeeds, with growing, jittered pauses (seconds) while DynamoDB or Redis is away.

    Raises Stopped when asked to stop between two attempts; whatever else the attempt raises passes through.
    """
    pause = FIRST_PAUSE
    while True:
        try:
            answer = await attempt()
        except (ChannelUnavailable, TableUnavailable) as error:
            metrics.count_error(error)
            log.warning("holding", reason=str(error), retry_in=round(pause, 2))
            await wait(stopping, random.uniform(pause / 2, pause))  # noqa: S311 - jitter, no secret
            if stopping.is_set():
                raise Stopped from error
            pause = min(pause * 2, longest)
        else:
            if pause > FIRST_PAUSE:
                log.info("going on")
            return answer


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after some seconds."""
    if event.is_set():
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
