"""One class of the YAML file."""

from __future__ import annotations

import re
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
