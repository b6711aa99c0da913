"""Saved heads: arrays in safetensors, everything else in JSON beside it. Nothing is ever unpickled.

Written in this order, each file durable before the next: the data snapshot, the arrays, the JSON, and after them the
row. The JSON holds the hash of the arrays, so a pair is either whole or refused. A new state of a checkpoint gets a new
file name; no file is ever changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError
from safetensors.numpy import load, save

from db.tasks import Task
from ml_service.checkpoint_description import Description, locate, missing, read_json_file, to_text
from ml_service.data_snapshot import DataSnapshot, save_snapshot
from ml_service.errors import CheckpointError
from ml_service.heads.base import Head
from ml_service.heads.scaler import FeatureScaler
from ml_service.task_factory import TaskParts
from models.base import ExtractorInfo
from models.errors import FeatureMismatchError
from models.feature_store import write_atomically

MAX_ARRAY_BYTES = 1 << 30
"""Of the safetensors file. Heads have kilobytes to some megabytes: more is no head of this program."""
MAX_HEADER_BYTES = 1 << 20
"""Of the JSON header in it, which lists a handful of arrays."""


def save_checkpoint(
    session_dir: Path, path: str, head: Head, description: Description, snapshot: DataSnapshot | None = None
) -> None:
    """Write the files, durably.

    Args:
        path: of the safetensors file, relative to the session folder.
        snapshot: what the head was trained on; its hash is the description's.
    """
    if snapshot is not None:
        save_snapshot(session_dir, snapshot)
    arrays = save({name: np.ascontiguousarray(value) for name, value in head.state().items()})
    target = locate(session_dir, path)
    write_atomically(target, arrays)
    text = to_text(description, hashlib.sha256(arrays).hexdigest())
    write_atomically(target.with_suffix(".json"), text.encode())


def load_head(
    session_dir: Path, path: str, parts: TaskParts, extractor: ExtractorInfo, task: Task | None = None
) -> tuple[Head, Description]:
    """The head of a checkpoint.

    Args:
        task: that it must be of; None takes it to be that of the parts.

    Raises:
        CheckpointError: files are missing, damaged, or not of this program.
        FeatureMismatchError: it was trained on features other than the session's.
    """
    return load_head_file(locate(session_dir, path), parts, extractor, task)


def load_head_file(
    target: Path, parts: TaskParts, extractor: ExtractorInfo, task: Task | None = None
) -> tuple[Head, Description]:
    """As `load_head`, from a pair of files that may lie anywhere."""
    written = read_json_file(target.with_suffix(".json"))
    description = written.description
    if task is not None and description.task not in (None, task.name):
        raise CheckpointError(
            f"{target} is of the task {description.task}, expected {task.name}: activate another checkpoint"
        )
    _check_extractor(target.name, description.extractor, extractor)
    arrays = _read(target)
    found = hashlib.sha256(arrays).hexdigest()
    if found != written.sha256:
        raise CheckpointError(
            f"{target} has SHA-256 {found[:12]}..., its JSON expects {written.sha256[:12]}...: it is damaged, "
            "use another"
        )
    try:
        state: Mapping[str, npt.NDArray[np.generic]] = load(arrays)
        _check_finite(state)
        head = parts.restore_head(description.head_kind, state, len(description.class_ids))
        _check_state(state, head.state())
        _check_groups(head)
        _check_output(head, parts.dim, len(description.class_ids))
    except (SafetensorError, LookupError, TypeError, ValueError, RuntimeError, OverflowError, MemoryError) as error:
        raise CheckpointError(
            f"{target} holds no {description.head_kind} head of this program ({_first_line(error)}): activate another "
            "checkpoint"
        ) from error
    return head, description


def _read(path: Path) -> bytes:
    """The whole file, if it can be one of ours at all: looked at before memory is given away."""
    try:
        size = path.stat().st_size
        if size > MAX_ARRAY_BYTES:
            raise CheckpointError(f"{path} has {size:,} bytes, a head at most {MAX_ARRAY_BYTES:,}: not read")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise missing(path) from error
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}): activate another checkpoint") from error
    header = int.from_bytes(data[:8], "little")
    if len(data) >= 8 and header > MAX_HEADER_BYTES:
        raise CheckpointError(
            f"{path} is damaged, or no safetensors file of this program: it announces a header of {header:,} bytes, "
            f"at most {MAX_HEADER_BYTES:,} are read"
        )
    return data


def _check_finite(state: Mapping[str, npt.NDArray[np.generic]]) -> None:
    for name, value in state.items():
        if np.issubdtype(value.dtype, np.inexact) and not np.isfinite(value).all():
            raise ValueError(f"{name} holds values that are not finite")


def _check_state(found: Mapping[str, npt.NDArray[np.generic]], expected: Mapping[str, npt.NDArray[np.generic]]) -> None:
    """The arrays must be those that the head itself would write: nothing is converted, nothing left over."""
    if found.keys() != expected.keys():
        raise ValueError(f"found the arrays {sorted(found)}, expected {sorted(expected)}")
    for name, value in found.items():
        wanted = expected[name]
        if value.dtype != wanted.dtype or value.shape != wanted.shape:
            raise ValueError(
                f"{name} is {value.dtype} of shape {value.shape}, expected {wanted.dtype} of shape {wanted.shape}"
            )


def _check_groups(head: Head) -> None:
    """The channel groups must be a partition: slices made of other numbers would go unnoticed."""
    scaler = getattr(head, "scaler", None)
    if isinstance(scaler, FeatureScaler) and (
        min(scaler.group_sizes, default=0) < 1 or sum(scaler.group_sizes) != len(scaler.mean)
    ):
        raise ValueError(f"its channel groups {scaler.group_sizes} are no partition of {len(scaler.mean)} channels")


def _check_output(head: Head, dim: int, n_classes: int) -> None:
    """What it says of features of zeros: a number for each class. Finds whatever else does not fit together."""
    logits = head.logits(np.zeros((2, 2, dim), np.float32))
    if logits.shape != (2, 2, n_classes) or not np.isfinite(logits).all():
        raise ValueError(f"it gives logits of shape {logits.shape[2:]}, expected {n_classes} finite ones")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _check_extractor(path: str, found: dict[str, Any], expected: ExtractorInfo) -> None:
    wanted = json.loads(json.dumps(expected.to_json()))
    if found == wanted:
        return
    names = " and ".join(sorted(key for key in wanted if found.get(key) != wanted[key]))
    raise FeatureMismatchError(
        f"checkpoint {path} was trained on features with D={found.get('dim')} ({found.get('name')}, "
        f"resize {found.get('resize')}), this session has {expected.dim} ({expected.name}, resize {expected.resize}); "
        f"they differ in {names or 'what is not known here'}: activate another checkpoint, or make a session with that "
        "extractor"
    )
