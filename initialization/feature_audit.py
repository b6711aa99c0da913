"""Are image files and stored features as the database says? Reads only; `repair` has faults made good."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.enums import FeatureState, ImageStatus
from db.queries.extraction_results import size_conflict
from db.queries.feature_repair import compute_anew, forget_predictions, refuse_images
from db.tables.images import Image
from initialization.inspection import FileFacts, inspect_file
from models.errors import FeatureMismatchError
from models.feature_storage import Entry, Tier
from models.feature_store import FeatureStore
from models.geometry import make_grid
from models.preprocessing import preprocessing_of

THREADS = 4


class Fault(StrEnum):
    """What can be wrong."""

    IMAGE_MISSING = "image missing"
    IMAGE_CHANGED = "image changed"
    IMAGE_RESIZED = "image resized under annotations"
    FEATURES_MISSING = "features missing"
    FEATURES_DAMAGED = "features damaged"
    ORPHANED = "no image"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    fault: Fault
    where: str
    """Path of the image, or name of the stored file."""
    detail: str
    image_id: int | None = None


@dataclass(frozen=True)
class AuditRow:
    """What the database says of an image."""

    id: int
    path: str
    facts: FileFacts
    features: FeatureState
    pooled_ready: bool
    is_labelled: bool

    @property
    def content_hash(self) -> str:
        """Empty if the file could never be read."""
        return self.facts.content_hash or ""


@dataclass(frozen=True)
class Audit:
    """What was found."""

    images: int
    unknown: int
    """Images of which neither size nor time is on record, and whose files were not read."""
    findings: tuple[Finding, ...]
    orphans: tuple[Entry, ...]
    """Stored for no image of the session; told of apart, since there may be very many."""

    @property
    def is_clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and not self.orphans


def read_rows(db_session: Session) -> list[AuditRow]:
    """All images in order."""
    return [
        AuditRow(
            image.id,
            image.path,
            FileFacts(image.content_hash, image.width, image.height, image.file_size, image.file_mtime_ns),
            image.features,
            image.pooled_ready,
            image.status is ImageStatus.LABELED,
        )
        for image in db_session.scalars(select(Image).order_by(Image.id))
    ]


def audit(
    rows: Sequence[AuditRow],
    root: Path,
    store: FeatureStore,
    *,
    patches: bool,
    full: bool,
    advance: Callable[[int], None],
) -> Audit:
    """Look at every image file and all stored features.

    Args:
        patches: Whether the task reads patch features.
        full: Read every image file; else only those whose size or time differs from what is on record.
    """
    findings: list[Finding] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="audit") as pool:
        for found in pool.map(lambda row: list(_look_at(row, root, store, patches=patches, full=full)), rows):
            findings += found
            advance(1)
    unknown = 0 if full else sum(row.facts.file_size is None and row.facts.content_hash is not None for row in rows)
    return Audit(len(rows), unknown, tuple(findings), tuple(orphans(rows, store)))


def orphans(rows: Sequence[AuditRow], store: FeatureStore) -> Iterator[Entry]:
    """What is stored for none of these images; nothing in a place that other sessions may use too."""
    if store.manifest.is_shared:
        return
    known = {row.content_hash for row in rows}
    yield from (entry for entry in store.entries() if entry.content_hash not in known)


def repair(db_session: Session, findings: Sequence[Finding]) -> tuple[int, int]:
    """Have what can be made again made again; returns how many images, and how many were refused instead."""
    refused = {each.image_id: each.detail for each in findings if each.fault is Fault.IMAGE_RESIZED and each.image_id}
    reasons = (Fault.IMAGE_CHANGED, Fault.FEATURES_MISSING, Fault.FEATURES_DAMAGED)
    again = {each.image_id for each in findings if each.fault in reasons and each.image_id} - refused.keys()
    # Without the file nothing can be made: what is stored is all there is.
    again -= {each.image_id for each in findings if each.fault is Fault.IMAGE_MISSING}
    compute_anew(db_session, sorted(again))
    changed = {each.image_id for each in findings if each.fault is Fault.IMAGE_CHANGED and each.image_id}
    forget_predictions(db_session, sorted(changed & again))
    refuse_images(db_session, refused)
    return len(again), len(refused)


def _look_at(row: AuditRow, root: Path, store: FeatureStore, *, patches: bool, full: bool) -> Iterator[Finding]:
    yield from _look_at_file(row, root, store, full=full)
    wanted = []
    if patches and row.features is FeatureState.READY:
        wanted.append(Tier.PATCHES)
    if row.pooled_ready or (row.features is FeatureState.READY and not patches):
        wanted.append(Tier.POOLED)
    grid = None
    if row.facts.width and row.facts.height:
        cells = make_grid(row.facts.width, row.facts.height, store.info)
        grid = (cells.height, cells.width)
    for tier in wanted:
        if not store.storage.has(tier, row.content_hash):
            yield Finding(Fault.FEATURES_MISSING, row.path, f"no {tier} stored", row.id)
            continue
        try:
            store.check(tier, row.content_hash, grid)
        except FeatureMismatchError as error:
            # What to do stands below the table, once.
            yield Finding(Fault.FEATURES_DAMAGED, row.path, str(error).split(": run init", maxsplit=1)[0], row.id)


def _look_at_file(row: AuditRow, root: Path, store: FeatureStore, *, full: bool) -> Iterator[Finding]:
    path = root / row.path
    if not path.is_file():
        yield Finding(Fault.IMAGE_MISSING, row.path, "the file is not there", row.id)
        return
    if not row.content_hash or (not full and row.facts.fits(path)):
        return
    facts = inspect_file(path, preprocessing_of(store.info.options))
    if facts.content_hash == row.content_hash:
        return
    if facts.width is None or facts.height is None:
        yield Finding(Fault.IMAGE_CHANGED, row.path, facts.failure or "it cannot be read", row.id)
        return
    old, new = (row.facts.width, row.facts.height), (facts.width, facts.height)
    if old == new:
        yield Finding(Fault.IMAGE_CHANGED, row.path, "another content of the same size", row.id)
    elif row.is_labelled:
        yield Finding(Fault.IMAGE_RESIZED, row.path, size_conflict(row.path, old, new), row.id)
    else:
        detail = f"{old[0]} x {old[1]} pixels, now {new[0]} x {new[1]}"
        yield Finding(Fault.IMAGE_CHANGED, row.path, detail, row.id)
