"""The light of a picture: ten moods of one long day, each in six colours."""

import msgspec


class Palette(msgspec.Struct, frozen=True):
    """The colours of one mood; `night` is how much of the stars is to be seen, 0 to 1."""

    top: str
    middle: str
    horizon: str
    sun: str
    far: str
    near: str
    night: float = 0


# In the order of a day, so that the scenes of one job, each a step further, tell of time passing.
DAY = (
    Palette("#5b5f97", "#d99aa5", "#ffd8b1", "#fff3d9", "#8f7f9e", "#37304f", 0.15),  # first light
    Palette("#8a6d9c", "#e3a3ad", "#fbdccb", "#fff4e8", "#a58aa6", "#3a2747"),  # rose
    Palette("#2f7f8c", "#8fcbb9", "#fbeccb", "#fffaea", "#5fa39a", "#123f48"),  # fresh
    Palette("#3f86c4", "#93c8e4", "#eef3e2", "#fffdee", "#6fa59f", "#1c4a4c"),  # noon
    Palette("#4d7ea8", "#b7cfd2", "#f6e7c1", "#fff8dc", "#8da27c", "#2f4634"),  # late summer
    Palette("#5a6c9e", "#eeae75", "#ffe2a8", "#fff6d0", "#b98466", "#472b39"),  # golden
    Palette("#793d57", "#e07650", "#ffc680", "#ffeec2", "#b35d4c", "#3d1a2b", 0.1),  # ember
    Palette("#2b2c63", "#a1528a", "#ff9f7d", "#ffe0b0", "#74446f", "#1c1838", 0.4),  # dusk
    Palette("#1c2452", "#4f5a9c", "#c9a3c4", "#fbeee0", "#474b82", "#121533", 0.7),  # after sunset
    Palette("#0a1130", "#1d3160", "#56749f", "#f4f0dc", "#2b4470", "#070c1f", 1),  # moonlight
)


def mood(hour: int) -> Palette:
    """Find the palette of an hour, counted from first light; after the last one a new day begins."""
    return DAY[hour % len(DAY)]


def land(palette: Palette, depth: float) -> str:
    """Find the colour of land at this depth (0 at the horizon, 1 at our feet): air makes far things pale."""
    if depth < 0.5:  # noqa: PLR2004  # half way
        return mixed(palette.horizon, palette.far, 0.35 + 1.3 * depth)
    return mixed(palette.far, palette.near, 2 * depth - 1)


def mixed(colour: str, other: str, share: float) -> str:
    """Stir this share (0 to 1) of another colour into one, both written #rrggbb."""
    pairs = zip(channels(colour), channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def channels(colour: str) -> tuple[int, ...]:
    """Read red, green and blue of #rrggbb, 0 to 255."""
    return tuple(bytes.fromhex(colour.removeprefix("#")))
