"""Is everything at work?"""

from __future__ import annotations

import time

from backend.context import AppContext
from backend.schemas.session import ExtractionHealth, ExtractionState, Health, MlServiceHealth
from backend.services.plain_text import without_folders
from backend.version import VERSION
from db.queries.extraction import Progress, read_progress
from db.queries.extraction_workers import WorkerProgress, living_workers
from db.queries.workers import heartbeat_age_s

START_LIMIT_S = 60.0
"""So long after its own start the supervisor is given to start the others: torch takes long on a busy machine."""


def read_health(context: AppContext) -> Health:
    """Ask the database, and look at the last sign of life of the services."""
    with context.database.read() as db_session:
        age_s = heartbeat_age_s(db_session)
        progress = read_progress(db_session)
        workers = living_workers(db_session)
    alive = age_s is not None and age_s <= context.settings.worker_timeout_s
    is_starting = context.settings.supervised and time.monotonic() - context.opened_at < START_LIMIT_S
    return Health(
        status="ok" if alive else "degraded",
        version=VERSION,
        database="sqlite" if context.database.engine.dialect.name == "sqlite" else "postgresql",
        ml_service=MlServiceHealth(
            alive=alive,
            starting=is_starting and not alive,
            heartbeat_age_s=None if age_s is None else round(age_s, 3),
        ),
        extraction=describe_extraction(progress, workers, is_starting=is_starting),
    )


def describe_extraction(
    progress: Progress, workers: list[WorkerProgress], *, is_starting: bool = False
) -> ExtractionHealth:
    """Counts, pace of all workers together, and what is in the way."""
    able = [worker for worker in workers if worker.message is None]
    messages = [worker.message for worker in workers if worker.message is not None]
    whole_per_s = sum(worker.images_per_s or 0.0 for worker in able)
    pooled_per_s = sum(worker.pooled_per_s or 0.0 for worker in able)
    state: ExtractionState
    if progress.pending == 0:
        state = "done"
    elif able:
        state = "running"
    elif messages:
        state = "failed"
    else:
        state = "starting" if is_starting else "stopped"
    return ExtractionHealth(
        state=state,
        total=progress.total,
        done=progress.done,
        failed=progress.failed,
        pooled_done=progress.pooled_done,
        rate_images_s=round(whole_per_s, 3) if state == "running" and whole_per_s else None,
        eta_s=_eta_s(progress, whole_per_s, pooled_per_s) if state == "running" else None,
        message=without_folders(messages[0]) if state == "failed" else None,
    )


def _eta_s(progress: Progress, whole_per_s: float, pooled_per_s: float) -> float | None:
    """Both tiers one after the other, as far as each is known to be made on its own."""
    if not whole_per_s:
        return None
    seconds = progress.pending / whole_per_s
    if pooled_per_s:
        seconds += max(0, progress.total - progress.failed - progress.pooled_done) / pooled_per_s
    return round(seconds, 1)
