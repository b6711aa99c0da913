"""Images: lists, the next one to label, details, pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, status

from backend.context import Context
from backend.image_query import FilterQuery, of_status
from backend.schemas.base import MAX_ID, PathId, QueryId
from backend.schemas.images import (
    ImageDetails,
    ImageIds,
    ImageMetadata,
    ImageOut,
    ImagePage,
    PictureDisplay,
    UpcomingImages,
)
from backend.services import image_files, image_lists, picture_views
from db.enums import ImageStatus
from db.queries.bulk_changes import MOST_IMAGES
from db.queries.image_lists import ImageSort
from db.queries.session_info import Strategy

router = APIRouter(prefix="/images", tags=["images"])

PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/*": {"schema": {"type": "string", "format": "binary"}}}, "description": "the picture"},
    304: {"description": "unchanged since the ETag in If-None-Match"},
}

SORT = Query(
    description="uncertainty: least certain first; confidence: most certain first; predicted: by predicted class; "
    "changed: annotated last first"
)

Bands = Annotated[
    str | None,
    Query(
        max_length=20,
        description="bands to show: one (grey) or three (red,green,blue), counted from 1; left out: the session's",
    ),
]
Low = Annotated[
    float,
    Query(
        ge=-1_000, le=1_000, allow_inf_nan=False, description="black, as share of the range that is shown without it"
    ),
]
High = Annotated[
    float,
    Query(ge=-1_000, le=1_000, allow_inf_nan=False, description="white, likewise"),
]


@router.get("")
def list_images(
    context: Context,
    wanted: FilterQuery,
    cursor: Annotated[str | None, Query(max_length=2_000, description="`next_cursor` of the page before")] = None,
    offset: Annotated[
        int | None, Query(ge=0, le=MAX_ID, description="in place of a cursor: from this place in the list on, from 0")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    status: ImageStatus | None = None,
    class_id: Annotated[QueryId, Query(description="only images annotated with this class")] = None,
    sort: Annotated[ImageSort, SORT] = ImageSort.ID,
    ids: Annotated[list[QueryId] | None, Query(max_length=500, description="only these; may be repeated")] = None,
    count: Annotated[bool, Query(description="false leaves the total out, which takes longest in a long list")] = True,
) -> ImagePage:
    """One page of the images that match."""
    place = image_lists.Place(sort=sort, cursor=cursor, offset=offset, limit=limit, count=count)
    only = of_status(wanted, status, class_id)
    if ids is not None:
        only = replace(only, ids=tuple(image_id for image_id in ids if image_id is not None))
    return image_lists.list_page(context, only, place)


@router.get("/ids")
def list_image_ids(
    context: Context,
    wanted: FilterQuery,
    offset: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_IMAGES)] = MOST_IMAGES,
    status: ImageStatus | None = None,
    sort: Annotated[ImageSort, SORT] = ImageSort.ID,
) -> ImageIds:
    """Ids alone, in the order of the list, and how many match: to select many without fetching all of each."""
    return image_lists.list_image_ids(context, of_status(wanted, status), sort=sort, offset=offset, limit=limit)


@router.get("/metadata")
def get_image_metadata(context: Context) -> ImageMetadata:
    """Keys that the metadata of images have, with some of their values: to choose a filter from."""
    return image_lists.describe_metadata(context)


@router.get("/next", responses={204: {"description": "no image is left to label"}}, response_model=ImageOut)
def get_next_image(
    context: Context,
    wanted: FilterQuery,
    strategy: Annotated[Strategy | None, Query(description="left out: the session's")] = None,
    current_id: Annotated[QueryId, Query(description="the image on screen: never returned")] = None,
    class_id: Annotated[QueryId, Query(description="only images predicted as this class")] = None,
    wanted_status: Annotated[
        ImageStatus, Query(alias="status", description="skipped or undetermined ones come up only if asked for")
    ] = ImageStatus.UNLABELED,
) -> Any:
    """The image to label next, of those that match."""
    only = of_status(wanted, wanted_status)
    image = image_lists.choose_next(context, strategy, current_id=current_id, class_id=class_id, only=only)
    return image or Response(status_code=status.HTTP_204_NO_CONTENT)


@router.get("/upcoming")
def list_upcoming_images(
    context: Context,
    wanted: FilterQuery,
    strategy: Annotated[Strategy | None, Query(description="left out: the session's")] = None,
    current_id: Annotated[QueryId, Query(description="the image on screen: never returned")] = None,
    limit: Annotated[int, Query(ge=1, le=16)] = 4,
) -> UpcomingImages:
    """The unlabelled images that `next` is likely to give, of those that match: for a page that fetches ahead."""
    return image_lists.list_upcoming(context, strategy, current_id=current_id, limit=limit, only=wanted)


@router.get("/{image_id}")
def get_image(
    context: Context, image_id: PathId, wanted: FilterQuery, status: ImageStatus | None = None
) -> ImageDetails:
    """One image and its neighbours, of those that match."""
    return image_lists.get_details(context, image_id, of_status(wanted, status))


@router.get("/{image_id}/file", response_class=Response, responses=PICTURE)
def get_image_file(
    context: Context,
    request: Request,
    image_id: PathId,
    max_side: Annotated[int | None, Query(ge=1, le=20_000, description="longest side wanted, pixels")] = None,
    bands: Bands = None,
    low: Low = 0.0,
    high: High = 1.0,
) -> Response:
    """The upright picture: the original bytes where a browser shows them right, else converted; never enlarged.

    Other bands or another contrast are for looking only: features and predictions never see them.
    """
    look = picture_views.parse_look(bands, low, high)
    known = request.headers.get("if-none-match")
    if look.is_plain:
        return image_files.send_file(context, image_id, known, max_side)
    return picture_views.send_view(context, image_id, known, look, max_side)


@router.get("/{image_id}/tile", response_class=Response, responses=PICTURE)
def get_image_tile(
    context: Context,
    request: Request,
    image_id: PathId,
    level: Annotated[int, Query(ge=0, le=20, description="0 shows every pixel, n shows 2^n x 2^n as one")],
    x: Annotated[int, Query(ge=0, le=1_000_000, description="column of the tile, from 0")],
    y: Annotated[int, Query(ge=0, le=1_000_000, description="row of the tile, from 0")],
    bands: Bands = None,
    low: Low = 0.0,
    high: High = 1.0,
) -> Response:
    """A part of a large picture, 512 x 512 pixels of its level; lossless at level 0."""
    look = picture_views.parse_look(bands, low, high)
    return picture_views.send_tile(context, image_id, request.headers.get("if-none-match"), look, level, x, y)


@router.get("/{image_id}/display")
def get_image_display(context: Context, image_id: PathId, bands: Bands = None) -> PictureDisplay:
    """What the picture can be shown as: its bands, its range of values, the contrast that suits it."""
    return picture_views.describe_picture(context, image_id, picture_views.parse_look(bands, 0.0, 1.0).bands)


@router.get("/{image_id}/thumbnail", response_class=Response, responses=PICTURE)
def get_image_thumbnail(
    context: Context,
    request: Request,
    image_id: PathId,
    size: Annotated[int, Query(ge=16, le=1_024, description="longest side, pixels")] = 256,
) -> Response:
    """A small JPEG of the image."""
    return image_files.send_thumbnail(context, image_id, request.headers.get("if-none-match"), size)
