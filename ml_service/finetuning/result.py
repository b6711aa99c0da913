"""What a fine-tuning run has come to: its adapter as files and as a checkpoint, and whether it is worth adopting."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
from sqlalchemy.orm import Session
from torch import Tensor

from db.enums import CheckpointKind
from db.queries.checkpoints import next_parent_id, save_checkpoint_row
from db.tables.learning import Run
from ml_service.confidence_intervals import doubt
from ml_service.context import Context
from ml_service.data_snapshot import load_snapshot, save_snapshot
from ml_service.finetuning.plan import Plan
from ml_service.finetuning.state_file import BEST, load_state
from ml_service.metrics import Quality, describe_quality
from ml_service.provenance import describe, row_facts
from models.adapter_files import FOLDER, AdapterDescription, read_adapter, write_adapter
from models.extractor_settings import ExtractorSettings
from models.lora import load_adapter, stack_factors

HEAD_KIND = "adapter"
"""What its description says where that of a head says linear or live."""


@dataclass(frozen=True)
class Outcome:
    """As the process has left it."""

    frozen: Quality
    """A head on the frozen features, on the held-out samples."""
    tuned: Quality | None
    """The same on the best epoch's features; None where no epoch was better."""
    gain: tuple[float, float | None] | None
    """In loss, of `tuned` over `frozen`, and its standard error over images; None where `tuned` is."""
    best_epoch: int
    factors: dict[str, Tensor]
    scale: float
    is_refitted: bool
    """Whether `tuned` is of a head fitted anew, as the session's would be; else of the one that learned with them."""
    least_images: int
    """That have to be held out before anything is replaced; see `doubt`."""


def read_outcome(folder: Path, *, is_refitted: bool, least_images: int) -> Outcome | None:
    """From the state file; None if it never came to one."""
    saved = load_state(folder)
    if saved is None:
        return None
    tensors, plain = saved
    return Outcome(
        frozen=Quality(**plain["frozen"]),
        tuned=None if plain["tuned"] is None else Quality(**plain["tuned"]),
        gain=None if plain["gain"] is None else (plain["gain"][0], plain["gain"][1]),
        best_epoch=plain["best_epoch"],
        factors={name.removeprefix(BEST): value for name, value in tensors.items() if name.startswith(BEST)},
        scale=plain["scale"],
        is_refitted=is_refitted,
        least_images=least_images,
    )


def obstacle(outcome: Outcome | None) -> str | None:
    """Why the tuned features are not worth adopting; None if they are."""
    if outcome is None:
        return "it was stopped before the frozen features were measured"
    frozen, tuned = outcome.frozen, outcome.tuned
    if tuned is None:
        return f"no epoch was better than the frozen ones ({_figures(frozen)} on {_basis(frozen)})"
    compared = f"{_figures(tuned)} against {_figures(frozen)} of the frozen ones on {_basis(frozen)}"
    if not (tuned.loss < frozen.loss and tuned.accuracy >= frozen.accuracy and tuned.mean_iou >= frozen.mean_iou):
        return f"the tuned ones have {compared}"
    gain, error = outcome.gain or (frozen.loss - tuned.loss, None)
    why_not = doubt(gain, error, tuned.n_images, outcome.least_images)
    return None if why_not is None else f"the tuned ones have {compared}, but {why_not}"


def verdict(outcome: Outcome | None) -> str:
    """Frozen against tuned, for a person."""
    why = obstacle(outcome)
    if why is not None:
        return f"The frozen features stay: {why}."
    assert outcome is not None
    assert outcome.tuned is not None
    frozen, tuned = outcome.frozen, outcome.tuned
    return (
        f"The fine-tuned features are better: {_figures(tuned)} against {_figures(frozen)} of the frozen ones on "
        f"{_basis(frozen)}{_margin(outcome)}. Adopt them to have all features made anew."
    )


