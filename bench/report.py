"""What a measurement found, as a table for people and for docs."""

from collections.abc import Sequence
from statistics import median, quantiles

from msgspec import Struct


class Report(Struct, frozen=True):
    """A table with a title, and remarks on how it was measured."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: str = ""

    def __str__(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"\n## {self.title}\n\n{table}\n\n{self.remarks}\n"


def p50_p99(samples: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    return median(samples), quantiles(samples, n=100, method="inclusive")[98]


def milliseconds(seconds: float) -> str:
    """Write seconds as milliseconds."""
    return f"{seconds * 1000:.0f} ms"
