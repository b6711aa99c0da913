"""`fewclick predict`: a saved head on new image files; masks and a table."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor

from backend.services.checkpoints import Shelf, why_not
from db.database import Database
from db.errors import ConflictError, InvalidInputError
from db.queries.checkpoints import active_checkpoint, get_checkpoint, newest_live_checkpoint
from db.queries.session_info import get_session_info
from fewclick.apply import Found, Model, assemble, image_files, load_model
from fewclick.checkpoint_export import classes_csv
from initialization.create import restored_config
from initialization.report import Report, counted
from ml_service.checkpoint_description import locate
from models.base import ExtractorInfo
from models.csv_cells import guarded
from models.errors import ImageReadError

TABLE_FILE, CLASSES_FILE, MASKS_FOLDER = "predictions.csv", "classes.csv", "masks"
PALETTE_COLORS = 256


def predict(session_dir: Path, checkpoint: str | None, images: Sequence[Path], out: Path, weights: Path | None) -> int:
    """Write predictions.csv, and for each image a mask where there are maps; returns the exit status: 1 if an image
    could not be read.

    Args:
        checkpoint: an id, or a folder that was exported; None takes what predicts in the session.

    Raises:
        FewclickError, ModelsError: the head cannot be loaded, or there is nothing to apply it to.
    """
    paths = image_files(images)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InvalidInputError(f"{out} holds something already: name a new or empty folder")
    model = _load(session_dir, checkpoint, weights)
    out.mkdir(parents=True, exist_ok=True)
    (out / CLASSES_FILE).write_text(classes_csv(model.description), encoding="utf-8")
    report = Report()
    failures: list[tuple[str, str]] = []
    with (out / TABLE_FILE).open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(map(guarded, ["image", "prediction", "mask", *model.class_names]))
        taken: set[str] = set()
        with report.progress("predicted", len(paths)) as advance:
            for path in paths:
                try:
                    (found,) = model.predict([path])
                except ImageReadError as error:
                    failures.append((str(path), str(error)))
                else:
                    writer.writerow(map(guarded, _row(model, found, _write_mask(out, model, found, taken))))
                advance()
    print(f"wrote {out / TABLE_FILE} ({counted(len(paths) - len(failures), 'image')})")
    for name, reason in failures:
        print(f"left out: {name}: {reason}")
    return 1 if failures else 0


def _load(session_dir: Path, checkpoint: str | None, weights: Path | None) -> Model:
    if checkpoint is not None and not checkpoint.isdecimal():
        return load_model(checkpoint, weights=weights)
    with _opened(session_dir) as shelf, shelf.database.read() as db_session:
        if checkpoint is not None:
            row = get_checkpoint(db_session, int(checkpoint))
        else:
            newest = active_checkpoint(db_session) or newest_live_checkpoint(db_session)
            if newest is None:
                raise ConflictError(f"{session_dir} has no checkpoint yet: label some images first")
            row = newest
        problem = why_not(shelf, db_session, row)
        info = get_session_info(db_session)
    if problem is not None:
        raise ConflictError(f"checkpoint {row.id} cannot predict: {problem}")
    config = restored_config(info.config)
    settings = config.extractor_settings(session_dir).as_in(ExtractorInfo.from_json(info.extractor))
    head = locate(session_dir, row.path)
    return assemble(head, head.with_suffix(".json"), info.task, settings)


def _write_mask(out: Path, model: Model, found: Found, taken: set[str]) -> str:
    """Path of the mask relative to `out`; empty where there is none. Images of one name get numbers."""
    if found.mask is None:
        return ""
    name, number = found.path.stem, 2
    while name.casefold() in taken:
        name, number = f"{found.path.stem}_{number}", number + 1
    taken.add(name.casefold())
    folder = out / MASKS_FOLDER
    folder.mkdir(exist_ok=True)
    picture = Image.fromarray(np.ascontiguousarray(found.mask))
    colors = model.description.class_colors
    if colors and len(colors) <= PALETTE_COLORS:
        picture.putpalette([channel for color in colors for channel in ImageColor.getrgb(color)[:3]])
    picture.save(folder / f"{name}.png", optimize=False)
    return f"{MASKS_FOLDER}/{name}.png"


def _row(model: Model, found: Found, mask: str) -> list[str]:
    """A line of the table: the class, or the classes where several may hold, and a number for each class."""
    names, p = model.class_names, found.probabilities
    if model.parts.output.one_class:
        said = names[int(p.argmax())]
    else:
        said = ";".join(name for name, value in zip(names, p, strict=True) if value > 0.5)
    return [str(found.path), said, mask, *(f"{value:.6f}" for value in p)]


@contextmanager
def _opened(session_dir: Path) -> Iterator[Shelf]:
    database = Database.of_session(session_dir)
    try:
        yield Shelf(database, session_dir)
    finally:
        database.close()
