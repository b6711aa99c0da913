"""Everything said about one image, as a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from db.models import Origin


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
class State:
    """Everything said about one image, hidden annotations included."""

    points: tuple[StoredPoint, ...] = ()
    label: tuple[int, Origin] | None = None
    skipped: bool = False

    def visible(self, present: Container[int]) -> State:
        """What is left of it with the classes that are present."""
        label = self.label if self.label is not None and self.label[0] in present else None
        return State(tuple(point for point in self.points if point.class_id in present), label, self.skipped)

    def same_as(self, other: State) -> bool:
        """Equal up to ids and order of the points."""
        if (self.label, self.skipped, len(self.points)) != (other.label, other.skipped, len(other.points)):
            return False
        return Counter(point.content for point in self.points) == Counter(point.content for point in other.points)

    def to_json(self) -> dict[str, Any]:
        """As kept in `annotation_states`."""
        return {
            "points": [{"x": p.x, "y": p.y, "class_id": p.class_id, "origin": p.origin.value} for p in self.points],
            "label": None if self.label is None else {"class_id": self.label[0], "origin": self.label[1].value},
            "skipped": self.skipped,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> State:
        """Inverse of `to_json`."""
        points = (StoredPoint(p["x"], p["y"], p["class_id"], Origin(p["origin"])) for p in data["points"])
        label = data["label"]
        return cls(
            tuple(points), None if label is None else (label["class_id"], Origin(label["origin"])), data["skipped"]
        )
