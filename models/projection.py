"""Principal components of features: what the form `pca_int8` keeps of them."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.base import ChannelGroup
from models.feature_storage import array_of, npy_bytes

FloatArray = npt.NDArray[np.float32]
PROJECTION_NAME = "projection.npy"
WAIT_S = 10.0
"""For another process to finish writing, on a file system without hard links."""
DEAD_CHANNEL_RATIO = 1e-3
"""A channel that varies less than this share of its group's typical deviation is not scaled up to the others."""


class Projection:
    """Principal components of standardised channels, in which every channel group weighs the same.

    That is the metric in which heads learn: without it the channels with the largest numbers would take all components.
    """

    def __init__(self, mean: FloatArray, encoding: FloatArray, decoding: FloatArray) -> None:
        self.mean = mean
        """(D,)"""
        self.encoding = encoding
        """(D, K)"""
        self.decoding = decoding
        """(K, D)"""

    @classmethod
    def fit(
        cls, maps: Iterable[npt.NDArray[np.floating]], groups: tuple[ChannelGroup, ...], channels: int
    ) -> Projection | None:
        """Fitted on the patch features (Hp, Wp, D) of some images, one at a time; None if there are none.

        Args:
            groups: `ExtractorInfo.groups`.
            channels: K, at most; never more than D.
        """
        count, total, products = 0, np.zeros(0), np.zeros((0, 0))
        for patches in maps:
            rows = patches.reshape(-1, patches.shape[-1]).astype(np.float64)
            if count == 0:
                total, products = np.zeros(rows.shape[1]), np.zeros((rows.shape[1],) * 2)
            count += len(rows)
            total += rows.sum(axis=0)
            products += rows.T @ rows
        if count == 0:
            return None
        mean = total / count
        covariance = products / count - np.outer(mean, mean)
        scale = _scale(np.sqrt(np.maximum(np.diag(covariance), 0)), groups)
        _, vectors = np.linalg.eigh(covariance * np.outer(scale, scale))
        # Largest first; the sign of an eigenvector is arbitrary, so its largest entry is made positive.
        kept = vectors[:, ::-1][:, :channels]
        kept = kept * np.sign(kept[np.abs(kept).argmax(axis=0), np.arange(kept.shape[1])])
        return cls(
            mean.astype(np.float32), (scale[:, None] * kept).astype(np.float32), (kept.T / scale).astype(np.float32)
        )

    def to_array(self) -> npt.NDArray[Any]:
        """As one record, for an .npy file."""
        dim, channels = self.encoding.shape
        layout = [("mean", "<f4", (dim,)), ("encoding", "<f4", (dim, channels)), ("decoding", "<f4", (channels, dim))]
        record = np.zeros((), dtype=layout)
        record["mean"], record["encoding"], record["decoding"] = self.mean, self.encoding, self.decoding
        return record

    @classmethod
    def from_array(cls, record: npt.NDArray[Any]) -> Projection:
        """Inverse of `to_array`.

        Raises:
            ValueError: it holds something else.
        """
        if record.dtype.names != ("mean", "encoding", "decoding"):
            raise ValueError(f"found fields {record.dtype.names}, expected mean, encoding, decoding")
        return cls(*(np.asarray(record[name], dtype=np.float32) for name in record.dtype.names))


def read_projection(folder: Path) -> Projection | None:
    """The projection kept in `folder`; None if there is none yet.

    Raises:
        ValueError: it is damaged.
    """
    path = folder / PROJECTION_NAME
    return Projection.from_array(array_of(np.fromfile(path, np.uint8))) if path.exists() else None


def projection_digest(folder: Path) -> str | None:
    """Tells the projection in `folder` from all others; None if there is none yet."""
    try:
        return hashlib.sha256((folder / PROJECTION_NAME).read_bytes()).hexdigest()[:12]
    except FileNotFoundError:
        return None


def keep_projection(folder: Path, projection: Projection) -> None:
    """Write it durably, unless another process has done so: the first one stays."""
    path, data = folder / PROJECTION_NAME, npy_bytes(projection.to_array())
    # The name is nobody else's, on other hosts of a network file system neither.
    handle, name = tempfile.mkstemp(dir=folder, prefix=f".{PROJECTION_NAME}.", suffix=".tmp")
    finished = Path(name)
    try:
        _write_all(handle, data)
        path.hardlink_to(finished)
    except FileExistsError:
        return
    except OSError:  # exFAT, SMB and some mounts of containers have no hard links
        _create(path, data)
    finally:
        finished.unlink(missing_ok=True)
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _create(path: Path, data: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        # Projections for the same features have the same size; what is still short is being written.
        deadline = time.monotonic() + WAIT_S
        while path.stat().st_size < len(data) and time.monotonic() < deadline:
            time.sleep(0.02)
        return
    try:
        _write_all(handle, data)
    except OSError:
        path.unlink()
        raise


def _write_all(handle: int, data: bytes) -> None:
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _scale(deviation: npt.NDArray[np.float64], groups: tuple[ChannelGroup, ...]) -> npt.NDArray[np.float64]:
    scale = np.ones_like(deviation)
    start = 0
    for size in [group.size for group in groups] or [len(deviation)]:
        part = deviation[start : start + size]
        typical = float(np.sqrt(np.mean(part**2)))
        floor = max(DEAD_CHANNEL_RATIO * typical, 1e-8)
        scale[start : start + size] = 1 / (np.maximum(part, floor) * np.sqrt(size))
        start += size
    return scale
