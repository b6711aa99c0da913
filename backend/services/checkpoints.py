"""Saved heads: list, inspect, name. The command line uses the same functions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.schemas.checkpoints import (
    CheckpointDetails,
    CheckpointOut,
    CheckpointPatch,
    ClassCounts,
    DataSummary,
    SnapshotImageOut,
    SnapshotPage,
)
from backend.services.plain_text import without_folders
from db.database import Database
from db.enums import CheckpointKind, Split
from db.errors import NotFoundError
from db.queries import checkpoints
from db.queries.session_info import get_session_info
from db.tables.images import Image
from db.tables.learning import Checkpoint
from db.tables.session import LabelClass
from ml_service.checkpoint_description import Description, locate, read_description
from ml_service.data_snapshot import DataSnapshot, load_snapshot, snapshot_path
from ml_service.errors import CheckpointError
from models.adapter_files import read_adapter
from models.errors import WeightsError

HEAVY_METRICS = ("figures",)
"""Left out of lists."""


@dataclass(frozen=True)
class Shelf:
    """Where the checkpoints of a session are."""

    database: Database
    session_dir: Path


@dataclass(frozen=True)
class CheckpointPage:
    """Some of them, newest first."""

    items: list[CheckpointOut]
    next_cursor: int | None
    """None on the last page."""
    total: int


def list_page(shelf: Shelf, *, cursor: int | None = None, limit: int | None = None) -> CheckpointPage:
    """Those with an id below `cursor`; all of them without a limit."""
    with shelf.database.read() as db_session:
        wanted = None if limit is None else limit + 1
        rows = checkpoints.list_checkpoints(db_session, below=cursor, limit=wanted)
        shown = rows[:limit]
        return CheckpointPage(
            items=outline(shelf, db_session, shown),
            next_cursor=shown[-1].id if len(shown) < len(rows) else None,
            total=checkpoints.count_checkpoints(db_session),
        )


def get_details(shelf: Shelf, checkpoint_id: int) -> CheckpointDetails:
    """One, with its provenance.

    Raises:
        NotFoundError: there is none with this id.
    """
    with shelf.database.read() as db_session:
        checkpoint = checkpoints.get_checkpoint(db_session, checkpoint_id)
        (short,) = outline(shelf, db_session, [checkpoint])
        problem = why_not(shelf, db_session, checkpoint)
        names, colors = class_looks(db_session)
    snapshot, data_problem = find_snapshot(shelf, checkpoint)
    return CheckpointDetails(
        **short.model_dump() | {"metrics": checkpoint.metrics},
        description=_raw_description(shelf, checkpoint),
        problem=problem,
        data=None if snapshot is None else _summary(shelf, snapshot, names, colors),
        data_problem=data_problem,
    )


def get_data(shelf: Shelf, checkpoint_id: int, offset: int, limit: int) -> SnapshotPage:
    """Images of its data snapshot, by id.

    Raises:
        NotFoundError: there is no such checkpoint, or its snapshot was not kept.
    """
    with shelf.database.read() as db_session:
        checkpoint = checkpoints.get_checkpoint(db_session, checkpoint_id)
        snapshot, problem = find_snapshot(shelf, checkpoint)
        if snapshot is None:
            raise NotFoundError(f"checkpoint {checkpoint_id} has no data snapshot: {problem}")
        shown = snapshot.images[offset : offset + limit]
        wanted = Image.id.in_([image.id for image in shown])
        paths = {row.content_hash: row.path for row in db_session.scalars(select(Image).where(wanted))}
    revisions = _revisions(shelf, checkpoint)
    items = [
        SnapshotImageOut(
            id=image.id,
            path=paths.get(image.content_hash),
            revision=revisions.get(image.id),
            split=image.split,
            by_class={k: sum(n.values()) for k, n in DataSnapshot(images=(image,)).counts().items()},
        )
        for image in shown
    ]
    return SnapshotPage(items=items, total=len(snapshot.images))


def change(shelf: Shelf, checkpoint_id: int, patch: CheckpointPatch) -> CheckpointOut:
    """Name, unname, pin or unpin.

    Raises:
        NotFoundError: there is none with this id.
        InvalidInputError: the name cannot be shown.
    """
    with shelf.database.write() as db_session:
        checkpoint = checkpoints.get_checkpoint(db_session, checkpoint_id)
        if "name" in patch.model_fields_set:
            checkpoints.rename(checkpoint, patch.name)
        if patch.pinned is not None:
            checkpoint.pinned = patch.pinned
        db_session.flush()
        return outline(shelf, db_session, [checkpoint])[0]


def outline(shelf: Shelf, db_session: Session, rows: list[Checkpoint]) -> list[CheckpointOut]:
    """As lists show them."""
    in_force = checkpoints.head_in_force(db_session)
    can_roll_back = any(True for _head in ways_back(shelf, db_session))
    return [
        CheckpointOut(
            id=row.id,
            kind=row.kind,
            name=row.name,
            pinned=row.pinned,
            active=row.active,
            in_force=in_force is not None and in_force.id == row.id,
            head_version=row.head_version,
            parent_id=row.parent_id,
            run_id=row.run_id,
            metrics={key: value for key, value in row.metrics.items() if key not in HEAVY_METRICS},
            n_labels=row.n_labels,
            dataset_hash=row.dataset_hash,
            label_sequence=row.label_sequence,
            size_bytes=_size(shelf, row),
            created_at=row.created_at,
            activated_at=row.activated_at,
            can_roll_back=can_roll_back,
        )
        for row in rows
    ]


def ways_back(shelf: Shelf, db_session: Session) -> Iterator[Checkpoint | None]:
    """Heads that can predict again, of those that did before the present one, the last first."""
    for head in checkpoints.earlier_heads(db_session):
        if head is None or why_not(shelf, db_session, head) is None:
            yield head


def why_not(shelf: Shelf, db_session: Session, checkpoint: Checkpoint) -> str | None:
    """Why a checkpoint cannot predict in this session; None if it can, as far as is seen without its arrays."""
    if checkpoint.kind is CheckpointKind.ADAPTER:
        return "it is an adapter of the extractor, no head: docs/finetuning.md tells how to adopt it"
    if _size(shelf, checkpoint) is None:
        return "its file is gone, choose another one"
    try:
        description = read_description(shelf.session_dir, checkpoint.path)
    except CheckpointError as error:
        return without_folders(str(error))
    info = get_session_info(db_session)
    if description.task not in (None, info.task.name):
        return f"it is of the task {description.task}, this session's is {info.task.name}"
    if description.extractor != json.loads(json.dumps(info.extractor)):
        found, wanted = description.extractor, info.extractor
        return (
            f"it was trained on features of {found.get('name')} (resize {found.get('resize')}), this session has "
            f"{wanted.get('name')} (resize {wanted.get('resize')}): choose another one"
        )
    return None


def find_snapshot(shelf: Shelf, checkpoint: Checkpoint) -> tuple[DataSnapshot | None, str | None]:
    """What it was trained on, or why that is not known."""
    if checkpoint.dataset_hash is None:
        return None, "it was saved by an earlier version, which kept no data snapshot"
    try:
        return load_snapshot(shelf.session_dir, checkpoint.dataset_hash), None
    except CheckpointError as error:
        return None, without_folders(str(error))


def class_looks(db_session: Session) -> tuple[dict[int, str], dict[int, str]]:
    """Names and colours by id, of all classes that ever were."""
    rows = db_session.execute(select(LabelClass.id, LabelClass.name, LabelClass.color)).all()
    return {row.id: row.name for row in rows}, {row.id: row.color for row in rows}


def _size(shelf: Shelf, checkpoint: Checkpoint) -> int | None:
    try:
        is_adapter = checkpoint.kind is CheckpointKind.ADAPTER
        weights = (shelf.session_dir / checkpoint.path) if is_adapter else locate(shelf.session_dir, checkpoint.path)
        return weights.stat().st_size if weights.is_file() else None
    except (CheckpointError, OSError):
        return None


def _revisions(shelf: Shelf, checkpoint: Checkpoint) -> dict[int, int]:
    try:
        return read_description(shelf.session_dir, checkpoint.path).revisions
    except CheckpointError:
        return {}


def _raw_description(shelf: Shelf, checkpoint: Checkpoint) -> dict[str, Any]:
    """What can be shown of the JSON: checked, so that it holds nothing but what a description has."""
    try:
        if checkpoint.kind is CheckpointKind.ADAPTER:
            return read_adapter(locate(shelf.session_dir, checkpoint.path)).description.provenance
        description: Description = read_description(shelf.session_dir, checkpoint.path)
    except (CheckpointError, WeightsError):
        return {}
    return description.model_dump(mode="json")


def _summary(shelf: Shelf, snapshot: DataSnapshot, names: dict[int, str], colors: dict[int, str]) -> DataSummary:
    held_out = DataSnapshot(images=tuple(snapshot.part(Split.VALIDATION))).counts()
    return DataSummary(
        n_images=len(snapshot.images),
        n_training_images=len(snapshot.part(Split.TRAIN)),
        n_validation_images=len(snapshot.part(Split.VALIDATION)),
        n_labels=snapshot.n_labels,
        by_class=[
            ClassCounts(
                class_id=class_id,
                name=names.get(class_id, f"class {class_id}"),
                color=colors.get(class_id, "#808080"),
                by_origin=by_origin,
                total=sum(by_origin.values()),
                held_out=sum(held_out.get(class_id, {}).values()),
            )
            for class_id, by_origin in snapshot.counts().items()
        ],
        size_bytes=snapshot_path(shelf.session_dir, snapshot.hash).stat().st_size,
    )
