"""The feature store of a session, opened as its settings say and ready to be written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sqlalchemy import select

from db.database import Database
from db.enums import FeatureState
from db.tables.images import Image
from initialization.compute import EXTRACTOR_ERRORS
from initialization.config import SessionConfig
from models.base import FeatureExtractor
from models.errors import ImageReadError
from models.feature_store import FeatureStore, open_store
from models.images import read_image
from models.preprocessing import preprocessing_of

FITTED_ON = 16
"""Images, spread evenly over the session, from which a form learns what features look like."""


def open_features(
    session_dir: Path, config: SessionConfig, extractor: FeatureExtractor, database: Database, root: Path
) -> FeatureStore:
    """The store; where its form has to be fitted first, on images of the session, that is done now.

    Raises:
        FeatureMismatchError: there are features already, and they are not as the settings say.
    """
    store = open_store(session_dir, extractor.info, config.store_settings())
    if store.lacks_projection and config.task.reads_patches:
        store.fit(_maps(_spread(database), root, extractor))
    return store


def _maps(paths: list[str], root: Path, extractor: FeatureExtractor) -> Iterator[npt.NDArray[np.float32]]:
    """Patch features of the images that can be read."""
    preprocessing = preprocessing_of(extractor.info.options)
    for path in paths:
        try:
            pixels = read_image(root / path, preprocessing=preprocessing)
            patches = extractor.extract([pixels], pooled=False)[0].patches
        except (ImageReadError, MemoryError, *EXTRACTOR_ERRORS):
            continue  # told, with the reason, when its turn comes
        if patches is not None and np.isfinite(patches).all():
            yield patches


def _spread(database: Database) -> list[str]:
    """Paths of images, the same for the same session, whatever has been extracted by now."""
    with database.read() as db_session:
        readable = select(Image.path).where(Image.features != FeatureState.FAILED)
        paths = list(db_session.scalars(readable.order_by(Image.id)))
    count = min(FITTED_ON, len(paths))
    return [paths[index * len(paths) // count] for index in range(count)]
