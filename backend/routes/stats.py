"""Counts and quality."""

from __future__ import annotations

from fastapi import APIRouter

from backend.context import Context
from backend.schemas.stats import Stats
from backend.services import stats

router = APIRouter(tags=["stats"])


@router.get("/stats")
def get_stats(context: Context) -> Stats:
    """How far the labelling is, and how good the head on images it did not learn from."""
    return stats.read_stats(context)
