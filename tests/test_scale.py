"""docs/scale.md says what `python -m workers cost` says, and its bills add up."""

import re
from pathlib import Path

import pytest

from workers import cost

GUIDE = (Path(__file__).parents[1] / "docs" / "scale.md").read_text()
BLOCKS = re.findall(r"```\n\$ python -m workers cost --shards (\d+) --workers (\d+)\n(.*?)\n```", GUIDE, re.DOTALL)


@pytest.mark.parametrize(("shards", "workers", "shown"), BLOCKS)
def test_the_guide_shows_what_the_command_prints(shards: str, workers: str, shown: str) -> None:
    assert shown == cost.report(int(shards), int(workers))


def bill(whose: str) -> list[list[int]]:
    """Return the three amounts of every row of a table, the sums last."""
    rows = GUIDE[GUIDE.index(f"| {whose}") :].split("\n\n")[0].splitlines()[2:]
    return [[int(re.sub(r"[*,]", "", cell)) for cell in row.split("|")[2:5]] for row in rows]


@pytest.mark.parametrize("whose", ["Headway |", "polling, "])
def test_the_bills_in_the_guide_add_up(whose: str) -> None:
    *rows, sums = bill(whose)
    assert len(rows) >= 4
    for amounts, total in zip(zip(*rows, strict=True), sums, strict=True):
        assert abs(sum(amounts) - total) <= 2  # each is rounded


def test_the_stream_costs_in_the_guide_what_the_code_makes_it_cost() -> None:
    *_, polls, checkpoints = cost.per_shard()
    for (shards, workers, _), told in zip(BLOCKS, bill("Headway |")[1], strict=True):
        shared = int(workers) * cost.per_worker(int(shards)).dollars
        assert round(int(shards) * (polls.dollars + checkpoints.dollars) + shared) == told
