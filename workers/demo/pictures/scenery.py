"""What stands in a picture: layers of land, from far to near.

Every kind of scenery is a function of a random source and a frame, found by its name in `KINDS`.
"""

from collections.abc import Callable
from random import Random

import msgspec

from workers.demo.pictures.outlines import (
    BREAKS,
    MARGIN,
    Frame,
    Point,
    crags,
    down,
    flat,
    height_at,
    jagged,
    polygon,
    ridge,
    rounded,
    signed,
    start,
)

Tower = tuple[int, int, int]
"""The left, right and top of a building."""


class Layer(msgspec.Struct, frozen=True):
    """One layer, in SVG path data: its outline, the snow on it, what lies in its shade, and strokes of light."""

    depth: float
    outline: str
    snow: str = ""
    shade: str = ""
    lights: str = ""
    water: bool = False


def hills(rng: Random, frame: Frame) -> list[Layer]:
    """Build soft ridges, one behind the other, with a few trees on the nearest."""
    layers = [
        Layer(depth, rounded(ridge(rng, frame, 0.42 + 0.46 * depth, 0.07 + 0.03 * depth), frame))
        for depth in (0.12, 0.38, 0.62)
    ]
    near = ridge(rng, frame, 0.88, 0.08)
    spots = [rng.uniform(0.05, 0.95) * frame.width for _ in range(5)]
    trees = "".join(tree(x, height_at(near, x) + 2, rng.uniform(9, 17)) for x in spots)
    return [*layers, Layer(0.9, rounded(near, frame) + trees)]


def tree(x: float, y: float, size: float) -> str:
    """Draw a leafy tree that stands at this point."""
    r, trunk = size / 3, round(size * 0.6)
    crown = f"a{r:.1f} {r * 1.3:.1f} 0 1 1 {2 * r:.1f} 0a{r:.1f} {r * 1.1:.1f} 0 1 1-{2 * r:.1f} 0z"
    return f"M{x - 1:.1f} {y:.0f}v-{trunk}h2v{trunk}zM{x - r:.1f} {y - size + r:.1f}{crown}"


def peaks(rng: Random, frame: Frame) -> list[Layer]:
    """Build mountains with snow on them above a dark wood."""
    return [mountains(rng, frame, 0.15, 0.56), mountains(rng, frame, 0.5, 0.72), wood(rng, frame, 0.95, 0.86, 16)]


def mountains(rng: Random, frame: Frame, depth: float, base: float) -> Layer:
    """Build one range: snow lies on its upper third, shade on the side away from the sun."""
    line = crags(rng, frame, base, 0.36)
    below = min(y for _, y in line) + 0.13 * frame.height
    return Layer(depth, jagged(line, frame), snow=snow_caps(line, below), shade=shaded_sides(line, frame))


def snow_caps(line: list[Point], below: float) -> str:
    """Cover all that rises above a height."""
    caps, cap = "", list[Point]()
    for point in [*line, (0.0, below)]:
        if point[1] < below:
            cap.append(point)
        else:
            caps += snow_cap(cap, below) if len(cap) > 1 else ""
            cap = []
    return caps


def snow_cap(crest: list[Point], below: float) -> str:
    """Follow the crest there, and come back in teeth that hang lower where the mountain is higher."""
    back = enumerate(reversed(crest[1:-1]))
    return polygon([*crest, *((x, y + (0.75 if number % 2 else 0.35) * (below + 4 - y)) for number, (x, y) in back)])


def shaded_sides(line: list[Point], frame: Frame) -> str:
    """Shade each summit's far side: along the line down to the valley, and back up a crooked rib."""
    shades = ""
    for summit in range(BREAKS, len(line) - 1, 2 * BREAKS):
        x, y = line[summit]
        side = 1 if x > frame.sun_x else -1
        valley_x, valley_y = line[summit + side * BREAKS]
        wide, deep = valley_x - x, valley_y - y
        rib = [(x + a * wide, y + b * deep) for a, b in ((0.34, 0.82), (0.03, 0.6), (0.12, 0.3))]
        shades += polygon([*(line[summit + side * number] for number in range(BREAKS + 1)), *rib])
    return shades


def forest(rng: Random, frame: Frame) -> list[Layer]:
    """Build firs in the mist, row behind row."""
    rows = ((0.15, 0.58, 24), (0.5, 0.76, 40), (0.95, 0.98, 62))
    return [wood(rng, frame, depth, base, size) for depth, base, size in rows]


def wood(rng: Random, frame: Frame, depth: float, base: float, size: float) -> Layer:
    """Build a ridge on which firs of about this size stand close together."""
    ground = ridge(rng, frame, base, 0.03)
    line, x = ground[:1], ground[0][0]
    while x < ground[-1][0]:
        line += fir(x, height_at(ground, x), size * rng.uniform(0.55, 1.3))
        x = line[-1][0] + size * rng.choice((-0.06, -0.03, 0.05, 0.15, 0.3))
    return Layer(depth, jagged(line, frame))


def fir(x: float, y: float, size: float) -> list[Point]:
    """Go up one side of a fir and down the other; near enough to see them, it has two tiers."""
    a, b = size / 5, size / 18
    left, tip, right = (x, y), (x + a, y - size), (x + 2 * a, y)
    if size < 36:  # noqa: PLR2004  # pixels
        return [left, tip, right]
    waist = y - 0.5 * size
    tiers = [(x + a * 0.6, waist), (x + a * 0.6 - b, waist)], [(x + a * 1.4 + b, waist), (x + a * 1.4, waist)]
    return [left, *tiers[0], tip, *tiers[1], right]


