"""Change what the session lets change, and keep the cached configuration in step."""

from __future__ import annotations

from pydantic import ValidationError

from backend.context import AppContext
from backend.schemas.session import Config, ConfigPatch
from backend.services.session_snapshot import read_snapshot
from db.errors import InvalidInputError
from db.queries.session_info import TrainingSettings, get_session_info, read_training
from db.tasks import Task


def update_training(context: AppContext, patch: ConfigPatch) -> Config:
    """Change training parameters; the ML service reads them when it begins its next work.

    Raises:
        InvalidInputError: a value outside its bounds, or a head that the task does not have; nothing is changed then.
    """
    changes = patch.model_dump(exclude_none=True, exclude={"training"})
    if patch.training is not None:
        changes |= patch.training.model_dump(exclude_none=True)
    with context.database.write() as db_session:
        info = get_session_info(db_session)
        if "finetune" in changes:
            changes["finetune"] = {**info.training.get("finetune", {}), **changes["finetune"]}
        info.training = _merged({**info.training, **changes}, info.task).model_dump(mode="json")
    refresh(context)
    return context.config.to_schema()


def read_current(context: AppContext) -> Config:
    """The configuration as it stands; the command line may have changed it since, such as by `fewclick adopt`."""
    refresh(context)
    return context.config.to_schema()


def refresh(context: AppContext) -> None:
    """Read the configuration again after a change."""
    with context.config_lock, context.database.read() as db_session:
        context.config = read_snapshot(db_session, context.settings.session_dir)


def _merged(values: dict[str, object], task: Task) -> TrainingSettings:
    try:
        return read_training(values, task)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise InvalidInputError(f"{name} is {first['input']!r}: {first['msg'].lower()}") from error
