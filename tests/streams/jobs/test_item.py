from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from streams.errors import ItemRefused
from streams.jobs.item import Item, job_from_item
from streams.jobs.job import Job, public_json
from tests.support import strategies

REQUIRED = ("job_id", "user_id", "status", "created_at", "updated_at")
OPTIONAL = tuple(name for name in Item.__struct_fields__ if name not in REQUIRED)
FIRST: dict[str, Any] = {
    "job_id": {"S": "job_123"},
    "user_id": {"S": "user_7"},
    "status": {"S": "processing"},
    "created_at": {"N": "1700000000"},
    "updated_at": {"N": "1700000123"},
}

typed_items = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(Item.__struct_fields__, strategies.attribute_values)
    | {"ttl": strategies.numbers.map(lambda n: {"N": n}), "someone else's": strategies.attribute_values},
)


def read(**attributes: Any) -> tuple[Job, list[str]]:
    return job_from_item(json.decode(json.encode(FIRST | attributes), type=Item))


def test_an_item_as_pipelines_write_it_is_read_whole() -> None:
    job, wrong = read(
        stage={"S": "scene_2_complete"},
        title={"S": "Ad"},
        prompt={"S": "Create a 30s ad for..."},
        duration={"N": "30"},
        aspect_ratio={"S": "16:9"},
        thumbnail_url={"S": "https://t"},
        audio_url={"S": "https://a"},
        scenes_completed={"N": "2"},
        scenes_total={"N": "4"},
        scene_video_urls={"L": [{"S": "https://1"}, {"S": "https://2"}]},
        scenes={"L": [{"M": {"n": {"N": "1"}}}, {"M": {}}, {"NULL": True}]},
        metadata={"M": {"deep": {"L": [{"M": {"er": {"BS": ["aGk="]}}}]}}},
        video_key={"S": "k"},
        video_url={"S": "https://v"},
        error_message={"S": "none so far"},
        completed_at={"N": "1700000200"},
        ttl={"N": "1800000000"},
    )
    assert wrong == []
    assert job == Job(
        job_id="job_123",
        user_id="user_7",
        status="processing",
        created_at=1700000000,
        updated_at=1700000123,
        stage="scene_2_complete",
        thumbnail_url="https://t",
        audio_url="https://a",
        scenes_completed=2,
        scenes_total=4,
        scenes_listed=3,
        scene_video_urls=("https://1", "https://2"),
        prompt="Create a 30s ad for...",
        duration=30,
        title="Ad",
        video_url="https://v",
        error_message="none so far",
        completed_at=1700000200,
    )


def test_only_the_ids_the_status_and_the_two_first_times_are_needed() -> None:
    job, wrong = read()
    assert (job.job_id, job.progress_percent, wrong) == ("job_123", 0, [])


@pytest.mark.parametrize("name", REQUIRED)
@pytest.mark.parametrize("value", [None, {"NULL": True}, {"BOOL": True}, {"S": ""}, {"N": "abc"}, {"L": []}])
def test_a_job_without_one_of_them_is_refused_and_the_attribute_named(name: str, value: dict[str, Any] | None) -> None:
    item = FIRST | {name: value} if value else {key: FIRST[key] for key in FIRST if key != name}
    with pytest.raises(ItemRefused, match=name):
        job_from_item(json.decode(json.encode(item), type=Item))


@pytest.mark.parametrize("name", OPTIONAL)
def test_an_optional_attribute_of_the_wrong_type_is_left_out_and_named(name: str) -> None:
    job, wrong = read(**{name: {"BOOL": True}})
    assert wrong == [name]
    assert job == read()[0]


@pytest.mark.parametrize("name", OPTIONAL)
def test_null_is_as_good_as_absent(name: str) -> None:
    assert read(**{name: {"NULL": True}}) == read()


@pytest.mark.parametrize(
    ("written", "scenes"),
    [("2", 2), ("2.0", 2), ("2.9", 2), ("1E+1", 10), ("-1", 0), ("-0.5", 0), ("007", 7), ("1E-130", 0)],
)
def test_scenes_completed_is_a_whole_number_from_0(written: str, scenes: int) -> None:
    job, wrong = read(scenes_completed={"N": written})
    assert (job.scenes_completed, wrong) == (scenes, [])


@pytest.mark.parametrize("written", ["9.99E+125", "9007199254740993", "NaN", "Infinity", "1E+999999999", "two", ""])
def test_a_number_that_json_cannot_keep_is_left_out_and_named(written: str) -> None:
    job, wrong = read(scenes_completed={"N": written}, duration={"N": written})
    assert (job.scenes_completed, job.duration, wrong) == (0, None, ["scenes_completed", "duration"])


@pytest.mark.parametrize(("written", "duration"), [("30", b"30"), ("30.0", b"30"), ("7.5", b"7.5"), ("3E+1", b"30")])
def test_a_duration_is_shown_as_written(written: str, duration: bytes) -> None:
    assert b'"duration":%s,' % duration in public_json(read(duration={"N": written})[0])


def test_a_list_of_clips_with_something_else_in_it_is_left_out() -> None:
    job, wrong = read(scene_video_urls={"L": [{"S": "https://1"}, {"N": "2"}]})
    assert (job.scene_video_urls, wrong) == ((), ["scene_video_urls"])


@given(typed_items)
def test_any_item_at_all_is_a_job_or_refused(typed: dict[str, Any]) -> None:
    try:
        job, wrong = job_from_item(json.decode(json.encode(typed), type=Item))
    except ItemRefused:
        return
    assert set(wrong) <= set(OPTIONAL)
    assert_public(job)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(OPTIONAL, strategies.attribute_values)))
def test_nothing_in_the_optional_attributes_can_refuse_a_job(typed: dict[str, Any]) -> None:
    job, wrong = read(**typed)
    assert set(wrong) <= set(typed)
    assert_public(job)


@given(st.dictionaries(st.text().filter(lambda name: name not in Item.__struct_fields__), strategies.attribute_values))
def test_unknown_attributes_change_nothing(unknown: dict[str, Any]) -> None:
    assert read(**unknown) == read()


def assert_public(job: Job) -> None:
    shown = json.decode(public_json(job))
    assert 0 <= shown["progress_percent"] <= 100
    assert shown["job_id"] == job.job_id
    assert not {"user_id", "ttl"} & set(shown)
