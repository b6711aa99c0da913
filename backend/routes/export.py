"""Annotations as files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from backend.context import Context
from backend.schemas.export import ExportFormat, ExportOptions, ExportScope, MaskSource, Outlines
from backend.services.export.service import send_export

router = APIRouter(tags=["export"])

FILE: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("application/json", "text/csv", "application/zip")
        },
        "description": "the file, as a download",
    }
}


@router.get("/export", response_class=StreamingResponse, responses=FILE)
def export_annotations(
    context: Context,
    format: Annotated[ExportFormat, Query(description="see docs/export.md")] = ExportFormat.JSON,  # noqa: A002
    scope: Annotated[
        ExportScope,
        Query(description="coco and png-masks: predictions of labelled images only, or of all; csv: lines of these"),
    ] = ExportScope.LABELED,
    history: Annotated[bool, Query(description="json: every earlier annotation too")] = False,
    masks: Annotated[
        MaskSource | None,
        Query(description="left out: the regions of an image, or its prediction where it has none; see docs/export.md"),
    ] = None,
    outlines: Annotated[Outlines, Query(description="coco: how masks are told")] = Outlines.RLE,
) -> StreamingResponse:
    """The annotations of the session, streamed."""
    return send_export(context, format, ExportOptions(scope, history, masks, outlines))
