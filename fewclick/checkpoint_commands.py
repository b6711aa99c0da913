"""What `fewclick checkpoints ...` does: the backend's own functions on the session folder; no server need run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from backend.schemas.checkpoints import (
    CheckpointOut,
    CheckpointPatch,
    MeasurementState,
    PruneRequest,
)
from backend.services import checkpoint_comparison, checkpoint_pruning, checkpoints, head_choice
from backend.services.checkpoints import Shelf
from db.database import Database
from db.errors import FewclickError, InvalidInputError, NotFoundError
from db.queries.checkpoints import MAX_NAME_LENGTH
from fewclick import checkpoint_tables as tables
from fewclick import comparison_tables
from initialization.report import Report, format_bytes

LINES = 50
"""Of a list on a terminal, unless asked for more."""


class CheckpointProblemError(FewclickError):
    """A checkpoint could not be loaded or measured."""


def list_some(session_dir: Path, *, limit: int | None, before: int | None, as_json: bool) -> None:
    """One line for each saved head, of those with an id under `before` if given.

    Raises:
        SessionNotFoundError: the folder holds no session.
    """
    with _shelf(session_dir) as shelf:
        wanted = LINES if limit is None and not as_json else limit
        page = checkpoints.list_page(shelf, cursor=before, limit=wanted)
        head = head_choice.get_in_force(shelf).checkpoint
    if as_json:
        _print_json(page.items)
    else:
        tables.show_list(page.items)
        tables.show_rest(page)
        tables.show_who_predicts(head)


def inspect(session_dir: Path, checkpoint_id: int, *, as_json: bool) -> None:
    """The provenance of one.

    Raises:
        SessionNotFoundError, NotFoundError: there is no such session or checkpoint.
    """
    with _shelf(session_dir) as shelf:
        details = checkpoints.get_details(shelf, checkpoint_id)
    if as_json:
        _print_json(details)
    else:
        tables.show_details(details)


def compare(session_dir: Path, a_id: int, b_id: int, *, measure: bool, as_json: bool) -> None:
    """Two side by side; both are measured in this process, so that no service need run.

    Raises:
        SessionNotFoundError, NotFoundError, InvalidInputError: there is nothing to compare.
        CheckpointProblemError: one of the two cannot be loaded.
    """
    with _shelf(session_dir) as shelf:
        found = checkpoint_comparison.compare(shelf, a_id, b_id)
    if measure:
        result = _measure(session_dir, a_id, b_id)
        measured = found.measurement.model_copy(
            update={"state": MeasurementState.DONE, "stale": False, "error": None, "result": result}
        )
        found = found.model_copy(update={"measurement": measured})
    if as_json:
        _print_json(found)
    else:
        comparison_tables.show_comparison(found)


def activate(session_dir: Path, checkpoint_id: int, *, as_json: bool) -> None:
    """Let one predict; nothing changes where it does already.

    Raises:
        SessionNotFoundError, NotFoundError, ConflictError: it cannot.
    """
    with _shelf(session_dir) as shelf:
        head = head_choice.get_in_force(shelf).checkpoint
        predicts = head is not None and head.id == checkpoint_id
        chosen = head if head is not None and predicts else head_choice.activate(shelf, checkpoint_id)
    if predicts and not as_json:
        print(f"checkpoint {checkpoint_id} ({tables.head_name(chosen)}) predicts already: nothing changed")
    else:
        _tell_choice(chosen, as_json=as_json)


def rollback(session_dir: Path, *, as_json: bool) -> None:
    """Let the one before predict.

    Raises:
        SessionNotFoundError, ConflictError: there is none.
    """
    with _shelf(session_dir) as shelf:
        chosen = head_choice.roll_back(shelf)
    if chosen is not None:
        _tell_choice(chosen, as_json=as_json)
    else:
        print("null" if as_json else "the live head predicts")


def release(session_dir: Path) -> None:
    """Let the live head predict."""
    with _shelf(session_dir) as shelf:
        head_choice.release(shelf)
    print("the live head predicts")


def rename(session_dir: Path, checkpoint_id: int, name: str | None, pin: bool | None) -> None:
    """Name or pin one; without either its name goes.

    Raises:
        SessionNotFoundError, NotFoundError, InvalidInputError: the name cannot be shown.
    """
    if name is not None and not 0 < len(name.strip()) <= MAX_NAME_LENGTH:
        raise InvalidInputError(f"name: found {len(name)} characters, expected 1 to {MAX_NAME_LENGTH}")
    fields: dict[str, Any] = {} if pin is None else {"pinned": pin}
    if name is not None or pin is None:
        fields["name"] = name
    with _shelf(session_dir) as shelf:
        changed = checkpoints.change(shelf, checkpoint_id, CheckpointPatch(**fields))
    title = "no name" if changed.name is None else f"the name {changed.name!r}"
    print(f"checkpoint {checkpoint_id} has {title} and is {'pinned' if changed.pinned else 'not pinned'}")


def export(session_dir: Path, checkpoint_id: int, folder: Path) -> None:
    """Write what a person takes along.

    Raises:
        SessionNotFoundError, NotFoundError, ConflictError, InvalidInputError: it cannot be written.
    """
    from fewclick.checkpoint_export import export_checkpoint

    with _shelf(session_dir) as shelf:
        written = export_checkpoint(shelf, checkpoint_id, folder)
    for path in written:
        print(f"wrote {path} ({format_bytes(path.stat().st_size)})")
    print(f"apply it: fewclick predict --checkpoint {folder} IMAGE... --out FOLDER")


def prune(session_dir: Path, *, keep: int, dry_run: bool, yes: bool, as_json: bool) -> int:
    """Say what goes, ask, and remove it; returns the exit status.

    Raises:
        SessionNotFoundError: the folder holds no session.
        InvalidInputError: nobody is there to be asked.
    """
    report = Report()
    with _shelf(session_dir) as shelf:
        plan = checkpoint_pruning.prune(shelf, PruneRequest(keep=keep, dry_run=True))
        if not as_json:
            tables.show_plan(plan)
        has_work = bool(plan.removed or plan.lost_ids or plan.leftover_files or plan.epochs)
        if dry_run or not has_work:
            if as_json:
                _print_json(plan)
            return 0
        if not yes and not _asked(report):
            return 0
        ids = [row.id for row in plan.removed]
        done = checkpoint_pruning.prune(shelf, PruneRequest(keep=keep, only=ids))
    if as_json:
        _print_json(done)
    else:
        print(f"removed {len(done.removed) + len(done.lost_ids)}, {format_bytes(done.freed_bytes)} freed")
    return 0


def delete(session_dir: Path, checkpoint_id: int, *, yes: bool) -> int:
    """Ask, and remove one; returns the exit status.

    Raises:
        SessionNotFoundError, NotFoundError, ConflictError: it must stay.
        InvalidInputError: nobody is there to be asked.
    """
    report = Report()
    with _shelf(session_dir) as shelf:
        details = checkpoints.get_details(shelf, checkpoint_id)
        if not yes:
            tables.show_list(
                [CheckpointOut.model_validate(details.model_dump(include=set(CheckpointOut.model_fields)))]
            )
            if not _asked(report):
                return 0
        checkpoint_pruning.delete(shelf, checkpoint_id)
    print(f"removed checkpoint {checkpoint_id}")
    return 0


def _measure(session_dir: Path, a_id: int, b_id: int) -> dict[str, Any]:
    # Torch takes seconds to import, and only this needs it.
    from ml_service.checkpoint_comparison import compare_checkpoints
    from ml_service.context import open_context
    from ml_service.errors import LearningError
    from ml_service.settings import ServiceSettings

    context = open_context(session_dir, ServiceSettings())
    try:
        return compare_checkpoints(context, a_id, b_id)
    except LearningError as error:
        raise CheckpointProblemError(f"the two cannot be measured: {error}") from error
    finally:
        context.db.close()


def _tell_choice(checkpoint: CheckpointOut, *, as_json: bool) -> None:
    if as_json:
        _print_json(checkpoint)
    else:
        print(
            f"checkpoint {checkpoint.id} ({tables.head_name(checkpoint)}) predicts until the next annotation changes\n"
            "`fewclick checkpoints release` gives way to the live head at once"
        )


def _asked(report: Report) -> bool:
    if not report.can_ask:
        raise InvalidInputError("nobody is there to be asked: add --yes")
    return report.ask("Go on?")


def _print_json(value: BaseModel | Sequence[BaseModel]) -> None:
    print(json.dumps(TypeAdapter(Any).dump_python(value, mode="json"), indent=2))


@contextmanager
def _shelf(session_dir: Path) -> Iterator[Shelf]:
    from db.migrate import migrate

    database = Database.of_session(session_dir)
    try:
        migrate(database.engine)
        yield Shelf(database, session_dir)
    except NotFoundError as error:
        raise NotFoundError(f"{error}: `fewclick checkpoints list`") from error
    finally:
        database.close()
