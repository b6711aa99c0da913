"""Images as lists, one by one, and the next one."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.context import AppContext
from backend.schemas.images import ImageDetails, ImageIds, ImageMetadata, ImageOut, ImagePage, UpcomingImages
from backend.services import feature_requests
from backend.services.plain_text import without_folders
from backend.services.suggestions import suggest
from db.enums import ImageStatus
from db.errors import InvalidInputError
from db.queries.image_filters import ImageFilter, conditions, metadata_values
from db.queries.image_lists import ImageSort, count_images, list_ids, list_images, list_images_at
from db.queries.images import ImageRow, get_image_row, neighbours, rows_in_order
from db.queries.next_image import next_image, note_model_pick
from db.queries.session_info import Strategy, get_session_info
from db.queries.upcoming import upcoming_images
from db.tables.images import Image
from db.tables.learning import Prediction
from db.tasks import Annotates


@dataclass(frozen=True)
class Place:
    """Which page of a list."""

    sort: ImageSort
    cursor: str | None
    offset: int | None
    limit: int
    count: bool


def list_page(context: AppContext, wanted: ImageFilter, place: Place) -> ImagePage:
    """One page of the images that match.

    Raises:
        InvalidInputError: it names both a cursor and an offset, or a cursor of another list.
    """
    if place.cursor is not None and place.offset is not None:
        raise InvalidInputError("found both cursor and offset: send one of them")
    with context.database.read() as db_session:
        if place.offset is None:
            page = list_images(
                db_session, wanted, sort=place.sort, cursor=place.cursor, limit=place.limit, count=place.count
            )
        else:
            page = list_images_at(
                db_session, wanted, sort=place.sort, offset=place.offset, limit=place.limit, count=place.count
            )
        predicted = _predicted_classes(context, db_session, page.rows)
    items = [_schema(context, row, predicted.get(row.image.id)) for row in page.rows]
    return ImagePage(items=items, next_cursor=page.next_cursor, total=page.total)


def list_image_ids(context: AppContext, wanted: ImageFilter, *, sort: ImageSort, offset: int, limit: int) -> ImageIds:
    """Ids alone."""
    with context.database.read() as db_session:
        ids = list_ids(db_session, wanted, sort=sort, offset=offset, limit=limit)
        total = count_images(db_session, wanted)
        return ImageIds(ids=ids, total=total, label_sequence=get_session_info(db_session).label_sequence)


def describe_metadata(context: AppContext) -> ImageMetadata:
    """Keys and some values, of images all over the session."""
    with context.database.read() as db_session:
        return ImageMetadata(keys=metadata_values(db_session))


def choose_next(
    context: AppContext,
    strategy: Strategy | None,
    *,
    current_id: int | None,
    class_id: int | None,
    only: ImageFilter,
) -> ImageOut | None:
    """The image to label next, of those that match; None when none is left."""
    chosen = strategy or context.config.training.strategy
    status = only.status or ImageStatus.UNLABELED
    with context.database.read() as db_session:
        pick = next_image(db_session, chosen, current_id=current_id, class_id=class_id, status=status, only=only)
        if pick is None:
            return None
        expected = feature_requests.ids_to_expect(db_session, chosen, pick.row.image)
    feature_requests.expect(context, expected)
    if pick.by_model and not pick.row.image.picked_by_model:
        with context.database.write() as db_session:
            note_model_pick(db_session, pick.row.image.id)
    return _schema(context, pick.row)


def list_upcoming(
    context: AppContext, strategy: Strategy | None, *, current_id: int | None, limit: int, only: ImageFilter
) -> UpcomingImages:
    """Images that a person is likely to come to: a guess that decides nothing, and marks no image as picked."""
    chosen = strategy or context.config.training.strategy
    with context.database.read() as db_session:
        refs = upcoming_images(db_session, chosen, current_id, limit, conditions(db_session, only))
        rows = rows_in_order(db_session, [ref.id for ref, _version in refs])
    return UpcomingImages(items=[_schema(context, row) for row in rows])


def get_details(context: AppContext, image_id: int, wanted: ImageFilter) -> ImageDetails:
    """One image and its neighbours, of those that match."""
    with context.database.read() as db_session:
        row = get_image_row(db_session, image_id)
        previous_id, next_id = neighbours(db_session, image_id, conditions(db_session, wanted))
    feature_requests.note_opened(context, row.image)
    return ImageDetails(
        **_schema(context, row).model_dump(), split=row.image.split, previous_id=previous_id, next_id=next_id
    )


def _predicted_classes(context: AppContext, db_session: Session, rows: list[ImageRow]) -> dict[int, list[int]]:
    """What accepting would answer, where an image may have several classes; else the image's row says it."""
    if context.config.task.annotates is not Annotates.CLASSES:
        return {}
    images = {row.image.id: row.image for row in rows}
    found = db_session.scalars(select(Prediction).where(Prediction.image_id.in_(images)))
    suggested = {p.image_id: suggest(context, images[p.image_id], p) for p in found}
    return {image_id: class_ids for image_id, class_ids in suggested.items() if class_ids is not None}


def _class_ids(context: AppContext, row: ImageRow) -> list[int] | None:
    """An image that is labelled has an answer, if only that none of the classes holds."""
    is_answered = context.config.task.annotates is Annotates.CLASSES and row.image.status is ImageStatus.LABELED
    return sorted(context.config.class_tree.with_parents(row.class_ids)) if is_answered else None


def _schema(context: AppContext, row: ImageRow, predicted_class_ids: list[int] | None = None) -> ImageOut:
    image: Image = row.image
    return ImageOut(
        id=image.id,
        path=image.path,
        width=image.width,
        height=image.height,
        status=image.status,
        features=image.features,
        failure=None if image.failure is None else without_folders(image.failure),
        revision=image.revision,
        class_id=row.class_id,
        class_ids=_class_ids(context, row),
        point_count=row.point_count,
        region_count=image.region_count,
        uncertainty=image.uncertainty,
        predicted_class_id=image.predicted_class_id,
        origin=row.origin,
        predicted_version=image.predicted_version,
        predicted_class_ids=predicted_class_ids,
        comment=image.comment,
        comment_revision=image.comment_revision,
        metadata=image.extra,
    )
