from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from streams.channel.message import completed, head_of, message_of, state_from_message
from streams.jobs.job import Job
from streams.jobs.state import Kind, State, Version, deletion_of, state_of
from tests.support import strategies

POSITION = 1795402343351801


def completed_message(state: State) -> bytes:
    """Return the message as Redis completes it (streams/channel/publish.lua)."""
    return completed(head_of(state), str(POSITION).encode(), state.data)


@given(strategies.jobs, strategies.versions)
def test_a_state_survives_the_way_through_redis(job: Job, version: Version) -> None:
    state = state_of(job, version)
    assert state_from_message(completed_message(state)) == structs.replace(state, position=POSITION)


@given(strategies.jobs, strategies.versions)
def test_a_state_that_is_told_again_is_the_same_message(job: Job, version: Version) -> None:
    message = completed_message(state_of(job, version))
    assert message_of(state_from_message(message)) == message


@given(strategies.job_ids, strategies.versions, st.integers())
def test_a_deletion_survives_it_too(job_id: str, version: Version, updated_at: int) -> None:
    state = deletion_of(job_id, updated_at, version)
    assert state_from_message(completed_message(state)) == structs.replace(state, position=POSITION)


@given(strategies.jobs, strategies.versions)
def test_a_head_is_one_line_whatever_ids_hold(job: Job, version: Version) -> None:
    assert b"\n" not in head_of(state_of(job, version))


WHOLE = completed_message(deletion_of("job 1", 1700000000, Version(1795402343351, 7)))


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"\n",
        b"{}",
        WHOLE.partition(b"\n")[2],  # no head
        WHOLE.partition(b"\n")[0],  # no JSON
        WHOLE.partition(b"\n")[0] + b"\n",
        WHOLE.replace(b",1795402343351801", b""),  # no position
        WHOLE.replace(b"1795402343351801", b"1795402343351801,1"),
        WHOLE.replace(b"deleted", b"removed"),
        WHOLE.replace(b"[1795402343351,7]", b"[7]"),
        WHOLE.replace(b"[1795402343351,7]", b"null"),
        WHOLE.replace(b"1700000000", b'"yesterday"'),
        WHOLE.replace(b"1795402343351801", b"1.5"),
        WHOLE.replace(b'"job 1"', b"job 1", 1),
        WHOLE.replace(b"job 1", b"job\xff1", 1),
    ],
)
def test_a_damaged_message_is_a_value_error(damaged: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        state_from_message(damaged)


@given(st.binary() | st.text("0123456789- %\n", min_size=1).map(str.encode))
def test_any_bytes_at_all_are_a_state_or_a_value_error(message: bytes) -> None:
    assert_state_or_value_error(message)


@given(st.integers(0, len(WHOLE)), st.integers(0, len(WHOLE)), st.binary(max_size=3))
def test_whatever_is_cut_out_or_put_in_is_a_state_or_a_value_error(start: int, end: int, instead: bytes) -> None:
    assert_state_or_value_error(WHOLE[:start] + instead + WHOLE[end:])


def assert_state_or_value_error(message: bytes) -> None:
    try:
        state = state_from_message(message)
    except ValueError:
        return
    assert state.version
    assert state.kind in get_args(Kind)
    assert state.data
