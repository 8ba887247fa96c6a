import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from streams.errors import ItemRefused
from streams.feed.record import Meaning, decode_record, last_sequence, meaning_of
from streams.jobs.change import Change
from streams.jobs.item import Item
from streams.jobs.state import Version
from tests.support import strategies

EPOCH = 1795402343351
VERSION = Version(EPOCH, 17954023433170000000001)
PROCESSING: dict[str, Any] = {
    "job_id": {"S": "job_123"},
    "user_id": {"S": "user_7"},
    "status": {"S": "processing"},
    "scenes_completed": {"N": "1"},
    "created_at": {"N": "1700000000"},
    "updated_at": {"N": "1700000123"},
}
COMPLETED = PROCESSING | {"status": {"S": "completed"}, "updated_at": {"N": "1700000200"}}
NO_USER = {name: PROCESSING[name] for name in PROCESSING if name != "user_id"}


def raw(event_name: str, old: dict[str, Any] | None, new: dict[str, Any] | None, **more: Any) -> bytes:
    """Return a record as GetRecords gives it."""
    images = {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image is not None}
    dynamodb = {
        "ApproximateCreationDateTime": 1700000123.0,
        "Keys": {"job_id": {"S": "job_123"}},
        "SequenceNumber": "000000017954023433170000000001",
        "SizeBytes": 59,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    record = {"eventID": "1", "eventName": event_name, "eventVersion": "1.1", "awsRegion": "eu-central-1"}
    return json.encode(record | {"dynamodb": dynamodb | images | more})


def meaning(event_name: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Meaning:
    return meaning_of(decode_record(raw(event_name, old, new)), EPOCH)


def told(changes: list[Change]) -> list[tuple[str, str, str]]:
    return [(change.user_id, change.state.kind, change.state.status) for change in changes]


def test_a_new_job_is_told_to_its_user_with_the_records_version() -> None:
    (change,) = meaning("INSERT", None, PROCESSING).changes
    assert (change.user_id, change.state.job_id, change.state.kind) == ("user_7", "job_123", "update")
    assert change.state.version == VERSION
    assert json.decode(change.state.data)["progress_percent"] == 33


def test_a_changed_job_is_told_as_it_is_now() -> None:
    assert told(meaning("MODIFY", PROCESSING, COMPLETED).changes) == [("user_7", "done", "completed")]


def test_a_removed_job_is_told_as_deleted_with_the_time_it_had() -> None:
    (change,) = meaning("REMOVE", COMPLETED, None).changes
    assert (change.user_id, change.state.kind, change.state.updated_at) == ("user_7", "deleted", 1700000200)
    assert change.state.version == VERSION


@pytest.mark.parametrize(
    "hidden",
    [
        {},
        {"ttl": {"N": "1800000000"}},
        {"metadata": {"M": {"worker": {"S": "w-3"}}}},
        {"video_key": {"S": "k"}},
        {"aspect_ratio": {"S": "16:9"}},
        {"lock": {"B": "aGk="}},
        {"stage": {"NULL": True}},
        {"duration": {"N": "0"}},
        {"scenes_completed": {"N": "1.0"}},
        {"scenes": {"L": [{"M": {}}] * 3}},  # as many as are supposed where nothing says how many
    ],
)
def test_a_write_that_leaves_the_public_fields_alone_is_told_to_nobody(hidden: dict[str, Any]) -> None:
    assert meaning("MODIFY", PROCESSING, PROCESSING | hidden).changes == []


@pytest.mark.parametrize(
    "shown",
    [
        {"stage": {"S": "scene_2_generating"}},
        {"scenes_completed": {"N": "2"}},
        {"scenes": {"L": [{"M": {}}] * 6}},  # only the percent tells it
        {"scene_video_urls": {"L": [{"S": "https://1"}]}},
        {"updated_at": {"N": "1700000124"}},
        {"title": {"S": "Ad"}},
    ],
)
def test_a_write_that_changes_a_public_field_is_told(shown: dict[str, Any]) -> None:
    assert told(meaning("MODIFY", PROCESSING, PROCESSING | shown).changes) == [("user_7", "update", "processing")]


def test_a_job_handed_to_another_user_is_deleted_for_the_first_one() -> None:
    handed = PROCESSING | {"user_id": {"S": "user_8"}}
    changes = meaning("MODIFY", PROCESSING, handed).changes
    assert told(changes) == [("user_7", "deleted", ""), ("user_8", "update", "processing")]
    assert {change.state.version for change in changes} == {VERSION}
    assert b"processing" not in changes[0].state.data


def test_an_item_that_was_no_job_before_is_told_as_a_new_one() -> None:
    assert told(meaning("MODIFY", NO_USER, PROCESSING).changes) == [("user_7", "update", "processing")]


def test_an_item_that_is_no_job_is_refused_and_says_why() -> None:
    for refused in (meaning("INSERT", None, NO_USER), meaning("MODIFY", NO_USER, NO_USER)):
        assert refused.changes == []
        assert re.match(r".*'job_123'.*user_id is missing", refused.refusal or "")


def test_an_item_that_was_nobodys_is_removed_without_a_word() -> None:
    assert meaning("REMOVE", NO_USER, None) == Meaning([], [])


@pytest.mark.parametrize(
    "slip",
    [
        {"updated_at": {"S": "2026-11-23"}},
        {"created_at": {"NULL": True}},
        {"status": {"N": "3"}},
        {"status": {"S": ""}},
        {"user_id": {"NULL": True}},
    ],
)
def test_a_job_that_can_no_longer_be_read_is_gone_for_those_who_watch_it(slip: dict[str, Any]) -> None:
    spoilt = meaning("MODIFY", PROCESSING, PROCESSING | slip)
    assert told(spoilt.changes) == [("user_7", "deleted", "")]
    assert spoilt.refusal
    assert spoilt.changes[0].state.version == VERSION


SLIP = PROCESSING | {"updated_at": {"S": "now"}}


def test_a_job_that_cannot_be_read_is_told_as_gone_once() -> None:
    assert meaning("MODIFY", SLIP, SLIP | {"title": {"S": "again"}}).changes == []
    assert meaning("INSERT", None, SLIP).changes == []


def test_a_job_that_was_deleted_or_handed_over_behind_a_slip_is_gone_for_its_user() -> None:
    """Whoever told of the slip may have been a relay of an older version, or nobody at all."""
    assert told(meaning("REMOVE", SLIP, None).changes) == [("user_7", "deleted", "")]
    handed = meaning("MODIFY", SLIP, PROCESSING | {"user_id": {"S": "user_8"}})
    assert told(handed.changes) == [("user_7", "deleted", ""), ("user_8", "update", "processing")]
    assert {change.state.job_id for change in handed.changes} == {"job_123"}


def test_a_job_that_can_be_read_again_is_told_as_it_is() -> None:
    assert told(meaning("MODIFY", SLIP, PROCESSING).changes) == [("user_7", "update", "processing")]


def test_unreadable_attributes_are_named_and_the_rest_is_told() -> None:
    wrong = meaning("MODIFY", PROCESSING, COMPLETED | {"scenes_completed": {"S": "two"}, "title": {"N": "1"}})
    assert wrong.wrong == ["scenes_completed", "title"]
    assert told(wrong.changes) == [("user_7", "done", "completed")]


def test_a_stream_that_shows_no_images_tells_nothing() -> None:
    assert meaning("MODIFY", None, None) == Meaning([], [])


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"eventName":"INSERT"}',
        b'{"eventName":"INSERT","dynamodb":{}}',
        raw("INSERT", None, PROCESSING)[:-1],
        raw("INSERT", None, PROCESSING, SequenceNumber=7),
        raw("INSERT", None, PROCESSING, NewImage=[]),
        raw("INSERT", None, PROCESSING | {"title": {"S": 7}}),
        raw("INSERT", None, PROCESSING, SequenceNumber="abc"),
        raw("INSERT", None, PROCESSING, SequenceNumber=""),
        raw("INSERT", None, PROCESSING, SequenceNumber="-1"),
        raw("INSERT", None, PROCESSING, SequenceNumber="1_0"),
        raw("INSERT", None, PROCESSING, SequenceNumber="9" * 5000),
    ],
)
def test_what_is_no_record_is_refused(damaged: bytes) -> None:
    with pytest.raises(ItemRefused):
        meaning_of(decode_record(damaged), EPOCH)


