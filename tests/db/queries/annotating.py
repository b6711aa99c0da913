"""Annotating as a person does, each time in a transaction of its own."""

from __future__ import annotations

from typing import Any

from db.queries import annotations
from db.queries.images import get_image


def change(session: Any, image_id: int, name: str, *arguments: Any, **options: Any) -> dict[str, Any]:
    with session.database.write() as db_session:
        image = get_image(db_session, image_id, lock=True)
        result: dict[str, Any] = getattr(annotations, name)(db_session, image, *arguments, **options)
        return result


def state(session: Any, image_id: int) -> dict[str, Any]:
    with session.database.read() as db_session:
        return annotations.current_state(db_session, get_image(db_session, image_id))


def places(found: dict[str, Any]) -> list[tuple[float, float, int]]:
    return sorted((p["x"], p["y"], p["class_id"]) for p in found["points"])
