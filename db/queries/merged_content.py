"""What of one image is said with a class, noted before a merge gives it to another one, and given back after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

PointKey = tuple[float, float, str]
"""x, y, origin: ids of points come again for others, places do not."""


@dataclass(frozen=True)
class Said:
    """What a state, or the rows of an image, say with one class."""

    points: Counter[PointKey] = field(default_factory=Counter)
    regions: frozenset[int] = frozenset()
    label: bool = False
    mark: tuple[str, str | None] | None = None
    """Origin, where an image may have several classes, and that of the class merged into, if the image had both."""

    def __bool__(self) -> bool:
        return bool(self.points or self.regions or self.label or self.mark)

    def __len__(self) -> int:
        return self.points.total() + len(self.regions) + self.label + (self.mark is not None)

    def to_json(self) -> dict[str, Any]:
        """As kept in `merged_annotations` of rows, and of answers with several classes."""
        content: dict[str, Any] = {}
        if self.points:
            content["points"] = [list(key) for key in self.points.elements()]
        if self.regions:
            content["regions"] = sorted(self.regions)
        if self.label:
            content["label"] = True
        if self.mark is not None:
            content["mark"] = list(self.mark)
        return content

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Said:
        """Inverse of `to_json`."""
        mark = content.get("mark")
        return cls(
            Counter((x, y, origin) for x, y, origin in content.get("points", ())),
            frozenset(content.get("regions", ())),
            content.get("label", False),
            None if mark is None else (mark[0], mark[1]),
        )


def said_with(state: dict[str, Any], class_id: int, into_id: int) -> Said:
    """What a state says with a class that is about to be merged into another one."""
    marks = {mark["class_id"]: mark["origin"] for mark in state.get("classes", ())}
    return Said(
        _point_keys(state, class_id),
        frozenset(_region_ids(state, class_id)),
        state["label"] is not None and state["label"]["class_id"] == class_id,
        (marks[class_id], marks.get(into_id)) if class_id in marks else None,
    )


def still_said(said: Said, state: dict[str, Any], into_id: int) -> Said:
    """What of it a state that was made after the merge, out of one that said it, has kept; a label never: it would not
    be a state of its own if nobody had labelled the image anew.
    """
    is_marked = any(mark["class_id"] == into_id for mark in state.get("classes", ()))
    return Said(
        said.points & _point_keys(state, into_id),
        said.regions.intersection(_region_ids(state, into_id)),
        False,
        said.mark if is_marked else None,
    )


def beside(said: Said, state: dict[str, Any] | None) -> Said:
    """What of it is of no concern to a state: what was hidden when that was made."""
    if state is None:
        return said
    places = {(point["x"], point["y"]) for point in state["points"]}
    ids = {region["id"] for region in state.get("regions", ())}
    return Said(
        Counter({key: count for key, count in said.points.items() if key[:2] not in places}),
        frozenset(region_id for region_id in said.regions if region_id not in ids),
        said.label and state["label"] is None,
        said.mark if not state.get("classes") else None,
    )


def joined(one: Said, other: Said) -> Said:
    """Both together."""
    return Said(
        one.points + other.points,
        one.regions | other.regions,
        one.label or other.label,
        one.mark or other.mark,
    )


def count_missing(had: Said, has: Said) -> int:
    """Number of annotations of the one that are not in the other."""
    points, regions = had.points - has.points, had.regions - has.regions
    is_label_missing, is_mark_missing = had.label and not has.label, had.mark is not None and has.mark is None
    return points.total() + len(regions) + is_label_missing + is_mark_missing


def given_back(state: dict[str, Any], said: Said, class_id: int, into_id: int) -> dict[str, Any]:
    """The state with all of `said` said with the class again."""
    if not said:
        return state
    left = said.points.copy()
    points = []
    for point in state["points"]:
        key = (point["x"], point["y"], point["origin"])
        is_meant = point["class_id"] == into_id and left[key] > 0
        left[key] -= is_meant
        points.append({**point, "class_id": class_id} if is_meant else point)
    after = {**state, "points": points}
    if "regions" in state:
        after["regions"] = [
            {**region, "class_id": class_id}
            if region["id"] in said.regions and region["class_id"] == into_id
            else region
            for region in state["regions"]
        ]
    label = state["label"]
    if said.label and label is not None and label["class_id"] == into_id:
        after["label"] = {**label, "class_id": class_id}
    if said.mark is not None and "classes" in state:
        after["classes"] = _marks_given_back(state["classes"], said.mark, class_id, into_id)
    return after


def _marks_given_back(
    marks: Iterable[dict[str, Any]], mark: tuple[str, str | None], class_id: int, into_id: int
) -> list[dict[str, Any]]:
    """In the order of the ids, as states keep them."""
    origins = {found["class_id"]: found["origin"] for found in marks}
    if into_id in origins:
        own, other = mark
        del origins[into_id]
        origins[class_id] = own
        if other is not None:
            origins[into_id] = other
    return [{"class_id": found, "origin": origin} for found, origin in sorted(origins.items(), key=lambda m: m[0] or 0)]


def _point_keys(state: dict[str, Any], class_id: int) -> Counter[PointKey]:
    found = (point for point in state["points"] if point["class_id"] == class_id)
    return Counter((point["x"], point["y"], point["origin"]) for point in found)


def _region_ids(state: dict[str, Any], class_id: int) -> list[int]:
    return [region["id"] for region in state.get("regions", ()) if region["class_id"] == class_id]
