"""What `fewclick status` and `next` print."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backend.services.quality import read_quality
from db.database import Database
from db.enums import FeatureState, ImageStatus
from db.errors import InvalidInputError
from db.queries.checkpoints import active_checkpoint
from db.queries.next_image import next_image, note_model_pick
from db.queries.session_info import Strategy, get_session_info, training_settings
from db.queries.stats import any_annotation
from db.queries.workers import heartbeat_age_s
from db.tables.annotations import ImageClass, Label, Point, Region
from db.tables.images import Image
from db.tables.learning import Run
from db.tables.session import LabelClass
from fewclick.percent import share_in_words

ALIVE_S = 10.0
"""An ML service that was silent for longer is not running."""


def print_status(session_dir: Path) -> None:
    """Images, annotations, features and training of a session.

    Raises:
        SessionNotFoundError: the folder holds no session.
    """
    with _reading(session_dir) as db_session:
        info = get_session_info(db_session)
        by_status = _counts(db_session, Image.status)
        by_features = _counts(db_session, Image.features)
        table = _table()
        table.add_row("session", f"{info.name} ({info.task.name}) in {session_dir.resolve()}")
        table.add_row("extractor", str(info.extractor.get("name", "?")))
        table.add_row("images", _spell(by_status, ImageStatus) or "none")
        table.add_row("features", _spell(by_features, FeatureState) or "none")
        table.add_row("annotations", _spell_classes(db_session))
        table.add_row("quality", _spell_quality(db_session, info.label_sequence))
        table.add_row("last run", _spell_run(db_session))
        age_s = heartbeat_age_s(db_session)
        alive = age_s is not None and age_s < ALIVE_S
        table.add_row("ML service", "running" if alive else "not running: start it by `fewclick up`")
    _console().print(table)


def print_next(session_dir: Path, strategy: str | None, current_id: int | None) -> bool:
    """Id and path of the image to label next, separated by a tab; False when none is left.

    Raises:
        SessionNotFoundError: the folder holds no session.
        InvalidInputError: there is no such strategy.
    """
    database = Database.of_session(session_dir)
    try:
        with database.write() as db_session:
            settings = training_settings(get_session_info(db_session))
            pick = next_image(
                db_session, settings.strategy if strategy is None else _strategy(strategy), current_id=current_id
            )
            if pick is not None and pick.by_model:
                note_model_pick(db_session, pick.row.image.id)
    finally:
        database.close()
    if pick is not None:
        print(pick.row.image.id, pick.row.image.path, sep="\t")
    return pick is not None


def _strategy(name: str) -> Strategy:
    if name not in list(Strategy):
        raise InvalidInputError(f"strategy {name}: expected one of {', '.join(Strategy)}")
    return Strategy(name)


@contextmanager
def _reading(session_dir: Path) -> Iterator[Session]:
    database = Database.of_session(session_dir)
    try:
        with database.read() as db_session:
            yield db_session
    finally:
        database.close()


def _counts(db_session: Session, column: InstrumentedAttribute[Any]) -> dict[Any, int]:
    rows = db_session.execute(select(column, func.count()).group_by(column)).all()
    return {value: count for value, count in rows}  # noqa: C416


def _spell(counts: dict[Any, int], order: type[ImageStatus] | type[FeatureState]) -> str:
    # One spelling in what people read; the values are the interface's.
    spelled = (f"{counts[value]} {value.value.replace('labeled', 'labelled')}" for value in order if counts.get(value))
    return ", ".join(spelled)


def _spell_classes(db_session: Session) -> str:
    columns: tuple[InstrumentedAttribute[Any], ...] = (
        Point.class_id,
        Region.class_id,
        Label.class_id,
        ImageClass.class_id,
    )
    tables = [_counts(db_session, column) for column in columns]
    present = select(LabelClass.id, LabelClass.name).where(LabelClass.removed_at.is_(None))
    classes = db_session.execute(present.order_by(LabelClass.position, LabelClass.id)).all()
    counted = [(name, sum(counts.get(class_id, 0) for counts in tables)) for class_id, name in classes]
    counted.append(("without a class", tables[-1].get(None, 0)))
    return ", ".join(f"{count} {name}" for name, count in counted if count) or "none"


def _spell_run(db_session: Session) -> str:
    run = db_session.scalar(select(Run).order_by(Run.id.desc()).limit(1))
    if run is None:
        return "none"
    return " ".join(part for part in (run.state.value, run.reason, f"epoch {run.epoch}", run.message) if part)


def _spell_quality(db_session: Session, label_sequence: int) -> str:
    """The held-out figure and the estimate, with their basis; else why there is none."""
    active = active_checkpoint(db_session)
    quality = read_quality(db_session, active, label_sequence, is_labelled=any_annotation(db_session))
    lines = []
    for figures, how in ((quality.held_out, "held-out"), (quality.estimate, "cross-validated, an estimate")):
        if figures is None or figures.accuracy is None:
            continue
        accuracy = figures.accuracy
        whose = "live head" if active is None else f"checkpoint {active.id}"
        since = "" if quality.is_current is not False else ", labels changed since"
        lines.append(
            f"{share_in_words(accuracy.value, accuracy.low, accuracy.high)} "
            f"on {figures.n_samples} labels of {figures.n_images} images ({how}; {whose}{since})"
        )
    return "\n".join(lines) or f"unknown: {quality.unknown}"


def _table() -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    return table


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True, markup=False)
