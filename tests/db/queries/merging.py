"""What people do around merges of classes, and all that is said before and after."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.database import Database
from db.enums import Origin, RegionKind
from db.errors import FewclickError
from db.queries.annotations import NewPoint, clear, redo, replace_points, set_classes, set_label, skip, undo
from db.queries.classes import list_classes, merge_class, restore_class
from db.queries.images import get_image
from db.queries.regions import NewRegion, NewShape, RegionEdit, edit_regions
from db.queries.session_info import get_session_info
from db.tables.annotations import AnnotationState, ImageClass, Label, MergedAnnotation, Point, Region
from db.tables.images import Image
from db.tables.session import LabelClass
from db.tasks import Annotates, Task

A, B, C = 1, 2, 3
ACTS = {Annotates.POINTS: ("point", "point", "region"), Annotates.IMAGE: ("label",), Annotates.CLASSES: ("toggle",)}
N_WALKS = 6
N_STEPS = 12


class RollBackError(Exception):
    """The next example starts from the same session."""


def check_merges_are_taken_back(db: Database, task: Task) -> None:
    """After random work two classes are merged and the first is brought back: all is as it was."""
    with db.write() as db_session:
        get_session_info(db_session).task = task
        db_session.add_all(LabelClass(id=n, name=str(n), color="#000000", position=n - 1) for n in (A, B, C))
        db_session.add(Image(path="0", width=64, height=64, random_key=0.5))
    for seed in range(N_WALKS):
        rng = random.Random(seed)
        for place in range(N_STEPS):
            name = rng.choice((*ACTS[task.annotates], "undo", "redo", "clear", "skip"))
            with db.write() as db_session:
                act(db_session, name, rng.choice((A, B, C)), place)
        source, target = rng.sample((A, B, C), 2)
        with db.write() as db_session:
            before = everything(db_session)
            merge_class(db_session, source, target)
        with db.write() as db_session:
            _class, _count, changed = restore_class(db_session, source)
            assert (everything(db_session), changed) == (before, 0)
            assert db_session.scalar(select(MergedAnnotation.id).limit(1)) is None


def everything(db_session: Session) -> dict[str, Any]:
    """All that is said, now and in the histories, and the classes; without ids of rows that come again for others."""
    db_session.flush()
    db_session.expire_all()
    points = db_session.scalars(select(Point)).all()
    states = db_session.scalars(select(AnnotationState)).all()
    return {
        "points": sorted((p.image_id, p.x, p.y, p.class_id, p.origin) for p in points),
        "labels": sorted((row.image_id, row.class_id, row.origin) for row in db_session.scalars(select(Label))),
        "marks": {(row.image_id, row.class_id, row.origin) for row in db_session.scalars(select(ImageClass))},
        "regions": sorted((r.image_id, r.id, r.position, r.class_id) for r in db_session.scalars(select(Region))),
        "states": sorted((s.image_id, s.position, str(said(s.state))) for s in states),
        "images": sorted((i.id, i.status, i.history_position) for i in db_session.scalars(select(Image))),
        "classes": sorted(
            (c.id, c.name, c.color, c.position, c.parent_id or 0, c.exclusive_group or "", c.removed_at is None)
            for c in db_session.scalars(select(LabelClass))
        ),
    }


def said(content: dict[str, Any]) -> dict[str, Any]:
    """A state without the order of points, which says nothing, and without counters."""
    points = sorted((p["x"], p["y"], p["class_id"], p["origin"]) for p in content["points"])
    return {name: value for name, value in content.items() if name != "answered_at"} | {"points": points}


def act(db_session: Session, name: str, value: int, place: int) -> None:
    image = get_image(db_session, 1)
    steps: dict[str, Callable[[], Any]] = {
        "undo": lambda: undo(db_session, image),
        "redo": lambda: redo(db_session, image),
        "clear": lambda: clear(db_session, image),
        "skip": lambda: skip(db_session, image),
        "label": lambda: set_label(db_session, image, value, origin=Origin.ACCEPTED if value == C else Origin.HUMAN),
        "toggle": lambda: toggle(db_session, image, value),
        "point": lambda: point(db_session, image, value, place),
        "unpoint": lambda: replace_points(db_session, image, kept_points(db_session, image)[value:]),
        "region": lambda: edit_regions(db_session, image, RegionEdit(add=(NewRegion(value, box(place)),))),
    }
    with contextlib.suppress(FewclickError):
        steps[name]()


def box(place: int) -> NewShape:
    return NewShape(RegionKind.BOX, {"x0": place, "y0": 0, "x1": place + 1, "y1": 1})


def kept_points(db_session: Session, image: Image) -> list[NewPoint]:
    present = [label_class.id for label_class in list_classes(db_session)]
    rows = db_session.scalars(select(Point).where(Point.image_id == image.id).order_by(Point.x))
    return [NewPoint(row.x, row.y, row.class_id, row.id) for row in rows if row.class_id in present]


def point(db_session: Session, image: Image, class_id: int, place: int) -> None:
    replace_points(db_session, image, [*kept_points(db_session, image), NewPoint(place, place, class_id)])


def toggle(db_session: Session, image: Image, class_id: int) -> None:
    held = {
        mark for mark in db_session.scalars(select(ImageClass.class_id).where(ImageClass.image_id == image.id)) if mark
    }
    set_classes(db_session, image, held ^ {class_id})
