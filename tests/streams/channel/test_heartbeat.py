import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import DecodeError, ValidationError, json
from msgspec.structs import replace

from streams.channel import heartbeat as told
from streams.channel.heartbeat import (
    BEHIND_AFTER,
    CAUGHT_UP_BELOW,
    LASTS,
    SILENT_AFTER,
    Heartbeat,
    Relays,
    encoded,
    heartbeat_from,
)

BEAT = Heartbeat(relay="one", table="jobs")
PEER = Heartbeat(relay="two", table="jobs")


@pytest.fixture
def relays() -> Relays:
    return Relays("jobs", 0.0)


def test_a_process_that_has_heard_no_relay_has_no_whole_feed(relays: Relays) -> None:
    assert relays.health(0.0).reason == told.NO_RELAY
    relays.note(BEAT, 0.5)
    assert relays.health(0.5).is_whole


def test_silence_breaks_the_feed_and_the_next_heartbeat_mends_it(relays: Relays) -> None:
    relays.note(BEAT, 10.0)
    assert relays.health(10.0 + SILENT_AFTER - 0.1).is_whole
    assert relays.silent_at(11.0) == SILENT_AFTER - 1
    broken = relays.health(10.0 + SILENT_AFTER)
    assert (broken.reason, round(broken.behind, 1)) == (told.NO_RELAY, 0.1)
    assert round(relays.health(60.0).behind, 1) == 46.1
    relays.note(BEAT, 61.0)
    assert relays.health(61.0).is_whole


def test_a_relay_of_another_table_counts_for_nothing(relays: Relays) -> None:
    relays.note(replace(BEAT, table="jobs-of-yesterday"), 1.0)
    assert relays.health(1.0).reason == told.NO_RELAY


def test_the_worst_of_all_relays_counts(relays: Relays) -> None:
    relays.note(BEAT, 1.0)
    relays.note(replace(PEER, behind=42.0), 1.0)
    assert relays.health(1.5).is_whole  # It may catch up at once.
    health = relays.health(1.5 + LASTS)
    assert (health.reason, health.behind) == (told.BEHIND, 42.0)
    relays.note(replace(PEER, behind=42.0, unclaimed=1), 4.5)
    assert relays.health(4.5).reason == told.UNCLAIMED


def test_a_relay_that_takes_a_shard_over_and_catches_up_at_once_is_not_told(relays: Relays) -> None:
    for second in range(1, 20):
        relays.note(replace(BEAT, behind=42.0), float(second))
        assert relays.health(second + 0.1).is_whole
        relays.note(BEAT, second + 0.5)
        assert relays.health(second + 0.5).is_whole


def test_a_feed_that_was_behind_is_whole_when_it_has_nearly_caught_up(relays: Relays) -> None:
    def at(behind: float) -> bool:
        relays.note(replace(BEAT, behind=behind), 1.0)
        relays.health(1.0)
        return relays.health(1.0 + LASTS).is_whole

    assert at(BEHIND_AFTER - 0.1)
    assert not at(BEHIND_AFTER)
    assert not at(CAUGHT_UP_BELOW)
    assert at(CAUGHT_UP_BELOW - 0.1)
    assert at(BEHIND_AFTER - 0.1)


def test_a_hand_over_is_not_told(relays: Relays) -> None:
    """The new relay knows everything once it holds what the old one handed back."""
    relays.note(BEAT, 10.0)
    relays.note(replace(PEER, sees_all=False), 11.0)
    relays.note(replace(BEAT, is_leaving=True), 11.2)
    assert relays.health(12.0).is_whole
    relays.note(PEER, 12.0)
    assert relays.health(12.0 + SILENT_AFTER - 0.1).is_whole


def test_relays_that_have_just_started_do_not_know_whether_all_is_relayed(relays: Relays) -> None:
    relays.note(replace(BEAT, sees_all=False), 60.0)
    assert relays.health(60.0).reason == told.STARTING


def test_the_last_relay_that_leaves_is_missed(relays: Relays) -> None:
    relays.note(BEAT, 10.0)
    relays.note(replace(BEAT, is_leaving=True), 10.5)
    assert relays.health(10.5 + SILENT_AFTER).reason == told.NO_RELAY


def test_a_killed_relay_is_forgotten_while_its_peer_lives(relays: Relays) -> None:
    relays.note(replace(BEAT, behind=30.0), 1.0)
    for second in range(1, 9):
        relays.note(PEER, float(second))
    assert relays.health(8.0).is_whole


def test_what_a_newer_relay_adds_is_left_out_and_what_it_changes_is_refused() -> None:
    assert heartbeat_from(encoded(BEAT)) == BEAT
    newer = json.decode(encoded(BEAT)) | {"shards": 7}
    assert heartbeat_from(json.encode(newer)) == BEAT
    with pytest.raises(ValueError, match="format 2"):
        heartbeat_from(json.encode(newer | {"format": 2}))


@given(st.binary())
def test_what_is_no_heartbeat_is_refused(message: bytes) -> None:
    with pytest.raises((ValidationError, DecodeError)):  # ValueErrors both
        heartbeat_from(message)
