"""`fewclick export`: what GET /api/export sends, written to a file."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import IO

from starlette.responses import StreamingResponse

from backend.main import create_app
from backend.schemas.export import ExportFormat, ExportOptions, ExportScope
from backend.services.export.service import send_export
from backend.settings import Settings
from db.database import Database, require_session_dir
from db.enums import ImageStatus
from db.errors import InvalidInputError
from db.queries.session_info import get_session_info
from db.queries.stats import count_by_status
from db.tasks import Task
from models.atomic_file import open_atomically

STANDARD_OUTPUT = Path("-")
FORMATS_WITH_MASKS = frozenset({ExportFormat.PNG_MASKS, ExportFormat.COCO, ExportFormat.YOLO_SEGMENT})
FORMAT_BY_ENDING = {".json": ExportFormat.JSON, ".csv": ExportFormat.CSV, ".zip": ExportFormat.PNG_MASKS}


def format_of(file: Path) -> ExportFormat:
    """The format that a file's ending names; json for standard output.

    Raises:
        InvalidInputError: it names none.
    """
    if file == STANDARD_OUTPUT:
        return ExportFormat.JSON
    kind = FORMAT_BY_ENDING.get(file.suffix.lower())
    if kind is None:
        raise InvalidInputError(
            f"{file} ends in {file.suffix or 'nothing'}, expected {', '.join(FORMAT_BY_ENDING)}: "
            f"name the file so, or give --format ({', '.join(ExportFormat)})"
        )
    return kind


def left_out(session_dir: Path, kind: ExportFormat, options: ExportOptions) -> str:
    """Of how many images the file has masks, where it could have those of more; starts with a colon."""
    if kind not in FORMATS_WITH_MASKS or options.scope is ExportScope.ALL:
        return ""
    database = Database.of_session(session_dir)
    try:
        with database.read() as db_session:
            if get_session_info(db_session).task is not Task.SEGMENTATION:
                return ""
            by_status = count_by_status(db_session)
    finally:
        database.close()
    taken, total = by_status.get(ImageStatus.LABELED, 0), sum(by_status.values())
    return "" if taken == total else f": {taken} of {total} images (labelled only; --scope all for all)"


def export_to_file(
    session_dir: Path,
    file: Path,
    kind: ExportFormat,
    options: ExportOptions | None = None,
) -> None:
    """Write the annotations; `file` appears only once it is complete. The name - means standard output.

    Raises:
        SessionNotFoundError: the folder holds no session.
        InvalidInputError: the format does not fit the task, or the file cannot be written.
    """
    require_session_dir(session_dir)
    options = options or ExportOptions()
    if file == STANDARD_OUTPUT:
        asyncio.run(_write(session_dir, sys.stdout.buffer, kind, options))
        return
    if not file.parent.is_dir() or file.is_dir():
        raise InvalidInputError(f"{file} cannot be written: expected the name of a file in a folder that exists")
    with open_atomically(file, durable=False) as partial:
        asyncio.run(_write(session_dir, partial, kind, options))


async def _write(session_dir: Path, sink: IO[bytes], kind: ExportFormat, options: ExportOptions) -> None:
    app = create_app(Settings(session=session_dir))
    async with app.router.lifespan_context(app):
        response: StreamingResponse = send_export(app.state.context, kind, options)
        async for chunk in response.body_iterator:
            sink.write(chunk.encode() if isinstance(chunk, str) else chunk)
    sink.flush()
