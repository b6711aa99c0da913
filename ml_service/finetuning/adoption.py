"""A fine-tuned extractor becomes the session's own, and the way back. Imports no torch.

All that is needed lies on the disk before one transaction makes the change: a kill at any moment leaves the session
with the one extractor or with the other. The extraction service then makes the features by priority, and the ML service
learns from them as they come; features of the extractor before stay until they are pruned.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from db.database import Database
from db.enums import CheckpointKind
from db.errors import ConflictError
from db.queries.adoption import adopt_extractor
from db.queries.checkpoints import get_checkpoint
from db.queries.session_info import ADAPTER_BASE_KEY, ADAPTER_KEY, get_session_info
from db.queries.training_data import last_annotated_image_id
from db.tables.learning import Checkpoint
from db.tables.session import SessionInfo
from models.adapter_files import AdapterFile, read_adapter
from models.base import ExtractorInfo
from models.errors import WeightsError
from models.extractor_settings import tell_differences
from models.feature_manifest import StoreSettings, check_store, identity_name, open_manifest


def adopt(
    database: Database, session_dir: Path, checkpoint_id: int | None, image_id: int | None = None
) -> ExtractorInfo:
    """Have the session go on with the adapter of a checkpoint, or with none; returns the extractor that it has now.

    Args:
        checkpoint_id: None goes back to the weights without any adapter.
        image_id: The image that the person has open; None takes the one annotated last.

    Raises:
        NotFoundError: there is no such checkpoint, or it was removed meanwhile.
        ConflictError: it is no adapter, belongs to other weights, is adopted already, or a run is going on.
        WeightsError: its files are missing or damaged.
    """
    with database.read() as db_session:
        info = get_session_info(db_session)
        path = None if checkpoint_id is None else _adapter_path(get_checkpoint(db_session, checkpoint_id))
    present, base = ExtractorInfo.from_json(info.extractor), _base(info, session_dir)
    wanted = base if path is None else _adapted(read_adapter(session_dir / path), base)
    if wanted == present:
        what = "no adapter" if path is None else f"the adapter of checkpoint {checkpoint_id}"
        raise ConflictError(f"the session has {what} already: there is nothing to change")
    _prepare_store(session_dir, present, wanted)
    with database.write() as db_session:
        if checkpoint_id is not None:
            # Who removes it looks, in a transaction too, whether it is adopted: one of the two comes first.
            get_checkpoint(db_session, checkpoint_id)
        if get_session_info(db_session).extractor != info.extractor:
            raise ConflictError("the session's extractor was changed at the same time: look again, then repeat")
        if image_id is None:
            image_id = last_annotated_image_id(db_session)
        adopt_extractor(db_session, _plain(wanted), _plain(base), path, image_id)
    return wanted


def adopted_path(info: SessionInfo) -> str | None:
    """Path of the adapter in force, as its checkpoint's row has it; None without one."""
    path = info.config.get(ADAPTER_KEY)
    return None if path is None else str(path)


def is_adoptable(info: SessionInfo, session_dir: Path, checkpoint: Checkpoint) -> bool:
    """Whether a checkpoint of kind adapter is better than the frozen features were, fits, and is not in force."""
    if checkpoint.path == adopted_path(info) or not checkpoint.metrics.get("better"):
        return False
    try:
        return read_adapter(session_dir / checkpoint.path).base == _base(info, session_dir)
    except WeightsError:
        return False


def _adapter_path(checkpoint: Checkpoint) -> str:
    if checkpoint.kind is not CheckpointKind.ADAPTER:
        raise ConflictError(
            f"checkpoint {checkpoint.id} is a head, no adapter of the extractor: activate it instead, or name one of "
            "kind adapter"
        )
    return checkpoint.path


def _base(info: SessionInfo, session_dir: Path) -> ExtractorInfo:
    """The session's extractor without its adapter."""
    path = adopted_path(info)
    if path is None:
        return ExtractorInfo.from_json(info.extractor)
    kept = info.config.get(ADAPTER_BASE_KEY)
    if kept is not None and kept["adapted"] == info.extractor:
        return ExtractorInfo.from_json(kept["base"])
    # Adopted by an earlier version, or named in the YAML file.
    try:
        return read_adapter(session_dir / path).base
    except WeightsError as error:
        raise WeightsError(
            f"what the extractor was without its adapter is not known any more ({error}); with the file lost, go back "
            "by `fewclick init --config FILE --change-extractor`"
        ) from error


def _plain(extractor: ExtractorInfo) -> dict[str, Any]:
    """As the database has it."""
    values: dict[str, Any] = json.loads(json.dumps(extractor.to_json()))
    return values


def _adapted(adapter: AdapterFile, base: ExtractorInfo) -> ExtractorInfo:
    if adapter.base != base:
        raise ConflictError(
            f"the adapter was made for another extractor ({tell_differences(adapter.base, base)}): adopt one that was "
            "fine-tuned since, or go back to that extractor by `fewclick init --config FILE --change-extractor`"
        )
    adapter.read_tensors()  # so that damage is told now
    return adapter.adapted


def _prepare_store(session_dir: Path, present: ExtractorInfo, wanted: ExtractorInfo) -> None:
    """Features are to be kept as those of the present extractor, where nothing else was chosen for them before."""
    found = check_store(session_dir, present, StoreSettings())
    name = identity_name(wanted)
    settings = StoreSettings(form=found.form, storage=found.storage, place=found.place)
    open_manifest(session_dir / "features" / name, wanted, settings, f"features/{name}")
