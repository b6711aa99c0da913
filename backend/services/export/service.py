"""Choose a format and send it as a download."""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from backend.context import AppContext
from backend.schemas.export import ExportFormat, ExportOptions, ExportScope
from backend.services.export import as_coco, as_csv, as_json, as_png_masks, as_yolo
from db.enums import ImageStatus
from db.errors import InvalidInputError

FILE_NAMES = {
    ExportFormat.JSON: ("{name}.json", "application/json"),
    ExportFormat.CSV: ("{name}.csv", "text/csv; charset=utf-8"),
    ExportFormat.COCO: ("{name}-coco.json", "application/json"),
    ExportFormat.PNG_MASKS: ("{name}-masks.zip", "application/zip"),
    ExportFormat.YOLO_SEGMENT: ("{name}-yolo.zip", "application/zip"),
}


def send_export(context: AppContext, kind: ExportFormat, options: ExportOptions) -> StreamingResponse:
    """The annotations in one format.

    Raises:
        InvalidInputError: the format makes no sense for the task.
    """
    formats = context.handler.export_formats
    if kind not in formats:
        raise InvalidInputError(
            f"format {kind.value} is not for a {context.config.task.name} session: "
            f"choose one of {', '.join(sorted(f.value for f in formats))}"
        )
    if kind is ExportFormat.PNG_MASKS:
        as_png_masks.require_few_classes(context.config)
    pattern, media_type = FILE_NAMES[kind]
    file_name = pattern.format(name=re.sub(r"[^A-Za-z0-9_-]+", "-", context.config.name).strip("-") or "session")
    return StreamingResponse(
        _stream(context, kind, options),
        media_type=media_type,
        headers={"Content-Disposition": f'attachment; filename="{file_name}"', "Cache-Control": "no-store"},
    )


def _stream(context: AppContext, kind: ExportFormat, options: ExportOptions) -> Iterator[bytes]:
    # One read transaction for all: a snapshot of one moment, however long the client takes to fetch it.
    with context.database.read() as db_session:
        yield from _format(context, db_session, kind, options)


def _format(context: AppContext, db_session: Session, kind: ExportFormat, options: ExportOptions) -> Iterator[bytes]:
    session = context.config
    status = ImageStatus.LABELED if options.scope is ExportScope.LABELED else None
    match kind:
        case ExportFormat.JSON:
            return as_json.stream(db_session, session, history=options.history)
        case ExportFormat.CSV:
            return as_csv.stream(db_session, session, all_images=options.scope is ExportScope.ALL)
        case ExportFormat.COCO:
            return as_coco.stream(db_session, session, status, options)
        case ExportFormat.PNG_MASKS:
            return as_png_masks.stream(db_session, session, status, options.masks)
        case ExportFormat.YOLO_SEGMENT:
            return as_yolo.stream(db_session, session, status, options.masks)
