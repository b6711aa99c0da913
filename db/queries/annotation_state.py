"""Everything said about one image, as a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from db.enums import Origin, RegionKind, RegionOrigin
from db.queries.class_tree import ClassTree

ClassMark = tuple[int | None, Origin]
"""A class that holds, and who said so; None: no class holds."""


@dataclass(frozen=True)
class StoredPoint:
    """A point with who made it; `id` is None until it has a row."""

    x: float
    y: float
    class_id: int
    origin: Origin
    id: int | None = None

    @property
    def content(self) -> tuple[float, float, int, Origin]:
        """All but the id."""
        return self.x, self.y, self.class_id, self.origin


@dataclass(frozen=True)
class StoredRegion:
    """A region without its geometry, which its shape has; `id` is None until it has a row."""

    id: int | None
    shape_id: int
    kind: RegionKind
    class_id: int | None
    """None removes what lies below."""
    origin: RegionOrigin

    @property
    def content(self) -> tuple[int, int | None, RegionOrigin]:
        """All but the id."""
        return self.shape_id, self.class_id, self.origin


@dataclass(frozen=True)
class State:
    """Everything said about one image, hidden annotations included."""

    points: tuple[StoredPoint, ...] = ()
    label: tuple[int, Origin] | None = None
    skipped: bool = False
    classes: tuple[ClassMark, ...] = ()
    """Of a multi-label session, as `marks` gives them; empty while nobody has answered."""
    answered_at: int = 0
    """As `Image.answered_at`."""
    undetermined: bool = False
    """A person has looked and cannot tell."""
    regions: tuple[StoredRegion, ...] = ()
    """From the lowest to the one on top."""

    def visible(self, present: Container[int]) -> State:
        """What is left of it with the classes that are present."""
        label = self.label if self.label is not None and self.label[0] in present else None
        points = tuple(point for point in self.points if point.class_id in present)
        regions = tuple(region for region in self.regions if region.class_id is None or region.class_id in present)
        classes = _visible_marks(self.classes, present)
        return replace(self, points=points, label=label, classes=classes, regions=regions)

    @property
    def says_something(self) -> bool:
        """Whether it makes an image labelled."""
        if self.points or self.label is not None or self.classes:
            return True
        return any(region.class_id is not None for region in self.regions)

    def same_as(self, other: State) -> bool:
        """Equal up to ids, the order of the points, and to when it was said."""
        if (self.label, self.skipped, self.undetermined) != (other.label, other.skipped, other.undetermined):
            return False
        if set(self.classes) != set(other.classes):
            return False
        if self.regions != other.regions:
            return False
        return Counter(point.content for point in self.points) == Counter(point.content for point in other.points)

    def to_json(self) -> dict[str, Any]:
        """As kept in `annotation_states`."""
        content: dict[str, Any] = {
            "points": [{"x": p.x, "y": p.y, "class_id": p.class_id, "origin": p.origin.value} for p in self.points],
            "label": None if self.label is None else {"class_id": self.label[0], "origin": self.label[1].value},
            "skipped": self.skipped,
        }
        if self.classes:
            content["classes"] = [{"class_id": class_id, "origin": origin.value} for class_id, origin in self.classes]
            content["answered_at"] = self.answered_at
        if self.undetermined:
            content["undetermined"] = True
        if self.regions:
            content["regions"] = [
                {"id": r.id, "shape_id": r.shape_id, "kind": r.kind, "class_id": r.class_id, "origin": r.origin}
                for r in self.regions
            ]
        return content

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> State:
        """Inverse of `to_json`."""
        points = (StoredPoint(p["x"], p["y"], p["class_id"], Origin(p["origin"])) for p in data["points"])
        label = data["label"]
        return cls(
            tuple(points),
            None if label is None else (label["class_id"], Origin(label["origin"])),
            data["skipped"],
            tuple((mark["class_id"], Origin(mark["origin"])) for mark in data.get("classes", ())),
            data.get("answered_at", 0),
            data.get("undetermined", False),
            tuple(
                StoredRegion(r["id"], r["shape_id"], RegionKind(r["kind"]), r["class_id"], RegionOrigin(r["origin"]))
                for r in data.get("regions", ())
            ),
        )


def marks(found: Iterable[ClassMark]) -> tuple[ClassMark, ...]:
    """The answer that these make together: each class once, by id; None only where no class holds."""
    by_class: dict[int | None, Origin] = {}
    for class_id, origin in found:
        by_class.setdefault(class_id, origin)
    if len(by_class) > 1:
        by_class.pop(None, None)
    return tuple(sorted(by_class.items(), key=lambda mark: mark[0] or 0))


def with_hidden(
    visible: Sequence[StoredRegion], hidden: Iterable[StoredRegion], *orders: Sequence[StoredRegion]
) -> tuple[StoredRegion, ...]:
    """Regions of removed classes at their old places among those that show.

    Args:
        visible: those that show, in their order; of a region that is in both, this is the one.
        hidden: in their order.
        orders: where a hidden one lay, in the first of them that has it: right above the nearest of those below it
            that are still there.
    """
    hidden = tuple(hidden)
    if not hidden:
        return tuple(visible)
    merged = list(visible)
    ids = {region.id for region in merged}
    places = [{region.id: place for place, region in enumerate(order)} for order in orders]
    for region in hidden:
        if region.id in ids:
            continue
        n = next((n for n, found in enumerate(places) if region.id in found), None)
        below = () if n is None else orders[n][: places[n][region.id]][::-1]
        nearest = next((other.id for other in below if other.id in ids), None)
        place = next((n + 1 for n, other in enumerate(merged) if nearest is not None and other.id == nearest), 0)
        merged.insert(place, region)
        ids.add(region.id)
    return tuple(merged)


def with_parents(tree: ClassTree, classes: Iterable[ClassMark]) -> tuple[ClassMark, ...]:
    """The answer with what it implies; who said of a class that it holds has said so of those above it."""
    given = list(classes)
    implied = ((above, origin) for class_id, origin in given if class_id is not None for above in tree.above(class_id))
    return marks((*given, *implied))


def _visible_marks(classes: tuple[ClassMark, ...], present: Container[int]) -> tuple[ClassMark, ...]:
    """An image all of whose classes were removed is still answered: none of those that are left holds."""
    left = tuple((class_id, origin) for class_id, origin in classes if class_id is None or class_id in present)
    return left or tuple((None, origin) for _class_id, origin in classes[:1])
