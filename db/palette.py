"""Colours of classes that name none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

PALETTE = (
    "#2F9E44", "#E03131", "#1971C2", "#F08C00", "#9C36B5", "#0C8599", "#C2255C", "#66A80F", "#6741D9", "#E8590C",
    "#099268", "#3B5BDB", "#A61E4D", "#5C940D", "#846358", "#495057",
)  # fmt: skip
"""They show on light and dark pictures."""
HUES = 36
TONES = ((0.45, 0.11), (0.62, 0.15), (0.78, 0.12))
"""(lightness, chroma) in OKLCH of the colours to choose from once those of the palette are used up: all of them show
on dark pictures and on light ones."""
ALIKE = 0.035
"""Distance in OKLab up to which two colours are taken for one."""
APART = 0.2
"""Distance from which two colours cannot be taken for one another over a picture."""
LIGHTNESS_SHARE = 0.5
"""Of differences in lightness: a light and a dark green are two greens."""
Lab = tuple[float, float, float]


def distinct_color(used: Iterable[str]) -> str:
    """A colour unlike those in use.

    The first of the palette that is well apart from all of them, else the farthest one there; once all of those
    have a like in use, the farthest that there is.
    """
    seen = [_place(color) for color in used]

    def distance(color: str) -> float:
        place = _place(color)
        return min((math.dist(place, other) for other in seen), default=1.0)

    well_apart = next((color for color in PALETTE if distance(color) >= APART), None)
    farthest = well_apart or max(PALETTE, key=distance)
    return farthest if distance(farthest) > ALIKE else max(_candidates(), key=distance)


def distinct_colors(given: Iterable[str | None]) -> list[str]:
    """The colours, with one unlike all others wherever there is None."""
    colors = list(given)
    used = [color for color in colors if color is not None]
    for index, color in enumerate(colors):
        if color is None:
            colors[index] = distinct_color(used)
            used.append(colors[index] or "")
    return [color for color in colors if color is not None]


def _candidates() -> Iterator[str]:
    for lightness, chroma in TONES:
        for step in range(HUES):
            angle = 2 * math.pi * step / HUES
            yield _hex((lightness, chroma * math.cos(angle), chroma * math.sin(angle)))


def _place(color: str) -> Lab:
    lightness, a, b = _oklab(color)
    return (LIGHTNESS_SHARE * lightness, a, b)


def _oklab(color: str) -> Lab:
    """Björn Ottosson, A perceptual color space for image processing (2020)."""
    r, g, b = (_linear(int(color[start : start + 2], 16) / 255) for start in (1, 3, 5))
    long = math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b)
    middle = math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b)
    short = math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
    return (
        0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short,
    )


def _hex(lab: Lab) -> str:
    """Inverse of `_oklab`; what no screen can show takes the nearest value of each channel."""
    lightness, a, b = lab
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    channels = (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )
    return "#" + "".join(f"{round(255 * _gamma(min(max(channel, 0.0), 1.0))):02X}" for channel in channels)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _gamma(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
