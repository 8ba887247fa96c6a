import io
import itertools
import wave
from collections.abc import Callable
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.demo.pictures import KINDS, SIZES, View, chord, clip, film, still

SVG = "{http://www.w3.org/2000/svg}"
HARMLESS = {
    "animate",
    "animateTransform",
    "circle",
    "defs",
    "g",
    "linearGradient",
    "path",
    "radialGradient",
    "stop",
    "svg",
}
DRAWINGS = (still, clip, film)

views = st.builds(
    View,
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.text(),
    aspect_ratio=st.sampled_from(sorted(SIZES)),
    hour=st.integers(0, 99),
)


def elements(picture: bytes) -> list[ET.Element]:
    return list(ET.fromstring(picture).iter())  # noqa: S314  # our own picture


@given(view=views, draw=st.sampled_from(DRAWINGS))
def test_every_picture_is_a_small_svg_that_can_do_nothing_but_show(view: View, draw: Callable[[View], bytes]) -> None:
    picture = draw(view)
    names = {element.tag.removeprefix(SVG) for element in elements(picture)}
    attributes = {name for element in elements(picture) for name in element.attrib}
    assert len(picture) < 6000
    assert names <= HARMLESS
    assert not any(name.startswith("on") or "href" in name or name == "style" for name in attributes)


@given(view=views)
def test_a_still_picture_does_not_move_and_a_clip_and_a_film_do(view: View) -> None:
    moving = [any("animate" in element.tag for element in elements(draw(view))) for draw in DRAWINGS]
    assert moving == [False, True, True]


@given(view=views, draw=st.sampled_from(DRAWINGS))
def test_the_same_view_is_drawn_alike_every_time(view: View, draw: Callable[[View], bytes]) -> None:
    assert draw(view) == draw(view)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_another_seed_is_another_place_and_another_hour_another_light(kind: str) -> None:
    shown = [still(View(kind, seed, hour=hour)) for seed, hour in itertools.product("abc", range(10))]
    assert len(set(shown)) == len(shown)


@pytest.mark.parametrize(("aspect_ratio", "size"), SIZES.items())
def test_a_picture_has_the_shape_that_was_asked_for(aspect_ratio: str, size: tuple[int, int]) -> None:
    root = elements(still(View("sea", "a", aspect_ratio)))[0]
    width, height = (int(part) for part in aspect_ratio.split(":"))
    assert root.attrib["viewBox"] == f"0 0 {size[0]} {size[1]}"
    assert size[0] * height == size[1] * width


def test_a_chord_is_a_small_mono_wav_that_begins_and_ends_in_silence() -> None:
    sound = chord("any")
    with wave.open(io.BytesIO(sound)) as file:
        samples = memoryview(file.readframes(file.getnframes())).cast("h")
        assert (file.getnchannels(), file.getframerate()) == (1, 8000)
    assert len(sound) < 40_000
    assert samples[0] == 0
    assert abs(samples[-1]) < 10
    assert max(samples) > 5000
