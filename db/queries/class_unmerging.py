"""Take a merge of classes back: each annotation that the class had, and that nobody made anew, is its own again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import String, delete, func, select, type_coerce, update
from sqlalchemy.orm import Session

from db.errors import ConflictError
from db.queries.class_effects import affected_images, note_change
from db.queries.class_groups import require_no_rivals_restored
from db.queries.class_merging import FIGURES, figure_key
from db.queries.class_tree import number, read_tree
from db.queries.merged_content import Said, count_missing
from db.queries.portions import in_portions
from db.queries.session_info import get_session_info
from db.queries.unmerged_marks import Dropped, changed_since, give_back_dropped, give_back_marks
from db.queries.unmerged_states import give_back_states
from db.tables.annotations import Label, MergedAnnotation, Point, Region
from db.tables.images import Image
from db.tables.session import ClassMerge, LabelClass
from db.tasks import Annotates

IMAGES_PER_PORTION = 500


def unmerge(db_session: Session, label_class: LabelClass) -> tuple[int, int]:
    """Bring a class back that was merged, with what it had.

    Returns:
        Number of annotations that it has again, and of those that it had and that have been changed since.

    Raises:
        ConflictError: the merge is older than the records, another one has to be taken back before, or images have
            classes by now that it would exclude.
    """
    noted = _require_noted(db_session, label_class)
    images = affected_images(db_session, *read_tree(db_session).below(noted.into_id))
    given = _give_back_annotations(db_session, noted)
    _give_back_figures(db_session, noted)
    label_class.removed_at = label_class.merged_into_id = None
    until = get_session_info(db_session).label_sequence
    target = db_session.get_one(LabelClass, noted.into_id)
    # The open span, which says that it is removed, was never the other one's; that may have the same for a removal of
    # its own.
    target.unasked = _without(target.unasked, [span for span in label_class.unasked if span[1] is not None])
    label_class.unasked = [[first, until if last is None else last] for first, last in label_class.unasked]
    db_session.flush()
    _give_back_place(db_session, label_class, target, noted)
    require_no_rivals_restored(db_session, label_class)
    given.add_dropped(give_back_dropped(db_session, label_class, given.dropped))
    db_session.execute(delete(MergedAnnotation).where(MergedAnnotation.merge_id == noted.id))
    db_session.delete(noted)
    db_session.flush()
    is_implying = get_session_info(db_session).task.annotates is Annotates.CLASSES
    note_change(db_session, given.images.union(images) if is_implying else given.images)
    return given.count, given.n_missing


def _require_noted(db_session: Session, label_class: LabelClass) -> ClassMerge:
    into = db_session.get_one(LabelClass, label_class.merged_into_id)
    what = f"class {label_class.id} ({label_class.name}) was merged into class {into.id} ({into.name})"
    noted = db_session.scalar(select(ClassMerge).where(ClassMerge.class_id == label_class.id))
    if noted is None:
        raise ConflictError(f"{what}, which has its annotations for good: add a new class instead")
    # An answer with several classes does not tell which of those merged into one it had.
    is_answer = get_session_info(db_session).task.annotates is Annotates.CLASSES
    later = (ClassMerge.class_id == into.id) | ((ClassMerge.into_id == into.id) if is_answer else False)
    newest = select(ClassMerge).where(ClassMerge.id > noted.id, later).order_by(ClassMerge.id.desc()).limit(1)
    blocking = db_session.scalar(newest)
    if blocking is not None:
        first = db_session.get_one(LabelClass, blocking.class_id)
        other = db_session.get_one(LabelClass, blocking.into_id)
        raise ConflictError(f"{what}, and {first.name} into {other.name} after that: bring {first.name} back first")
    return noted


def _without(spans: list[Any], others: list[Any]) -> list[Any]:
    left = list(spans)
    for span in others:
        if span in left:
            left.remove(span)
    return left


@dataclass
class _Given:
    """What the images have got back."""

    count: int = 0
    n_missing: int = 0
    """Annotations that the class had when it was merged, and has not now."""
    images: set[int] = field(default_factory=set)
    dropped: dict[int, Dropped] = field(default_factory=dict)

    def add(self, image_id: int, had: Said, got: Said) -> None:
        """Count what one image had when the class was merged, and what it has got back."""
        self.n_missing += count_missing(had, got)
        self.count += len(got)
        if got:
            self.images.add(image_id)

    def add_dropped(self, back: dict[int, Dropped]) -> None:
        """Count those that are back after all."""
        self.count += len(back)
        self.n_missing -= sum(mark.is_missing for mark in back.values())
        self.images.update(back)


def _give_back_annotations(db_session: Session, noted: ClassMerge) -> _Given:
    of_merge = MergedAnnotation.merge_id == noted.id
    connection = db_session.connection()
    untouched, touched = _images(db_session, noted)
    image_ids = sorted(untouched | touched)
    given = _Given()
    for start in range(0, len(image_ids), IMAGES_PER_PORTION):
        ids = image_ids[start : start + IMAGES_PER_PORTION]
        records = connection.execute(
            select(MergedAnnotation.image_id, MergedAnnotation.state_id, MergedAnnotation.content).where(
                of_merge, MergedAnnotation.image_id.in_(ids)
            )
        ).all()
        had = {image_id: Said() for image_id in ids}
        had.update((image_id, Said.from_json(content)) for image_id, state_id, content in records if state_id is None)
        of_states = {state_id: content for _image_id, state_id, content in records if state_id is not None}
        looked_at = {image_id: had[image_id] for image_id in ids if image_id in touched}
        found, answers = give_back_states(db_session, noted, looked_at, of_states)
        now = had | found
        rows = _give_back_rows(db_session, noted, now)
        marks = give_back_marks(db_session, noted, {i: said.mark for i, said in now.items() if said.mark})
        for image_id in changed_since(db_session, noted, answers.keys() - marks):
            given.dropped[image_id] = Dropped(answers[image_id], had[image_id].mark is not None)
        for image_id in ids:
            got = replace(rows.get(image_id, Said()), mark=marks.get(image_id))
            given.add(image_id, had[image_id], got)
    return given


def _images(db_session: Session, noted: ClassMerge) -> tuple[set[int], set[int]]:
    """Images that have what they had when the classes were merged, and others that may have something to give back."""
    merged_at = db_session.get_one(LabelClass, noted.class_id).unasked[-1][0]
    connection = db_session.connection()
    counts = select(MergedAnnotation.image_id, func.count(MergedAnnotation.state_id))
    counts = counts.where(MergedAnnotation.merge_id == noted.id).group_by(MergedAnnotation.image_id)
    n_states = dict(connection.execute(counts).all())
    changed = connection.execute(select(Image.id, Image.label_sequence).where(Image.label_sequence >= merged_at))
    # The merge itself was the change of this number to images that had the class, if there were any.
    touched = {image_id for image_id, sequence in changed if sequence > merged_at or image_id not in n_states}
    touched |= {image_id for image_id, count in n_states.items() if count}
    return n_states.keys() - touched, touched


def _give_back_rows(db_session: Session, noted: ClassMerge, now: dict[int, Said]) -> dict[int, Said]:
    """Points, regions and labels; returns those that were still the other class's."""
    own, into = noted.class_id, noted.into_id
    left = {image_id: said.points.copy() for image_id, said in now.items() if said.points}
    point_ids = []
    found = select(Point.id, Point.image_id, Point.x, Point.y, type_coerce(Point.origin, String))
    found = found.where(Point.image_id.in_(left), Point.class_id == into).order_by(Point.id)
    connection = db_session.connection()
    for point_id, image_id, x, y, origin in connection.execute(found).all():
        key = (x, y, origin)
        if left[image_id][key] > 0:
            left[image_id][key] -= 1
            point_ids.append(point_id)
    for ids in in_portions(point_ids):
        connection.execute(update(Point).where(Point.id.in_(ids)).values(class_id=own))

    regions: set[int] = set()
    for ids in in_portions([region_id for said in now.values() for region_id in said.regions]):
        is_meant = Region.id.in_(ids) & (Region.class_id == into)
        regions.update(db_session.scalars(select(Region.id).where(is_meant)))
        db_session.execute(update(Region).where(is_meant).values(class_id=own))

    is_labelled = Label.image_id.in_([image_id for image_id, said in now.items() if said.label])
    is_meant = is_labelled & (Label.class_id == into)
    labels = set(db_session.scalars(select(Label.image_id).where(is_meant)))
    db_session.execute(update(Label).where(is_meant).values(class_id=own))
    return {
        image_id: Said(said.points - left.get(image_id, Counter()), said.regions & regions, image_id in labels)
        for image_id, said in now.items()
    }


