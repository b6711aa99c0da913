"""One change of many images: the same rules as for one, all in the caller's one transaction, in few statements."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from db.clock import utc_now
from db.enums import ImageStatus, Origin
from db.errors import InvalidInputError
from db.queries.annotation_change import (
    FORGET_STATES,
    HISTORY_LENGTH,
    INSERT_STATE,
    Change,
    present_classes,
    session_info,
    status_of,
)
from db.queries.annotation_state import ClassMark, State, marks, with_parents
from db.queries.class_groups import class_groups
from db.queries.class_tree import ClassTree, read_tree
from db.queries.events import add_events
from db.queries.jobs import request_refit
from db.queries.splits import SplitDrawer
from db.tables.annotations import AnnotationState, ImageClass, Label
from db.tables.images import Image
from db.tables.session import SessionInfo
from db.tasks import Annotates

MOST_IMAGES = 5_000
"""In one change: all of it is one transaction, and no other click is stored meanwhile."""
IDS_PER_QUERY = 500
"""Databases limit the number of values in one statement."""


@dataclass
class BulkOutcome:
    """What became of the images."""

    changed: dict[int, int] = field(default_factory=dict)
    """Revision by id."""
    unchanged: list[int] = field(default_factory=list)
    """It was so before, or there is nothing to do about them."""
    conflicts: list[int] = field(default_factory=list)
    """They are not what the person saw."""
    refused: list[int] = field(default_factory=list)
    """There is no such image, or it cannot be labelled."""


class Member(Change):
    """One of the images, with what all share read once."""

    def __init__(self, batch: Batch, image: Image, before: State) -> None:
        self.db_session = batch.db_session
        self.image = image
        self.info = batch.info
        self.task = batch.info.task
        self.before = before
        self.present = batch.present
        self.batch = batch

    def groups(self) -> dict[int, str]:
        """Read once for all."""
        return self.batch.groups

    def tree(self) -> ClassTree:
        """Read once for all."""
        return self.batch.tree

    @property
    def is_readable(self) -> bool:
        """Whether somebody could have seen it."""
        return self.image.width is not None and self.image.height is not None

    def held(self) -> dict[int, Origin]:
        """The classes that hold by now, those above included, where an image may have several."""
        visible = with_parents(self.batch.tree, self.before.visible(self.present).classes)
        return {class_id: origin for class_id, origin in visible if class_id is not None}

    def answered(self, chosen: Mapping[int, Origin]) -> State:
        """The answer that these classes hold, and no other."""
        found: list[ClassMark] = [*chosen.items()] or [(None, Origin.HUMAN)]
        return State(classes=self.answer(found))


Rule = Callable[[Member], State | None]
"""What comes after; None where the image stays as it is."""


class Batch:
    """Images that are changed together; only whole images have a class that can be given to many."""

    def __init__(self, db_session: Session, image_ids: Sequence[int]) -> None:
        """Read what stands, and keep others from changing it.

        Raises:
            InvalidInputError: the task has no labels of whole images, or there are too many.
        """
        if len(image_ids) > MOST_IMAGES:
            raise InvalidInputError(
                f"{len(image_ids)} images in one change, {MOST_IMAGES} are possible: send them in several"
            )
        self.db_session = db_session
        self.info: SessionInfo = session_info(db_session)
        if self.info.task.annotates is Annotates.POINTS:
            raise InvalidInputError(
                f"this is a {self.info.task.name} session: images are changed one by one, not in bulk"
            )
        self.present = present_classes(db_session)
        self.groups = class_groups(db_session)
        self.tree: ClassTree = read_tree(db_session)
        images: dict[int, Image] = {}
        for ids in _chunks(image_ids):
            found = db_session.scalars(select(Image).where(Image.id.in_(ids)).order_by(Image.id).with_for_update())
            images.update({image.id: image for image in found})
        states = self._read_states(images)
        # In the order given.
        self.members = {
            image_id: Member(self, images[image_id], states[image_id]) for image_id in image_ids if image_id in images
        }
        self.picked_by_model = False
        """What a head said decided which images these are: none that `apply` changes becomes a validation image."""
        self.outcome = BulkOutcome(refused=[image_id for image_id in image_ids if image_id not in images])

    def apply(self, rule: Rule) -> None:
        """Make what the rule says the state in force of each image, and the newest step of its history."""
        planned: list[tuple[Member, State, int]] = []
        sequence = self.info.label_sequence
        for image_id, member in self._open_members():
            after = rule(member)
            if after is None or after.same_as(member.before):
                self.outcome.unchanged.append(image_id)
                continue
            sequence += 1
            if after.classes:
                after = replace(after, answered_at=sequence)
            if self.picked_by_model and member.image.split is None:
                member.image.picked_by_model = True
            planned.append((member, after, member.image.history_position + 1))
        self._remember(planned)
        self._put_in_force(planned)

    def step(self, direction: int) -> None:
        """One step back (-1) or forward (1) in the history of each image; those without one stay as they are."""
        states = self._states_at({m.image.id: m.image.history_position + direction for _, m in self._open_members()})
        planned: list[tuple[Member, State, int]] = []
        for image_id, member in self._open_members():
            after = states.get(image_id)
            allowed = None if after is None else member.beside_hidden(after)
            if allowed is None or allowed.same_as(member.before):
                self.outcome.unchanged.append(image_id)
                continue
            planned.append((member, allowed, member.image.history_position + direction))
        self._put_in_force(planned)

    def set_apart(self, image_ids: Iterable[int], into: list[int]) -> None:
        """Leave these out: `into` is one of the lists of the outcome."""
        for image_id in image_ids:
            if self.members.pop(image_id, None) is not None:
                into.append(image_id)

    def _open_members(self) -> list[tuple[int, Member]]:
        return list(self.members.items())

    def _read_states(self, images: Mapping[int, Image]) -> dict[int, State]:
        states = {
            image.id: State(
                skipped=image.status is ImageStatus.SKIPPED, undetermined=image.status is ImageStatus.UNDETERMINED
            )
            for image in images.values()
        }
        has_several = self.info.task.annotates is Annotates.CLASSES
        table: type[Label | ImageClass] = ImageClass if has_several else Label
        found: dict[int, list[ClassMark]] = {}
        for ids in _chunks(images):
            rows = select(table.image_id, table.class_id, table.origin).where(table.image_id.in_(ids))
            for image_id, class_id, origin in self.db_session.execute(rows):
                found.setdefault(image_id, []).append((class_id, origin))
        for image_id, held in found.items():
            if has_several:
                answered_at = images[image_id].answered_at
                states[image_id] = replace(states[image_id], classes=marks(held), answered_at=answered_at)
            elif held[0][0] is not None:
                states[image_id] = replace(states[image_id], label=(held[0][0], held[0][1]))
        return states

    def _states_at(self, positions: Mapping[int, int]) -> dict[int, State]:
        """The states of the past at these positions; position 0, which has no row, as long as the first is kept."""
        found: dict[int, State] = {}
        for ids in _chunks(positions):
            wanted = {image_id: max(positions[image_id], 1) for image_id in ids}
            rows = select(AnnotationState.image_id, AnnotationState.position, AnnotationState.state).where(
                AnnotationState.image_id.in_(ids),
                # Pairs would be exact, but SQLite looks through the whole table for them.
                AnnotationState.position.in_(sorted(set(wanted.values()))),
            )
            for image_id, position, state in self.db_session.execute(rows):
                if position == wanted[image_id]:
                    found[image_id] = State.from_json(state) if positions[image_id] > 0 else State()
        return found

    def _remember(self, planned: Sequence[tuple[Member, State, int]]) -> None:
        if not planned:
            return
        connection = self.db_session.connection()
        forgotten = [
            {"image_id": m.image.id, "next": position, "oldest": position - HISTORY_LENGTH}
            for m, _state, position in planned
        ]
        connection.execute(FORGET_STATES, forgotten)
        states = [
            {"image_id": m.image.id, "position": position, "state": state.to_json(), "created_at": utc_now()}
            for m, state, position in planned
        ]
        connection.execute(INSERT_STATE, states)

    def _put_in_force(self, planned: Sequence[tuple[Member, State, int]]) -> None:
        """As `Change.put_in_force`; what agrees with a prediction is not noted, as many at once say little of it."""
        if not planned:
            return
        drawer = SplitDrawer(self.db_session)
        for member, after, position in planned:
            visible, image = after.visible(self.present), member.image
            self.info.label_sequence += 1
            image.history_position = position
            image.revision += 1
            image.label_sequence = self.info.label_sequence
            image.answered_at = after.answered_at if after.classes else 0
            image.status = status_of(visible)
            if visible.says_something and image.split is None:
                image.split = drawer.draw(image, _class_ids(visible))
            self.outcome.changed[image.id] = image.revision
        self._write_rows(planned)
        self.db_session.flush()
        request_refit(self.db_session, planned[0][0].image.id)
        revisions = self.outcome.changed.items()
        add_events(self.db_session, "annotation", [{"image_id": i, "revision": revision} for i, revision in revisions])

    def _write_rows(self, planned: Sequence[tuple[Member, State, int]]) -> None:
        now = utc_now()
        has_several = self.info.task.annotates is Annotates.CLASSES
        table: type[Label | ImageClass] = ImageClass if has_several else Label
        touched = [
            (member.image.id, after) for member, after, _ in planned if set(_marks(member.before)) != set(_marks(after))
        ]
        for ids in _chunks([image_id for image_id, _after in touched]):
            self.db_session.connection().execute(delete(table).where(table.image_id.in_(ids)))
        rows: list[dict[str, Any]] = [
            {"image_id": image_id, "class_id": class_id, "origin": origin, "created_at": now}
            for image_id, after in touched
            for class_id, origin in _marks(after)
        ]
        if rows:
            self.db_session.connection().execute(insert(table).inline(), rows)


def labelled(class_id: int) -> Rule:
    """One class for each whole image, by a person."""
    after = State(label=(class_id, Origin.HUMAN))
    return lambda _member: after


def answered(class_ids: Collection[int]) -> Rule:
    """These classes hold on each image, and no other."""

    def rule(member: Member) -> State:
        known = member.held()
        held = member.batch.tree.with_parents(class_ids)
        return member.answered({class_id: known.get(class_id, Origin.HUMAN) for class_id in held})

    return rule


def with_class(class_id: int) -> Rule:
    """The class holds on each image, and those above it; what excludes it does no longer."""

    def rule(member: Member) -> State:
        tree, groups = member.batch.tree, member.batch.groups
        new = {class_id, *tree.above(class_id)}
        taken = {groups[found] for found in new if found in groups}
        excluded = {
            below
            for other in member.present
            if other not in new and groups.get(other) in taken
            for below in tree.below(other)
        }
        kept = {found: origin for found, origin in member.held().items() if found not in excluded}
        return member.answered({**dict.fromkeys(new, Origin.HUMAN), **kept})

    return rule


def without_class(class_id: int) -> Rule:
    """The class does not hold on each image, nor what implies it; images without an answer stay so."""

    def rule(member: Member) -> State | None:
        if not member.before.classes:
            return None
        gone = member.batch.tree.below(class_id)
        return member.answered({found: origin for found, origin in member.held().items() if found not in gone})

    return rule


def confirmed(member: Member) -> State | None:
    """A person has looked: what was accepted, extracted or imported counts as theirs."""
    before = member.before
    if before.label is not None:
        if before.label[0] not in member.present:
            return None
        return replace(before, label=(before.label[0], Origin.HUMAN))
    return replace(before, classes=tuple((class_id, Origin.HUMAN) for class_id, _origin in before.classes))


def cleared(member: Member) -> State:
    """Nothing is said about the image."""
    return replace(member.hidden(), classes=())


def set_aside(member: Member) -> State:
    """The image is skipped."""
    return replace(cleared(member), skipped=True)


def undetermined(member: Member) -> State:
    """Nobody can tell."""
    return replace(cleared(member), undetermined=True)


def _marks(state: State) -> tuple[ClassMark, ...]:
    return state.classes if state.label is None else (state.label,)


def _class_ids(visible: State) -> set[int]:
    return {class_id for class_id, _origin in _marks(visible) if class_id is not None}


def _chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    found = list(ids)
    return (found[start : start + IDS_PER_QUERY] for start in range(0, len(found), IDS_PER_QUERY))
