import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.jobs.job import Job
from streams.jobs.state import Order, State, Version, deletion_of, order, state_of
from tests.support import strategies

NO_VERSION: st.SearchStrategy[Version | None] = st.none()

versioned = strategies.states_of("job_1", strategies.few_versions)
unversioned = strategies.states_of("job_1", NO_VERSION)
states = versioned | unversioned


def state(status: str, updated_at: int, version: Version | None = None) -> State:
    return state_of(Job(job_id="job_1", user_id="u", status=status, created_at=1, updated_at=updated_at), version)


@given(strategies.versions)
def test_a_version_survives_being_written(version: Version) -> None:
    assert Version.parse(str(version)) == version


def test_a_version_is_two_integers_whatever_their_width() -> None:
    written = Version.parse("1795402343351-000000017954023433170000000001")
    assert written == Version(1795402343351, 17954023433170000000001)
    assert written > Version.parse("1795402343351-9")
    assert written < Version.parse("1795402343351-" + "9" * 40)
    assert written < Version.parse("1795402343352-1")


@given(st.integers(0, 9), st.integers(0, 10**40), st.integers(0, 10**40), st.integers(0, 40))
def test_leading_zeros_do_not_count(epoch: int, one: int, other: int, zeros: int) -> None:
    padded = Version.parse(f"{epoch}-{'0' * zeros}{one}")
    assert (padded < Version(epoch, other)) is (one < other)
    assert (padded == Version(epoch, other)) is (one == other)


@pytest.mark.parametrize(
    "text", ["", "-", "1-", "-1", "1--1", "1-2-3", "+1-2", "1- 2", "1_0-2", "٣-٤", "²-1", "1-2\n", "a-b"]
)
def test_anything_else_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        Version.parse(text)


@given(st.text() | st.text("0123456789-"))
def test_any_text_at_all_is_a_version_or_a_value_error(text: str) -> None:
    try:
        version = Version.parse(text)
    except ValueError:
        return
    assert Version.parse(str(version)) == version


def test_a_version_longer_than_python_reads_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="limit"):
        Version.parse("1-" + "9" * 5000)


@pytest.mark.parametrize(
    ("status", "kind"),
    [("pending", "update"), ("processing", "update"), ("paused", "update"), ("completed", "done"), ("failed", "done")],
)
def test_only_completed_and_failed_end_a_job(status: str, kind: str) -> None:
    assert (state(status, 1).kind, state(status, 1).is_last) == (kind, kind == "done")


def test_a_deletion_ends_a_job_and_tells_its_id_only() -> None:
    gone = deletion_of('job "1"', 7, Version(1, 2))
    assert (gone.kind, gone.is_last, gone.data) == ("deleted", True, b'{"job_id":"job \\"1\\""}')


def test_the_id_of_a_state_is_its_version() -> None:
    assert state("processing", 1, Version(1795402343351, 7)).id == "1795402343351-7"


@given(unversioned, unversioned)
def test_without_a_version_the_id_stands_for_what_the_table_says(one: State, other: State) -> None:
    assert one.id.startswith("table-")
    assert (one.id == other.id) is (one.data == other.data)


@given(versioned, versioned)
def test_versions_alone_decide_where_both_have_one(candidate: State, current: State) -> None:
    assert candidate.version
    assert current.version
    expected = "same" if candidate.version == current.version else "older"
    assert order(candidate, current) == ("newer" if candidate.version > current.version else expected)


@given(versioned, versioned)
def test_of_two_versions_one_is_newer_and_the_other_older(one: State, other: State) -> None:
    opposite = {"newer": "older", "older": "newer", "same": "same"}
    assert order(other, one) == opposite[order(one, other)]


@given(versioned, versioned, versioned)
def test_newer_than_the_newer_is_newer_and_older_than_the_older_is_older(one: State, two: State, three: State) -> None:
    if order(one, two) == order(two, three):
        assert order(one, three) == order(one, two)


@given(states)
def test_a_state_is_the_same_as_itself(any_state: State) -> None:
    assert order(any_state, any_state) == "same"


@given(states, states)
def test_without_two_versions_equal_data_is_the_same_state(candidate: State, current: State) -> None:
    assume(not (candidate.version and current.version))
    assert (order(candidate, current) == "same") is (candidate.data == current.data)


@given(states, states)
def test_without_two_versions_no_state_is_newer_than_one_of_a_later_second(candidate: State, current: State) -> None:
    assume(not (candidate.version and current.version) and candidate.updated_at <= current.updated_at)
    assert order(candidate, current) != "newer"


@given(states, states)
def test_without_two_versions_never_are_both_newer_or_both_older(one: State, other: State) -> None:
    assume(not (one.version and other.version))
    both = {order(one, other), order(other, one)}
    assert both not in ({"newer"}, {"older"})


V = Version(1, 1)


@pytest.mark.parametrize(
    ("candidate", "current", "expected"),
    [
        (("processing", 5), ("pending", 4), "newer"),
        (("completed", 5), ("processing", 4), "newer"),
        (("pending", 5), ("failed", 4), "newer"),  # started again
        (("processing", 4), ("pending", 5), "older"),
        (("pending", 4), ("completed", 5), "older"),
        (("processing", 4), ("pending", 4), "unsure"),  # two states of one second
        (("completed", 4), ("processing", 4), "unsure"),
        (("completed", 3), ("processing", 4), "unsure"),  # the clock of who finished it may be behind
        (("failed", 3), ("completed", 4), "unsure"),
        (("completed", 4), ("completed", 4), "same"),
    ],
)
def test_the_writers_clocks_decide_as_far_as_they_can_be_trusted(
    candidate: tuple[str, int], current: tuple[str, int], expected: Order
) -> None:
    assert order(state(*candidate, None), state(*current, None)) == expected


@given(states, states)
def test_where_only_one_has_a_version_no_clock_is_believed(one: State, other: State) -> None:
    assume(bool(one.version) is not bool(other.version) and one.data != other.data)
    assert order(one, other) == order(other, one) == "unsure"


def test_a_deletion_that_looks_older_is_neither_dropped_nor_believed() -> None:
    assert order(deletion_of("job_1", 0), state("processing", 5, V)) == "unsure"


def test_no_clock_says_whether_a_deletion_is_newer() -> None:
    gone = deletion_of("job_1", 0)
    assert order(gone, state("failed", 5, None)) == order(state("failed", 5, None), gone) == "unsure"


def test_a_state_is_known_by_its_version_and_by_its_digest() -> None:
    versioned, unversioned = state("completed", 1, Version(1, 7)), state("completed", 1)
    assert versioned.has_id("1-7")
    assert versioned.has_id(unversioned.id)
    assert unversioned.has_id(unversioned.id)
    assert not unversioned.has_id("1-7")  # which state that was, nobody knows any more
    assert not versioned.has_id(state("failed", 1).id)
    assert not versioned.has_id("")
