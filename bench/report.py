"""What a measurement found: a table for people, figures for machines, and bars to look at."""

from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import Literal

from msgspec import Struct

NOISE = 0.25  # by which a ratio may differ between two runs on one machine, and say nothing


class Wanted(Struct, frozen=True):
    """What is asked of a figure."""

    sign: Literal["≤", "≥"]
    bound: float

    def holds(self, value: float) -> bool:
        """Say whether a value is good enough."""
        return value <= self.bound if self.sign == "≤" else value >= self.bound


class Figure(Struct, frozen=True):
    """One number. Where it is a ratio to a peer of the same run, `peer` says to which: it means the same elsewhere."""

    name: str
    value: float
    unit: str
    wanted: Wanted | None = None
    peer: str = ""
    better: Literal["lower", "higher"] = "lower"
    noise: float = NOISE

    @property
    def verdict(self) -> str:
        """What is asked, and whether it held; empty where nothing is asked."""
        if not self.wanted:
            return ""
        return f"{self.asked}: {'held' if self.wanted.holds(self.value) else 'MISSED'}"

    @property
    def asked(self) -> str:
        """What is asked, with its unit; empty where nothing is."""
        return f"{self.wanted.sign} {_short(self.wanted.bound)} {self.unit}" if self.wanted else ""

    def __str__(self) -> str:
        return f"{_short(self.value)} {self.unit}".strip()


class Bars(Struct, frozen=True):
    """A plot: in each group one bar per series; None where there is nothing to show."""

    name: str  # of the file, without its ending
    title: str
    unit: str
    groups: Sequence[str]
    series: Mapping[str, Sequence[float | None]]
    log: bool = False


class Report(Struct, frozen=True):
    """A table with a title, and remarks on how it was measured; `skipped` says what could not be."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    remarks: str = ""
    figures: Sequence[Figure] = ()
    bars: Sequence[Bars] = ()
    skipped: Sequence[str] = ()

    @property
    def table(self) -> str:
        """The table in Markdown."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)

    def __str__(self) -> str:
        loud = "".join(f"\nSKIPPED: {what}\n" for what in self.skipped)
        return f"\n## {self.title}\n\n{self.table}\n\n{self.remarks}\n{loud}"


def at_most(bound: float) -> Wanted:
    """Want no more than this."""
    return Wanted("≤", bound)


def at_least(bound: float) -> Wanted:
    """Want no less than this."""
    return Wanted("≥", bound)


def p50_p99(samples: Sequence[float]) -> tuple[float, float]:
    """Return the median and the 99th percentile."""
    return median(samples), quantiles(samples, n=100, method="inclusive")[98]


def milliseconds(seconds: float) -> str:
    """Write seconds as milliseconds."""
    return f"{seconds * 1000:.0f} ms"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"  # noqa: PLR2004 - three digits tell enough
