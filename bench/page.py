"""Writes results into docs/benchmarks.md, between two marks, and the plots beside it."""

from collections.abc import Iterator
from pathlib import Path

from bench import plots
from bench.plan import MODULES
from bench.report import Figure, Report
from bench.results import Part, Parts, figures_of

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "benchmarks.md"
BEGIN, END = "<!-- measured: begin (make bench-docs writes this) -->", "<!-- measured: end -->"


def write(parts: Parts) -> None:
    """Write the page and the plots anew."""
    PAGE.write_text(written(PAGE.read_text(), parts))
    for part in parts.values():
        for report in part.reports:
            plots.write(report.bars, DOCS / "plots")


def written(text: str, parts: Parts) -> str:
    """Replace what stands between the marks; what people wrote around it stays. Raises ValueError without marks."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{PAGE.name} lacks the marks {BEGIN!r} and {END!r}")
    return before + "\n\n".join([BEGIN, *_blocks(parts), END]) + after


def _blocks(parts: Parts) -> Iterator[str]:
    yield "\n".join(sorted({f"Measured on {part.machine}." for part in parts.values()}))
    yield _asked(parts)
    for name in MODULES:
        if part := parts.get(name):
            yield from _part(name, part)


def _asked(parts: Parts) -> str:
    rows = [_row(figure) for figure in figures_of(parts).values() if figure.wanted]
    return "\n".join(["## What was asked", "", "| figure | measured | asked |", "| --- | --- | --- |", *rows])


def _row(figure: Figure) -> str:
    to = f" {figure.peer}" if figure.peer else ""
    return f"| {figure.name} | {figure}{to} | {figure.verdict} |"


def _part(name: str, part: Part) -> Iterator[str]:
    for report in part.reports:
        yield from _report(report)
    if part.failed:
        yield f"**FAILED:** {name}, {part.failed}"
    yield f"*`{name}`: {part.at[:10]}, commit {part.commit}, {part.seconds:.0f} s, load {part.load} before it began.*"


def _report(report: Report) -> Iterator[str]:
    yield f"## {report.title}"
    yield report.table
    for bars in report.bars:
        yield f"![{bars.title}](plots/{bars.name}.svg)"
    if report.remarks:
        yield report.remarks
    yield from (f"**Skipped:** {what}" for what in report.skipped)
