"""Feature folders of other extractors, left behind when a session was made again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.feature_manifest import MANIFEST_NAME
from models.feature_storage import folders_in
from models.feature_store import FeatureStore


@dataclass(frozen=True)
class Abandoned:
    """A folder of features that the session does not use."""

    folder: Path
    size: int
    """Bytes."""


def find_abandoned(store: FeatureStore) -> list[Abandoned]:
    """The folders beside the store's own that hold features too; others are none of our business."""
    return [
        Abandoned(folder, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))
        for folder in folders_in(store.folder.parent)
        if folder != store.folder and not folder.is_symlink() and (folder / MANIFEST_NAME).is_file()
    ]


def remove_abandoned(folders: Sequence[Abandoned]) -> None:
    """Remove them; the manifest last, so that a folder half removed is still known for what it is."""
    for each in folders:
        for path in each.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != MANIFEST_NAME:
                path.unlink()
        (each.folder / MANIFEST_NAME).unlink()
        each.folder.rmdir()
