"""Which images a list holds, and which ones next and previous go through."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select
from sqlalchemy.orm import Session

from db.enums import FeatureState, ImageStatus, Origin
from db.queries.class_tree import read_tree
from db.tables.annotations import ANNOTATION_TABLES, ImageClass, Label, Point, Region
from db.tables.images import Image

ROUNDING = 1e-9
"""1 - (1 - p) is not always p: the bounds of a range belong to it."""


@dataclass(frozen=True)
class ImageFilter:
    """Which images; None lets all pass."""

    status: ImageStatus | None = None
    """Unlabelled leaves out images that cannot be used, unless `features` asks for them."""
    class_id: int | None = None
    """Annotated with this class, or with one below it."""
    q: str | None = None
    """Part of the path or of the comment, or the id."""
    features: FeatureState | None = None
    predicted_class_id: int | None = None
    """The newest prediction is this class, or one below it."""
    shown_class_id: int | None = None
    """As a tile of the gallery shows it: annotated with this class, or not annotated and predicted as it."""
    reviewed: bool | None = None
    """True: labelled by a person; False: labelled, but every class of it was merely accepted."""
    min_confidence: float | None = None
    max_confidence: float | None = None
    metadata: tuple[tuple[str, str], ...] = ()
    """Key and value, as text."""

    ids: tuple[int, ...] | None = None
    """These alone."""

    @property
    def asks_model(self) -> bool:
        """What a head said decides which images these are."""
        asked = (self.predicted_class_id, self.shown_class_id, self.min_confidence, self.max_confidence)
        return any(value is not None for value in asked)


def conditions(db_session: Session, wanted: ImageFilter) -> list[ColumnElement[bool]]:
    """The filter as conditions on `Image`."""
    found: list[ColumnElement[bool]] = []
    if wanted.ids is not None:
        found.append(Image.id.in_(wanted.ids))
    if wanted.status is not None:
        found.append(Image.status == wanted.status)
    if wanted.features is not None:
        found.append(Image.features == wanted.features)
    elif wanted.status is ImageStatus.UNLABELED:
        # What cannot be used is not waiting for a label.
        found.append(Image.features != FeatureState.FAILED)
    found += _of_classes(db_session, wanted)
    if wanted.reviewed is not None:
        found += _of_origin(wanted.reviewed)
    if wanted.min_confidence is not None:
        found.append(Image.uncertainty <= 1 - wanted.min_confidence + ROUNDING)
    if wanted.max_confidence is not None:
        found.append(Image.uncertainty >= 1 - wanted.max_confidence - ROUNDING)
    if wanted.q:
        found.append(_matches_text(wanted.q))
    # `as_string` gives a number as a number on SQLite: both sides are compared as text.
    found += [Image.extra[key].as_string().concat("") == value for key, value in wanted.metadata]
    return found


def _of_classes(db_session: Session, wanted: ImageFilter) -> list[ColumnElement[bool]]:
    if wanted.class_id is None and wanted.predicted_class_id is None and wanted.shown_class_id is None:
        return []
    tree = read_tree(db_session)

    def meant(class_id: int) -> set[int]:
        # A class that was removed is asked for by itself.
        return {*(tree.below(class_id) & tree.present), class_id}

    found: list[ColumnElement[bool]] = []
    if wanted.class_id is not None:
        found.append(_annotated_with(meant(wanted.class_id)))
    if wanted.predicted_class_id is not None:
        found.append(Image.predicted_class_id.in_(meant(wanted.predicted_class_id)))
    if wanted.shown_class_id is not None:
        class_ids = meant(wanted.shown_class_id)
        is_predicted = and_(Image.status == ImageStatus.UNLABELED, Image.predicted_class_id.in_(class_ids))
        found.append(or_(is_predicted, _annotated_with(class_ids)))
    return found


def _annotated_with(class_ids: Collection[int]) -> ColumnElement[bool]:
    # By ids: the few images of a class are looked up from the class, not the class from each of many images.
    return or_(
        *(Image.id.in_(_ids_with(table, class_ids)) for table in ANNOTATION_TABLES),
    )


def _ids_with(table: type[Point | Label | ImageClass | Region], class_ids: Collection[int]) -> Select[Any]:
    return select(table.image_id).where(table.class_id.in_(class_ids))


def _of_origin(reviewed: bool) -> list[ColumnElement[bool]]:
    def of_origin(table: type[Label | ImageClass], is_accepted: bool) -> ColumnElement[bool]:
        fits = table.origin == Origin.ACCEPTED if is_accepted else table.origin != Origin.ACCEPTED
        return exists().where(table.image_id == Image.id, fits)

    by_person = or_(of_origin(Label, False), of_origin(ImageClass, False))
    if reviewed:
        return [Image.status == ImageStatus.LABELED, by_person]
    accepted = or_(of_origin(Label, True), of_origin(ImageClass, True))
    return [Image.status == ImageStatus.LABELED, accepted, ~by_person]


def _matches_text(text: str) -> ColumnElement[bool]:
    found = Image.path.icontains(text, autoescape=True) | Image.comment.icontains(text, autoescape=True)
    # An id has at most 19 digits in the database.
    is_id = text.isascii() and text.isdecimal() and len(text) < 19
    return found | (Image.id == int(text)) if is_id else found


SAMPLED, MOST_VALUES, LONGEST = 500, 30, 60
"""Images looked at for what metadata there are; values listed of each key; characters of one that is listed."""


def metadata_values(db_session: Session) -> dict[str, list[str]]:
    """Keys of the metadata, each with values that a person can choose from; of a sample of the images."""
    rows = db_session.scalars(select(Image.extra).order_by(Image.random_key).limit(SAMPLED))
    found: dict[str, set[str]] = {}
    for extra in rows:
        for key, value in extra.items():
            if isinstance(value, (str, int, float)) and not isinstance(value, bool) and len(str(value)) <= LONGEST:
                found.setdefault(key, set()).add(str(value))
    return {key: sorted(values)[:MOST_VALUES] for key, values in sorted(found.items())}
