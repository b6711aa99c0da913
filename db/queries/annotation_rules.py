"""What may be said of an image, by the classes of the session: which can be given, exclude or imply each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import InvalidInputError
from db.queries.annotation_state import ClassMark, State, StoredRegion, marks, with_hidden
from db.queries.class_groups import class_groups
from db.queries.class_tree import ClassTree, read_tree
from db.queries.hidden_points import hidden_points_after
from db.tables.session import LabelClass

# Built once: every click runs it, and putting a statement together takes longer than running it.
_PRESENT_CLASSES = (
    select(LabelClass.id, LabelClass.name)
    .where(LabelClass.removed_at.is_(None))
    .order_by(LabelClass.position, LabelClass.id)
)


class ClassRules:
    """The classes as they stand in one transaction; what a click does not need is not read."""

    def __init__(self, db_session: Session) -> None:
        self._db_session = db_session
        self.present = present_classes(db_session)

    @cached_property
    def groups(self) -> dict[int, str]:
        """Group by class id, of the classes that exclude others."""
        return class_groups(self._db_session)

    @cached_property
    def tree(self) -> ClassTree:
        """Which class stands below which."""
        return read_tree(self._db_session)

    def require_present(self, class_ids: Collection[int]) -> None:
        """Refuse classes that cannot be assigned.

        Raises:
            InvalidInputError: one of them is not there, or was removed.
        """
        unknown = sorted(set(class_ids) - self.present.keys())
        if unknown:
            listed = ", ".join(f"{class_id} ({name})" for class_id, name in self.present.items()) or "none"
            raise InvalidInputError(f"there is no class {unknown[0]}: the classes are {listed}")

    def require_compatible(self, class_ids: Collection[int]) -> None:
        """Refuse what one image cannot have together; all of the classes are present.

        Raises:
            InvalidInputError: a class is named twice, or two exclude each other, or are below such.
        """
        twice = [class_id for class_id, count in Counter(class_ids).items() if count > 1]
        if twice:
            raise InvalidInputError(f"class {twice[0]} ({self.present[twice[0]]}) is named twice: name it once")
        taken: dict[str, int] = {}
        implied = self.tree.with_parents(class_ids)
        for class_id, group in self.groups.items():
            if class_id not in implied:
                continue
            if group in taken:
                first = taken[group]
                raise InvalidInputError(
                    f"classes {first} ({self.present[first]}) and {class_id} ({self.present[class_id]}) exclude each "
                    f"other, as both are of the group {group!r}: choose one of them"
                )
            taken[group] = class_id


class Standing:
    """What is said of an image, and what a change of it leaves in place."""

    def __init__(self, classes: ClassRules, before: State) -> None:
        self.classes = classes
        self.present = classes.present
        self.before = before

    def hidden(self, state: State | None = None) -> State:
        """Annotations of removed classes, which every change leaves in place: of a state, or of the one in force.

        Among several classes of an image they are part of an answer: where that goes as a whole, they go with it.
        """
        state = state or self.before
        label = state.label
        return State(
            tuple(point for point in state.points if point.class_id not in self.present),
            label if label is not None and label[0] not in self.present else None,
            classes=self._hidden_marks(state),
            regions=tuple(
                region
                for region in state.regions
                if region.class_id is not None and region.class_id not in self.present
            ),
        )

    def beside_hidden(
        self, after: State, left: State | None = None, direction: int = -1, now: State | None = None
    ) -> State:
        """Another state of the history, with the hidden points and regions that belong beside it.

        Backward they stay as they are now, and what had been removed since comes back; forward they change as they did
        then. A label stands alone in its image: another one comes back, hidden or not, in place of a hidden one. An
        answer with several classes comes back as a whole, too: its hidden ones instead of those that are hidden now.

        Args:
            left: the state of the history that the image leaves; None for the one in force.
            direction: -1 back, 1 forward.
            now: what is in force as the image leaves that state; None for what is in force before the change.
        """
        left, now = left or self.before, now or self.before
        visible, hidden = after.visible(self.present), self.hidden(now)
        classes = self.answer(visible.classes, self._hidden_marks(after)) if after.classes else ()
        label = after.label or (hidden.label if direction < 0 else None)
        regions = self._beside_hidden_regions(after, hidden, left, direction, now.regions)
        points = hidden_points_after(hidden.points, left, after, self.present, direction) + visible.points
        return replace(after, points=points, label=label, classes=classes, regions=regions)

    def _beside_hidden_regions(
        self, after: State, hidden: State, left: State, direction: int, now: Sequence[StoredRegion]
    ) -> tuple[StoredRegion, ...]:
        visible = after.visible(self.present)
        # A region that shows now, or is not there, and had a class then that is removed is hidden again, as that class.
        hidden_ids = {region.id for region in hidden.regions}
        back = tuple(r for r in after.regions if r.id not in hidden_ids and r not in visible.regions)
        stays = hidden.regions
        if direction > 0:
            # What the history has of them goes on with it; what a step back has left in place stays.
            known, then = {region.id for region in left.regions}, {region.id: region for region in after.regions}
            stays = tuple(then.get(r.id, r) for r in hidden.regions if r.id in then or r.id not in known)
        return with_hidden(visible.regions, stays + back, after.regions, now)

    def _hidden_marks(self, state: State) -> tuple[ClassMark, ...]:
        return tuple(mark for mark in state.classes if mark[0] is not None and mark[0] not in self.present)

    def answer(self, visible: Iterable[ClassMark], hidden: Iterable[ClassMark] | None = None) -> tuple[ClassMark, ...]:
        """These classes and the hidden ones, without those that they exclude, or stand below such.

        Of two that exclude each other by now, as an earlier state may have them, the first by class order stays.

        Args:
            hidden: None means those of the image now.
        """
        groups, tree = self.classes.groups, self.classes.tree
        order = {class_id: place for place, class_id in enumerate(tree.parents)}
        chosen: list[ClassMark] = []
        taken: dict[str, int] = {}
        for class_id, origin in sorted(dict(visible).items(), key=lambda mark: order.get(mark[0] or 0, -1)):
            implied = () if class_id is None else (class_id, *tree.above(class_id))
            if _fits(implied, groups, taken):
                chosen.append((class_id, origin))
        # What is hidden may come back together with removed classes above it, and above those that were chosen.
        for class_id, _origin in chosen:
            if class_id is not None:
                _fits(tuple(tree.line(class_id)), groups, taken)
        kept = (
            (class_id, origin)
            for class_id, origin in (self._hidden_marks(self.before) if hidden is None else hidden)
            if class_id is not None and _fits((class_id, *tree.line(class_id)), groups, taken)
        )
        return marks((*kept, *chosen))


def _fits(class_ids: Collection[int], groups: Mapping[int, str], taken: dict[str, int]) -> bool:
    """Whether none of the classes is excluded by what was `taken`, by group; if so they take theirs."""
    own = {groups[class_id]: class_id for class_id in class_ids if class_id in groups}
    if any(taken.get(group, class_id) != class_id for group, class_id in own.items()):
        return False
    taken |= own
    return True


def present_classes(db_session: Session) -> dict[int, str]:
    """Name by id of the classes that can be assigned, in their order."""
    return dict(db_session.connection().execute(_PRESENT_CLASSES).all())
