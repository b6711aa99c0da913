from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator

import pytest

from backend.services.export import as_png_masks, as_yolo
from backend.services.session_snapshot import read_snapshot
from tests.conftest import ReadySession


def predict(session: ReadySession, version: int) -> None:
    """Of all images, as the ML service does: the maps of before are removed."""
    for image_id in session.image_ids:
        session.add_prediction(image_id, version=version)
        for old in (session.folder / "predictions").rglob(f"{image_id}.*.npy"):
            if old.name != f"{image_id}.{version}.npy":
                old.unlink()


@pytest.mark.parametrize("stream", [as_png_masks.stream, as_yolo.stream])
def test_stream__takes_what_the_head_has_learned_since(
    segmentation_session: ReadySession, stream: Callable[..., Iterator[bytes]]
) -> None:
    predict(segmentation_session, 1)
    with segmentation_session.database.read() as db_session:
        snapshot = read_snapshot(db_session, segmentation_session.folder)
        parts = stream(db_session, snapshot, None, None)
        content = next(parts)
        for version in (2, 3):
            predict(segmentation_session, version)
            content += next(parts)
        content += b"".join(parts)
    names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    assert len([name for name in names if name.startswith(("masks/", "labels/"))]) == len(
        segmentation_session.image_ids
    )
