from hypothesis import given
from hypothesis import strategies as st

from streams.lineage import Shard, ready


def ids(shards: list[Shard]) -> list[str]:
    return [shard.shard_id for shard in shards]


SPLIT = [Shard("p"), Shard("a", "p"), Shard("b", "p"), Shard("aa", "a")]


def test_a_child_starts_only_when_its_parent_is_done() -> None:
    assert ids(ready(SPLIT, set())) == ["p"]
    assert ids(ready(SPLIT, {"p"})) == ["a", "b"]
    assert ids(ready(SPLIT, {"p", "b"})) == ["a"]
    assert ids(ready(SPLIT, {"p", "a"})) == ["b", "aa"]
    assert ids(ready(SPLIT, {"p", "a", "b", "aa"})) == []


def test_a_parent_that_was_trimmed_away_is_not_waited_for() -> None:
    assert ids(ready([Shard("child", "long gone")], set())) == ["child"]


def test_shards_may_be_listed_in_any_order() -> None:
    assert ids(ready([Shard("a", "p"), Shard("p")], set())) == ["p"]


@st.composite
def lineages(draw: st.DrawFn) -> list[Shard]:
    """Return shards in any order, each the child of none, of an earlier one, or of one that is gone."""
    count = draw(st.integers(0, 12))
    parents = [draw(st.none() | st.just("gone") | st.integers(0, max(number - 1, 0))) for number in range(count)]
    shards = [
        Shard(f"s{number}", f"s{parent}" if isinstance(parent, int) and parent < number else None)
        if parent != "gone"
        else Shard(f"s{number}", "gone")
        for number, parent in enumerate(parents)
    ]
    return draw(st.permutations(shards))


@given(lineages(), st.data())
def test_however_shards_end_all_are_read_once_and_each_after_its_parent(
    shards: list[Shard], data: st.DataObject
) -> None:
    listed = {shard.shard_id for shard in shards}
    done: list[str] = []
    while now := ready(shards, done):
        shard = data.draw(st.sampled_from(now))
        assert shard.parent_shard_id in {None, *done} or shard.parent_shard_id not in listed
        assert shard.shard_id not in done
        done.append(shard.shard_id)
    assert set(done) == listed


@given(lineages(), st.sets(st.integers(0, 12).map("s{}".format)))
def test_shards_keep_the_order_in_which_they_are_listed(shards: list[Shard], done: set[str]) -> None:
    now = ready(shards, done)
    assert now == [shard for shard in shards if shard in now]
