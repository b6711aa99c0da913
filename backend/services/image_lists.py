"""Images as lists, one by one, and the next one."""

from __future__ import annotations

from backend.context import AppContext
from backend.schemas.images import ImageDetails, ImageOut, ImagePage
from backend.services import feature_requests
from backend.services.plain_text import without_folders
from db.enums import ImageStatus
from db.queries.image_lists import ImageFilter, ImageSort, list_images
from db.queries.images import ImageRow, get_image_row, neighbours
from db.queries.next_image import next_image, note_model_pick
from db.queries.session_info import Strategy
from db.tables.images import Image
from db.tasks import Annotates


def list_page(
    context: AppContext, wanted: ImageFilter, *, cursor: str | None, limit: int, sort: ImageSort
) -> ImagePage:
    """One page of the images that match."""
    with context.database.read() as db_session:
        page = list_images(db_session, wanted, sort=sort, cursor=cursor, limit=limit)
    return ImagePage(items=[_schema(context, row) for row in page.rows], next_cursor=page.next_cursor, total=page.total)


def choose_next(
    context: AppContext,
    strategy: Strategy | None,
    *,
    current_id: int | None,
    class_id: int | None,
    status: ImageStatus = ImageStatus.UNLABELED,
) -> ImageOut | None:
    """The image to label next; None when none is left."""
    chosen = strategy or context.config.training.strategy
    with context.database.read() as db_session:
        pick = next_image(db_session, chosen, current_id=current_id, class_id=class_id, status=status)
        if pick is None:
            return None
        expected = feature_requests.ids_to_expect(db_session, chosen, pick.row.image)
    feature_requests.expect(context, expected)
    if pick.by_model and not pick.row.image.picked_by_model:
        with context.database.write() as db_session:
            note_model_pick(db_session, pick.row.image.id)
    return _schema(context, pick.row)


def get_details(context: AppContext, image_id: int) -> ImageDetails:
    """One image and its neighbours."""
    with context.database.read() as db_session:
        row = get_image_row(db_session, image_id)
        previous_id, next_id = neighbours(db_session, image_id)
    feature_requests.note_opened(context, row.image)
    return ImageDetails(
        **_schema(context, row).model_dump(), split=row.image.split, previous_id=previous_id, next_id=next_id
    )


def _class_ids(context: AppContext, row: ImageRow) -> list[int] | None:
    """An image that is labelled has an answer, if only that none of the classes holds."""
    is_answered = context.config.task.annotates is Annotates.CLASSES and row.image.status is ImageStatus.LABELED
    return sorted(context.config.class_tree.with_parents(row.class_ids)) if is_answered else None


def _schema(context: AppContext, row: ImageRow) -> ImageOut:
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
        uncertainty=image.uncertainty,
        predicted_class_id=image.predicted_class_id,
        metadata=image.extra,
    )
