"""Holding on while DynamoDB or Redis is away, and stopping when asked to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from streams.errors import ChannelUnavailable, TableUnavailable
from streams.retry import Backoff, retry, until_stopped
from workers.relay import metrics

T = TypeVar("T")

FIRST_PAUSE = 0.1  # seconds
LONGEST_PAUSE = 5.0
LONGEST_OF_LEASES = 1.0  # a lease that is not renewed in time is lost
# Both without end: the stream keeps its records for 24 hours, and none of them may be skipped.
PATIENT = Backoff(None, FIRST_PAUSE, LONGEST_PAUSE)
SOON = Backoff(None, FIRST_PAUSE, LONGEST_OF_LEASES)


async def hold(
    operation: str, attempt: Callable[[], Awaitable[T]], stopping: asyncio.Event, backoff: Backoff = PATIENT
) -> T:
    """Try until it succeeds, with growing, jittered pauses while DynamoDB or Redis is away.

    Raises Stopped when asked to stop between two attempts; whatever else the attempt raises passes through.
    """

    async def counted() -> T:
        try:
            return await attempt()
        except (ChannelUnavailable, TableUnavailable) as error:
            metrics.count_error(error)
            raise

    return await retry(operation, counted, (ChannelUnavailable, TableUnavailable), backoff, until_stopped(stopping))
