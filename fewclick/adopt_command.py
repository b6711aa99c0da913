"""`fewclick adopt`: the session goes on with a fine-tuned extractor, or goes back."""

from __future__ import annotations

from pathlib import Path

import typer

from db.database import Database
from db.errors import InvalidInputError
from db.queries.extraction import read_progress
from initialization.report import counted
from ml_service.finetuning.adoption import adopt


def run(session_dir: Path, checkpoint_id: int | None, *, base: bool) -> None:
    """Change the extractor and say what follows.

    Raises:
        InvalidInputError: neither or both are named.
        NotFoundError, ConflictError, WeightsError: as `adopt`.
    """
    if (checkpoint_id is not None) == base:
        raise InvalidInputError(
            "found " + ("both" if base else "neither") + ", expected either the id of a checkpoint of kind adapter "
            "(`fewclick checkpoints` lists them) or --base"
        )
    database = Database.of_session(session_dir)
    try:
        extractor = adopt(database, session_dir, checkpoint_id)
        with database.read() as db_session:
            pending = read_progress(db_session).pending
    finally:
        database.close()
    typer.echo(
        f"the session's extractor is {extractor.name} now; features of {counted(pending, 'image')} are to be made by "
        "`fewclick up`, those made before by it are found again; annotations stay"
    )
