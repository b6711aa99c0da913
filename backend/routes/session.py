"""Health, configuration, and the other sessions on this port."""

from __future__ import annotations

from fastapi import APIRouter

from backend.context import Context
from backend.schemas.session import Config, ConfigPatch, Health, SessionLink
from backend.schemas.start import StartPage
from backend.services import health, session_config, start_page

router = APIRouter(tags=["session"])


@router.get("/health")
def get_health(context: Context) -> Health:
    """Whether the database answers and an ML service is alive."""
    return health.read_health(context)


@router.get("/config")
def get_config(context: Context) -> Config:
    """Task, classes, extractor and training parameters: all that a page needs to start."""
    return session_config.read_current(context)


@router.patch("/config")
def update_config(context: Context, body: ConfigPatch) -> Config:
    """Change training parameters or the strategy for the next image; what is left out stays."""
    return session_config.update_training(context, body)


@router.get("/sessions")
def list_sessions(context: Context) -> list[SessionLink]:
    """The sessions served on this port; empty if there is only one."""
    return context.settings.session_links()


@router.get("/start")
def get_start_page(context: Context) -> StartPage:
    """The sessions that can be opened, with the progress of each: those of this port, and of the folder of sessions."""
    return start_page.read_start_page(context)
