"""How two checkpoints differ: in configuration, in labels, in what was measured. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from backend.schemas.checkpoints import ClassDifference, ConfigDifference, DataDifference, MetricPair
from db.enums import Split
from ml_service.checkpoint_description import Description
from ml_service.data_snapshot import DataSnapshot, SnapshotImage

Place = tuple[float, float]
GREY = "#808080"
METRICS: tuple[tuple[str, str | None], ...] = (
    ("held_out.accuracy", "higher"), ("held_out.mean_iou", "higher"), ("held_out.loss", "lower"),
    ("held_out.n_images", None), ("held_out.n_samples", None), ("n_train", None),
)  # fmt: skip
"""What is set side by side, and which of the two is better."""


def config_difference(a: Description, b: Description) -> tuple[list[ConfigDifference], int]:
    """The keys that differ, by name, and the number of those that do not."""
    flat = [flatten(_settings(description)) for description in (a, b)]
    keys = sorted(flat[0].keys() | flat[1].keys())
    differing = [key for key in keys if flat[0].get(key) != flat[1].get(key)]
    rows = [ConfigDifference(key=key, a=flat[0].get(key), b=flat[1].get(key)) for key in differing]
    return rows, len(keys) - len(differing)


def metric_pairs(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[MetricPair]:
    """Figures that at least one of the two has."""
    rows = []
    for key, direction in METRICS:
        found = [_number(metrics, key) for metrics in (a, b)]
        if found != [None, None]:
            rows.append(MetricPair(key=key, a=found[0], b=found[1], better=_better(found[0], found[1], direction)))
    return rows


def data_difference(
    a: DataSnapshot, b: DataSnapshot, names: Mapping[int, str], colors: Mapping[int, str]
) -> DataDifference:
    """Labels added, removed and changed from a to b, matched by picture and place."""
    by_content = [{_key(image): image for image in snapshot.images} for snapshot in (a, b)]
    keys = list(dict.fromkeys([*by_content[0], *by_content[1]]))
    tally = {name: Counter[int]() for name in ("a", "b", "added", "removed", "changed_to", "changed_from")}
    changed = 0
    for key in keys:
        labels = [_labels(images.get(key)) for images in by_content]
        changed += labels[0] != labels[1] and all(key in images for images in by_content)
        _count(labels[0], labels[1], tally)
    return DataDifference(
        identical=a.hash == b.hash,
        same_held_out=_held_out(a) == _held_out(b),
        images_added=len(by_content[1].keys() - by_content[0].keys()),
        images_removed=len(by_content[0].keys() - by_content[1].keys()),
        images_changed=changed,
        classes=[
            ClassDifference(
                class_id=class_id,
                name=names.get(class_id, f"class {class_id}"),
                color=colors.get(class_id, GREY),
                **{name: counts[class_id] for name, counts in tally.items()},
            )
            for class_id in sorted(tally["a"].keys() | tally["b"].keys())
        ],
    )


def _count(a: Counter[tuple[Place, int]], b: Counter[tuple[Place, int]], tally: dict[str, Counter[int]]) -> None:
    for (_place, class_id), count in a.items():
        tally["a"][class_id] += count
    for (_place, class_id), count in b.items():
        tally["b"][class_id] += count
    gone, new = a - b, b - a
    for (place, class_id), count in new.items():
        # A label of another class that is gone from the very same place was changed, not removed.
        others = [label for label in gone if label[0] == place and gone[label] > 0]
        for label in others:
            moved = min(count, gone[label])
            gone[label] -= moved
            count -= moved
            tally["changed_to"][class_id] += moved
            tally["changed_from"][label[1]] += moved
        tally["added"][class_id] += count
    for (_place, class_id), count in gone.items():
        tally["removed"][class_id] += count


def _labels(image: SnapshotImage | None) -> Counter[tuple[Place, int]]:
    return Counter(((target.x, target.y), target.class_id) for target in (image.targets if image else ()))


def _key(image: SnapshotImage) -> str:
    return image.content_hash or f"id {image.id}"


def _held_out(snapshot: DataSnapshot) -> dict[str, Counter[tuple[Place, int]]]:
    return {_key(image): _labels(image) for image in snapshot.part(Split.VALIDATION)}


def _settings(description: Description) -> dict[str, Any]:
    """What may make two heads of equal labels differ."""
    said = description.model_dump(mode="json")
    chosen: dict[str, Any] = {key: said[key] for key in ("head_kind", "extractor", "seed", "code", "task")}
    classes = dict(zip(said["class_ids"], said["class_names"], strict=True))
    chosen |= said["config"] | {"classes": {str(key): name for key, name in classes.items()}}
    return chosen


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested objects as dotted keys; lists and plain values as they are."""
    if not isinstance(value, dict):
        return {prefix: value}
    found: dict[str, Any] = {}
    for key, inner in value.items():
        found |= flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    return found


def _number(metrics: Mapping[str, Any], key: str) -> float | None:
    value: Any = metrics
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _better(a: float | None, b: float | None, direction: str | None) -> str | None:
    if a is None or b is None or direction is None or a == b:
        return None
    return "a" if (a > b) == (direction == "higher") else "b"
