"""Retries: how often, how long between them, and what is told of them."""

import asyncio

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from streams.retry import Backoff, retry
from tests.support.clock import run

ONCE = Backoff(3, first=0.1, longest=1.0)


class Passing(Exception):
    """An error that another attempt may not meet."""


class Service:
    """What fails for some calls and then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    async def call(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def retries(operation: str) -> float:
    return REGISTRY.get_sample_value("headway_retries_total", {"operation": operation, "error": "Passing"}) or 0.0


def test_what_succeeds_at_once_is_neither_counted_nor_logged() -> None:
    service = Service()
    with capture_logs() as logs:
        assert run(retry("quick", service.call, Passing, ONCE)) == "answer"
    assert (service.calls, retries("quick"), logs) == (1, 0, [])


def test_the_last_error_is_raised_after_the_last_attempt() -> None:
    service = Service(Passing("first"), Passing("second"), Passing("third"))
    with capture_logs() as logs, pytest.raises(Passing, match="third"):
        run(retry("bounded", service.call, Passing, ONCE))
    assert (service.calls, retries("bounded")) == (3, 2)
    assert [(line["event"], line["operation"], line["reason"]) for line in logs] == [
        ("retrying", "bounded", "first"),
        ("retrying", "bounded", "second"),
    ]


def test_success_after_retries_is_logged() -> None:
    with capture_logs() as logs:
        run(retry("recovers", Service(Passing("once")).call, Passing, ONCE))
    assert logs[-1] == {"event": "going on", "log_level": "info", "operation": "recovers", "attempts": 2}


def test_an_error_that_is_not_named_is_raised_at_once() -> None:
    service = Service(KeyError("fault"), Passing("never met"))
    with pytest.raises(KeyError):
        run(retry("faulty", service.call, Passing, ONCE))
    assert service.calls == 1


def test_what_sleep_raises_ends_the_retries() -> None:
    service = Service(*[Passing("away")] * 3)

    async def refuse(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run(retry("stopped", service.call, Passing, Backoff(None, 0.1, 1.0), refuse))
    assert service.calls == 1


def test_a_cancelled_attempt_is_not_made_again() -> None:
    service = Service()

    async def cancelled() -> None:
        async def hang() -> None:
            await service.call()
            await asyncio.Event().wait()

        async with asyncio.timeout(5):
            await retry("cancelled", hang, Exception, Backoff(None, 0.1, 1.0))

    with pytest.raises(TimeoutError):
        run(cancelled())
    assert service.calls == 1


def test_a_lambda_that_gives_a_coroutine_is_awaited_and_retried() -> None:
    service = Service(Passing("busy"))

    async def call() -> str:
        return await retry("test lambda", lambda: service.call(), Passing, ONCE)  # noqa: PLW0108 - as the hub gives it

    assert run(call()) == "answer"
    assert service.calls == 2
