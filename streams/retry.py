"""Retries with exponential backoff and jitter, by tenacity; each one is counted and logged."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from prometheus_client import Counter
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_never,
    wait_random_exponential,
)

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

log = structlog.get_logger()

retries = Counter(
    "headway_retries", "Attempts that failed and were made again, by operation and error", ["operation", "error"]
)


class Stopped(Exception):
    """The process was asked to stop before the attempt succeeded."""


class Backoff:
    """How to retry: `attempts` in all (None: without end), with pauses of up to `first` seconds, doubling up to `longest`."""

    def __init__(self, attempts: int | None, first: float, longest: float) -> None:
        self.stop = stop_after_attempt(attempts) if attempts else stop_never
        # Each pause is a random part of the whole: who failed together does not come back together.
        self.wait = wait_random_exponential(multiplier=first, max=longest)


async def retry(
    operation: str,
    attempt: Callable[[], Awaitable[T]],
    errors: type[Exception] | tuple[type[Exception], ...],
    backoff: Backoff,
    sleep: Sleep = asyncio.sleep,
) -> T:
    """Call until it succeeds; raise the last error after the last attempt, and at once whatever is not in `errors`.

    `operation` names it in the metric and the log. Whatever `sleep` raises ends the retries.
    """

    def note(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        retries.labels(operation, type(error).__name__).inc()
        log.warning("retrying", operation=operation, reason=str(error), retry_in=round(state.upcoming_sleep, 2))

    async def call() -> T:
        return await attempt()  # tenacity awaits only what it knows to be a coroutine function, so no lambda

    retrying = AsyncRetrying(
        stop=backoff.stop,
        wait=backoff.wait,
        retry=retry_if_exception_type(errors),
        before_sleep=note,
        sleep=sleep,
        reraise=True,
    )
    result: T = await retrying(call)
    if (attempts := retrying.statistics["attempt_number"]) > 1:
        log.info("going on", operation=operation, attempts=attempts)
    return result


def until_stopped(stopping: asyncio.Event) -> Sleep:
    """Return a `sleep` for retry() that raises Stopped, at once, when asked to stop."""

    async def sleep(seconds: float) -> None:
        await wait(stopping, seconds)
        if stopping.is_set():
            raise Stopped

    return sleep


async def wait(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after some seconds."""
    if event.is_set():
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
