import pytest

from workers.fleet.claims import UNCLAIMED_AFTER, Claims


@pytest.fixture
def claims() -> Claims:
    return Claims()


def test_a_shard_that_is_renewed_is_claimed(claims: Claims) -> None:
    for second in range(0, 60, 3):
        claims.note([], {"a": second}, second)
        assert claims.standing(second) == []
    assert claims.knows_all(60)


def test_a_shard_that_nobody_renews_is_told_with_its_seconds(claims: Claims) -> None:
    for second in range(30):
        claims.note([], {"a": 7, "b": second}, second)
    assert claims.standing(29) == [29]
    assert claims.standing(UNCLAIMED_AFTER - 0.1) == []


def test_a_worker_that_has_just_started_does_not_know_yet(claims: Claims) -> None:
    claims.note([], {"a": 7}, 0)
    assert not claims.knows_all(1)
    claims.note([], {"a": 8}, 2)
    assert claims.knows_all(2)
    claims.note([], {"a": 8, "b": 1}, 3)
    assert not claims.knows_all(3)
    assert claims.knows_all(3 + UNCLAIMED_AFTER)  # nobody renews it: that is known, too
    assert claims.standing(3 + UNCLAIMED_AFTER) != []


def test_a_shard_that_was_ones_own_until_now_is_known(claims: Claims) -> None:
    claims.note(["a"], {}, 0)
    claims.note([], {"a": 7}, 1)
    assert claims.knows_all(1)
    assert claims.standing(1) == []


def test_a_shard_without_a_lease_is_nobodys_until_it_has_one(claims: Claims) -> None:
    claims.note([], {"child": None}, 0)
    claims.note([], {"child": None}, 6)
    assert claims.standing(6) == [6]
    claims.note([], {"child": 1}, 6.4)
    assert claims.standing(6.4) == []
    assert claims.knows_all(6.4)


def test_a_shard_that_is_over_is_nobodys_business(claims: Claims) -> None:
    claims.note([], {"a": 7}, 0)
    claims.note([], {}, 60)
    assert claims.knows_all(60)
    assert claims.standing(60) == []
