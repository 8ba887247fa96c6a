"""A view as an SVG file. What moves, moves by SMIL, which needs neither script nor style sheet."""

from collections.abc import Sequence
from random import Random

import msgspec

from workers.demo.pictures.outlines import MARGIN, Frame
from workers.demo.pictures.palettes import Palette, land, mixed, mood
from workers.demo.pictures.scenery import KINDS, Layer

SIZES = {"16:9": (320, 180), "9:16": (180, 320), "1:1": (240, 240)}

EASE = 'calcMode="spline" keyTimes="0;.5;1" keySplines=".4 0 .6 1;.4 0 .6 1" repeatCount="indefinite"'


class View(msgspec.Struct, frozen=True):
    """What a picture shows: a kind of scenery (of `KINDS`) in an aspect ratio (of `SIZES`), at an hour of the day.

    Views that differ in `seed` only are different places of that kind.
    """

    kind: str
    seed: str
    aspect_ratio: str = "16:9"
    hour: int = 0


def still(view: View) -> bytes:
    """Draw a picture that stands still, for a thumbnail."""
    return drawn(view, [mood(view.hour)], moving=False)


def clip(view: View) -> bytes:
    """Draw a picture that we slowly walk past, for one scene."""
    return drawn(view, [mood(view.hour)], moving=True)


def film(view: View) -> bytes:
    """Draw a picture over which a day goes by and begins again, for the final video."""
    return drawn(view, [mood(view.hour + hours) for hours in (0, 3, 6, 10)], moving=True)


def drawn(view: View, hours: Sequence[Palette], *, moving: bool) -> bytes:
    """Draw a view, its colours going through these hours."""
    rng = Random(f"{view.kind} {view.seed}")  # noqa: S311  # a picture is no secret
    frame = framed(rng, view.aspect_ratio)
    layers = KINDS[view.kind](rng, frame)
    parts = [
        gradients(layers, hours),
        f'<path fill="url(#s)" d="M0 0h{frame.width}v{frame.height}H0z"/>',
        stars(rng, frame, hours),
        sun(frame, hours, moving=moving),
        *(land_or_water(number, layer, hours, moving=moving) for number, layer in enumerate(layers)),
    ]
    return svg(frame, "".join(parts)).encode()


def framed(rng: Random, aspect_ratio: str) -> Frame:
    """Choose where the sun is, left or right of the middle."""
    width, height = SIZES[aspect_ratio]
    across = rng.choice((rng.uniform(0.2, 0.42), rng.uniform(0.58, 0.8)))
    return Frame(width, height, round(across * width), round(rng.uniform(0.26, 0.44) * height))


def svg(frame: Frame, inside: str) -> str:
    """Make the file, which fills whatever box it is shown in."""
    size = f'width="{2 * frame.width}" height="{2 * frame.height}" viewBox="0 0 {frame.width} {frame.height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} preserveAspectRatio="xMidYMid slice">{inside}</svg>'


def gradients(layers: Sequence[Layer], hours: Sequence[Palette]) -> str:
    """Define the colours of the sky (s), of the sun's glow (g), and of each layer (l0, l1, …)."""
    sky = [(0.0, [h.top for h in hours]), (0.45, [h.middle for h in hours]), (0.75, [h.horizon for h in hours])]
    glow = "".join(stop(offset, [hours[0].sun], opacity) for offset, opacity in ((0, 0.75), (0.35, 0.25), (1, 0)))
    lands = (linear(f"l{number}", layer_stops(layer, hours)) for number, layer in enumerate(layers))
    return f'<defs>{linear("s", sky)}<radialGradient id="g">{glow}</radialGradient>{"".join(lands)}</defs>'


def layer_stops(layer: Layer, hours: Sequence[Palette]) -> list[tuple[float, list[str]]]:
    """Let water mirror the sky, the horizon first, and land fade into mist, far land more than near."""
    if layer.water:
        shore = [mixed(h.horizon, h.middle, 0.45) for h in hours]
        return [(0.0, shore), (1.0, [mixed(h.top, h.near, 0.35) for h in hours])]
    shades = [land(h, layer.depth) for h in hours]
    mist = 0.55 * (1 - layer.depth)
    return [(0.0, shades), (1.0, [mixed(c, h.horizon, mist) for c, h in zip(shades, hours, strict=True)])]


