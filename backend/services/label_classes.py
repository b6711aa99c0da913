"""Change the classes while people label."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy.orm import Session

from backend.context import AppContext
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
from backend.services.session_config import refresh
from backend.services.session_snapshot import class_schema
from db.errors import InvalidInputError
from db.queries.class_groups import put_into_group
from db.queries.class_tree import read_tree
from db.queries.class_usage import ClassUsage, class_usage, removed_classes
from db.queries.classes import (
    add_class,
    change_class,
    get_class,
    merge_class,
    move_class,
    remove_class,
    restore_class,
)
from db.queries.events import add_event
from db.tables.session import LabelClass


def add(context: AppContext, new: LabelClassNew) -> LabelClassOut:
    """Add a class behind the others of its parent."""
    with context.database.write() as db_session:
        added = _schema(db_session, add_class(db_session, new.name, new.color, new.group, new.parent_id))
        add_event(db_session, "classes")
    refresh(context)
    return added


def change(context: AppContext, class_id: int, wanted: LabelClassChange) -> LabelClassChanged:
    """Rename, recolour and move, or merge.

    Raises:
        InvalidInputError: a merge together with other changes, of which it is unclear whose they are.
        ConflictError: images have classes together that would exclude each other.
    """
    if wanted.merge_into is not None and wanted.model_fields_set != {"merge_into"}:
        raise InvalidInputError("merge_into stands alone: make other changes in another request")
    with context.database.write() as db_session:
        if wanted.merge_into is not None:
            label_class, moved = merge_class(db_session, class_id, wanted.merge_into)
        else:
            label_class, moved = _change(db_session, class_id, wanted), 0
        changed = LabelClassChanged(**_schema(db_session, label_class).model_dump(), annotations_moved=moved)
        add_event(db_session, "classes")
    refresh(context)
    return changed


def remove(context: AppContext, class_id: int) -> LabelClassRemoved:
    """Remove a class; its annotations are hidden until it is restored."""
    with context.database.write() as db_session:
        annotations, images = remove_class(db_session, class_id)
        add_event(db_session, "classes")
    refresh(context)
    return LabelClassRemoved(id=class_id, annotations_removed=annotations, images_changed=images)


def restore(context: AppContext, class_id: int) -> LabelClassRestored:
    """Undo a removal, or a merge."""
    with context.database.write() as db_session:
        label_class, annotations, changed = restore_class(db_session, class_id)
        restored = _schema(db_session, label_class).model_dump()
        add_event(db_session, "classes")
    refresh(context)
    return LabelClassRestored(**restored, annotations_restored=annotations, annotations_changed=changed)


def usage(context: AppContext, class_id: int) -> LabelClassUsage:
    """What would go with the class."""
    with context.database.read() as db_session:
        get_class(db_session, class_id)
        return LabelClassUsage(id=class_id, **asdict(class_usage(db_session, class_id)))


def list_removed(context: AppContext) -> list[RemovedClass]:
    """The classes that can be restored, removed or merged, the last one first."""
    with context.database.read() as db_session:
        return [_removed_schema(removed, had) for removed, had in removed_classes(db_session)]


def _removed_schema(removed: LabelClass, had: ClassUsage) -> RemovedClass:
    assert removed.removed_at is not None
    return RemovedClass(
        id=removed.id,
        name=removed.name,
        color=removed.color,
        removed_at=removed.removed_at,
        merged_into=removed.merged_into_id,
        **asdict(had),
    )


def _change(db_session: Session, class_id: int, wanted: LabelClassChange) -> LabelClass:
    label_class = change_class(db_session, class_id, name=wanted.name, color=wanted.color)
    if "group" in wanted.model_fields_set:
        put_into_group(db_session, label_class, wanted.group)
    if wanted.model_fields_set & {"parent_id", "before"}:
        stays = "parent_id" not in wanted.model_fields_set
        parent_id = read_tree(db_session).parent(class_id) if stays else wanted.parent_id
        move_class(db_session, class_id, parent_id=parent_id, before_id=wanted.before)
    return label_class


def _schema(db_session: Session, label_class: LabelClass) -> LabelClassOut:
    return class_schema(label_class, read_tree(db_session).parent(label_class.id))
