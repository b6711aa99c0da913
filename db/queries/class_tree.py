"""Classes as a tree: a class may be a kind of another one, its parent, and what it says the parent says too."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.errors import InvalidInputError
from db.tables.session import LabelClass


@dataclass(frozen=True)
class ClassTree:
    """Which class stands below which.

    A removed class keeps its place: what stood below it counts as below the next one up that is present, until it is
    restored.
    """

    parents: dict[int, int | None]
    """Of every class, removed ones too."""
    present: frozenset[int]

    def above(self, class_id: int) -> tuple[int, ...]:
        """The present classes that it implies, nearest first."""
        return tuple(above for above in self.line(class_id) if above in self.present)

    def parent(self, class_id: int) -> int | None:
        """The nearest present class above."""
        return next(iter(self.above(class_id)), None)

    def below(self, class_id: int) -> frozenset[int]:
        """The class and all that imply it, removed ones too."""
        return frozenset({class_id, *(other for other in self.parents if class_id in self.line(other))})

    def with_parents(self, class_ids: Iterable[int]) -> set[int]:
        """The classes and all that they imply."""
        found = set(class_ids)
        return found.union(*(self.above(class_id) for class_id in found))

    def line(self, class_id: int) -> Iterator[int]:
        """The classes above, removed ones too, nearest first."""
        above = self.parents.get(class_id)
        while above is not None:
            yield above
            above = self.parents.get(above)


def read_tree(db_session: Session) -> ClassTree:
    """As it stands, in the order of the classes."""
    rows = db_session.connection().execute(_CLASSES).all()
    return ClassTree({row.id: row.parent_id for row in rows}, frozenset(row.id for row in rows if not row.removed_at))


_CLASSES = select(LabelClass.id, LabelClass.parent_id, LabelClass.removed_at).order_by(
    LabelClass.position, LabelClass.id
)


def check_parent(tree: ClassTree, class_id: int, parent_id: int) -> None:
    """Refuse what would be a circle.

    Raises:
        InvalidInputError: the parent is the class itself, or stands below it.
    """
    if parent_id == class_id:
        raise InvalidInputError(f"class {class_id} cannot be its own parent: name another class, or null for none")
    if parent_id in tree.below(class_id):
        raise InvalidInputError(
            f"class {parent_id} stands below class {class_id} and cannot be its parent: move it out first"
        )


def place_before(db_session: Session, class_id: int, before_id: int | None) -> None:
    """Put a class in front of another one of the same parent, or behind all of them, and number the tree anew.

    Raises:
        InvalidInputError: the other class has another parent.
    """
    tree = read_tree(db_session)
    order = [other for other in tree.parents if other != class_id]
    if before_id is None:
        order.append(class_id)
    else:
        sibling = None if before_id == class_id else _sibling(tree, before_id, tree.parents[class_id])
        if sibling is None:
            raise InvalidInputError(
                f"before names class {before_id}, which does not stand beside class {class_id}: name one with the same "
                "parent, or null for the last place"
            )
        order.insert(order.index(sibling), class_id)
    number(db_session, order)


def _sibling(tree: ClassTree, class_id: int, parent_id: int | None) -> int | None:
    """Which child of the parent holds the place of a class that shows below it: itself, or a removed one above it."""
    for holder in (class_id, *tree.line(class_id)):
        if holder not in tree.parents or (holder != class_id and holder in tree.present):
            return None
        if tree.parents[holder] == parent_id:
            return holder
    return None


def number(db_session: Session, order: Collection[int] | None = None) -> None:
    """Let `position` count through the tree from top to bottom: a class right before those below it.

    Args:
        order: of all classes; decides among those with the same parent. Left out, the one that there is.
    """
    parents = read_tree(db_session).parents
    children: dict[int | None, list[int]] = {}
    for class_id in order if order is not None else parents:
        children.setdefault(parents[class_id], []).append(class_id)
    positions: dict[int, int] = {}
    waiting = children.get(None, [])[::-1]
    while waiting:
        class_id = waiting.pop()
        positions[class_id] = len(positions)
        waiting += children.get(class_id, [])[::-1]
    for label_class in db_session.scalars(select(LabelClass)):
        label_class.position = positions[label_class.id]
    db_session.flush()
