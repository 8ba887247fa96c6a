import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from api.push import frames
from api.push.frames import Event, position_of
from streams.jobs.job import Job
from streams.jobs.state import State, Version, deletion_of, state_of
from tests.support import strategies
from tests.support.sse import Block, blocks, content

VERSION = Version(1795402343351, 17954023433170000000001)
POSITION = 1795402343351801


def state(status: str = "processing", version: Version | None = VERSION) -> State:
    job = Job(job_id="job_1", user_id="u", status=status, created_at=1, updated_at=2)
    return structs.replace(state_of(job, version), position=POSITION)


def event(state: State) -> Event:
    return Event(state, state.position)


def block_of(frame: bytes) -> Block:
    (block,) = blocks(frame)
    return block


def test_a_state_is_one_event_with_its_version_and_the_public_json() -> None:
    assert content(event(state()).of_one) == (
        b"event: update\nid: 1795402343351-17954023433170000000001\n"
        b'data: {"job_id":"job_1","status":"processing","progress_percent":0,"created_at":1,"updated_at":2}\n\n'
    )


@pytest.mark.parametrize(("status", "name"), [("processing", "update"), ("completed", "done"), ("failed", "done")])
def test_a_final_state_is_called_done(status: str, name: str) -> None:
    assert block_of(event(state(status)).of_one)["event"] == name


def test_a_deletion_is_called_deleted() -> None:
    gone = block_of(event(deletion_of("job_1", 2, VERSION)).of_all)
    assert (gone["event"], gone["data"]) == ("deleted", '{"job_id":"job_1"}')


def test_on_the_stream_of_all_jobs_the_id_tells_the_position_too() -> None:
    identity = block_of(event(state()).of_all)["id"]
    assert identity == f"{VERSION}@{POSITION}"
    assert position_of(identity) == POSITION


def test_a_state_without_a_version_leaves_the_position_of_the_stream_of_all_jobs_alone() -> None:
    unversioned = event(state(version=None))
    assert "id" not in block_of(unversioned.of_all)
    assert block_of(unversioned.of_one)["id"].startswith("table-")


@given(strategies.jobs, st.none() | strategies.versions)
def test_whatever_a_job_says_its_frame_is_one_event(job: Job, version: Version | None) -> None:
    any_state = state_of(job, version)
    for frame in (event(any_state).of_one, event(any_state).of_all):
        block = block_of(frame)
        assert block["event"] == any_state.kind
        assert block["data"] == any_state.data.decode()
    assert block_of(event(any_state).of_one)["id"] == any_state.id


def test_a_frame_that_several_are_told_is_rendered_once() -> None:
    told = Event(state(), 1, is_shared=True)
    assert told.of_one is told.of_one
    assert told.of_all is told.of_all


def test_what_is_no_state_is_told_in_frames_of_its_own() -> None:
    assert blocks(frames.PING) == []
    assert blocks(frames.BYE) == []
    assert blocks(frames.stale(b"{}")) == [{"event": "stale", "data": "{}"}]
    assert blocks(frames.chunk(frames.retry(1234))) == [{"retry": "1234"}]
    assert blocks(frames.live(POSITION)) == [{"event": "live", "id": f"@{POSITION}", "data": "{}"}]
    assert position_of(f"@{POSITION}") == POSITION


@pytest.mark.parametrize(
    "last_event_id",
    ["", "@", "1-2", "7", "@-1", "@1.5", "@1_0", "@٣", "1-2@x", "@" + "9" * 17, "@" + "9" * 250, "@1795402343351801@"],
)
def test_an_id_without_a_position_of_ours_is_as_good_as_none(last_event_id: str) -> None:
    assert position_of(last_event_id) is None


@given(st.text() | st.text("@0123456789", max_size=256))
def test_any_last_event_id_at_all_is_a_position_that_redis_and_dynamodb_take_or_none(last_event_id: str) -> None:
    position = position_of(last_event_id)
    assert position is None or 0 <= position < 10**16
