"""What every format reads: the images of the session with their annotations, in batches."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.enums import ImageStatus, RegionKind
from db.queries.class_histories import in_present_names, read_merges
from db.queries.class_tree import ClassTree, read_tree
from db.tables.annotations import AnnotationState, ImageClass, Label, Point, Region, RegionShape
from db.tables.images import Image
from db.tables.learning import Prediction

BATCH = 500


@dataclass(frozen=True)
class ExportedShape:
    """Where a region lies."""

    kind: RegionKind
    geometry: dict[str, Any]


@dataclass(frozen=True)
class ExportedRegion:
    """A region with its geometry."""

    region: Region
    shape: ExportedShape


@dataclass(frozen=True)
class PastState:
    """What was once said about an image, in the names that classes have since they were merged."""

    position: int
    created_at: dt.datetime
    content: dict[str, Any]


@dataclass(frozen=True)
class ExportedImage:
    """An image and what is said about it, without annotations of removed classes."""

    image: Image
    points: list[Point]
    label: Label | None
    classes: list[ImageClass] | None
    """Where an image may have several; None while nobody has answered."""
    prediction: Prediction | None
    newest_prediction: Callable[[], Prediction | None]
    """As it is by now: the file of the map that was there when the export began is removed with the next prediction."""
    history: list[PastState]
    """Oldest first; empty unless asked for."""
    regions: list[ExportedRegion] = field(default_factory=list)
    """The last on top; erasers included."""
    shapes: dict[int, ExportedShape] = field(default_factory=dict)
    """By the id that states of the past name; empty unless asked for."""


def read_images(
    db_session: Session,
    class_ids: frozenset[int],
    *,
    status: ImageStatus | None = None,
    history: bool = False,
) -> Iterator[ExportedImage]:
    """Images by id, with few queries a batch, so that a large session neither fills the memory nor takes for ever."""
    last_id = 0
    while True:
        statement = select(Image).where(Image.id > last_id).order_by(Image.id).limit(BATCH)
        if status is not None:
            statement = statement.where(Image.status == status)
        images = list(db_session.scalars(statement))
        if not images:
            return
        last_id = images[-1].id
        yield from _with_annotations(db_session, images, class_ids, history=history)
        db_session.expunge_all()


def _with_annotations(
    db_session: Session, images: list[Image], class_ids: frozenset[int], *, history: bool
) -> Iterator[ExportedImage]:
    ids = [image.id for image in images]
    points: dict[int, list[Point]] = defaultdict(list)
    for point in db_session.scalars(select(Point).where(Point.image_id.in_(ids)).order_by(Point.id)):
        if point.class_id in class_ids:
            points[point.image_id].append(point)
    labels = {
        label.image_id: label
        for label in db_session.scalars(select(Label).where(Label.image_id.in_(ids)))
        if label.class_id in class_ids
    }
    answers = _answers(db_session, ids, class_ids)
    predictions = {p.image_id: p for p in db_session.scalars(select(Prediction).where(Prediction.image_id.in_(ids)))}
    states: dict[int, list[PastState]] = defaultdict(list)
    if history:
        merges = read_merges(db_session)
        wanted = select(AnnotationState).where(AnnotationState.image_id.in_(ids))
        for state in db_session.scalars(wanted.order_by(AnnotationState.image_id, AnnotationState.position)):
            content = in_present_names(state.state, merges)
            states[state.image_id].append(PastState(state.position, state.created_at, content))
    for image in images:
        yield ExportedImage(
            image=image,
            points=points[image.id],
            label=labels.get(image.id),
            classes=answers.get(image.id),
            prediction=predictions.get(image.id),
            newest_prediction=partial(_newest_prediction, db_session, image.id),
            history=states[image.id],
            # Image by image: masks are large.
            regions=_regions(db_session, image.id, class_ids) if image.region_count else [],
            shapes=_shapes(db_session, image.id) if history and image.revision else {},
        )


def _newest_prediction(db_session: Session, image_id: int) -> Prediction | None:
    # In a transaction of its own: the one of the export goes on seeing what was there when it began.
    with Session(db_session.get_bind()) as now:
        return now.get(Prediction, image_id)


def _regions(db_session: Session, image_id: int, class_ids: frozenset[int]) -> list[ExportedRegion]:
    rows = (
        select(Region, RegionShape.kind, RegionShape.geometry)
        .join(RegionShape, RegionShape.id == Region.shape_id)
        .where(Region.image_id == image_id)
        .order_by(Region.position, Region.id)
    )
    return [
        ExportedRegion(region, ExportedShape(kind, geometry))
        for region, kind, geometry in db_session.execute(rows)
        if region.class_id is None or region.class_id in class_ids
    ]


def _shapes(db_session: Session, image_id: int) -> dict[int, ExportedShape]:
    rows = select(RegionShape.id, RegionShape.kind, RegionShape.geometry).where(RegionShape.image_id == image_id)
    return {row.id: ExportedShape(row.kind, row.geometry) for row in db_session.execute(rows)}


def _answers(db_session: Session, ids: list[int], class_ids: frozenset[int]) -> dict[int, list[ImageClass]]:
    """Marks by image, with those that they imply."""
    answers: dict[int, list[ImageClass]] = defaultdict(list)
    wanted = select(ImageClass).where(ImageClass.image_id.in_(ids))
    for mark in db_session.scalars(wanted.order_by(ImageClass.image_id, ImageClass.class_id)):
        # Also where all its classes were removed: the image is answered for those that are left.
        found = answers[mark.image_id]
        if mark.class_id in class_ids:
            found.append(mark)
    tree = read_tree(db_session)
    return {image_id: _with_parents(tree, found) for image_id, found in answers.items()}


def _with_parents(tree: ClassTree, held: list[ImageClass]) -> list[ImageClass]:
    by_class = {mark.class_id: mark for mark in held}
    for mark in held:
        for above in () if mark.class_id is None else tree.above(mark.class_id):
            implied = ImageClass(image_id=mark.image_id, class_id=above, origin=mark.origin, created_at=mark.created_at)
            by_class.setdefault(above, implied)
    return list(by_class.values())
