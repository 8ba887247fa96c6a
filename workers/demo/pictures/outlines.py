"""Lines across a picture, and lines as SVG path data: whole pixels, and relative, because that is shorter."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from random import Random

import msgspec

MARGIN = 24
"""How far land reaches beyond both sides of the frame, so that a clip may slide it without showing an edge."""

BREAKS = 8
"""How many points of a mountain line lead from a summit to the next valley."""

Point = tuple[float, float]


class Frame(msgspec.Struct, frozen=True):
    """The size of a picture, and where in it the sun is."""

    width: int
    height: int
    sun_x: int
    sun_y: int


def ridge(rng: Random, frame: Frame, base: float, rise: float, waves: float = 1) -> list[Point]:
    """Roll along `base`, up and down by `rise`; both are shares of the height."""
    swings = [(waves * rng.uniform(low, low + 1), rng.uniform(0, math.tau), 1 / low) for low in (1.2, 2.6)]

    def swing(x: float) -> float:
        return sum(a * math.sin(often * math.tau * x / 320 + phase) for often, phase, a in swings)

    return [(x, frame.height * (base - rise * swing(x))) for x in across(frame, 21)]


def crags(rng: Random, frame: Frame, base: float, rise: float) -> list[Point]:
    """Zigzag between valleys at `base` and summits at most `rise` higher, `BREAKS` points from one to the next."""
    heights = [base - rise * rng.uniform(0.45, 1) * (number % 2) for number in range(rng.choice((5, 7)))]
    rough = rise / 7
    for _ in range(int(math.log2(BREAKS))):
        middles = [(a + b) / 2 + rng.uniform(-rough, rough) for a, b in pairwise(heights)]
        heights = [y for pair in zip(heights, middles, strict=False) for y in pair] + heights[-1:]
        rough /= 2
    step = (frame.width + 2 * MARGIN) / (len(heights) - 1)
    return [(number * step - MARGIN, y * frame.height) for number, y in enumerate(heights)]


def across(frame: Frame, step: float) -> list[float]:
    """Share out the width of the frame and its margins in equal steps of about this size."""
    wide = frame.width + 2 * MARGIN
    count = round(wide / step)
    return [number * wide / count - MARGIN for number in range(count + 1)]


def height_at(line: Sequence[Point], x: float) -> float:
    """Find how high a line is at x, which is between its ends."""
    (x0, y0), (x1, y1) = next(pair for pair in pairwise(line) if pair[1][0] >= x)
    return y0 + (y1 - y0) * (x - x0) / (x1 - x0)


def rounded(line: Sequence[Point], frame: Frame) -> str:
    """Fill the land below a line, smooth: each point's tangent is that of its neighbours."""
    path = start(line[0])
    for before, at, after in zip(line[:-1], line[1:], [*line[2:], line[-1]], strict=True):
        bend = (at[0] - (after[0] - before[0]) / 6, at[1] - (after[1] - before[1]) / 6)
        path += "s" + step_to(before, bend) + step_to(before, at)
    return path + down(frame)


def jagged(line: Sequence[Point], frame: Frame) -> str:
    """Fill the land below a line, with every edge kept."""
    return drawn_through(line) + down(frame)


def polygon(points: Iterable[Point]) -> str:
    """Fill what these points enclose."""
    return drawn_through(points) + "z"


def flat(frame: Frame, top: float) -> str:
    """Fill everything from this height down."""
    return f"{start((-MARGIN, top))}H{frame.width + MARGIN}{down(frame)}"


def drawn_through(points: Iterable[Point]) -> str:
    """Draw a line from point to point."""
    first, *others = points
    return start(first) + "l" + "".join(step_to(a, b) for a, b in pairwise([first, *others]))


def down(frame: Frame) -> str:
    """Close a line at the right end around the bottom of the frame."""
    return f"V{frame.height + 1}H{-MARGIN}z"


def start(point: Point) -> str:
    """Put the pen on a point."""
    return f"M{round(point[0])} {round(point[1])}"


def step_to(point: Point, other: Point) -> str:
    """Write the way from a point to another, each rounded by itself so that no error adds up."""
    return signed(round(other[0]) - round(point[0])) + signed(round(other[1]) - round(point[1]))


def signed(number: int) -> str:
    """Write a number so that it may follow another: a minus sign parts them as well as a space does."""
    return str(number) if number < 0 else f" {number}"
