"""A session of each task to try, made from images that scikit-image carries in its package."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from PIL import Image
from rich.console import Console
from rich.markup import escape

from db.database import DATABASE_FILE_NAME, URL_VARIABLE
from db.errors import FewclickError
from db.session_dir import SESSION_VARIABLE
from fewclick.initialize import InitializeError, run_init

SKY_TILE_PX = (333, 290)
TEXTURE_TILE_PX = (256, 256)
TEXTURE_RESIZE_PX = 256
"""Of the tiles, half of the extractor's own: classes need no fine grid, and the demo starts sooner."""
COMPLETE_MARK = ".complete"
"""Stands in a demo session's folder once it was made whole: an interrupted start goes on next time."""


class DemoError(FewclickError):
    """A demo session could not be made."""


@dataclass(frozen=True)
class DemoSession:
    """What a demo session is made of."""

    name: str
    config: dict[str, object]
    pictures: tuple[tuple[str, tuple[int, int]], ...]
    """File of skimage.data, and width and height of the tiles cut from it, pixels."""


SEGMENTATION = DemoSession(
    name="segmentation",
    config={
        "task": "segmentation",
        "classes": [
            {"name": "galaxy", "color": "#E69F00"},
            {"name": "sky", "color": "#0072B2"},
        ],
    },
    # NASA's Hubble eXtreme Deep Field: one click on a galaxy and one beside it find hundreds.
    pictures=(("hubble_deep_field.jpg", SKY_TILE_PX),),
)
CLASSIFICATION = DemoSession(
    name="classification",
    config={
        "task": "classification",
        "resize": TEXTURE_RESIZE_PX,
        "classes": [
            {"name": "brick", "color": "#D55E00"},
            {"name": "grass", "color": "#009E73"},
            {"name": "gravel", "color": "#56B4E9"},
        ],
    },
    pictures=(("brick.png", TEXTURE_TILE_PX), ("grass.png", TEXTURE_TILE_PX), ("gravel.png", TEXTURE_TILE_PX)),
)
DEMO_SESSIONS = (SEGMENTATION, CLASSIFICATION)


def make_demo(root: Path, sessions: Sequence[DemoSession] = DEMO_SESSIONS) -> list[Path]:
    """Make the demo sessions below `root`, where they are not there yet; returns their session folders.

    Labels that a person has set in an earlier demo stay.
    """
    # Plain lines when piped, whatever their length: a folder must never be wrapped.
    console = Console(soft_wrap=True, highlight=False)
    made = [_make_session(root / session.name, session, console) for session in sessions]
    folder = escape(str(root.absolute()))
    console.print(f"[dim]Demo sessions and your labels are in {folder}; remove that folder to begin anew.[/]")
    return made


def write_images(image_dir: Path, session: DemoSession) -> int:
    """Cut the pictures into tiles, in an order that mixes them; returns how many."""
    image_dir.mkdir(parents=True, exist_ok=True)
    tiles = [list(_tiles(_picture_file(file_name), *size_px)) for file_name, size_px in session.pictures]
    mixed = [tile for group in zip(*tiles, strict=True) for tile in group]
    for number, tile in enumerate(mixed, start=1):
        # The number alone: a name with the texture in it would give the class away.
        tile.save(image_dir / f"tile_{number:02}.png")
    return len(mixed)


def _make_session(folder: Path, session: DemoSession, console: Console) -> Path:
    session_dir = folder / "session"
    if (folder / COMPLETE_MARK).is_file() and (session_dir / DATABASE_FILE_NAME).is_file():
        return session_dir
    count = write_images(folder / "images", session)
    config_file = folder / "config.yaml"
    config = session.config | {"name": session.name, "image_dir": "images", "formats": "png", "session_dir": "session"}
    config_file.write_text(yaml.safe_dump(config, sort_keys=False))
    telling = f"Preparing the {session.name} demo: {count} images, some 20 seconds"
    if not console.is_terminal:
        console.print(telling)
    with console.status(telling):
        _initialize(config_file, append=(session_dir / DATABASE_FILE_NAME).is_file())
    (folder / COMPLETE_MARK).touch()
    console.print(f"[green]✓[/] {session.name}: {count} images")
    return session_dir


def _initialize(config_file: Path, *, append: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in (SESSION_VARIABLE, URL_VARIABLE)}
    try:
        run_init(config_file, "--yes", *(["--append"] if append else []), environment=environment, is_quiet=True)
    except InitializeError as error:
        raise DemoError(f"the demo session in {config_file.parent} could not be made: {error}") from error


def _picture_file(file_name: str) -> Path:
    import skimage

    # Read as a file: skimage.data would look for a newer copy on the network.
    return Path(skimage.__file__).parent / "data" / file_name


def _tiles(file: Path, width: int, height: int) -> Iterator[Image.Image]:
    """They cover the picture without overlap; a rest at the right and lower edge is left out."""
    with Image.open(file) as picture:
        picture.load()
        for top in range(0, picture.height - height + 1, height):
            for left in range(0, picture.width - width + 1, width):
                yield picture.crop((left, top, left + width, top + height))
