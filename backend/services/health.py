"""Is everything at work?"""

from __future__ import annotations

from backend.context import AppContext
from backend.schemas.session import Health, MlServiceHealth
from backend.version import VERSION
from db.queries.workers import heartbeat_age_s


def read_health(context: AppContext) -> Health:
    """Ask the database, and look at the last sign of life of an ML service."""
    with context.database.read() as db_session:
        age_s = heartbeat_age_s(db_session)
    alive = age_s is not None and age_s <= context.settings.worker_timeout_s
    return Health(
        status="ok" if alive else "degraded",
        version=VERSION,
        database="sqlite" if context.database.engine.dialect.name == "sqlite" else "postgresql",
        ml_service=MlServiceHealth(alive=alive, heartbeat_age_s=None if age_s is None else round(age_s, 3)),
    )