def _give_back_figures(db_session: Session, noted: ClassMerge) -> None:
    for figure in FIGURES:
        for name, found in noted.figures.get(figure.__tablename__, {}).items():
            for ids in in_portions(found):
                is_meant = figure_key(figure).in_(ids) & (getattr(figure, name) == noted.into_id)
                db_session.execute(update(figure).where(is_meant).values({name: noted.class_id}))


def _give_back_place(db_session: Session, source: LabelClass, target: LabelClass, noted: ClassMerge) -> None:
    """Whatever has not been moved since stands where it stood, above, below and beside."""
    children: Collection[int] = noted.tree["children"]
    order = list(read_tree(db_session).parents)
    if target.id in children or noted.tree["moved_from"] is not None:
        _move_back(db_session, target, source.parent_id, noted.tree["moved_from"])
    for child in db_session.scalars(select(LabelClass).where(LabelClass.id.in_(children))):
        if child.id != target.id:
            _move_back(db_session, child, target.id, source.id)
    before: list[int] = noted.tree["before"]
    is_unsorted = [class_id for class_id in order if class_id in set(before)] == noted.tree["after"]
    added = [class_id for class_id in order if class_id not in set(before)]
    number(db_session, [*before, *added] if is_unsorted else order)


def _move_back(db_session: Session, label_class: LabelClass, moved_to: int | None, back_to: int | None) -> None:
    if label_class.parent_id != moved_to or back_to is None:
        return
    if label_class.id in (back_to, *read_tree(db_session).line(back_to)):
        return
    label_class.parent_id = back_to
    db_session.flush()
