"""A checkpoint as a folder to take along: the head, its provenance, its training data, and how to make its features."""

from __future__ import annotations

import csv
import io
import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backend.services.checkpoints import Shelf, find_snapshot, why_not
from db.errors import ConflictError, InvalidInputError
from db.queries.checkpoints import get_checkpoint
from db.queries.session_info import get_session_info
from initialization.create import restored_config
from ml_service.checkpoint_description import Description, locate, read_description
from ml_service.data_snapshot import snapshot_path
from models.atomic_file import write_atomically
from models.csv_cells import guarded

HEAD_FILE, DESCRIPTION_FILE, MODEL_FILE = "head.safetensors", "head.json", "model.json"
CLASSES_FILE, DATA_FILE, README_FILE = "classes.csv", "training_data.json.z", "README.txt"
ADAPTER_FILE = "adapter.safetensors"
FORMAT_VERSION = 1
README = """A trained head of Fewclick.

head.safetensors      the weights; no code, nothing is unpickled
head.json             what they are and where they come from
model.json            how the features are made that the head reads
classes.csv           value in masks, id, name and colour of each class
training_data.json.z  the labels it was trained on (zlib, JSON), where they were kept

Apply it:  fewclick predict --checkpoint FOLDER IMAGE... --out RESULTS
In Python: docs/checkpoints.md of Fewclick
"""


def export_checkpoint(shelf: Shelf, checkpoint_id: int, folder: Path) -> list[Path]:
    """Write a checkpoint into a new or empty folder; the files written.

    Raises:
        NotFoundError: there is no such checkpoint.
        ConflictError: it cannot be used.
        InvalidInputError: the folder holds something, or cannot be written.
    """
    with shelf.database.read() as db_session:
        checkpoint = get_checkpoint(db_session, checkpoint_id)
        problem = why_not(shelf, db_session, checkpoint)
        info = get_session_info(db_session)
    if problem is not None:
        raise ConflictError(f"checkpoint {checkpoint_id} cannot be exported: {problem}")
    _make_folder(folder)
    description = read_description(shelf.session_dir, checkpoint.path)
    weights = locate(shelf.session_dir, checkpoint.path)
    config = restored_config(info.config) if info.config else None
    settings: dict[str, Any] = {"extractor": None, "layers": None}
    if config is not None:
        settings = {"extractor": config.extractor, "layers": config.layers}
        adapter = config.extractor_settings(shelf.session_dir).adapter_path
        if adapter is not None:
            _copy_adapter(adapter, folder)
            settings["adapter"] = ADAPTER_FILE
    shutil.copyfile(weights, folder / HEAD_FILE)
    shutil.copyfile(weights.with_suffix(".json"), folder / DESCRIPTION_FILE)
    if find_snapshot(shelf, checkpoint)[0] is not None:
        shutil.copyfile(snapshot_path(shelf.session_dir, description.dataset_hash), folder / DATA_FILE)
    model = {
        "format_version": FORMAT_VERSION,
        "task": info.task.name,
        "features": settings,
        "fewclick": version("fewclick"),
        "checkpoint_id": checkpoint_id,
    }
    write_atomically(folder / CLASSES_FILE, classes_csv(description).encode())
    write_atomically(folder / README_FILE, README.encode())
    # Last: a folder without it is not whole.
    write_atomically(folder / MODEL_FILE, json.dumps(model, indent=2).encode())
    return sorted(folder.iterdir())


def classes_csv(description: Description) -> str:
    """Value in a mask, id, name and colour; names as `guarded` writes them."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["value", "class_id", "name", "color"])
    colors = description.class_colors or ("",) * len(description.class_ids)
    rows = zip(description.class_ids, description.class_names, colors, strict=True)
    for value, (class_id, name, color) in enumerate(rows):
        writer.writerow(map(guarded, [value, class_id, name, color]))
    return stream.getvalue()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise InvalidInputError(f"{folder} holds something already: name a new or empty folder")
    except OSError as error:
        raise InvalidInputError(f"{folder} cannot be written ({error.strerror}): name another folder") from error


def _copy_adapter(adapter: Path, folder: Path) -> None:
    target = folder / ADAPTER_FILE
    shutil.copyfile(adapter, target)
    described = adapter.with_suffix(".json")
    if described.is_file():
        shutil.copyfile(described, target.with_suffix(".json"))
