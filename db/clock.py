"""The time as the database keeps it."""

from __future__ import annotations

import datetime as dt


def utc_now() -> dt.datetime:
    """The present moment, aware, in UTC."""
    return dt.datetime.now(dt.UTC)
