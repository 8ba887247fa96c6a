from hypothesis import given
from hypothesis import strategies as st

from streams.feed.lineage import Shard, ready, unlisted_parents


def ids(shards: list[Shard]) -> list[str]:
    return [shard.shard_id for shard in shards]


SPLIT = [Shard("p"), Shard("a", "p"), Shard("b", "p"), Shard("aa", "a")]
MERGE = [Shard("a"), Shard("b"), Shard("m", "a", "b")]


def test_a_child_starts_only_when_its_parent_is_done() -> None:
    assert ids(ready(SPLIT, set(), set())) == ["p"]
    assert ids(ready(SPLIT, {"p"}, {"p"})) == ["a", "b"]
    assert ids(ready(SPLIT, {"p", "a", "b"}, {"p", "b"})) == []
    assert ids(ready(SPLIT, {"p", "a"}, {"p", "a"})) == ["b", "aa"]


def test_the_child_of_a_merge_waits_for_both_parents() -> None:
    assert ids(ready(MERGE, {"a", "b"}, {"a"})) == []
    assert ids(ready(MERGE, {"a", "b"}, {"a", "b"})) == ["m"]


def test_a_parent_that_is_known_to_be_gone_is_not_waited_for() -> None:
    assert ids(ready([Shard("child", "gone")], set(), {"gone"})) == ["child"]


def test_a_parent_that_is_merely_not_listed_is_waited_for_and_named() -> None:
    assert ids(ready([Shard("child", "parent")], set(), set())) == []
    assert unlisted_parents([Shard("child", "parent")], set()) == {"parent"}
    assert unlisted_parents([Shard("child", "parent")], {"parent"}) == set()
    assert unlisted_parents(SPLIT, set()) == set()


def test_shards_may_be_listed_in_any_order() -> None:
    assert ids(ready([Shard("a", "p"), Shard("p")], set(), set())) == ["p"]


@st.composite
def lineages(draw: st.DrawFn) -> list[Shard]:
    """Return shards in any order, each the child of none, of earlier ones, or of one that is gone."""
    shards: list[Shard] = []
    for number in range(draw(st.integers(0, 12))):
        earlier = [shard.shard_id for shard in shards]
        parents = draw(st.lists(st.sampled_from([*earlier, "gone"]), max_size=2, unique=True))
        shards.append(Shard(f"s{number}", *parents))
    return draw(st.permutations(shards))


@given(lineages(), st.data())
def test_however_shards_end_all_are_read_once_and_each_after_its_parents(
    shards: list[Shard], data: st.DataObject
) -> None:
    done: list[str] = []
    while now := ready(shards, done, {"gone", *done}):
        shard = data.draw(st.sampled_from(now))
        assert set(shard.parents) <= {"gone", *done}
        assert shard.shard_id not in done
        done.append(shard.shard_id)
    assert set(done) == {shard.shard_id for shard in shards}
