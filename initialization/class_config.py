"""One class of the YAML file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from PIL import ImageColor
from pydantic import BaseModel, BeforeValidator, ConfigDict


def _normalized_color(value: object) -> str:
    if value is None:
        raise ValueError('a colour such as "#00FF00", in quotes: without them YAML takes # for a comment')
    text = str(value).strip()
    if re.fullmatch(r"#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})", text) or text.lower() in ImageColor.colormap:
        red, green, blue = ImageColor.getrgb(text.lower())[:3]
        return f"#{red:02X}{green:02X}{blue:02X}"
    raise ValueError('a colour as "#RGB", "#RRGGBB" or a CSS name such as orange')


def plain_name(value: object) -> str:
    """A name that fits into one line."""
    if not isinstance(value, str):
        raise ValueError("a name as text: put it in quotes, as YAML reads it as something else")
    name = value.strip()
    if not name or not name.isprintable() or len(name) > 200:
        raise ValueError("a name of 1 to 200 printable characters")
    return name


class ClassConfig(BaseModel):
    """One class; without a colour it takes the next of the palette."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, BeforeValidator(plain_name)]
    color: Annotated[str, BeforeValidator(_normalized_color)]
    group: Annotated[str, BeforeValidator(plain_name)] | None = None
    """Of the classes that share it an image has one at most; where it may have several at all."""
    parent: Annotated[str, BeforeValidator(plain_name)] | None = None
    """Name of the class that it is a kind of."""


def check_parents(classes: Sequence[ClassConfig]) -> None:
    """Refuse parents that are no classes, circles, and classes that exclude one above them.

    Raises:
        ValueError: what is wrong, and what to do.
    """
    by_name = {entry.name: entry for entry in classes}
    for entry in classes:
        line: list[ClassConfig] = []
        above = entry
        while above.parent is not None:
            if above.parent not in by_name:
                raise ValueError(
                    f"classes: found the parent {above.parent!r} of {above.name!r}, expected the name of another class"
                )
            above = by_name[above.parent]
            if above is entry or above in line:
                raise ValueError(f"classes: {above.name!r} stands below itself: leave out one parent of the circle")
            line.append(above)
        same = next((above for above in line if _same_group(above, entry)), None)
        if same is not None:
            raise ValueError(
                f"classes: {entry.name!r} and {same.name!r}, which stands above it, are both of the group "
                f"{entry.group!r}, though an image with the one has the other: leave one of the two out of the group"
            )


def _same_group(a: ClassConfig, b: ClassConfig) -> bool:
    return a.group is not None and b.group is not None and a.group.casefold() == b.group.casefold()
