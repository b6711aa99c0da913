"""Take a merge of classes back: each annotation that the class had, and that nobody made anew, is its own again."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.orm import Session

from db.errors import ConflictError
from db.queries.class_effects import affected_images, note_change
from db.queries.class_groups import require_no_rivals_restored
from db.queries.class_merging import FIGURES, figure_key
from db.queries.class_tree import number, read_tree
from db.queries.merged_content import Said, beside, count_missing, given_back, joined, said_with, still_said
from db.queries.portions import in_portions
from db.queries.session_info import get_session_info
from db.queries.state_texts import said_again, state_text, write_text
from db.queries.unmerged_marks import Dropped, changed_since, give_back_dropped, give_back_marks
from db.tables.annotations import AnnotationState, Label, MergedAnnotation, Point, Region
from db.tables.images import Image
from db.tables.session import ClassMerge, LabelClass
from db.tasks import Annotates

IMAGES_PER_PORTION = 200

_GIVE_POINT = update(Point).where(Point.id == bindparam("row_id"))


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
    image_ids = connection.scalars(
        select(MergedAnnotation.image_id).where(of_merge).distinct().order_by(MergedAnnotation.image_id)
    ).all()
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
        now, answers = _give_back_states(connection, noted, had, of_states)
        rows = _give_back_rows(db_session, noted, now)
        marks = give_back_marks(db_session, noted, {i: found.mark for i, found in now.items() if found.mark})
        for image_id in changed_since(db_session, noted, answers.keys() - marks):
            given.dropped[image_id] = Dropped(answers[image_id], had[image_id].mark is not None)
        for image_id in ids:
            got = replace(rows.get(image_id, Said()), mark=marks.get(image_id))
            given.add(image_id, had[image_id], got)
    return given


def _give_back_states(
    connection: Connection, noted: ClassMerge, had: dict[int, Said], of_states: dict[int, dict[str, Any]]
) -> tuple[dict[int, Said], dict[int, str]]:
    """Let the histories of these images name the class again.

    Args:
        had: what the rows of each image had, by image.
        of_states: what is noted of the states from before the merge that said it, by id.

    Returns:
        What the rows of each have to give back, and who said of the class that it holds, by image, in answers in force.
    """
    in_force = dict(connection.execute(select(Image.id, Image.history_position).where(Image.id.in_(had))).all())
    now = dict(had)
    rows = connection.execute(
        select(AnnotationState.id, AnnotationState.image_id, AnnotationState.position, state_text)
        .where(AnnotationState.image_id.in_(had))
        .order_by(AnnotationState.image_id, AnnotationState.position)
    )
    changed = []
    answers = {}
    # Each is made out of the one before: texts are read only where something follows from them.
    image_of_before, position_of_before, before = 0, 0, ""
    for state_id, image_id, position, text in rows:
        if state_id <= noted.last_state_id:
            after = _as_before(text, of_states.get(state_id), noted)
        else:
            # The one before may be forgotten: then what the rows had is all that is known.
            is_known = (image_of_before, position_of_before) == (image_id, position - 1)
            known = _said_in(before, noted) if is_known else Said() if position == 1 else had[image_id]
            after = _as_kept_since(text, known, noted)
        image_of_before, position_of_before, before = image_id, position, after
        if after != text:
            changed.append({"row_id": state_id, "text": after})
        if position == in_force[image_id]:
            state = json.loads(after)
            named = said_with(state, noted.class_id, noted.into_id)
            now[image_id] = joined(named, beside(had[image_id], state))
            if named.mark is not None:
                answers[image_id] = named.mark[0]
    if changed:
        connection.execute(write_text(connection), changed)
    return now, answers


def _as_before(text: str, content: dict[str, Any] | None, noted: ClassMerge) -> str:
    """A state from before the merge, as it was then."""
    if content is None:
        return text
    if "at" in content:
        return said_again(text, content["at"], noted.class_id, noted.into_id)
    return json.dumps(given_back(json.loads(text), Said.from_json(content), noted.class_id, noted.into_id))


def _as_kept_since(text: str, before: Said, noted: ClassMerge) -> str:
    """A state from after the merge, with what it kept of what was said `before` it."""
    if not before:
        return text
    state = json.loads(text)
    kept = still_said(before, state, noted.into_id)
    return json.dumps(given_back(state, kept, noted.class_id, noted.into_id)) if kept else text


def _said_in(text: str, noted: ClassMerge) -> Said:
    return said_with(json.loads(text), noted.class_id, noted.into_id)


def _give_back_rows(db_session: Session, noted: ClassMerge, now: dict[int, Said]) -> dict[int, Said]:
    """Points, regions and labels; returns those that were still the other class's."""
    own, into = noted.class_id, noted.into_id
    left = {image_id: said.points.copy() for image_id, said in now.items() if said.points}
    point_ids = []
    found = select(Point.id, Point.image_id, Point.x, Point.y, Point.origin)
    found = found.where(Point.image_id.in_(left), Point.class_id == into).order_by(Point.id)
    connection = db_session.connection()
    for point_id, image_id, x, y, origin in connection.execute(found):
        key = (x, y, str(origin))
        if left[image_id][key] > 0:
            left[image_id][key] -= 1
            point_ids.append({"row_id": point_id})
    if point_ids:
        connection.execute(_GIVE_POINT.values(class_id=own), point_ids)

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
