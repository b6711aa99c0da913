"""The only wiring: settings in, application out."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.routing import APIRoute

from backend.errors import ERROR_RESPONSES, add_error_handlers
from backend.guard import Guard
from backend.lifespan import open_session
from backend.page import Page
from backend.routes import annotations as annotation_routes
from backend.routes import (
    bulk,
    checkpoints,
    classes,
    comments,
    events,
    export,
    finetuning,
    images,
    predictions,
    regions,
    session,
    stats,
    training,
)
from backend.settings import Settings
from backend.version import VERSION

ROUTERS = (
    session, classes, images, annotation_routes, comments, bulk, regions, predictions, training, finetuning,
    checkpoints, stats, events, export,
)  # fmt: skip


def create_app(settings: Settings | None = None) -> FastAPI:
    """The application of one session; it opens the session when it starts.

    Args:
        settings: left out, they are read from the environment.
    """
    settings = settings or Settings()
    app = FastAPI(
        title="Fewclick",
        version=VERSION,
        description="Label images with a few clicks. Coordinates are pixels of the upright original image.",
        lifespan=open_session,
        generate_unique_id_function=_operation_id,
        docs_url=None,  # it would load its scripts from other hosts
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.state.settings = settings
    for module in ROUTERS:
        app.include_router(module.router, prefix="/api", responses=ERROR_RESPONSES)
    # Not a mount, which would take a wrong method at a right path for a file of the page.
    app.router.default = Page(settings.frontend_dist, settings.session_links())
    add_error_handlers(app)
    app.add_middleware(Guard, settings=settings)
    return app


def _operation_id(route: APIRoute) -> str:
    """getImage for get_image: the name of the method in generated clients."""
    first, *rest = route.name.split("_")
    return first + "".join(word.capitalize() for word in rest)


app = create_app()
