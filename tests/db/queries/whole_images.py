"""A session of whole images, some changed together and as many one by one."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from db.database import Database
from db.enums import Origin, Split
from db.queries.annotations import current_state, redo, set_classes, set_label, undo
from db.queries.bulk_changes import Batch
from db.queries.bulk_rows import FEWEST_ALIKE
from db.queries.bulk_rules import Rule, answered, labelled
from db.queries.images import get_image
from db.queries.session_info import get_session_info
from db.tables.annotations import AnnotationState
from db.tables.images import Image
from db.tables.session import LabelClass
from db.tasks import Annotates, Task

N = FEWEST_ALIKE + 10
TOGETHER, SINGLY = range(1, N + 1), range(N + 1, 2 * N + 1)


def check_changes_together_equal_those_one_by_one(db: Database, task: Task) -> None:
    """All get one answer, three of them another one; both are taken back, and the first is given again."""
    with db.write() as db_session:
        get_session_info(db_session).task = task
        db_session.add_all(LabelClass(id=n, name=str(n), color="#000000") for n in (1, 2, 3))
        db_session.add_all(Image(path=str(n), width=8, height=8, random_key=0.5) for n in range(2 * N))
    for class_ids, count in (([1], N), ([2, 3], 3)):
        _label(db, task, class_ids, count)
        assert states(db, TOGETHER) == states(db, SINGLY)
    for direction, count in ((-1, 3), (-1, N), (1, N)):
        _step(db, direction, count)
        assert states(db, TOGETHER) == states(db, SINGLY)
    with db.read() as db_session:
        assert db_session.scalar(select(func.count()).select_from(AnnotationState)) == 2 * (N + 3)
        images = list(db_session.scalars(select(Image).where(Image.id.in_(TOGETHER)).order_by(Image.id)))
        assert images[0].split is Split.TRAIN
        assert 0.1 * N < sum(image.split is Split.VALIDATION for image in images) < 0.3 * N
        last = get_session_info(db_session).label_sequence
        sequences = db_session.scalars(select(Image.label_sequence)).all()
    assert len(set(sequences)) == 2 * N
    assert max(sequences) == last


def states(db: Database, image_ids: range) -> list[dict[str, Any]]:
    with db.read() as db_session:
        return [
            current_state(db_session, get_image(db_session, image_id)) | {"image_id": n}
            for n, image_id in enumerate(image_ids)
        ]


def _label(db: Database, task: Task, class_ids: list[int], count: int) -> None:
    has_several = task.annotates is Annotates.CLASSES
    rule: Rule = answered(class_ids) if has_several else labelled(class_ids[0])
    with db.write() as db_session:
        Batch(db_session, TOGETHER[:count]).apply(rule)
        for image_id in SINGLY[:count]:
            image = get_image(db_session, image_id, lock=True)
            if has_several:
                set_classes(db_session, image, class_ids, origin=Origin.HUMAN)
            else:
                set_label(db_session, image, class_ids[0], origin=Origin.HUMAN)


def _step(db: Database, direction: int, count: int) -> None:
    with db.write() as db_session:
        Batch(db_session, TOGETHER[:count]).step(direction)
        for image_id in SINGLY[:count]:
            (undo if direction < 0 else redo)(db_session, get_image(db_session, image_id, lock=True))
