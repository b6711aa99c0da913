"""Saved heads: arrays in safetensors, everything else in JSON beside it. Nothing is ever unpickled.

The JSON is written last and holds the hash of the arrays, so a pair is either whole or refused. A new state of a
checkpoint gets a new file name; no file is ever changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from ml_service.errors import CheckpointError
from ml_service.heads.base import Head
from ml_service.task_factory import TaskParts
from models.base import ExtractorInfo
from models.errors import FeatureMismatchError
from models.feature_store import write_atomically

FORMAT_VERSION = 1
FOLDER = "checkpoints"


@dataclass(frozen=True)
class Description:
    """What the JSON says."""

    head_kind: str
    """live, linear or nonlinear."""
    class_ids: tuple[int, ...]
    class_names: tuple[str, ...]
    extractor: dict[str, Any]
    """`ExtractorInfo.to_json()`."""
    dataset_hash: str
    """Identity of the labels it was trained on."""
    revisions: dict[int, int]
    """By image id, the annotation revision it has learned from."""
    metrics: dict[str, Any] = field(default_factory=dict)
    run_id: int | None = None
    parent_id: int | None = None


def checkpoint_path(stem: str) -> str:
    """Path of the safetensors file relative to the session folder."""
    return f"{FOLDER}/{stem}.safetensors"


def save_checkpoint(session_dir: Path, path: str, head: Head, description: Description) -> None:
    """Write both files, durably.

    Args:
        path: of the safetensors file, relative to the session folder.
    """
    arrays = save({name: np.ascontiguousarray(value) for name, value in head.state().items()})
    target = session_dir / path
    write_atomically(target, arrays)
    content = {"format_version": FORMAT_VERSION, "sha256": hashlib.sha256(arrays).hexdigest()} | asdict(description)
    write_atomically(target.with_suffix(".json"), json.dumps(content, indent=2).encode())


def read_description(session_dir: Path, path: str) -> Description:
    """What a checkpoint is, without its arrays.

    Raises:
        CheckpointError: the JSON is missing or not of this program.
    """
    return _parse(session_dir / path)[0]


def load_head(session_dir: Path, path: str, parts: TaskParts, extractor: ExtractorInfo) -> tuple[Head, Description]:
    """The head of a checkpoint.

    Raises:
        CheckpointError: files are missing, damaged, or not of this program.
        FeatureMismatchError: it was trained on features other than the session's.
    """
    target = session_dir / path
    description, sha256 = _parse(target)
    _check_extractor(path, description.extractor, extractor)
    arrays = _read(target)
    found = hashlib.sha256(arrays).hexdigest()
    if found != sha256:
        raise CheckpointError(
            f"{target} has SHA-256 {found[:12]}..., its JSON expects {sha256[:12]}...: it is damaged, use another"
        )
    try:
        state: Mapping[str, npt.NDArray[np.generic]] = load(arrays)
        head = parts.restore_head(description.head_kind, state, len(description.class_ids))
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(
            f"{target} holds no {description.head_kind} head of this program ({error}): activate another checkpoint"
        ) from error
    return head, description


def remove_checkpoint_files(session_dir: Path, path: str) -> None:
    """Remove both files of a checkpoint that no row names any more."""
    target = session_dir / path
    target.unlink(missing_ok=True)
    target.with_suffix(".json").unlink(missing_ok=True)


def _parse(target: Path) -> tuple[Description, str]:
    source = target.with_suffix(".json")
    try:
        content = json.loads(_read(source))
        if content.pop("format_version") != FORMAT_VERSION:
            raise ValueError(f"format_version is not {FORMAT_VERSION}")
        sha256 = str(content.pop("sha256"))
        content["class_ids"] = tuple(content["class_ids"])
        content["class_names"] = tuple(content["class_names"])
        # JSON has text keys only.
        content["revisions"] = {int(image_id): revision for image_id, revision in content["revisions"].items()}
        return Description(**content), sha256
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{source} does not describe a checkpoint of this program ({error}): activate another checkpoint"
        ) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise CheckpointError(f"{path} is missing: activate another checkpoint, or put the file back") from error


def _check_extractor(path: str, found: dict[str, Any], expected: ExtractorInfo) -> None:
    wanted = json.loads(json.dumps(expected.to_json()))
    if found == wanted:
        return
    names = " and ".join(sorted(key for key in wanted if found.get(key) != wanted[key]))
    raise FeatureMismatchError(
        f"checkpoint {path} was trained on features with D={found.get('dim')} ({found.get('name')}, "
        f"resize {found.get('resize')}), this session has {expected.dim} ({expected.name}, resize {expected.resize}); "
        f"they differ in {names}: activate another checkpoint, or make a session with that extractor"
    )
