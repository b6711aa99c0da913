"""The scaler in force, kept with the session: services that share it, and one that starts anew, fit equal heads.

A file named by its hash; `SessionInfo.scaler` names the file, in the transaction that records the head fitted with it.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from db.tables.session import SessionInfo
from ml_service.heads.scaler import FeatureScaler
from ml_service.scaler_source import ScalerSource
from ml_service.session_leftovers import SCALER_FOLDER
from ml_service.task_factory import TaskParts
from models.atomic_file import write_atomically

logger = logging.getLogger(__name__)
MAX_BYTES = 16 << 20
"""Of a file. Scalers have some kilobytes."""


class SharedScaler:
    """Keeps the scaler of one service and that of the session together. Use from one thread."""

    def __init__(self, session_dir: Path, parts: TaskParts, source: ScalerSource) -> None:
        self._folder = session_dir / SCALER_FOLDER
        self._parts = parts
        self._source = source
        self._hashed: tuple[FeatureScaler, str] | None = None
        self._on_disk: set[str] = set()
        self._unusable: set[str] = set()

    def follow(self, info: SessionInfo) -> None:
        """Take the session's scaler, unless the own one, which is to be recorded, saw twice as many images."""
        record = info.scaler
        if record is None or record["extractor"] != _identity(info) or record["hash"] in self._unusable:
            return
        source, n_images = self._source, int(record["n_images"])
        is_newer = source.fitted_on > 0 and source.fitted_on >= 2 * n_images
        if source.scaler is not None and (is_newer or self._hash(source.scaler) == record["hash"]):
            return
        scaler = self._read(record["hash"])
        if scaler is None:
            self._unusable.add(record["hash"])
            return
        self._on_disk.add(record["hash"])
        source.take(scaler, n_images)

    def is_recorded(self, info: SessionInfo) -> bool:
        """Whether the session names the scaler that is in force here."""
        return self._source.scaler is None or info.scaler == self._record(self._source.scaler, info)

    def write(self) -> None:
        """Have the file of the scaler in force on the disk, before it is recorded."""
        scaler = self._source.scaler
        if scaler is None or (digest := self._hash(scaler)) in self._on_disk:
            return
        write_atomically(self._path(digest), _to_bytes(scaler))
        self._on_disk.add(digest)
        self._unusable.discard(digest)

    def record(self, info: SessionInfo) -> None:
        """Name the scaler in force, after `write`, in the transaction that raises `head_version`."""
        if self._source.scaler is not None and not self.is_recorded(info):
            path = self._path(self._hash(self._source.scaler))
            if not path.is_file():  # nobody named it, so it may have been removed since
                write_atomically(path, _to_bytes(self._source.scaler))
            info.scaler = self._record(self._source.scaler, info)

    def _record(self, scaler: FeatureScaler, info: SessionInfo) -> dict[str, Any]:
        return {"hash": self._hash(scaler), "n_images": self._source.fitted_on, "extractor": _identity(info)}

    def _hash(self, scaler: FeatureScaler) -> str:
        if self._hashed is None or self._hashed[0] is not scaler:
            self._hashed = (scaler, hashlib.sha256(_to_bytes(scaler)).hexdigest())
        return self._hashed[1]

    def _read(self, digest: str) -> FeatureScaler | None:
        """None, with a line in the log, where it is gone or damaged: statistics are gathered anew then."""
        path = self._path(digest)
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ValueError("it is too large")
            data = path.read_bytes()
            if hashlib.sha256(data).hexdigest() != digest:
                raise ValueError("its content does not have the hash that names it")
            scaler = FeatureScaler.from_state(load(data))
            sizes = tuple(group.size for group in self._parts.groups) or (self._parts.dim,)
            if scaler.group_sizes != sizes or {scaler.mean.shape, scaler.scale.shape} != {(sum(sizes),)}:
                raise ValueError(f"it has channel groups {scaler.group_sizes}, expected {sizes}")
        except (OSError, ValueError, LookupError, SafetensorError) as error:
            logger.warning("the channel statistics %s cannot be used, they are gathered anew: %s", path, error)
            return None
        return scaler

    def _path(self, digest: str) -> Path:
        return self._folder / f"{digest}.safetensors"


def _to_bytes(scaler: FeatureScaler) -> bytes:
    return save({name: np.ascontiguousarray(value) for name, value in scaler.state().items()})


def _identity(info: SessionInfo) -> str:
    """Of the extractor: channels of another one have other statistics."""
    return hashlib.sha256(json.dumps(info.extractor, sort_keys=True).encode()).hexdigest()[:16]
