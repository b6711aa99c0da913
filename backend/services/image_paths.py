"""From the path in the database to a file that may be shown."""

from __future__ import annotations

from pathlib import Path

from db.errors import NotFoundError


def image_path(image_root: Path, relative: str) -> Path:
    """The file of an image, inside the image folder.

    Args:
        image_root: resolved; may itself have been reached through a link.

    Raises:
        NotFoundError: the file is gone, or the path or a link in it leads out of the image folder.
    """
    path = (image_root / relative).resolve()
    if not path.is_relative_to(image_root):
        raise NotFoundError(
            f"{relative} leads out of the image folder and is not served: copy the file into it, not a link to it"
        )
    if not path.is_file():
        raise NotFoundError(f"{relative} is gone from the image folder: put the file back")
    return path
