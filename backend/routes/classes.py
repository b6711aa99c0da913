"""Classes: add, rename, recolour, move, merge, remove, restore."""

from __future__ import annotations

from fastapi import APIRouter, status

from backend.context import Context
from backend.schemas.base import PathId
from backend.schemas.classes import (
    LabelClassChange,
    LabelClassChanged,
    LabelClassNew,
    LabelClassOut,
    LabelClassRemoved,
    LabelClassRestored,
    LabelClassUsage,
    RemovedClass,
)
from backend.services import label_classes

router = APIRouter(prefix="/classes", tags=["classes"])


@router.get("")
def list_classes(context: Context) -> list[LabelClassOut]:
    """The classes that can be assigned, in their order."""
    return list(context.config.classes)


@router.post("", status_code=status.HTTP_201_CREATED)
def add_class(context: Context, body: LabelClassNew) -> LabelClassOut:
    """Add a class."""
    return label_classes.add(context, body)


@router.get("/removed")
def list_removed_classes(context: Context) -> list[RemovedClass]:
    """Classes, removed or merged, that restore brings back, the last one first."""
    return label_classes.list_removed(context)


@router.get("/{class_id}/usage")
def get_class_usage(context: Context, class_id: PathId) -> LabelClassUsage:
    """How many annotations a removal would take away."""
    return label_classes.usage(context, class_id)


@router.patch("/{class_id}")
def update_class(context: Context, class_id: PathId, body: LabelClassChange) -> LabelClassChanged:
    """Rename, recolour, move, or merge into another class."""
    return label_classes.change(context, class_id, body)


@router.delete("/{class_id}")
def remove_class(context: Context, class_id: PathId) -> LabelClassRemoved:
    """Remove a class and its annotations; says how many went, and can be undone with restore."""
    return label_classes.remove(context, class_id)


@router.post("/{class_id}/restore")
def restore_class(context: Context, class_id: PathId) -> LabelClassRestored:
    """Undo a removal or a merge: the class comes back with its annotations."""
    return label_classes.restore(context, class_id)
