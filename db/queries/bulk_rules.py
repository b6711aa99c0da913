"""What a change of many images makes of each of them: the same rules as for one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from db.enums import Origin
from db.queries.annotation_rules import ClassRules, Standing
from db.queries.annotation_state import ClassMark, State, with_parents
from db.queries.bulk_rows import ImageFacts


class Member(Standing):
    """One of the images."""

    def __init__(self, classes: ClassRules, image: ImageFacts, before: State) -> None:
        super().__init__(classes, before)
        self.image = image

    @property
    def is_readable(self) -> bool:
        """Whether somebody could have seen it."""
        return self.image.width is not None and self.image.height is not None

    def held(self) -> dict[int, Origin]:
        """The classes that hold by now, those above included, where an image may have several."""
        visible = with_parents(self.classes.tree, self.before.visible(self.present).classes)
        return {class_id: origin for class_id, origin in visible if class_id is not None}

    def answered(self, chosen: Mapping[int, Origin]) -> State:
        """The answer that these classes hold, and no other."""
        found: list[ClassMark] = [*chosen.items()] or [(None, Origin.HUMAN)]
        return State(classes=self.answer(found))


Rule = Callable[[Member], State | None]
"""What comes after; None where the image stays as it is."""


def labelled(class_id: int) -> Rule:
    """One class for each whole image, by a person."""
    after = State(label=(class_id, Origin.HUMAN))
    return lambda _member: after


def answered(class_ids: Collection[int]) -> Rule:
    """These classes hold on each image, and no other."""

    def rule(member: Member) -> State:
        known = member.held()
        held = member.classes.tree.with_parents(class_ids)
        return member.answered({class_id: known.get(class_id, Origin.HUMAN) for class_id in held})

    return rule


def with_class(class_id: int) -> Rule:
    """The class holds on each image, and those above it; what excludes it does no longer."""

    def rule(member: Member) -> State:
        tree, groups = member.classes.tree, member.classes.groups
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
        gone = member.classes.tree.below(class_id)
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
