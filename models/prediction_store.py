"""Prediction maps as files that the database names: logits on the feature grid, made probabilities on reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from models.feature_store import npy_bytes, write_atomically
from models.geometry import resample, sample_bilinear, scale_between

MAPS_FOLDER = "predictions"
"""In the session folder."""
IMAGES_PER_FOLDER = 1000
"""Ids whose maps share one folder, which has the number of the first one divided by this for a name."""


def map_path(image_id: int, version: int) -> str:
    """Path relative to the session folder; a new name for each version, so that a reader never sees two mixed."""
    return f"{MAPS_FOLDER}/{image_id // IMAGES_PER_FOLDER:04d}/{image_id}.{version}.npy"


def write_map(session_dir: Path, image_id: int, version: int, logits: npt.NDArray[np.floating]) -> str:
    """Store logits (K, Hp, Wp) as float16 and return the relative path. Not fsynced: it can be computed again."""
    relative = map_path(image_id, version)
    write_atomically(session_dir / relative, npy_bytes(logits.astype(np.float16)), durable=False)
    return relative


def read_map(session_dir: Path, relative: str) -> npt.NDArray[np.float32]:
    """Logits (K, Hp, Wp).

    Raises:
        FileNotFoundError: a newer version has replaced it meanwhile; read the row again. Also for a damaged file.
    """
    try:
        logits: npt.NDArray[np.float32] = np.load(session_dir / relative, allow_pickle=False).astype(np.float32)
    except (ValueError, EOFError) as error:
        raise FileNotFoundError(f"{relative} is damaged: it has to be predicted again") from error
    return logits


def logits_at(
    session_dir: Path, relative: str, size: tuple[int, int], xy: npt.NDArray[np.float64]
) -> npt.NDArray[np.float32]:
    """Logits (N, K) at points (N, 2) of an image, pixels; only the cells around them are read.

    Args:
        size: width and height of the upright image, pixels.

    Raises:
        FileNotFoundError: as `read_map`.
    """
    try:
        logits = np.load(session_dir / relative, allow_pickle=False, mmap_mode="r")
    except (ValueError, EOFError) as error:
        raise FileNotFoundError(f"{relative} is damaged: it has to be predicted again") from error
    _, height, width = logits.shape
    return sample_bilinear(np.moveaxis(logits, 0, -1), xy * scale_between(size, (width, height)))


def softmax(logits: npt.NDArray[np.floating], axis: int) -> npt.NDArray[np.float32]:
    """Probabilities along `axis`, stable for large logits."""
    shifted = logits - logits.max(axis=axis, keepdims=True)
    exponential = np.exp(shifted, dtype=np.float32)
    return np.asarray(exponential / exponential.sum(axis=axis, keepdims=True), dtype=np.float32)


def upsampled_probabilities(logits: npt.NDArray[np.floating], width: int, height: int) -> npt.NDArray[np.float32]:
    """Probabilities (K, height, width) of logits (K, Hp, Wp).

    Upsampling the logits, not the probabilities, is what a linear head on upsampled features would give.
    """
    return softmax(np.stack([resample(plane, width, height) for plane in logits]), axis=0)
