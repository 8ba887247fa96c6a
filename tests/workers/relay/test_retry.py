import asyncio
from itertools import pairwise

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from streams.errors import ChannelUnavailable, TableUnavailable
from streams.retry import Stopped, wait
from tests.support.clock import run
from workers.relay.retry import FIRST_PAUSE, LONGEST_PAUSE, hold


class Engine:
    """What is away for some calls and then answers, and remembers when it was called."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.called_at: list[float] = []

    async def call(self) -> str:
        self.called_at.append(asyncio.get_running_loop().time())
        if self.failures:
            raise self.failures.pop(0)
        return "answer"

    @property
    def pauses(self) -> list[float]:
        return [after - before for before, after in pairwise(self.called_at)]


def test_what_answers_at_once_is_asked_once() -> None:
    engine = Engine()
    assert run(hold("call", engine.call, asyncio.Event())) == "answer"
    assert engine.called_at == [0.0]


@pytest.mark.parametrize("away", [ChannelUnavailable, TableUnavailable])
def test_what_is_away_is_asked_until_it_answers(away: type[Exception]) -> None:
    engine = Engine(*[away("away")] * 1000)
    assert run(hold("call", engine.call, asyncio.Event())) == "answer"
    assert len(engine.called_at) == 1001


def test_pauses_double_up_to_the_longest_and_are_a_random_part_of_that() -> None:
    engine = Engine(*[TableUnavailable("away")] * 1000)
    run(hold("call", engine.call, asyncio.Event()))
    for number, pause in enumerate(engine.pauses):
        assert 0 <= pause <= min(FIRST_PAUSE * 2**number, LONGEST_PAUSE) + 1e-6
    longest = engine.pauses[6:]
    assert sum(longest) / len(longest) == pytest.approx(LONGEST_PAUSE / 2, rel=0.1)
    assert len({round(pause, 6) for pause in longest}) > 900


def test_each_retry_is_counted_and_logged_and_so_is_the_end_of_it() -> None:
    engine = Engine(TableUnavailable("away"), ChannelUnavailable("away"))
    before = {error: counted(error) for error in ("TableUnavailable", "ChannelUnavailable")}
    with capture_logs() as logs:
        run(hold("call", engine.call, asyncio.Event()))
    assert {error: counted(error) - value for error, value in before.items()} == dict.fromkeys(before, 1)
    assert [(line["event"], line["operation"], line["log_level"]) for line in logs] == [
        ("retrying", "call", "warning"),
        ("retrying", "call", "warning"),
        ("going on", "call", "info"),
    ]


def counted(error: str) -> float:
    return REGISTRY.get_sample_value("headway_errors_total", {"kind": error}) or 0.0


def test_a_fault_of_our_own_is_not_held_but_told() -> None:
    engine = Engine(TableUnavailable("away"), KeyError("fault"))
    with pytest.raises(KeyError):
        run(hold("call", engine.call, asyncio.Event()))
    assert len(engine.called_at) == 2


def test_whoever_holds_stops_at_once_when_asked_to() -> None:
    engine = Engine(*[ChannelUnavailable("away")] * 1000)

    async def stopped_after(seconds: float) -> float:
        stopping = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, stopping.set)
        with pytest.raises(Stopped):
            await hold("call", engine.call, stopping)
        return asyncio.get_running_loop().time()

    assert run(stopped_after(60.0)) == pytest.approx(60.0)
    assert engine.called_at[-1] < 60.0


def test_the_last_attempt_is_made_even_when_stopping() -> None:
    async def stopping_already() -> str:
        stopping = asyncio.Event()
        stopping.set()
        return await hold("call", Engine().call, stopping)

    assert run(stopping_already()) == "answer"


def test_whoever_stops_does_not_hold_at_all() -> None:
    engine = Engine(ChannelUnavailable("away"))

    async def stopping_already() -> None:
        stopping = asyncio.Event()
        stopping.set()
        await hold("call", engine.call, stopping)

    with pytest.raises(Stopped):
        run(stopping_already())
    assert engine.called_at == [0.0]


@pytest.mark.parametrize(("set_at", "until"), [(0.0, 0.0), (3.0, 3.0), (30.0, 10.0)])
def test_waiting_ends_with_the_event_or_with_the_time(set_at: float, until: float) -> None:
    async def waited() -> float:
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(set_at, event.set)
        await wait(event, 10.0)
        return asyncio.get_running_loop().time()

    assert run(waited()) == pytest.approx(until)
