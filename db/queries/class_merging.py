"""Give all annotations of a class to another one, and note what is needed to take that back."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict
from typing import Any

from sqlalchemy import String, func, insert, select, type_coerce, update
from sqlalchemy.orm import Session, aliased

from db.clock import utc_now
from db.queries.class_effects import affected_images, count_annotations, note_change
from db.queries.class_groups import merge_image_classes
from db.queries.class_tree import number, read_tree
from db.queries.class_usage import class_usage
from db.queries.merged_content import PointKey, Said
from db.queries.portions import in_portions
from db.queries.session_info import get_session_info
from db.tables.annotations import AnnotationState, ImageClass, Label, MergedAnnotation, Point, Region
from db.tables.learning import Agreement, PredictionOutcome
from db.tables.session import ClassMerge, LabelClass

FIGURES: tuple[type[PredictionOutcome | Agreement], ...] = (PredictionOutcome, Agreement)
FIGURE_COLUMNS = ("class_id", "predicted_class_id")


def merge(db_session: Session, source: LabelClass, target: LabelClass) -> int:
    """Let `target` take over all that `source` has, and remove `source`.

    Histories go on naming it, see db/queries/class_histories.py.

    Returns:
        Number of points, regions and labels that it got.

    Raises:
        ConflictError: images have the class together with one that excludes the other.
    """
    count = count_annotations(db_session, source.id)
    images = affected_images(db_session, *read_tree(db_session).below(source.id))
    noted = _note(db_session, source, target)
    merge_image_classes(db_session, source, target)
    _merge_branches(db_session, source, target)
    for table in (Point, Label, Region):
        db_session.execute(update(table).where(table.class_id == source.id).values(class_id=target.id))
    for figure in FIGURES:
        for name in FIGURE_COLUMNS:
            column = getattr(figure, name)
            db_session.execute(update(figure).where(column == source.id).values({name: target.id}))
    # An answer that was not about both of them says nothing of what they are together.
    target.unasked = [*target.unasked, *source.unasked]
    source.removed_at, source.merged_into_id = utc_now(), target.id
    source.unasked = [*source.unasked, [get_session_info(db_session).label_sequence + 1, None]]
    number(db_session)
    noted.tree = {**noted.tree, "after": list(read_tree(db_session).parents)}
    db_session.flush()
    note_change(db_session, images)
    return count


def _note(db_session: Session, source: LabelClass, target: LabelClass) -> ClassMerge:
    tree = read_tree(db_session)
    is_below = target.id in tree.below(source.id)
    noted = ClassMerge(
        class_id=source.id,
        into_id=target.id,
        last_state_id=db_session.scalar(select(func.max(AnnotationState.id))) or 0,
        usage=asdict(class_usage(db_session, source.id)),
        tree={
            "children": [other for other, parent in tree.parents.items() if parent == source.id],
            "moved_from": target.parent_id if is_below else None,
            "before": list(tree.parents),
        },
        figures={
            figure.__tablename__: {name: _ids_with(db_session, figure, name, source.id) for name in FIGURE_COLUMNS}
            for figure in FIGURES
        },
    )
    db_session.add(noted)
    db_session.flush()
    _note_rows(db_session, noted)
    return noted


def _ids_with(
    db_session: Session, figure: type[PredictionOutcome | Agreement], column: str, class_id: int
) -> list[int]:
    key = figure_key(figure)
    return list(db_session.scalars(select(key).where(getattr(figure, column) == class_id).order_by(key)))


def figure_key(figure: type[PredictionOutcome | Agreement]) -> Any:
    """What names a row of such a table."""
    return PredictionOutcome.image_id if figure is PredictionOutcome else Agreement.id


def _note_rows(db_session: Session, noted: ClassMerge) -> None:
    """What the rows in force say with the class, image by image."""
    points: dict[int, Counter[PointKey]] = defaultdict(Counter)
    found = select(Point.image_id, Point.x, Point.y, type_coerce(Point.origin, String))
    rows = db_session.connection().execute(found.where(Point.class_id == noted.class_id).order_by(Point.id))
    for image_id, x, y, origin in rows.all():
        points[image_id][x, y, origin] += 1
    regions: dict[int, set[int]] = defaultdict(set)
    for image_id, region_id in db_session.execute(
        select(Region.image_id, Region.id).where(Region.class_id == noted.class_id)
    ):
        regions[image_id].add(region_id)
    labels = set(db_session.scalars(select(Label.image_id).where(Label.class_id == noted.class_id)))
    marks = _marks(db_session, noted)
    values = [
        {
            "merge_id": noted.id,
            "image_id": image_id,
            "state_id": None,
            "content": Said(
                points.get(image_id, Counter()),
                frozenset(regions.get(image_id, ())),
                image_id in labels,
                marks.get(image_id),
            ).to_json(),
        }
        for image_id in sorted({*points, *regions, *labels, *marks})
    ]
    for portion in in_portions(values):
        db_session.connection().execute(insert(MergedAnnotation).inline(), portion)


def _marks(db_session: Session, noted: ClassMerge) -> dict[int, tuple[str, str | None]]:
    other = aliased(ImageClass)
    is_both = (other.image_id == ImageClass.image_id) & (other.class_id == noted.into_id)
    found = select(ImageClass.image_id, ImageClass.origin, other.origin).outerjoin(other, is_both)
    rows = db_session.execute(found.where(ImageClass.class_id == noted.class_id))
    return {image_id: (own.value, None if its is None else its.value) for image_id, own, its in rows}


def _merge_branches(db_session: Session, source: LabelClass, target: LabelClass) -> None:
    """What stands below the one stands below the other; where that is below itself, it goes up to the first's place."""
    if target.id in read_tree(db_session).below(source.id):
        target.parent_id = source.parent_id
    for child in db_session.scalars(select(LabelClass).where(LabelClass.parent_id == source.id)):
        child.parent_id = target.id
    db_session.flush()
