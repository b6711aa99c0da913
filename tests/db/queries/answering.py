"""Answers with several classes for images: those of `multilabel_session`, of which the first two exclude each other."""

from __future__ import annotations

import itertools
from typing import Any

from sqlalchemy.orm import Session

from db.enums import FeatureState
from db.tables.images import Image

DAY, NIGHT, CAR = 1, 2, 3
numbers = itertools.count()


def labels(state: dict[str, Any]) -> set[int] | None:
    return None if state["labels"] is None else {mark["class_id"] for mark in state["labels"]}


def new_image(db_session: Session) -> Image:
    number = next(numbers)
    image = Image(path=f"new_{number}", width=8, height=8, random_key=0.5, features=FeatureState.READY)
    db_session.add(image)
    db_session.flush()
    return image
