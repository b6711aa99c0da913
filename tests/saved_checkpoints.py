"""Checkpoints as an ML service leaves them, without one: for tests of what lists and compares them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from db.database import Database
from db.enums import CheckpointKind, Origin, Split
from db.queries.checkpoints import newest_checkpoint_id, save_checkpoint_row
from db.tables.learning import Checkpoint
from db.tables.session import SessionInfo
from ml_service.checkpoint import save_checkpoint
from ml_service.checkpoint_description import Description, checkpoint_path
from ml_service.data_snapshot import DataSnapshot, SnapshotImage, SnapshotTarget
from ml_service.heads.live import CLASSIFICATION, LiveHead
from ml_service.heads.scaler import FeatureScaler
from ml_service.provenance import code_version, row_facts
from models.base import ExtractorInfo

Labels = Sequence[tuple[int, int]]
"""(image id, class id)"""


def snapshot_of(labels: Labels, held_out: Sequence[int] = ()) -> DataSnapshot:
    """One label an image."""
    return DataSnapshot(
        images=tuple(
            SnapshotImage(
                id=image_id,
                content_hash=f"{image_id:064d}",
                width=40,
                height=30,
                split=Split.VALIDATION if image_id in held_out else Split.TRAIN,
                targets=(SnapshotTarget(class_id=class_id, origin=Origin.HUMAN, x=0.0, y=0.0),),
            )
            for image_id, class_id in labels
        )
    )


def put_checkpoint(
    folder: Path,
    database: Database,
    stem: str,
    labels: Labels = ((1, 1), (2, 2)),
    *,
    kind: CheckpointKind = CheckpointKind.LIVE,
    held_out: Sequence[int] = (),
    accuracy: float | None = None,
    label_sequence: int = 0,
    config: dict[str, Any] | None = None,
) -> int:
    """Write the files of a live head and register them; the id of the row."""
    with database.read() as db_session:
        info = db_session.get_one(SessionInfo, 1)
        parent_id = newest_checkpoint_id(db_session)
    extractor = ExtractorInfo.from_json(info.extractor)
    dim = extractor.dim if info.task.reads_patches else extractor.pooled_dim
    features = np.random.default_rng(len(stem)).normal(size=(20, dim)).astype(np.float32)
    head = LiveHead.fit(features, np.arange(20) % 2, None, 2, scaler=FeatureScaler.fit(features), config=CLASSIFICATION)
    measured = None if accuracy is None else {"accuracy": accuracy, "n_images": 4, "n_samples": 8, "loss": 1 - accuracy}
    snapshot = snapshot_of(labels, held_out)
    description = Description(
        head_kind="live",
        class_ids=(1, 2),
        class_names=("a", "b"),
        class_colors=("#FF0000", "#00FF00"),
        extractor=info.extractor,
        task=info.task.name,
        dataset_hash=snapshot.hash,
        n_labels=snapshot.n_labels,
        revisions={image_id: 1 for image_id, _class_id in labels},
        label_sequence=label_sequence,
        metrics={"held_out": measured},
        config=config or {"training": {"extracted_weight": 0.3, "seed": 1}},
        seed=0,
        code=code_version(),
        parent_id=parent_id,
        created_by="live" if kind is CheckpointKind.LIVE else "run",
    )
    path = checkpoint_path(stem)
    save_checkpoint(folder, path, head, description, snapshot)
    with database.write() as db_session:
        row, _ = save_checkpoint_row(db_session, kind, path, metrics=description.metrics, **row_facts(description))
        return row.id


def rows_of(database: Database) -> list[Checkpoint]:
    """All rows, by id."""
    with database.read() as db_session:
        return list(db_session.query(Checkpoint).order_by(Checkpoint.id))
