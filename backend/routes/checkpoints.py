"""Saved heads: list, inspect, compare, switch, name, remove."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status

from backend.context import Context
from backend.schemas.base import MAX_ID, PathId, QueryId
from backend.schemas.checkpoints import (
    CheckpointComparison,
    CheckpointDetails,
    CheckpointOut,
    CheckpointPatch,
    HeadChoice,
    Measurement,
    PruneRequest,
    PruneResult,
    SnapshotPage,
)
from backend.services import checkpoint_comparison, checkpoint_pruning, checkpoints, head_choice
from backend.services.checkpoints import Shelf

router = APIRouter(prefix="/checkpoints", tags=["checkpoints"])
TOTAL_HEADER, CURSOR_HEADER = "X-Total-Count", "X-Next-Cursor"
# In headers, as the body was a list before there were pages.
PAGE_HEADERS = {
    TOTAL_HEADER: {"description": "how many there are in all", "schema": {"type": "integer"}},
    CURSOR_HEADER: {"description": "`cursor` of the next page; absent on the last one", "schema": {"type": "integer"}},
}
ComparedId = Annotated[int, Query(ge=1, le=MAX_ID)]


def get_shelf(context: Context) -> Shelf:
    """Where the checkpoints of the session are."""
    return Shelf(context.database, context.config.session_dir)


OpenShelf = Annotated[Shelf, Depends(get_shelf)]


@router.get("", responses={200: {"headers": PAGE_HEADERS}})
def list_checkpoints(
    shelf: OpenShelf,
    response: Response,
    cursor: Annotated[QueryId, Query(description="`X-Next-Cursor` of the page before")] = None,
    limit: Annotated[int | None, Query(ge=1, le=500, description="left out: all of them")] = None,
) -> list[CheckpointOut]:
    """Saved heads, newest first; how many there are, and where the next page begins, is in the headers."""
    page = checkpoints.list_page(shelf, cursor=cursor, limit=limit)
    response.headers[TOTAL_HEADER] = str(page.total)
    if page.next_cursor is not None:
        response.headers[CURSOR_HEADER] = str(page.next_cursor)
    return page.items


@router.get("/in-force")
def get_checkpoint_in_force(shelf: OpenShelf) -> HeadChoice:
    """Which saved head predicts now, whatever page of the list it is on; null where that is the live head, not saved as
    it is."""
    return head_choice.get_in_force(shelf)


@router.get("/compare")
def compare_checkpoints(shelf: OpenShelf, a: ComparedId, b: ComparedId) -> CheckpointComparison:
    """How b differs from a: configuration, labels, figures as saved, and the last measurement on the same images."""
    return checkpoint_comparison.compare(shelf, a, b)


@router.post("/compare", status_code=status.HTTP_202_ACCEPTED)
def measure_checkpoints(shelf: OpenShelf, a: ComparedId, b: ComparedId) -> Measurement:
    """Have both measured on the held-out labels of now, by the ML service; GET /checkpoints/compare has the result."""
    return checkpoint_comparison.measure(shelf, a, b)


@router.post("/rollback")
def roll_back(shelf: OpenShelf) -> CheckpointOut | None:
    """Let the head predict that did before the present one, until the next annotation change; null where that is the
    live head, not saved yet. 409 if there is none: `can_roll_back` of the list tells before."""
    return head_choice.roll_back(shelf)


@router.post("/release")
def release_checkpoint(shelf: OpenShelf) -> HeadChoice:
    """Let the live head predict at once, not only after the next annotation change."""
    head_choice.release(shelf)
    return HeadChoice(checkpoint=None)


@router.post("/prune")
def prune_checkpoints(shelf: OpenShelf, body: PruneRequest) -> PruneResult:
    """Remove all but the newest `keep`, never what predicts, is pinned or has a name; `dry_run` only says what goes."""
    return checkpoint_pruning.prune(shelf, body)


@router.get("/{checkpoint_id}")
def get_checkpoint(shelf: OpenShelf, checkpoint_id: PathId) -> CheckpointDetails:
    """One saved head with its provenance."""
    return checkpoints.get_details(shelf, checkpoint_id)


@router.get("/{checkpoint_id}/data")
def get_checkpoint_data(
    shelf: OpenShelf,
    checkpoint_id: PathId,
    offset: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> SnapshotPage:
    """The images it was trained on, by id, with the revision, part and labels they had."""
    return checkpoints.get_data(shelf, checkpoint_id, offset, limit)


@router.patch("/{checkpoint_id}")
def change_checkpoint(shelf: OpenShelf, checkpoint_id: PathId, body: CheckpointPatch) -> CheckpointOut:
    """Name, unname, pin or unpin."""
    return checkpoints.change(shelf, checkpoint_id, body)


@router.delete("/{checkpoint_id}", status_code=status.HTTP_204_NO_CONTENT)
def delete_checkpoint(shelf: OpenShelf, checkpoint_id: PathId) -> None:
    """Remove one, its files too; its children become its parent's. 409 if it predicts or is pinned."""
    checkpoint_pruning.delete(shelf, checkpoint_id)


@router.post("/{checkpoint_id}/activate")
def activate_checkpoint(shelf: OpenShelf, checkpoint_id: PathId) -> CheckpointOut:
    """Predict with this head until the next annotation change or run."""
    return head_choice.activate(shelf, checkpoint_id)
