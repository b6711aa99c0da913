"""Change the classes while people label."""

from __future__ import annotations

from backend.context import AppContext
from backend.schemas.session import (
    LabelClassChange,
    LabelClassChanged,
    LabelClassNew,
    LabelClassOut,
    LabelClassRemoved,
    LabelClassRestored,
)
from backend.services.session_config import refresh
from backend.services.session_snapshot import class_schema
from db.errors import InvalidInputError
from db.queries.class_groups import put_into_group
from db.queries.classes import add_class, change_class, merge_class, remove_class, restore_class


def add(context: AppContext, new: LabelClassNew) -> LabelClassOut:
    """Add a class behind the others."""
    with context.database.write() as db_session:
        added = class_schema(add_class(db_session, new.name, new.color, new.group))
    refresh(context)
    return added


def change(context: AppContext, class_id: int, wanted: LabelClassChange) -> LabelClassChanged:
    """Rename and recolour, or merge.

    Raises:
        InvalidInputError: a merge together with other changes, of which it is unclear whose they are.
        ConflictError: images have classes together that would exclude each other.
    """
    if wanted.merge_into is not None and (wanted.name, wanted.color, wanted.group) != (None, None, None):
        raise InvalidInputError("merge_into stands alone: make other changes in another request")
    with context.database.write() as db_session:
        if wanted.merge_into is not None:
            label_class, moved = merge_class(db_session, class_id, wanted.merge_into)
        else:
            label_class, moved = change_class(db_session, class_id, name=wanted.name, color=wanted.color), 0
            if "group" in wanted.model_fields_set:
                put_into_group(db_session, label_class, wanted.group)
        changed = LabelClassChanged(**class_schema(label_class).model_dump(), annotations_moved=moved)
    refresh(context)
    return changed


def remove(context: AppContext, class_id: int) -> LabelClassRemoved:
    """Remove a class; its annotations are hidden until it is restored."""
    with context.database.write() as db_session:
        annotations, images = remove_class(db_session, class_id)
    refresh(context)
    return LabelClassRemoved(id=class_id, annotations_removed=annotations, images_changed=images)


def restore(context: AppContext, class_id: int) -> LabelClassRestored:
    """Undo a removal."""
    with context.database.write() as db_session:
        label_class, annotations = restore_class(db_session, class_id)
        restored = LabelClassRestored(**class_schema(label_class).model_dump(), annotations_restored=annotations)
    refresh(context)
    return restored
