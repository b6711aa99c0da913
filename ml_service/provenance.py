"""Where a checkpoint comes from, as far as every one of them says it. Imports no torch."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import CheckpointKind
from db.queries.session_info import TrainingSettings, get_session_info, training_settings
from db.tables.session import LabelClass
from ml_service.checkpoint_description import Code, Description
from ml_service.data_snapshot import DataSnapshot

if TYPE_CHECKING:
    from ml_service.context import Context

LIBRARIES = ("numpy", "scipy", "torch", "safetensors", "opencv-contrib-python-headless")
"""Those whose version can change a number of a head."""
GIT_LIMIT_S = 5.0


@cache
def code_version() -> Code:
    """Of this process; asked once."""
    versions = {name: found for name in LIBRARIES if (found := _version(name)) is not None}
    return Code(
        fewclick=_version("fewclick") or "source",
        commit=_commit(Path(__file__).resolve().parent.parent),
        libraries={"python": platform.python_version()} | versions,
    )


def describe(
    context: Context,
    db_session: Session,
    snapshot: DataSnapshot,
    *,
    kind: CheckpointKind,
    head_kind: str,
    class_ids: Sequence[int],
    revisions: Mapping[int, int],
    label_sequence: int,
    metrics: dict[str, Any],
    run_id: int | None = None,
    parent_id: int | None = None,
    training: TrainingSettings | None = None,
) -> Description:
    """What the JSON of a new checkpoint says.

    Args:
        label_sequence: `SessionInfo.label_sequence` that it has learned from.
        training: parameters that it was trained by; left out, those of the session as they are now.
    """
    settings = training or training_settings(get_session_info(db_session))
    classes = {c.id: c for c in db_session.scalars(select(LabelClass).where(LabelClass.id.in_(class_ids)))}
    return Description(
        head_kind=head_kind,
        class_ids=tuple(class_ids),
        class_names=tuple(classes[class_id].name for class_id in class_ids),
        class_colors=tuple(classes[class_id].color for class_id in class_ids),
        extractor=context.extractor.to_json(),
        task=context.task.name,
        dataset_hash=snapshot.hash,
        n_labels=snapshot.n_labels,
        revisions=dict(revisions),
        label_sequence=label_sequence,
        metrics=metrics,
        config={"training": settings.model_dump(mode="json"), "live_head": asdict(context.parts.live_config)},
        seed=context.settings.seed,
        code=code_version(),
        created_at=utc_now(),
        created_by="live" if kind is CheckpointKind.LIVE else "run",
        run_id=run_id,
        parent_id=parent_id,
    )


def row_facts(description: Description) -> dict[str, Any]:
    """What of a description stands in the row too, so that lists need not read files."""
    return {
        "dataset_hash": description.dataset_hash,
        "label_sequence": description.label_sequence,
        "n_labels": description.n_labels,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit(root: Path) -> str | None:
    if not (root / ".git").exists():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    if commit is None:
        return None
    return commit + ("+" if _git(root, "status", "--porcelain", "--untracked-files=no") else "")


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=GIT_LIMIT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
