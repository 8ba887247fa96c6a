"""Places in a list come from outside: what is not one of an order's own places is told apart, whatever it is."""

from decimal import Decimal
from math import floor
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.jobs.item import LARGEST
from streams.jobs.job import Job
from streams.jobs.selection import SORTS, Order, Place, Span
from tests.support.strategies import jobs

orders = st.builds(Order, st.sampled_from(sorted(SORTS)), st.booleans())
seconds = st.integers(-LARGEST, LARGEST)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=4,
)


@given(orders, jobs)
def test_every_place_after_a_job_is_accepted(order: Order, job: Job) -> None:
    assert order.accepts(order.place_of(job))


@given(seconds, st.booleans())
def test_every_place_beside_a_second_is_accepted(second: int, descending: bool) -> None:
    order = Order("created_at", descending)
    assert order.accepts(order.before_second(second))
    assert order.accepts(order.after_second(second))


@given(st.decimals(-LARGEST, LARGEST, places=6), st.text(min_size=1, max_size=100), st.booleans())
def test_every_place_in_a_crowded_second_is_accepted(time: Decimal, job_id: str, descending: bool) -> None:
    assert Order("created_at", descending).accepts(Place(floor(time), job_id, f"{time:f}"))


@given(orders, anything, anything, st.just("") | anything, jobs)
@example(
    Order("updated_at"), float("nan"), "id", "", Job(job_id="a", user_id="u", status="x", created_at=1, updated_at=1)
)
def test_whatever_else_is_accepted_can_be_read_from(
    order: Order, value: Any, job_id: Any, stored: Any, job: Job
) -> None:
    place = Place(value, job_id, stored)
    if order.accepts(place):
        assert order.is_after(job, place) in {True, False}
        assert type(value) is type(SORTS[order.by](job)) or order.by == "duration"
        assert isinstance(job_id, str)
        assert len(job_id.encode()) <= 2048
        if order.by == "created_at":
            assert order.rest(place, Span()).start >= Span().start
        if stored:
            assert order.by == "created_at"
            assert 0 <= Decimal(stored) - value < 1


@pytest.mark.parametrize("by", sorted(SORTS))
@pytest.mark.parametrize("value", [True, None, [], float("nan"), float("inf"), 10**400, -(10**30), 1e300])
def test_what_no_job_has_is_no_place(by: str, value: Any) -> None:
    assert not Order(by).accepts(Place(value, "id"))


@pytest.mark.parametrize(
    ("by", "value"),
    [
        *(("created_at", value) for value in ("1700000000", 1.5, 1.0, LARGEST + 2)),
        ("updated_at", "now"),
        ("duration", "long"),
        ("status", 1),
        *(("progress_percent", value) for value in ("50", -1, 101, 50.0)),
    ],
)
def test_a_value_of_another_order_is_no_place(by: str, value: Any) -> None:
    assert not Order(by).accepts(Place(value, "id"))


@pytest.mark.parametrize("job_id", ["x" * 2049, "é" * 1025, "\ud800", 1, None, True, ["id"]])
@pytest.mark.parametrize("by", sorted(SORTS))
def test_what_is_no_key_of_the_table_is_no_place(by: str, job_id: Any) -> None:
    value = "failed" if by == "status" else 1
    assert not Order(by).accepts(Place(value, job_id))
    assert not Order(by).accepts(Place(value, job_id, "1"))


def test_only_a_place_before_a_second_has_no_id() -> None:
    assert Order("created_at").accepts(Place(1, ""))
    assert not Order("created_at").accepts(Place(1, "", "1"))
    for by in SORTS.keys() - {"created_at"}:
        assert not Order(by).accepts(Place("failed" if by == "status" else 1, ""))


@pytest.mark.parametrize(
    "stored", ["x", "1_0", " 1", "٣", "NaN", "Infinity", "1.", ".", "0.9", "2", "1e400", "1." + "0" * 38 + "1", True, 1]
)
def test_what_is_no_number_of_the_table_in_that_second_is_no_place(stored: Any) -> None:
    assert not Order("created_at").accepts(Place(1, "id", stored))


@pytest.mark.parametrize("stored", ["1", "1.5", "1.00", "1E0", "0.1e1", "1." + "9" * 37])
def test_a_number_is_taken_as_any_engine_writes_it(stored: str) -> None:
    assert Order("created_at").accepts(Place(1, "id", stored))


def test_a_number_that_is_too_small_for_the_table_is_no_place() -> None:
    assert Order("created_at").accepts(Place(0, "id", "1E-130"))
    assert not Order("created_at").accepts(Place(0, "id", "1E-131"))