def sea(rng: Random, frame: Frame) -> list[Layer]:
    """Build open water with islands, the sun's road on it, and a boat."""
    line = 0.62 * frame.height
    islands = [(x, min(y, line)) for x, y in ridge(rng, frame, 0.6, 0.08, waves=1.7)]
    boat_x = frame.width - frame.sun_x + rng.uniform(-20, 20)
    return [
        Layer(0.25, rounded(islands, frame)),
        Layer(0.5, flat(frame, line), lights=sun_road(rng, frame, line), water=True),
        Layer(0.85, sailing_boat(boat_x, line + 0.16 * frame.height, rng.uniform(2, 3))),
    ]


def sun_road(rng: Random, frame: Frame, line: float) -> str:
    """Lay the sun's light on the water: strokes that grow wider and scarcer towards us."""
    strokes, y = "", line + 3
    while y < frame.height:
        wide = 3 + (y - line) * rng.uniform(0.2, 0.7)
        strokes += f"{start((frame.sun_x - wide / 2 + rng.uniform(-4, 4), y))}h{wide:.0f}"
        y += 3 + (y - line) / 12
    return strokes


def sailing_boat(x: float, y: float, scale: float) -> str:
    """Draw a small boat under sail, afloat at this point."""
    hull = [(-4, 0), (4, 0), (2.5, 1.6), (-2.5, 1.6)]
    sails = [(0.3, -9.5), (3.4, -5), (4.2, -0.6), (0.3, -0.6)], [(-0.4, -8), (-3.2, -0.6), (-0.4, -0.6)]
    return "".join(polygon((x + scale * a, y + scale * b) for a, b in shape) for shape in (hull, *sails))


def city(rng: Random, frame: Frame) -> list[Layer]:
    """Build three rows of houses; behind some windows somebody is still up."""
    far, middle, near = (
        towers(rng, frame, base, rise, wide) for base, rise, wide in ((0.66, 0.2, 11), (0.8, 0.32, 18), (0.96, 0.3, 26))
    )
    return [
        Layer(0.18, skyline(far, frame)),
        Layer(0.5, skyline(middle, frame), lights=windows(rng, middle, frame)),
        Layer(0.9, skyline(near, frame), lights=windows(rng, near, frame)),
    ]


def towers(rng: Random, frame: Frame, base: float, rise: float, wide: float) -> list[Tower]:
    """Build houses from left to right, most of them low."""
    row, x = list[Tower](), -MARGIN
    while x < frame.width + MARGIN:
        right = x + round(wide * rng.uniform(0.7, 1.4))
        row.append((x, right, round(frame.height * (base - rise * rng.random() ** 1.6))))
        x = right
    return row


def skyline(row: list[Tower], frame: Frame) -> str:
    """Draw a row of houses; the highest get a mast."""
    highest = min(top for _, _, top in row)
    masts = "".join(f"M{(a + b) // 2} {top}v-14h1v14z" for a, b, top in row if top <= highest + 3)
    return start((-MARGIN, frame.height)) + "".join(f"V{top}H{right}" for _, right, top in row) + down(frame) + masts


def windows(rng: Random, row: list[Tower], frame: Frame) -> str:
    """Light a quarter of the windows of a row of houses."""
    spots = [
        (x, y)
        for left, right, top in row
        for x in range(left + 4, right - 3, 5)
        for y in range(top + 5, min(frame.height, top + 60) - 4, 7)
        if 0 <= x <= frame.width and rng.random() < 0.25  # noqa: PLR2004  # that quarter
    ]
    strokes, pen = "M0 0", (0, 0)
    for x, y in spots[:100]:
        strokes += f"m{x - pen[0]}{signed(y - pen[1])}v1"
        pen = (x, y + 1)
    return strokes


def dunes(rng: Random, frame: Frame) -> list[Layer]:
    """Build sand in long curves, bright on one side of the crest and shaded on the other."""
    return [
        dune(frame, depth, rng.uniform(0.15, 0.85) * frame.width, (top + rng.uniform(-0.03, 0.03)) * frame.height)
        for depth, top in ((0.15, 0.5), (0.35, 0.57), (0.6, 0.66), (0.85, 0.8))
    ]


def dune(frame: Frame, depth: float, x: float, y: float) -> Layer:
    """Build one dune with its crest at a point; it is steep, and shaded, on the side away from the sun."""
    w, h = frame.width, frame.height
    side = 1 if x > frame.sun_x else -1
    left, right = y + (0.15 - 0.06 * side) * h, y + (0.15 + 0.06 * side) * h
    outline = (
        f"M{-MARGIN} {left:.0f}C{x / 2:.0f} {left:.0f} {x * 0.7:.0f} {y + 2:.0f} {x:.0f} {y:.0f}"
        f"C{x + (w - x) * 0.3:.0f} {y + 2:.0f} {(x + w) / 2:.0f} {right:.0f} {w + MARGIN} {right:.0f}{down(frame)}"
    )
    edge, end = (w + MARGIN, right) if side > 0 else (-MARGIN, left)
    shade = (
        f"M{x:.0f} {y:.0f}C{x - side * 0.09 * w:.0f} {y + 0.18 * h:.0f} {x + side * 0.14 * w:.0f} {y + 0.26 * h:.0f}"
        f" {x - side * 0.12 * w:.0f} {h + 1}H{edge}V{end:.0f}"
        f"C{(x + edge) / 2:.0f} {end:.0f} {x + (edge - x) * 0.3:.0f} {y + 2:.0f} {x:.0f} {y:.0f}z"
    )
    return Layer(depth, outline, shade=shade)


KINDS: dict[str, Callable[[Random, Frame], list[Layer]]] = {
    "city": city,
    "dunes": dunes,
    "forest": forest,
    "hills": hills,
    "peaks": peaks,
    "sea": sea,
}
