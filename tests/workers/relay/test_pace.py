from hypothesis import given
from hypothesis import strategies as st

from workers.relay.pace import BACKLOG, COLD_AFTER, HOT_FOR, HOT_PAUSE, IDLE_AFTER, LONGEST_PAUSE, WATCHED_PAUSE, Pace

pages = st.lists(st.integers(0, 1000), max_size=2 * COLD_AFTER)


def after(records: list[int]) -> Pace:
    pace = Pace()
    for count in records:
        pace.pause_after(count)
    return pace


@given(pages, st.integers(BACKLOG, 1000))
def test_behind_a_page_of_a_backlog_there_is_no_pause(before: list[int], records: int) -> None:
    assert after(before).pause_after(records) == 0


@given(pages, st.integers(1, BACKLOG - 1))
def test_while_records_come_a_shard_is_asked_ten_times_a_second(before: list[int], records: int) -> None:
    assert after(before).pause_after(records) == HOT_PAUSE


@given(pages)
def test_no_page_is_awaited_longer_than_a_second(before: list[int]) -> None:
    pace = Pace()
    assert all(0 <= pace.pause_after(records) <= LONGEST_PAUSE for records in before)


@given(pages, st.integers(1, 2 * COLD_AFTER))
def test_the_longer_nothing_comes_the_longer_the_pauses(before: list[int], empty: int) -> None:
    pace = after(before)
    pauses = [pace.pause_after(0) for _ in range(empty)]
    assert pauses == sorted(pauses)


def test_five_seconds_of_nothing_do_not_slow_it_down() -> None:
    pace = after([1])
    assert [pace.pause_after(0) for _ in range(HOT_FOR)] == [HOT_PAUSE] * HOT_FOR
    assert pace.pause_after(0) > HOT_PAUSE


def test_a_shard_that_is_idle_for_a_day_is_asked_once_a_second() -> None:
    pace = after([0] * COLD_AFTER)
    assert {pace.pause_after(0) for _ in range(86400)} == {LONGEST_PAUSE}
    assert pace.pause_after(1) == HOT_PAUSE


def test_while_somebody_watches_an_idle_shard_is_asked_five_times_a_second() -> None:
    pace = after([0] * COLD_AFTER)
    assert {pace.pause_after(0, is_watched=True) for _ in range(1000)} == {WATCHED_PAUSE}
    assert pace.pause_after(0) == LONGEST_PAUSE


def test_a_shard_is_idle_only_after_several_empty_pages_in_a_row() -> None:
    assert not after([1] + [0] * (IDLE_AFTER - 1)).is_idle
    assert after([1] + [0] * IDLE_AFTER).is_idle
    assert not after([0] * IDLE_AFTER + [1]).is_idle
