"""What hypothesis draws from: DynamoDB's typed JSON, jobs, versions, states."""

from typing import Any

from hypothesis import strategies as st

from streams.jobs.job import STATUSES, Job
from streams.jobs.state import State, Version, deletion_of, state_of

Typed = dict[str, Any]

ODD_NUMBERS = [
    "0", "-0", "-1", "007", "1.5", "-0.5", "1E+5", "1e5", "1E-130", "9.99E+125", "-9.99E+125", "9007199254740993",
    "1E+999999999", "1E-999999999", "1E+99999999999999999999", "0." + "9" * 38, "9" * 38,
    "NaN", "sNaN", "Infinity", "-Infinity", "abc", "1_0", "٣", "", " ",
]  # fmt: skip

numbers = st.one_of(
    st.integers().map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(ODD_NUMBERS),
)

_leaves: st.SearchStrategy[Typed] = st.one_of(
    st.fixed_dictionaries({"S": st.text()}),
    st.fixed_dictionaries({"N": numbers}),
    st.fixed_dictionaries({"B": st.sampled_from(["", "aGVhZHdheQ=="])}),
    st.fixed_dictionaries({"BOOL": st.booleans()}),
    st.just({"NULL": True}),
    st.fixed_dictionaries({"SS": st.lists(st.text(), min_size=1)}),
    st.fixed_dictionaries({"NS": st.lists(numbers, min_size=1)}),
)

attribute_values: st.SearchStrategy[Typed] = st.recursive(
    _leaves,
    lambda inner: (
        st.fixed_dictionaries({"L": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries({"M": st.dictionaries(st.text(max_size=5), inner, max_size=3)})
    ),
    max_leaves=5,
)

job_ids = st.one_of(
    st.text(min_size=1),
    st.text("ab %{}:@/\\\n\r\t\0\"'é任務🎬", min_size=1),  # what a codec may trip over
)
statuses = st.one_of(st.sampled_from(STATUSES), st.text(min_size=1), st.text("p %\n\r", min_size=1))
digits = st.one_of(st.integers(0, 9), st.integers(0, 10**40))
versions = st.builds(Version, digits, digits)
few_versions = st.builds(Version, st.integers(0, 2), st.integers(0, 5))

jobs = st.builds(
    Job,
    job_id=job_ids,
    user_id=st.just("somebody"),
    status=statuses,
    created_at=st.integers(-(2**53), 2**53),
    updated_at=st.integers(-(2**53), 2**53),
    stage=st.none() | st.text(min_size=1),
    scenes_completed=st.integers(0, 9),
    scenes_total=st.none() | st.integers(1, 9),
    prompt=st.none() | st.text(min_size=1),
    title=st.none() | st.text(min_size=1),
)


def states_of(job_id: str, versions: st.SearchStrategy[Version | None]) -> st.SearchStrategy[State]:
    """Return states of one job that often agree in something, so that every rule of order() is met."""
    existing = st.builds(_existing, st.just(job_id), st.sampled_from(STATUSES), st.integers(1, 3), versions)
    deleted = st.builds(deletion_of, st.just(job_id), st.integers(1, 3), versions)
    return existing | deleted


def _existing(job_id: str, status: str, updated_at: int, version: Version | None) -> State:
    job = Job(job_id=job_id, user_id="somebody", status=status, created_at=1, updated_at=updated_at)
    return state_of(job, version)