def metrics_of(outcome: Outcome | None, plan: Plan, checkpoint_id: int | None = None) -> dict[str, Any]:
    """What run and checkpoint keep of it."""
    tuned = None if outcome is None else outcome.tuned
    n_train = len(set(plan.training.image_ids.tolist()))
    return describe_quality(tuned, n_train) | {
        "frozen": None if outcome is None else outcome.frozen.to_json(),
        "gain": None if outcome is None else _gain_to_json(outcome),
        "better": obstacle(outcome) is None,
        "refitted": outcome is not None and outcome.is_refitted,
        "n_train_samples": len(plan.training),
        "adapter_checkpoint_id": checkpoint_id,
    }


def save_adapter(
    context: Context, db_session: Session, plan: Plan, outcome: Outcome, run_id: int, folder: Path
) -> tuple[str, dict[str, Any]]:
    """Write the best epoch's factors with all that is known of them.

    One on top of an adapter that the session has already is stacked with it: the files stand alone.

    Returns:
        Their path relative to the session folder, and what the checkpoint's row is to say of them.
    """
    snapshot = load_snapshot(folder, plan.facts["dataset_hash"])
    save_snapshot(context.session_dir, snapshot)
    description = describe(
        context,
        db_session,
        snapshot,
        kind=CheckpointKind.ADAPTER,
        head_kind=HEAD_KIND,
        class_ids=plan.class_ids,
        revisions={int(image_id): revision for image_id, revision in plan.facts["revisions"].items()},
        label_sequence=plan.facts["label_sequence"],
        metrics=metrics_of(outcome, plan),
        run_id=run_id,
        parent_id=next_parent_id(db_session, None),
    )
    factors, scale, base = outcome.factors, outcome.scale, plan.extractor
    if plan.weights.adapter_path is not None:
        below = read_adapter(plan.weights.adapter_path)
        below, first = load_adapter(below.path, below.base.weights_hash)
        factors, scale, base = stack_factors(first, below.description.scale, factors, scale), 1.0, below.base
    provenance = description.model_dump(mode="json")
    provenance["finetune"] = plan.settings.model_dump(mode="json") | {"best_epoch": outcome.best_epoch}
    path = f"{FOLDER}/run-{run_id}-epoch-{outcome.best_epoch}.safetensors"
    tensors = safetensors.torch.save({name: value.contiguous() for name, value in factors.items()})
    write_adapter(context.session_dir / path, tensors, AdapterDescription(base.to_json(), scale, provenance))
    return path, row_facts(description)


def record_adapter(
    db_session: Session, run: Run, plan: Plan, outcome: Outcome, path: str, facts: dict[str, Any]
) -> None:
    """The checkpoint's row, and the run's metrics that name it."""
    metrics = metrics_of(outcome, plan)
    row, _ = save_checkpoint_row(db_session, CheckpointKind.ADAPTER, path, metrics=metrics, run_id=run.id, **facts)
    run.metrics = metrics_of(outcome, plan, row.id)


def weights_of(context: Context, config: dict[str, Any]) -> ExtractorSettings:
    """How the session's extractor is loaded."""
    return ExtractorSettings.of_session(config, context.session_dir).as_in(context.extractor)


def _gain_to_json(outcome: Outcome) -> dict[str, float | None] | None:
    if outcome.gain is None:
        return None
    return dict(zip(("loss", "standard_error"), outcome.gain, strict=True))


def _margin(outcome: Outcome) -> str:
    """By how much the loss is better, and what chance alone does."""
    if outcome.gain is None or outcome.gain[1] is None:
        return ""
    return ", loss better by {:.3f} with a standard error of {:.3f}".format(*outcome.gain)


def _figures(quality: Quality) -> str:
    return f"loss {quality.loss:.3f}, accuracy {quality.accuracy:.1%}, IoU {quality.mean_iou:.3f}"


def _basis(quality: Quality) -> str:
    return f"{quality.n_samples} held-out labels of {quality.n_images} images"
