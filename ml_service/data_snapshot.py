"""What a checkpoint was trained on, kept beside it: images, their part, their labels. Imports no torch.

The file's name is the hash of its content, as checkpoints name it: those of equal labels share one file, and a file
that was changed is noticed. Deflated JSON, some ten bytes a label.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
import zlib
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from db.enums import Origin, Split
from db.queries.training_data import LabelledImage
from ml_service.errors import CheckpointError
from models.feature_store import write_atomically

FORMAT_VERSION = 1
FOLDER = "checkpoints/data"
SUFFIX = ".json.z"
HASH_PATTERN = re.compile(r"[0-9a-f]{64}")
MAX_BYTES = 64 << 20
"""Of the inflated file: about two million labels. More is no file of this program."""
GRACE_S = 600.0
"""A file younger than this may belong to a checkpoint that is being written."""


class SnapshotTarget(BaseModel):
    """One label: of a point (x, y in image pixels), or of the whole image (x = y = 0)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    class_id: int = Field(ge=1)
    origin: Origin
    x: float
    y: float
    weight: float = 1.0
    is_cell: bool = False
    """As `Target.is_cell`: one of many that stand for the regions of a class."""


class SnapshotImage(BaseModel):
    """One labelled image."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int = Field(ge=1)
    content_hash: str | None
    width: int = Field(ge=0)
    height: int = Field(ge=0)
    """Upright size, pixels."""
    split: Split | None
    targets: tuple[SnapshotTarget, ...]
    answered: bool = False
    """As `LabelledImage.answered`: for all classes at once, also if none holds."""
    unasked: tuple[int, ...] = ()
    """As `LabelledImage.unasked`."""


class DataSnapshot(BaseModel):
    """The labelled images with features at one moment, by id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: tuple[SnapshotImage, ...]

    @classmethod
    def of(cls, images: Iterable[LabelledImage]) -> DataSnapshot:
        """What lies on these images."""
        return cls(images=tuple(_image(image) for image in images))

    @property
    def hash(self) -> str:
        """Identity: equal if and only if the same labels lie on the same pictures in the same split."""
        digest = hashlib.sha256()
        for image in self.images:
            targets = [_target_row(target) for target in image.targets]
            unasked = [sorted(image.unasked)] if image.unasked else []
            digest.update(json.dumps([image.content_hash, image.split, targets, *unasked]).encode())
        return digest.hexdigest()

    @property
    def n_labels(self) -> int:
        """Points, or labels of whole images; where an image may have several classes, one answer for all of them.

        What the regions of an image say of one class counts as one.
        """
        return sum(1 if image.answered else len(_labels(image)) for image in self.images)

    def part(self, split: Split) -> list[SnapshotImage]:
        """Images of one part; one without a part trains."""
        return [image for image in self.images if (image.split or Split.TRAIN) is split]

    def counts(self) -> dict[int, dict[str, int]]:
        """Labels by class id and origin."""
        found: dict[int, Counter[str]] = {}
        for image in self.images:
            for class_id, origin in _labels(image):
                found.setdefault(class_id, Counter())[origin.value] += 1
        return {class_id: dict(sorted(found[class_id].items())) for class_id in sorted(found)}


@dataclass(frozen=True)
class SnapshotFiles:
    """What is stored, and what of it no checkpoint names."""

    unused: tuple[Path, ...]
    size_bytes: int


def snapshot_path(session_dir: Path, dataset_hash: str) -> Path:
    """Where the snapshot of that hash is kept.

    Raises:
        CheckpointError: it is no hash, and must not become a file name.
    """
    if not HASH_PATTERN.fullmatch(dataset_hash):
        raise CheckpointError(
            f"found {dataset_hash[:80]!r} for the hash of the training data, expected 64 hex digits: this checkpoint "
            "was not written by this program, activate another one"
        )
    return session_dir / FOLDER / f"{dataset_hash}{SUFFIX}"


def save_snapshot(session_dir: Path, snapshot: DataSnapshot) -> str:
    """Store it, durably, unless it is there; returns its hash."""
    dataset_hash = snapshot.hash
    path = snapshot_path(session_dir, dataset_hash)
    if path.exists():
        # It is about to be named again: young files are not collected.
        os.utime(path)
        return dataset_hash
    content = {"format_version": FORMAT_VERSION, "images": [_row(image) for image in snapshot.images]}
    write_atomically(path, zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 6))
    return dataset_hash


