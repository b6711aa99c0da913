"""One change of many images: one transaction, durable before it returns."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.context import AppContext
from backend.schemas.bulk import BulkAction, BulkChange, BulkImage, BulkOutcomeOut, ChangedImage
from backend.services.suggestions import suggest
from db.enums import ImageStatus, Origin
from db.errors import InvalidInputError
from db.queries import bulk_rules
from db.queries.annotation_state import State
from db.queries.bulk_changes import MOST_IMAGES, Batch
from db.queries.bulk_rules import Member, Rule
from db.queries.image_filters import ImageFilter
from db.queries.image_lists import ImageSort, list_ids
from db.queries.portions import in_portions
from db.tables.images import Image
from db.tables.learning import Prediction
from db.tasks import Annotates

PLAIN: dict[BulkAction, Rule] = {
    BulkAction.CONFIRM: bulk_rules.confirmed,
    BulkAction.SKIP: bulk_rules.set_aside,
    BulkAction.UNDETERMINED: bulk_rules.undetermined,
    BulkAction.CLEAR: bulk_rules.cleared,
}
NEEDS_PICTURE = frozenset({BulkAction.LABEL, BulkAction.ADD, BulkAction.REMOVE, BulkAction.ACCEPT})
STEPS = {BulkAction.UNDO: -1, BulkAction.REDO: 1}


def change_many(context: AppContext, body: BulkChange) -> BulkOutcomeOut:
    """Make the change.

    Raises:
        InvalidInputError: the task is about no whole images, the class does not fit, or the filter finds too many.
    """
    with context.database.write() as db_session:
        wanted = _wanted(db_session, body)
        batch = Batch(db_session, list(wanted))
        _check_classes(batch, body)
        changed_since = [image_id for image_id, m in batch.members.items() if _is_changed(m, wanted[image_id])]
        batch.set_apart(changed_since, batch.outcome.conflicts)
        if body.action in NEEDS_PICTURE:
            unreadable = [image_id for image_id, member in batch.members.items() if not member.is_readable]
            batch.set_apart(unreadable, batch.outcome.refused)
        _apply(context, batch, body, wanted)
    outcome = batch.outcome
    return BulkOutcomeOut(
        changed=[ChangedImage(id=image_id, revision=revision) for image_id, revision in outcome.changed.items()],
        unchanged=len(outcome.unchanged),
        conflicts=outcome.conflicts,
        refused=outcome.refused,
        emptied=outcome.emptied,
    )


def _wanted(db_session: Session, body: BulkChange) -> dict[int, BulkImage]:
    if body.images is not None:
        return {image.id: image for image in body.images}
    assert body.filter is not None
    found = _ids_of(db_session, body.filter.to_filter())
    return {image_id: BulkImage(id=image_id) for image_id in found}


def _is_changed(member: Member, seen: BulkImage) -> bool:
    """Since the person saw the image, or at least its place in a list."""
    if seen.revision is not None:
        return seen.revision != member.image.revision
    return seen.label_sequence is not None and seen.label_sequence < member.image.label_sequence


def _ids_of(db_session: Session, wanted: ImageFilter) -> list[int]:
    ids = list_ids(db_session, wanted, sort=ImageSort.ID, offset=0, limit=MOST_IMAGES + 1)
    if len(ids) > MOST_IMAGES:
        raise InvalidInputError(
            f"the filter finds more than {MOST_IMAGES} images, as many as one change can have: narrow it down"
        )
    return ids


def _check_classes(batch: Batch, body: BulkChange) -> None:
    takes_several = batch.task.annotates is Annotates.CLASSES
    if body.action in (BulkAction.ADD, BulkAction.REMOVE) and not takes_several:
        raise InvalidInputError(f"{body.action.value} is for multilabel sessions: send label with class_id")
    if body.action is BulkAction.LABEL and (body.class_ids is not None) != takes_several:
        field = "class_ids" if takes_several else "class_id"
        raise InvalidInputError(f"this is a {batch.task.name} session: send label with {field}")
    class_ids = [*([] if body.class_id is None else [body.class_id]), *(body.class_ids or [])]
    batch.classes.require_present(class_ids)
    if takes_several and body.action is BulkAction.LABEL:
        batch.classes.require_compatible(class_ids)


def _apply(context: AppContext, batch: Batch, body: BulkChange, wanted: dict[int, BulkImage]) -> None:
    if body.action in STEPS:
        batch.step(STEPS[body.action])
        return
    batch.picked_by_model = body.by_model or body.action is BulkAction.ACCEPT
    if body.action is BulkAction.ACCEPT:
        batch.apply(_accepting(context, batch, wanted))
    elif body.action is BulkAction.LABEL:
        given = body.class_id
        batch.apply(bulk_rules.answered(body.class_ids or []) if given is None else bulk_rules.labelled(given))
    elif body.class_id is not None:
        make = bulk_rules.with_class if body.action is BulkAction.ADD else bulk_rules.without_class
        batch.apply(make(body.class_id))
    else:
        batch.apply(PLAIN[body.action])


def _accepting(context: AppContext, batch: Batch, wanted: dict[int, BulkImage]) -> Rule:
    """Accept what each image is predicted as, where that is what the person saw; the others are set apart."""
    open_ids = [image_id for image_id, m in batch.members.items() if m.image.status is ImageStatus.UNLABELED]
    accepted: dict[int, list[int]] = {}
    for image, prediction in _predictions(batch.db_session, open_ids):
        suggestion = suggest(context, image, prediction)
        if suggestion is None:
            continue
        seen = wanted[image.id]
        is_seen = seen.version == prediction.version if seen.version is not None else seen.predicted is None
        if not is_seen and (seen.predicted is None or set(seen.predicted) != set(suggestion)):
            batch.set_apart([image.id], batch.outcome.conflicts)
        else:
            accepted[image.id] = suggestion
    takes_several = batch.task.annotates is Annotates.CLASSES
    return partial(_accepted_classes if takes_several else _accepted_class, accepted)


def _accepted_class(accepted: dict[int, list[int]], member: Member) -> State | None:
    class_ids = accepted.get(member.image.id)
    return None if class_ids is None else State(label=(class_ids[0], Origin.ACCEPTED))


def _accepted_classes(accepted: dict[int, list[int]], member: Member) -> State | None:
    class_ids = accepted.get(member.image.id)
    if class_ids is None:
        return None
    held: set[int | None] = set(member.classes.tree.with_parents(class_ids))
    return State(classes=member.answer([(class_id, Origin.ACCEPTED) for class_id in held or {None}]))


def _predictions(db_session: Session, image_ids: list[int]) -> Iterator[tuple[Image, Prediction]]:
    joined = select(Image, Prediction).join(Prediction, Prediction.image_id == Image.id)
    for ids in in_portions(image_ids):
        yield from db_session.execute(joined.where(Image.id.in_(ids)).order_by(Image.id))
