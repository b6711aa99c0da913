"""What a checkpoint was trained on."""

from __future__ import annotations

from db.enums import Origin, Split
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
