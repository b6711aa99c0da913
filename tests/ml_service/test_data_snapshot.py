"""What a checkpoint was trained on."""

from __future__ import annotations

from db.enums import Origin, Split
from db.queries.training_data import LabelledImage, Target
from ml_service.data_snapshot import DataSnapshot, SnapshotImage, SnapshotTarget


def test_n_labels__an_answer_for_all_classes_is_one() -> None:
    targets = tuple(SnapshotTarget(class_id=class_id, origin=Origin.HUMAN, x=0.0, y=0.0) for class_id in (1, 2))

    def image(image_id: int, n_classes: int) -> SnapshotImage:
        return SnapshotImage(
            id=image_id,
            content_hash=f"{image_id:064d}",
            width=4,
            height=4,
            split=Split.TRAIN,
            targets=targets[:n_classes],
            answered=True,
        )

    assert DataSnapshot(images=(image(1, 2), image(2, 1), image(3, 0))).n_labels == 3


def _image(image_id: int, class_id: int, origin: Origin = Origin.HUMAN, split: Split | None = None) -> LabelledImage:
    return LabelledImage(image_id, f"hash{image_id}", 10, 10, 1, 1, split, True, (Target(class_id, origin, 0.5),))


def test_hash__changes_with_label_origin_and_split() -> None:
    base = DataSnapshot.of([_image(1, 7), _image(2, 8)]).hash
    assert DataSnapshot.of(iter([_image(1, 7), _image(2, 8)])).hash == base
    assert DataSnapshot.of([_image(1, 8), _image(2, 8)]).hash != base
    assert DataSnapshot.of([_image(1, 7, Origin.EXTRACTED), _image(2, 8)]).hash != base
    assert DataSnapshot.of([_image(1, 7), _image(2, 8, split=Split.VALIDATION)]).hash != base
