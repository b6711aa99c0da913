"""Predictions, their maps, and making annotations of them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request, Response

from backend.context import Context
from backend.routes.annotations import CONFLICT
from backend.schemas.annotations import AcceptPrediction, AnnotationStateOut, ExtractPoints
from backend.schemas.base import PathId, QueryId
from backend.schemas.predictions import MapSize, PredictionOut
from backend.services import annotating, prediction_maps, prediction_overlays, predictions

router = APIRouter(prefix="/images/{image_id}", tags=["predictions"])

PNG: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/png": {"schema": {"type": "string", "format": "binary"}}}, "description": "the map"}
}


@router.get(
    "/prediction",
    response_model=PredictionOut,
    responses={204: {"description": "with if_any, while there is no prediction", "model": None}},
)
def get_prediction(
    context: Context,
    request: Request,
    image_id: PathId,
    if_any: Annotated[bool, Query(description="204 instead of 404 while there is no prediction")] = False,
) -> PredictionOut | Response:
    """The newest prediction; 404 until there is one. Asking for a stale or missing one moves the image to the front."""
    found = predictions.find_prediction(context, image_id, request.scope.get("root_path", ""))
    if found is not None:
        return found
    if if_any:
        return Response(status_code=204)
    raise predictions.no_prediction(image_id)


@router.get("/prediction/map", response_class=Response, responses=PNG)
def get_prediction_map(
    context: Context,
    image_id: PathId,
    class_id: Annotated[QueryId, Query(description="left out: the first class of the head")] = None,
    size: Annotated[
        MapSize, Query(description="grid: the feature grid; image: full size, refined along the edges of the picture")
    ] = MapSize.GRID,
) -> Response:
    """8-bit grey PNG: 255 x probability of one class."""
    return prediction_maps.send_map(context, image_id, class_id, size)


@router.get("/prediction/overlay", response_class=Response, responses=PNG)
def get_prediction_overlay(
    context: Context,
    request: Request,
    image_id: PathId,
    version: Annotated[int | None, Query(description="of the prediction; only tells caches one from another")] = None,
) -> Response:
    """PNG with transparency, one pixel a cell: the most probable class in its colour (segmentation)."""
    del version
    return prediction_overlays.send_overlay(context, image_id, request.headers.get("if-none-match"))


@router.post("/extract-points", responses=CONFLICT)
def extract_points(
    context: Context, image_id: PathId, body: Annotated[ExtractPoints | None, Body()] = None
) -> AnnotationStateOut:
    """Points from the prediction; earlier extracted ones are replaced, those that people made stay (segmentation)."""
    return annotating.extract_points(context, image_id, body or ExtractPoints())


@router.post("/accept-prediction", responses=CONFLICT)
def accept_prediction(
    context: Context, image_id: PathId, body: Annotated[AcceptPrediction | None, Body()] = None
) -> AnnotationStateOut:
    """The prediction becomes the annotation: the most probable class, or points of the map."""
    return annotating.accept_prediction(context, image_id, body or AcceptPrediction())
