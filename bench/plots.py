"""Bars as SVG, by hand: one file each, legible on light and dark, with no library and no script."""

import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from bench.report import Bars

WIDTH = 760
LEFT, RIGHT = 170, 90  # of the bars: the series' names, the values
TOP = 58  # the title's
BAR, GAP = 18, 5
HEADING = 26  # the name of a group, above its bars
BOTTOM = 30  # the numbers of a scale of powers of ten
SHORTEST = 2.0
VISIBLE = 0.6  # of the smallest value, where a scale of powers of ten may begin at the latest

# Headway is the one colour; what it is compared with is grey, so that the eye finds it without a legend.
STYLE = """
  .card { fill: #ffffff; stroke: #d9dee5 } text { fill: #1f2933; font: 13px system-ui, sans-serif }
  .title { font-size: 15px; font-weight: 600 } .unit, .group { fill: #5b6775 } .group { font-weight: 600 }
  .other { fill: #aab4c0 } .ours { fill: #2563eb } .axis { stroke: #d9dee5 }
  @media (prefers-color-scheme: dark) {
    .card { fill: #12171e; stroke: #2c3540 } text { fill: #e6eaef } .unit, .group { fill: #9aa6b4 }
    .other { fill: #56616e } .ours { fill: #6ea0ff } .axis { stroke: #2c3540 }
  }
"""


def write(plots: Sequence[Bars], directory: Path) -> None:
    """Write each into its file."""
    directory.mkdir(exist_ok=True)
    for plot in plots:
        (directory / f"{plot.name}.svg").write_text(svg(plot))


def svg(plot: Bars) -> str:
    """Draw horizontal bars, group under group."""
    lines = list(_groups(plot))
    height = TOP + sum(space for space, _ in lines) + BOTTOM
    drawn, y = [], float(TOP)
    for space, draw in lines:
        drawn.append(draw.replace("@Y@", f"{y:.0f}"))
        y += space
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(plot.title)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="card" x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1}" rx="8"/>',
        f'<text class="title" x="20" y="28">{escape(plot.title)}</text>',
        f'<text class="unit" x="20" y="47">{escape(plot.unit)}{", on a scale of powers of ten" if plot.log else ""}</text>',
        *_powers(plot, height),
        *drawn,
        "</svg>\n",
    ])  # fmt: skip


def _groups(plot: Bars) -> Iterator[tuple[int, str]]:
    """Yield each line's height, and its drawing with @Y@ for where it begins."""
    length = _scale(plot)
    for number, group in enumerate(plot.groups):
        if group:
            yield HEADING, _at_y(f'<text class="group" x="20" y="18">{escape(group)}</text>')
        for name, values in plot.series.items():
            if (value := values[number]) is not None:
                yield BAR + GAP, _bar(name, value, length(value))
        yield GAP, ""


def _powers(plot: Bars, height: int) -> Iterator[str]:
    """Yield a line for each power of ten that the bars pass."""
    scale = _scale(plot)
    for power in scale.powers:
        x = LEFT + scale(10.0**power)
        yield f'<path class="axis" d="M{x:.1f} {TOP} V{height - BOTTOM}"/>'
        yield f'<text class="unit" x="{x:.1f}" y="{height - 12}" text-anchor="middle">{_number(10.0**power)}</text>'


def _bar(name: str, value: float, length: float) -> str:
    kind = "ours" if name.startswith("Headway") else "other"
    return _at_y(
        f'<text x="{LEFT - 10}" y="14" text-anchor="end">{escape(name)}</text>'
        f'<rect class="{kind}" x="{LEFT}" width="{max(SHORTEST, length):.1f}" height="{BAR}" rx="3"/>'
        f'<text x="{LEFT + max(SHORTEST, length) + 7:.1f}" y="14">{_number(value)}</text>'
    )


def _at_y(drawing: str) -> str:
    return f'<g transform="translate(0 @Y@)">{drawing}</g>'


def _scale(plot: Bars) -> "_Scale":
    values = [value for series in plot.series.values() for value in series if value is not None]
    return _Scale(values, plot.log)


class _Scale:
    """From a value to the length of its bar."""

    def __init__(self, values: Sequence[float], log: bool) -> None:
        room = WIDTH - LEFT - RIGHT
        self._log = log
        self.powers: Sequence[int] = ()
        if log:  # from a power of ten that leaves the smallest a bar to be seen
            self._low = math.floor(math.log10(VISIBLE * min(value for value in values if value > 0)))
            high = math.log10(max(values))
            self._per = room / (high - self._low)
            self.powers = range(self._low, math.floor(high) + 1)
        else:
            self._per = room / max(*values, 1e-9)

    def __call__(self, value: float) -> float:
        if self._log:
            return (math.log10(value) - self._low) * self._per if value > 0 else 0.0
        return value * self._per


def _number(value: float) -> str:
    if value >= 100:  # noqa: PLR2004 - three digits tell enough
        return f"{value:,.0f}"
    return f"{value:.3g}"
