"""Files against shards: how fast pooled vectors of many images are written, found, and read in bulk.

Run: python -m benchmarks.features_storage [--images N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.tables import Section, section_of, show
from models.base import ExtractorInfo, Features
from models.feature_storage import StorageKind
from models.feature_store import FeatureStore, StoreSettings, open_store

POOLED_DIM = 1536


@dataclass(frozen=True)
class StorageRow:
    """One storage, warm page cache."""

    storage: StorageKind
    images: int
    written_per_s: float
    """Each vector synced to the disk by itself."""
    open_ms: float
    """A new reader, until it knows of the first image."""
    found_per_s: float
    read_one_by_one_per_s: float
    read_in_bulk_per_s: float
    files: int


def storage_rows(images: int, parent: Path | None = None) -> list[StorageRow]:
    """Both storages with that many vectors."""
    return [_row(kind, images, parent) for kind in StorageKind]


def _row(kind: StorageKind, images: int, parent: Path | None) -> StorageRow:
    info = ExtractorInfo("bench", "0" * 16, 16, 16, dim=8, pooled_dim=POOLED_DIM, resize=224)
    keys = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(images)]
    vector = np.random.default_rng(0).standard_normal(POOLED_DIM).astype(np.float32)
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        writer = open_store(folder, info, StoreSettings(storage=kind))
        started = time.perf_counter()
        for key in keys:
            writer.write(key, Features(None, vector))
        written_s = time.perf_counter() - started

        started = time.perf_counter()
        reader = FeatureStore(folder, info)
        reader.has(keys[0], patches=False)
        open_s = time.perf_counter() - started

        started = time.perf_counter()
        found = sum(reader.has(key, patches=False) for key in keys)
        found_s = time.perf_counter() - started
        assert found == images

        some = keys[: min(images, 5000)]
        started = time.perf_counter()
        for key in some:
            reader.read_pooled(key)
        single_s = time.perf_counter() - started

        started = time.perf_counter()
        reader.read_pooled_many(keys)
        bulk_s = time.perf_counter() - started
        files = sum(1 for path in folder.rglob("*") if path.is_file())
    return StorageRow(
        kind,
        images,
        images / written_s,
        1e3 * open_s,
        images / found_s,
        len(some) / single_s,
        images / bulk_s,
        files,
    )


def storage_section(rows: Sequence[StorageRow]) -> Section:
    """What was measured."""
    columns = {
        "storage": "storage", "images": "images", "written_per_s": "written/s", "open_ms": "open, ms",
        "found_per_s": "found/s", "read_one_by_one_per_s": "read one by one/s", "read_in_bulk_per_s": "read in bulk/s",
        "files": "files",
    }  # fmt: skip
    return section_of("Pooled vectors in a file each, and in shards", rows, columns)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help="where to write, instead of the folder for temporary files")
    arguments = parser.parse_args()
    show(Console(), [storage_section(storage_rows(arguments.images, arguments.folder))])


if __name__ == "__main__":
    main()
