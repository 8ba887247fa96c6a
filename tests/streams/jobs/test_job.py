import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from streams.jobs.job import STATUSES, Job, public, public_json
from tests.support import strategies

ALWAYS = {"job_id", "status", "progress_percent", "created_at", "updated_at"}
SOMETIMES = {
    "stage", "thumbnail_url", "audio_url", "scenes_completed", "scene_video_urls", "prompt", "duration", "title",
    "video_url", "error_message", "completed_at", "scenes_total",
}  # fmt: skip

# The jobs API's own example, docs of the backend that Headway replaces.
EXAMPLE = {
    "job_id": "job_123",
    "status": "processing",
    "stage": "scene_2_complete",
    "progress_percent": 66,
    "thumbnail_url": "https://s3.../thumbnail.jpg",
    "audio_url": "https://s3.../audio.mp3",
    "scenes_completed": 2,
    "scene_video_urls": ["https://s3.../scene_1.mp4", "https://s3.../scene_2.mp4"],
    "prompt": "Create a 30s ad for...",
    "duration": 30,
    "created_at": 1700000000,
    "updated_at": 1700000123,
}


def job(status: str = "processing", **attributes: object) -> Job:
    least = Job(job_id="job_123", user_id="user_7", status=status, created_at=1700000000, updated_at=1700000123)
    return structs.replace(least, **attributes)


def example() -> Job:
    return job(
        stage="scene_2_complete",
        thumbnail_url="https://s3.../thumbnail.jpg",
        audio_url="https://s3.../audio.mp3",
        scenes_completed=2,
        scene_video_urls=("https://s3.../scene_1.mp4", "https://s3.../scene_2.mp4"),
        prompt="Create a 30s ad for...",
        duration=30,
    )


def test_the_public_json_is_the_documented_example_byte_for_byte() -> None:
    assert public_json(example()) == json.dumps(EXAMPLE, separators=(",", ":")).encode()


def test_what_the_example_lacks_comes_behind_it() -> None:
    whole = structs.replace(
        example(), title="Ad", video_url="https://v", error_message="no", completed_at=1700000200, scenes_total=3
    )
    added = {"title": "Ad", "video_url": "https://v", "error_message": "no", "completed_at": 1700000200}
    expected = EXAMPLE | added | {"scenes_total": 3}
    assert public_json(whole) == json.dumps(expected, separators=(",", ":")).encode()


def test_empty_optional_fields_are_left_out() -> None:
    bare = json.loads(public_json(job("pending", scenes_completed=0, duration=0, scene_video_urls=())))
    assert set(bare) == ALWAYS


@pytest.mark.parametrize(
    ("status", "scenes_completed", "scenes_total", "scenes_listed", "percent"),
    [
        ("pending", 0, None, 0, 0),
        ("pending", 2, 3, 0, 0),  # handed back to the queue
        ("processing", 0, 3, 0, 0),
        ("processing", 2, None, 0, 66),  # three scenes where nothing says how many
        ("processing", 1, None, 6, 16),
        ("processing", 1, 4, 6, 25),  # the total outranks the list
        ("processing", 3, 3, 0, 99),
        ("processing", 5, 3, 0, 99),  # more than there should be
        ("processing", 4, None, 0, 99),
        ("processing", 1, 0, 0, 33),  # no job has 0 scenes
        ("failed", 1, 4, 0, 25),
        ("failed", 4, 4, 0, 99),
        ("failed", 0, None, 0, 0),
        ("completed", 0, 5, 0, 100),
        ("completed", 5, 5, 0, 100),
        ("paused", 1, 2, 0, 50),  # a status that Headway does not know
    ],
)
def test_progress_percent(
    status: str, scenes_completed: int, scenes_total: int | None, scenes_listed: int, percent: int
) -> None:
    scenes = {"scenes_completed": scenes_completed, "scenes_total": scenes_total, "scenes_listed": scenes_listed}
    assert job(status, **scenes).progress_percent == percent


any_scenes = st.fixed_dictionaries({
    "scenes_completed": st.integers(0, 2**53),
    "scenes_total": st.none() | st.integers(0, 2**53),
    "scenes_listed": st.integers(0, 1000),
})  # fmt: skip
any_status = st.sampled_from([*STATUSES, "paused", "COMPLETED"])


@given(any_status, any_scenes)
def test_only_a_completed_job_says_100(status: str, scenes: dict[str, Any]) -> None:
    percent = job(status, **scenes).progress_percent
    assert 0 <= percent <= 100
    assert (percent == 100) is (status == "completed")


@given(any_scenes, st.integers(0, 1000))
def test_more_scenes_never_move_a_bar_back(scenes: dict[str, Any], more: int) -> None:
    before = job(**scenes)
    after = structs.replace(before, scenes_completed=before.scenes_completed + more)
    assert after.progress_percent >= before.progress_percent


@given(any_scenes)
def test_a_failed_job_keeps_the_percent_it_had(scenes: dict[str, Any]) -> None:
    assert job("failed", **scenes).progress_percent == job("processing", **scenes).progress_percent


@given(strategies.jobs)
def test_the_public_json_says_only_what_is_public_and_on_one_line(any_job: Job) -> None:
    data = public_json(any_job)
    assert ALWAYS <= set(json.loads(data)) <= ALWAYS | SOMETIMES
    assert not set(data) & set(b"\r\n\0")


@given(strategies.jobs, strategies.jobs)
def test_the_public_json_differs_exactly_where_the_public_job_does(one: Job, other: Job) -> None:
    assert (public_json(one) == public_json(other)) is (public(one) == public(other))


def test_whose_a_job_is_does_not_show() -> None:
    assert public_json(example()) == public_json(structs.replace(example(), user_id="somebody else"))
