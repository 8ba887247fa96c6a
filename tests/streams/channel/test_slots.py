import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from streams.channel.channel import changed_key, channel_of, latest_key
from streams.channel.slots import DEFAULT_NODE, Node, SlotMap, parse_slot_map, slot_of

ONE, OTHER = Node("10.0.0.1", 6379), Node("10.0.0.2", 6380)
SLOTS = [
    [0, 8191, [b"10.0.0.1", 6379, b"id", []], [b"10.0.0.9", 6379, b"a replica", []]],
    [8192, 16382, [b"10.0.0.2", 6380, b"id", []]],
]


@given(st.binary() | st.lists(st.sampled_from([b"{", b"}", b"a", b"user"])).map(b"".join))
def test_a_key_has_the_slot_that_redis_gives_it(key: bytes) -> None:
    assert slot_of(key) == key_slot(key)


@given(st.text(min_size=1), st.text())
def test_all_that_is_kept_of_a_user_shares_a_slot(user: str, job_id: str) -> None:
    names = [channel_of(user), changed_key(user).encode(), latest_key(user, job_id).encode()]
    assert len({slot_of(name) for name in names}) == 1


def test_the_nodes_that_write_are_read_from_what_a_node_answers() -> None:
    slot_map = parse_slot_map(b"cluster_state:ok\r\n", SLOTS, "10.0.0.1")
    assert slot_map.is_ok
    assert slot_map.nodes == [ONE, OTHER]
    assert [slot_map.owners[slot] for slot in (0, 8191, 8192, 16383)] == [ONE, ONE, OTHER, None]


@pytest.mark.parametrize("nameless", [None, b""])
def test_a_node_that_knows_no_name_of_its_own_is_called_as_it_was_asked(nameless: bytes | None) -> None:
    slot_map = parse_slot_map(b"cluster_state:fail\r\n", [[0, 16383, [nameless, 6379, b"id"]]], "redis.example")
    assert slot_map.nodes == [Node("redis.example", 6379)]
    assert not slot_map.is_ok


def test_a_slot_that_moved_has_another_owner_and_no_other_slot_has() -> None:
    before = parse_slot_map(b"cluster_state:ok", SLOTS, "")
    after = before.with_slot(5, OTHER)
    assert [slot for slot in range(16384) if before.owners[slot] != after.owners[slot]] == [5]
    assert after.owners[5] == OTHER


def test_a_single_redis_owns_everything() -> None:
    assert not SlotMap().is_cluster
    assert SlotMap().nodes == [DEFAULT_NODE]
    assert SlotMap().owner_of(b"anything") == DEFAULT_NODE