def load_snapshot(session_dir: Path, dataset_hash: str) -> DataSnapshot:
    """The snapshot of that hash.

    Raises:
        CheckpointError: it is missing, damaged, or not of this program.
    """
    return read_snapshot_file(snapshot_path(session_dir, dataset_hash), dataset_hash)


def read_snapshot_file(path: Path, dataset_hash: str) -> DataSnapshot:
    """As `load_snapshot`, from a file that may lie anywhere."""
    try:
        inflater = zlib.decompressobj()
        data = inflater.decompress(path.read_bytes(), MAX_BYTES)
        if inflater.unconsumed_tail or not inflater.eof:
            raise ValueError(f"it is cut off, or inflates to more than {MAX_BYTES:,} bytes")
        content = json.loads(data)
        if content["format_version"] != FORMAT_VERSION:
            raise ValueError(f"format_version is {content['format_version']!r}, not {FORMAT_VERSION}")
        snapshot = DataSnapshot(images=tuple(_parsed(row) for row in content["images"]))
    except FileNotFoundError as error:
        raise CheckpointError(
            f"{path.name} is missing: what this checkpoint was trained on was not kept (checkpoints of earlier "
            "versions have none)"
        ) from error
    except (ValueError, KeyError, TypeError, IndexError, zlib.error, RecursionError, ValidationError) as error:
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path.name} is no data snapshot of this program ({reason})") from error
    if snapshot.hash != dataset_hash:
        raise CheckpointError(f"{path.name} holds the labels {snapshot.hash[:12]}..., not those of its name: damaged")
    return snapshot


def find_snapshots(session_dir: Path, named: Collection[str], *, grace_s: float = GRACE_S) -> SnapshotFiles:
    """Snapshots that no checkpoint names any more.

    Args:
        named: hashes that checkpoints name.
        grace_s: files younger than this are left out.
    """
    folder = session_dir / FOLDER
    newest = time.time() - grace_s
    unused, size = [], 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.endswith(SUFFIX) and path.name.removesuffix(SUFFIX) in named:
            size += path.stat().st_size
        elif path.is_file() and path.stat().st_mtime <= newest:
            unused.append(path)
    return SnapshotFiles(tuple(unused), size)


def _image(image: LabelledImage) -> SnapshotImage:
    return SnapshotImage.model_construct(
        id=image.id,
        content_hash=image.content_hash,
        width=image.width,
        height=image.height,
        split=image.split,
        answered=image.answered,
        unasked=image.unasked,
        targets=tuple(
            SnapshotTarget.model_construct(
                class_id=target.class_id,
                origin=target.origin,
                x=target.x,
                y=target.y,
                weight=target.weight,
                is_cell=target.is_cell,
            )
            for target in image.targets
        ),
    )


def _labels(image: SnapshotImage) -> list[tuple[int, Origin]]:
    """Class and origin of each label."""
    cells = {(target.class_id, target.origin) for target in image.targets if target.is_cell}
    return [*((t.class_id, t.origin) for t in image.targets if not t.is_cell), *sorted(cells)]


def _target_row(target: SnapshotTarget) -> list[Any]:
    row = [target.class_id, target.origin.value, target.x, target.y]
    return [*row, target.weight] if target.is_cell else row


def _parsed_target(row: list[Any]) -> SnapshotTarget:
    class_id, origin, x, y, *weight = row
    if len(weight) > 1:
        raise ValueError(f"a target has {len(row)} entries, not 4 or 5")
    return SnapshotTarget(
        class_id=class_id, origin=origin, x=x, y=y, weight=weight[0] if weight else 1.0, is_cell=bool(weight)
    )


def _row(image: SnapshotImage) -> list[Any]:
    targets = [_target_row(target) for target in image.targets]
    row = [image.id, image.content_hash, image.width, image.height, image.split, targets, image.answered]
    return [*row, image.unasked] if image.unasked else row


def _parsed(row: list[Any]) -> SnapshotImage:
    image_id, content_hash, width, height, split, targets, answered, *unasked = row
    if len(unasked) > 1:
        raise ValueError(f"an image has {len(row)} entries, not 7 or 8")
    return SnapshotImage(
        id=image_id,
        content_hash=content_hash,
        width=width,
        height=height,
        split=split,
        answered=answered,
        unasked=tuple(unasked[0]) if unasked else (),
        targets=tuple(_parsed_target(target) for target in targets),
    )