def test_the_last_sequence_of_a_page_is_found_whatever_the_records_hold() -> None:
    unreadable = raw("INSERT", None, PROCESSING, SequenceNumber="12", NewImage=[])
    numberless = raw("INSERT", None, PROCESSING, SequenceNumber="abc")
    first = raw("INSERT", None, PROCESSING, SequenceNumber="11")
    assert last_sequence([first, unreadable]) == "12"
    assert last_sequence([first, numberless, b"{}", b""]) == "11"
    assert last_sequence([numberless]) is None
    assert last_sequence([]) is None


images = st.none() | st.fixed_dictionaries(
    {},
    optional={name: st.just(PROCESSING[name]) | strategies.attribute_values for name in PROCESSING}
    | {name: strategies.attribute_values for name in Item.__struct_fields__ if name not in PROCESSING},
)


@given(st.sampled_from(["INSERT", "MODIFY", "REMOVE"]), images, images)
def test_any_record_at_all_is_understood_or_refused(
    event_name: str, old: dict[str, Any] | None, new: dict[str, Any] | None
) -> None:
    try:
        changes = meaning(event_name, old, new).changes
    except ItemRefused:
        return
    assert len(changes) <= 2
    for change in changes:
        assert change.state.version == VERSION
        assert json.decode(change.state.data)["job_id"] == change.state.job_id


@given(images)
def test_a_write_that_changes_nothing_is_told_to_nobody(image: dict[str, Any] | None) -> None:
    try:
        assert meaning("MODIFY", image, image).changes == []
    except ItemRefused:
        return