def linear(name: str, stops: Sequence[tuple[float, Sequence[str]]]) -> str:
    """Define a gradient from top to bottom."""
    inside = "".join(stop(offset, colours) for offset, colours in stops)
    return f'<linearGradient id="{name}" x2="0" y2="1">{inside}</linearGradient>'


def stop(offset: float, colours: Sequence[str], opacity: float = 1) -> str:
    """Define one stop of a gradient."""
    seen = "" if opacity == 1 else f' stop-opacity="{opacity:g}"'
    return f'<stop offset="{offset:g}" {passing("stop", "stop-color", colours, seen)}'


def passing(element: str, attribute: str, values: Sequence[str], more: str = "") -> str:
    """End an element with an attribute that goes through these values for ever, if there are several."""
    head = f'{attribute}="{values[0]}"{more}'
    if len(set(values)) == 1:
        return f"{head}/>"
    all_day = f'values="{";".join(values)}" dur="24s" repeatCount="indefinite"'
    return f'{head}><animate attributeName="{attribute}" {all_day}/></{element}>'


def stars(rng: Random, frame: Frame, hours: Sequence[Palette]) -> str:
    """Strew stars over the upper sky, as bright as the hour lets them be."""
    if not any(h.night for h in hours):
        return ""
    spots = ((rng.uniform(0, frame.width), rng.random() ** 1.5 * 0.5 * frame.height) for _ in range(40))
    dots = "".join(f"M{x:.0f} {y:.0f}h.1" for x, y in spots)
    return f'<path stroke="#fff" stroke-linecap="round" d="{dots}" ' + passing(
        "path", "opacity", [f"{h.night:g}" for h in hours]
    )


def sun(frame: Frame, hours: Sequence[Palette], *, moving: bool) -> str:
    """Draw the sun, or the moon, in its glow; where things move it sinks a little and rises again."""
    size = min(frame.width, frame.height)
    low, high = f"0 {0.05 * size:.0f}", f"0 {-0.05 * size:.0f}"
    rising = slide((high, low, high), 24) if moving else ""
    glow = f'<circle r="{0.42 * size:.0f}" fill="url(#g)"/>'
    disc = f'<circle r="{0.065 * size:.0f}" fill="{hours[0].sun}"/>'
    return f'<g transform="translate({frame.sun_x} {frame.sun_y})"><g>{rising}{glow}{disc}</g></g>'


def land_or_water(number: int, layer: Layer, hours: Sequence[Palette], *, moving: bool) -> str:
    """Draw one layer; the nearer land is, the more of it goes by."""
    way = 0 if layer.water else round(layer.depth * (MARGIN - 6))
    sliding = slide((f"{-way} 0", f"{way} 0", f"{-way} 0"), 20) if moving and way else ""
    return f'<g>{sliding}<path fill="url(#l{number})" d="{layer.outline}"/>{lit(layer, hours[0])}</g>'


def lit(layer: Layer, palette: Palette) -> str:
    """Draw what light and shade there is on a layer."""
    strokes = f'fill="none" stroke="{palette.sun}" stroke-width="2" stroke-linecap="round" opacity=".75"'
    parts = (
        (layer.snow, f'fill="{palette.sun}" opacity=".75"'),
        (layer.lights, strokes),
        (layer.shade, f'fill="{palette.near}" opacity=".22"'),
    )
    return "".join(f'<path {looks} d="{path}"/>' for path, looks in parts if path)


def slide(places: Sequence[str], seconds: int) -> str:
    """Move what is around this from place to place, gently, for ever."""
    way = f'values="{";".join(places)}" dur="{seconds}s"'
    return f'<animateTransform attributeName="transform" type="translate" {way} {EASE}/>'
