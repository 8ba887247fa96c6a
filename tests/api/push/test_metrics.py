"""How long it took from publishing to the frame."""

from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from api.push.metrics import BUCKETS, Counts

NOW = 1_795_402_343_351_801  # microseconds


@given(st.lists(st.lists(st.integers(-5_000_000, 20_000_000), min_size=1)))
def test_what_was_published_together_counts_as_one_by_one(pieces: list[list[int]]) -> None:
    counts = Counts()
    for delays in pieces:
        counts.took([NOW - delay for delay in delays], NOW)
    told = [delay / 1_000_000 for delays in pieces for delay in delays]
    family = counts.delays()
    buckets = {sample.labels["le"]: sample.value for sample in family.samples if sample.name.endswith("_bucket")}
    assert counts.events == len(told)
    assert buckets["+Inf"] == len(told)
    for place, bound in enumerate(BUCKETS):
        assert buckets[str(bound)] == sum(bisect_left(BUCKETS, delay) <= place for delay in told)
    (total,) = [sample.value for sample in family.samples if sample.name.endswith("_sum")]
    assert abs(total - sum(max(0.0, delay) for delay in told)) < 1e-3  # a clock of Redis' that is ahead counts as none
