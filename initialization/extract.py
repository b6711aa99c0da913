"""Features of every image: the file first, durable, then the row that says so."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from sqlalchemy import select, update

from db.database import Database
from db.models import FeatureState, Image
from db.queries.events import add_event
from db.queries.refits import note_arrivals
from initialization.inspection import inspect_file
from models.base import FeatureExtractor
from models.errors import ImageReadError
from models.feature_store import FeatureStore
from models.images import read_image
from models.preprocessing import preprocessing_of

LOOKAHEAD = 2
"""Images decoded ahead of the extractor; more would only cost memory."""
COMMIT_EVERY = 8
COMMIT_INTERVAL_S = 1.0
EXTRACTOR_ERRORS = (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError, cv2.error)
"""What a network raises on a picture that it cannot take; out of memory on an accelerator is a RuntimeError too."""


@dataclass(frozen=True)
class _Pending:
    """A row whose features are not ready."""

    id: int
    path: str
    content_hash: str | None
    width: int | None
    height: int | None
    failed: bool


@dataclass(frozen=True)
class _Outcome:
    """What becomes of a row."""

    id: int
    content_hash: str | None
    width: int | None
    height: int | None
    failure: str | None


@dataclass(frozen=True)
class _Decoded:
    """A row with its picture, or with the outcome that needs none."""

    row: _Pending
    content_hash: str
    pixels: npt.NDArray[np.uint8] | None
    outcome: _Outcome | None


def extract_features(
    database: Database,
    root: Path,
    store: FeatureStore,
    extractor: FeatureExtractor,
    advance: Callable[[int], None],
    *,
    patches: bool,
) -> None:
    """Make the features of every row that has none, earlier failures included, in the order of ids.

    Args:
        patches: False for pooled vectors only; a row is then ready as soon as that is there.
    """
    outcomes: list[_Outcome] = []
    last_commit = time.monotonic()
    for decoded in _decode_ahead(_pending(database), root, store, patches=patches):
        outcome = decoded.outcome or _extract_one(decoded, store, extractor, patches=patches)
        outcomes.append(outcome)
        advance(1)
        if len(outcomes) >= COMMIT_EVERY or time.monotonic() - last_commit > COMMIT_INTERVAL_S:
            _commit(database, outcomes)
            outcomes, last_commit = [], time.monotonic()
    _commit(database, outcomes)


def count_pending(database: Database) -> int:
    """How many images `extract_features` would look at."""
    return len(_pending(database))


def _pending(database: Database) -> list[_Pending]:
    columns = (Image.id, Image.path, Image.content_hash, Image.width, Image.height, Image.features)
    with database.read() as db_session:
        rows = db_session.execute(select(*columns).where(Image.features != FeatureState.READY).order_by(Image.id))
        return [
            _Pending(image_id, path, found_hash, width, height, failed=state is FeatureState.FAILED)
            for image_id, path, found_hash, width, height, state in rows
        ]


def _decode_ahead(rows: list[_Pending], root: Path, store: FeatureStore, *, patches: bool) -> Iterator[_Decoded]:
    """Each row decoded, a little ahead and in a thread, so that the extractor does not wait for the disk."""
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as pool:
        waiting: deque[Future[_Decoded]] = deque()
        try:
            for row in rows:
                waiting.append(pool.submit(_decode, row, root, store, patches=patches))
                if len(waiting) > LOOKAHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _decode(row: _Pending, root: Path, store: FeatureStore, *, patches: bool) -> _Decoded:
    path = root / row.path
    preprocessing = preprocessing_of(store.info.options)
    content_hash, width, height = row.content_hash, row.width, row.height
    if row.failed or content_hash is None:  # the file may have been repaired since
        facts = inspect_file(path, preprocessing)
        if facts.failure or facts.content_hash is None:
            return _Decoded(row, "", None, _Outcome(row.id, facts.content_hash, None, None, facts.failure))
        content_hash, width, height = facts.content_hash, facts.width, facts.height
    if store.has(content_hash, patches=patches) and not row.failed:  # by an equal file, or before a kill
        return _Decoded(row, content_hash, None, _Outcome(row.id, content_hash, width, height, None))
    try:
        return _Decoded(row, content_hash, read_image(path, preprocessing=preprocessing), None)
    except ImageReadError as error:
        return _Decoded(row, content_hash, None, _Outcome(row.id, content_hash, None, None, str(error)))
    except MemoryError:
        return _Decoded(row, content_hash, None, _Outcome(row.id, content_hash, None, None, _too_big(path.name)))


def _extract_one(decoded: _Decoded, store: FeatureStore, extractor: FeatureExtractor, *, patches: bool) -> _Outcome:
    assert decoded.pixels is not None
    height, width = decoded.pixels.shape[:2]
    name, failure = Path(decoded.row.path).name, None
    try:
        features = extractor.extract([decoded.pixels], patches=patches)[0]
    except EXTRACTOR_ERRORS as error:
        failure = f"{name}: {store.info.name} failed: {' '.join(str(error).split()) or type(error).__name__}"
    except MemoryError:
        failure = _too_big(name)
    else:
        try:
            store.write(decoded.content_hash, features)
        except ValueError:
            failure = f"{name}: {store.info.name} gave values that are not finite"
    return _Outcome(decoded.row.id, decoded.content_hash, width, height, failure)


def _too_big(name: str) -> str:
    return f"{name} needs more memory than there is: make it smaller, or cut it into tiles"


def _commit(database: Database, outcomes: list[_Outcome]) -> None:
    if not outcomes:
        return
    with database.write() as db_session:
        for outcome in outcomes:
            state = FeatureState.FAILED if outcome.failure else FeatureState.READY
            db_session.execute(
                update(Image)
                .where(Image.id == outcome.id)
                .values(
                    content_hash=outcome.content_hash,
                    width=outcome.width,
                    height=outcome.height,
                    features=state,
                    failure=outcome.failure,
                )
            )
        note_arrivals(db_session, [outcome.id for outcome in outcomes if outcome.failure is None])
        add_event(db_session, "features", image_ids=[outcome.id for outcome in outcomes])
