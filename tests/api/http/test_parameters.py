from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import ParameterRefused
from api.http.parameters import LONGEST_JOB_ID, check_query, job_id_from, one_from, statuses_from
from streams.jobs.job import STATUSES


@pytest.mark.parametrize(
    ("given_statuses", "statuses"),
    [
        (None, []),
        ([], []),
        ([""], []),
        (["", " , "], []),
        (["failed"], ["failed"]),
        (["completed,processing"], ["completed", "processing"]),
        (["completed", "processing"], ["completed", "processing"]),
        ([" completed , failed,"], ["completed", "failed"]),
        (["failed", "completed,failed", "failed"], ["failed", "completed"]),
    ],
)
def test_a_status_may_be_given_once_or_repeated_or_with_commas(
    given_statuses: list[str] | None, statuses: list[str]
) -> None:
    assert statuses_from(given_statuses) == statuses


@given(st.lists(st.sampled_from(STATUSES)), st.data())
def test_it_does_not_matter_which_of_these_ways_is_taken(statuses: list[str], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(statuses)))
    repeated = [",".join(statuses[:cut]), *statuses[cut:]]
    assert statuses_from(repeated) == statuses_from(statuses) == list(dict.fromkeys(statuses))


@pytest.mark.parametrize("bad", ["done", "Completed", "completed;failed", "completed failed", "%00", "x" * 5000])
def test_an_unknown_status_is_refused_and_all_known_ones_named(bad: str) -> None:
    with pytest.raises(ParameterRefused) as refused:
        statuses_from(["completed", bad])
    assert (refused.value.parameter, refused.value.allowed) == ("status", "pending, processing, completed, failed")
    assert len(str(refused.value)) < 200


@given(st.lists(st.text()))
def test_any_status_at_all_is_known_or_refused(anything: list[str]) -> None:
    with suppress(ParameterRefused):
        assert set(statuses_from(anything)) <= set(STATUSES)


@pytest.mark.parametrize("job_id", ["job_123", "a b", "%2F", "任務", "🎬", "../..", "x" * LONGEST_JOB_ID])
def test_a_job_id_is_taken_as_it_is(job_id: str) -> None:
    assert job_id_from(job_id) == job_id


@pytest.mark.parametrize("job_id", ["", "a\nb", "\0", "\x7f", "a\u0085b", "x" * 3000, "é" * (LONGEST_JOB_ID // 2 + 1)])
def test_an_empty_an_endless_or_an_unprintable_job_id_is_refused(job_id: str) -> None:
    with pytest.raises(ParameterRefused) as refused:
        job_id_from(job_id)
    assert refused.value.parameter == "job_id"
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 300


@given(st.text())
def test_any_job_id_at_all_is_one_that_dynamodb_takes_or_refused(anything: str) -> None:
    with suppress(ParameterRefused):
        assert 0 < len(job_id_from(anything).encode()) <= LONGEST_JOB_ID


@pytest.mark.parametrize(
    ("values", "read"), [(None, ""), ([], ""), ([""], ""), (["5"], "5"), (["", "5"], "5"), (["", "", ""], "")]
)
def test_of_most_parameters_one_value_counts(values: list[str] | None, read: str) -> None:
    assert one_from("page", values) == read


@pytest.mark.parametrize("values", [["5", "6"], ["5", "5"], ["5", ""], ["", "5", "6"]])
def test_whatever_else_is_given_beside_it_is_refused(values: list[str]) -> None:
    with pytest.raises(ParameterRefused, match="page is given more than once"):
        one_from("page", values)


@pytest.mark.parametrize("query", [b"pagesize=3", b"status=failed&x", b"%ff=1", b"\xff", b"page =1"])
def test_a_parameter_that_the_list_does_not_know_is_refused(query: bytes) -> None:
    with pytest.raises(ParameterRefused, match="not a parameter of the list"):
        check_query(query)


@pytest.mark.parametrize("query", [b"q=%ff", b"q=%ed%a0%80", b"page=1&status=%e2%82"])
def test_a_value_that_is_no_text_is_refused(query: bytes) -> None:
    with pytest.raises(ParameterRefused, match="not in UTF-8"):
        check_query(query)


@given(st.binary())
def test_any_query_at_all_is_known_or_refused(query: bytes) -> None:
    with suppress(ParameterRefused):
        check_query(query)
