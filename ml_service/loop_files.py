"""A run at work, on the disk: arrays in safetensors, the rest in JSON beside it. Nothing is ever unpickled.

One state a run. The arrays get a new name each time, the JSON that names them is replaced last: whatever moment a
process is killed at, the JSON and its arrays belong together.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from db.queries.session_info import TrainingSettings
from ml_service.early_stopping import EarlyStopping
from ml_service.heads.scaler import FeatureScaler
from ml_service.run_files import arrays_named_by, state_path
from ml_service.training_loop import LoopState
from models.feature_store import write_atomically

logger = logging.getLogger(__name__)
FORMAT_VERSION = 1
MEMORY = ("means", "squares")
PLAIN = ("epoch", "labels_epoch", "position", "loss_sum", "weight_sum", "best_epoch", "reason")


@dataclass(frozen=True)
class SavedRun:
    """What a run needs to go on beside the state of its loop, which `restore` brings back."""

    settings: TrainingSettings
    extractor: dict[str, Any]
    """`ExtractorInfo.to_json()` of the features that it learned from."""
    scaler: FeatureScaler
    class_ids: tuple[int, ...]
    dataset_hash: str
    segments: tuple[dict[str, Any], ...]
    restore: Callable[[LoopState], None]
    """Into a fresh state of as many classes.

    Raises:
        KeyError, RuntimeError, ValueError: it does not fit.
    """


def save_loop(
    session_dir: Path,
    run_id: int,
    state: LoopState,
    *,
    settings: TrainingSettings,
    extractor: dict[str, Any],
    scaler: FeatureScaler,
    class_ids: tuple[int, ...],
    dataset_hash: str,
    segments: tuple[dict[str, Any], ...],
) -> None:
    """Write both files, durably, in place of those before."""
    path = state_path(session_dir, run_id)
    before = arrays_named_by(path)
    arrays_path = path.with_name(f"run-{run_id}-{state.epoch}-{state.position}.safetensors")
    if arrays_path.name == before:
        arrays_path = arrays_path.with_stem(f"{arrays_path.stem}-again")
    write_atomically(arrays_path, save(_arrays(state, scaler)))
    content = {
        "format_version": FORMAT_VERSION,
        "arrays": arrays_path.name,
        "settings": settings.model_dump(mode="json"),
        "extractor": extractor,
        "group_sizes": list(scaler.group_sizes),
        "class_ids": list(class_ids),
        "dataset_hash": dataset_hash,
        "segments": list(segments),
        "state": {name: getattr(state, name) for name in PLAIN},
        "optimizer_steps": state.optimizer.state_dict()["steps"],
        "best_loss": _to_json(state.best_loss),
        "reference_loss": _to_json(state.stopping.reference_loss),
        "checks_without_improvement": state.stopping.checks_without_improvement,
    }
    write_atomically(path, json.dumps(content, allow_nan=False).encode())
    if before is not None:
        path.with_name(before).unlink(missing_ok=True)


def load_loop(session_dir: Path, run_id: int) -> SavedRun | None:
    """The run as it was saved last; None if it never was, or not by this program."""
    path = state_path(session_dir, run_id)
    try:
        content = json.loads(path.read_bytes())
        if content["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format_version is {content['format_version']!r}, expected {FORMAT_VERSION}")
        arrays = load(path.with_name(Path(content["arrays"]).name).read_bytes())
        return SavedRun(
            settings=TrainingSettings.model_validate(content["settings"]),
            extractor=dict(content["extractor"]),
            scaler=FeatureScaler(
                _to_numpy(arrays["scaler.mean"]), _to_numpy(arrays["scaler.scale"]), tuple(content["group_sizes"])
            ),
            class_ids=tuple(content["class_ids"]),
            dataset_hash=str(content["dataset_hash"]),
            segments=tuple(content["segments"]),
            restore=lambda state: _restore(state, content, arrays),
        )
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError, SafetensorError) as error:
        logger.warning("%s cannot be used, so run %d starts from the beginning: %s", path.name, run_id, error)
        return None


def _arrays(state: LoopState, scaler: FeatureScaler) -> dict[str, Tensor]:
    arrays = {f"module.{name}": value for name, value in state.module.state_dict().items()}
    arrays |= {f"best.{name}": value for name, value in state.best_weights.items()}
    memory = state.optimizer.state_dict()
    for key in MEMORY:
        arrays |= {f"optimizer.{key}.{number}": value for number, value in enumerate(memory[key])}
    arrays |= {
        "generator": state.generator.get_state(),
        "order": torch.tensor(state.order, dtype=torch.int64),
        "scaler.mean": torch.from_numpy(scaler.mean),
        "scaler.scale": torch.from_numpy(scaler.scale),
    }
    return {name: value.detach().clone().contiguous() for name, value in arrays.items()}


def _restore(state: LoopState, content: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> None:
    count = len(_under(f"optimizer.{MEMORY[0]}.", arrays))
    memory = {key: [arrays[f"optimizer.{key}.{number}"] for number in range(count)] for key in MEMORY}
    stopping = EarlyStopping(
        state.stopping.patience,
        state.stopping.threshold,
        _from_json(content["reference_loss"]),
        int(content["checks_without_improvement"]),
    )
    state.restore(
        {name: content["state"][name] for name in PLAIN}
        | {
            "module": _under("module.", arrays),
            "optimizer": {"steps": int(content["optimizer_steps"])} | memory,
            "generator": arrays["generator"],
            "stopping": stopping,
            "order": arrays["order"].tolist(),
            "best_loss": _from_json(content["best_loss"]),
            "best_weights": _under("best.", arrays),
        }
    )


def _under(prefix: str, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _to_numpy(value: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.asarray(value.numpy(), dtype=np.float32)


def _to_json(loss: float) -> float | None:
    return loss if math.isfinite(loss) else None


def _from_json(loss: float | None) -> float:
    return math.inf if loss is None else float(loss)
