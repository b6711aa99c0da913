"""Images as rows: committed in batches, so that a kill at any moment loses nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from sqlalchemy import insert, select

from db.database import Database
from db.enums import FeatureState
from db.tables.images import Image
from initialization.inspect_ahead import AheadOfTime
from initialization.inspection import FileFacts, inspect_file
from initialization.sources import PlannedImage
from models.preprocessing import DEFAULT, Preprocessing

BATCH = 500
THREADS = 4


def register_images(
    database: Database,
    root: Path,
    images: Iterable[PlannedImage],
    unavailable: Mapping[str, str],
    advance: Callable[[int], None],
    *,
    preprocessing: Preprocessing = DEFAULT,
    ahead: AheadOfTime | None = None,
) -> int:
    """Add a row for each image that has none yet; rows that exist stay as they are.

    Args:
        unavailable: Reasons, by path, of images that could not be fetched.
        ahead: What is known of the files already.

    Returns:
        How many rows are new.
    """
    with database.read() as db_session:
        known = set(db_session.scalars(select(Image.path)))
    planned = list(images)
    new = [image for image in planned if image.path not in known]
    advance(len(planned) - len(new))
    with ThreadPoolExecutor(THREADS, thread_name_prefix="register") as pool:
        for batch in _batches(new):
            facts = pool.map(lambda image: _facts(root, image, unavailable, preprocessing, ahead), batch)
            rows = [_row(image, fact) for image, fact in zip(batch, facts, strict=True)]
            with database.write() as db_session:
                db_session.execute(insert(Image), rows)
            advance(len(batch))
    return len(new)


def _batches(images: list[PlannedImage]) -> Iterable[list[PlannedImage]]:
    return (images[start : start + BATCH] for start in range(0, len(images), BATCH))


def _facts(
    root: Path,
    image: PlannedImage,
    unavailable: Mapping[str, str],
    preprocessing: Preprocessing,
    ahead: AheadOfTime | None,
) -> FileFacts:
    reason = unavailable.get(image.path)
    if reason:
        return FileFacts(failure=reason)
    known = ahead.get(image.path) if ahead is not None else None
    return known or inspect_file(root / image.path, preprocessing)


def _row(image: PlannedImage, facts: FileFacts) -> dict[str, Any]:
    return {
        "path": image.path,
        "content_hash": facts.content_hash,
        "width": facts.width,
        "height": facts.height,
        "file_size": facts.file_size,
        "file_mtime_ns": facts.file_mtime_ns,
        "features": FeatureState.FAILED if facts.failure else FeatureState.PENDING,
        "failure": facts.failure,
        "random_key": random_key(image.path),
        "extra": image.extra,
    }


def random_key(path: str) -> float:
    """Uniform in [0, 1), and the same whenever an image is registered: a resumed run gives the same session."""
    return int.from_bytes(hashlib.sha256(path.encode()).digest()[:6], "big") / 2**48
