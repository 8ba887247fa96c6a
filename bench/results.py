"""The results as files: `results/latest.json` of this machine, `baseline.json` of the repository."""

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct, json

from bench.machine import Machine
from bench.report import Figure, Report

HERE = Path(__file__).parent
LATEST = HERE / "results" / "latest.json"  # not committed
BASELINE = HERE / "baseline.json"  # committed


class Part(Struct):
    """One measurement: what it found, when and on what; `failed` says why it did not come to its end."""

    at: str
    commit: str
    machine: Machine
    load: float  # before it began
    seconds: float = 0.0
    reports: list[Report] = []
    failed: str = ""


Parts = dict[str, Part]


def save(parts: Parts, path: Path) -> None:
    """Write them, readable."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(json.format(json.encode(parts), indent=1) + b"\n")


def read(path: Path) -> Parts:
    """Read them; nothing where there is no file."""
    return json.decode(path.read_bytes(), type=Parts) if path.exists() else {}


def figures_only(parts: Parts) -> Parts:
    """Return what a baseline holds: the figures of each part, without tables and plots."""
    return {
        name: Part(part.at, part.commit, part.machine, part.load, part.seconds, [_bare(part)])
        for name, part in parts.items()
        if not part.failed
    }


def figures_of(parts: Parts) -> dict[str, Figure]:
    """Return all figures by name."""
    return {figure.name: figure for part in parts.values() for report in part.reports for figure in report.figures}


def commit() -> str:
    """Return the short name of what is measured, with a plus where files differ from it."""
    told = subprocess.run(
        ["git", "describe", "--always", "--dirty=+", "--exclude=*"],
        cwd=HERE,
        capture_output=True,
        text=True,
        check=False,
    )
    return told.stdout.strip() or "unknown"


def compared(parts: Parts, baseline: Parts) -> Iterator[str]:
    """Say which ratios differ from the baseline's by more than noise, and what was asked and missed."""
    now, then = figures_of(parts), figures_of(baseline)
    ratios = [figure for figure in now.values() if figure.peer]
    known = [figure for figure in ratios if figure.name in then]
    moved = [line for figure in known if (line := _moved(figure, then[figure.name].value))]
    yield (
        "Ratios to the peers of the same run, against the committed baseline:" if then else "There is no baseline yet."
    )
    yield from moved
    yield (
        f"  {len(known) - len(moved)} within noise, {len(ratios) - len(known)} new, "
        f"{_not_measured(parts, baseline)} of the baseline not measured now"
    )
    yield from _asked(list(now.values()))


def _moved(figure: Figure, before: float) -> str:
    if abs(figure.value - before) <= figure.noise * before:
        return ""
    word = "better" if (figure.value < before) == (figure.better == "lower") else "WORSE"
    change = f"{before:.3g} → {figure.value:.3g} × {figure.peer}"
    return f"  {word:<7} {figure.name}: {change} ({figure.value / before - 1:+.0%}; noise is ±{figure.noise:.0%})"


def _not_measured(parts: Parts, baseline: Parts) -> int:
    """Count the ratios of the parts that were measured which are missing now; a part left out is no loss."""
    now = figures_of(parts)
    before = figures_of({name: part for name, part in baseline.items() if name in parts})
    return sum(1 for figure in before.values() if figure.peer and figure.name not in now)


def _asked(figures: Sequence[Figure]) -> Iterator[str]:
    asked = [figure for figure in figures if figure.wanted]
    missed = [figure for figure in asked if figure.wanted and not figure.wanted.holds(figure.value)]
    yield f"Asked of {len(asked)} figures, held by {len(asked) - len(missed)}."
    for figure in missed:
        yield f"  MISSED  {figure.name}: {figure}, asked {figure.asked}"


def _bare(part: Part) -> Report:
    figures = [figure for report in part.reports for figure in report.figures]
    return Report("figures", (), (), figures=figures)
