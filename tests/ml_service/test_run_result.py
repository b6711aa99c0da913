from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sqlalchemy import delete, select

from db.enums import JobKind
from db.queries.checkpoints import active_checkpoint
from db.queries.jobs import claim_job
from db.queries.runs import request_run
from db.queries.session_info import HeadKind, TrainingSettings
from db.tables.learning import Checkpoint
from db.tables.processes import Event
from ml_service.checkpoint import load_head
from ml_service.confidence_intervals import paired_gain
from ml_service.heads.base import TorchHead
from ml_service.heads.scaler import FeatureScaler, FloatArray
from ml_service.metrics import sample_losses
from ml_service.run_loop import begin_loop
from ml_service.run_record import RunRecord
from ml_service.run_result import RunResult, _Measured, _obstacle
from ml_service.run_setup import (
    RunInputs,
    RunSetup,
    figures,
    gain_over_live,
    held_out_temperature,
    labels_now,
    make_setup,
    quality,
)
from ml_service.settings import ServiceSettings
from tests.ml_service.toy_session import EXTRACTOR, ToySession


def _setup(session: ToySession, *held_out: int) -> RunSetup:
    session.label_rightly(range(1, 21))
    session.hold_out(*held_out)
    session.label_rightly([20])
    context = session.context()
    with context.db.read() as db_session:
        context.training_set.sync(db_session)
    inputs = RunInputs(context, HeadKind.LINEAR, lambda: None)
    scaler = FeatureScaler.identity(EXTRACTOR.pooled_dim)
    return make_setup(context, scaler, TrainingSettings(), {1: "left", 2: "right"}, inputs, labels_now(context))


@pytest.mark.parametrize(
    ("held_out", "margins", "obstacle"),
    [
        # All of the gain comes from few images: chance could have done that.
        (range(1, 11), [3.0, 0, 0, 0, 0, 0, 0, 0, 0, -2.5], "may be chance"),
        (range(1, 11), [3.0, 3, 1, 1, 0, 0, 0, 0, 0, -2.5], "may be chance"),
        (range(1, 11), [1.0, 1, 1, 1, 1, 1, 1, 1, 1, 0.5], None),
        # Of so few images nobody knows what chance can do.
        (range(1, 9), [1.0, 1, 1, 1, 1, 1, 1, 0.5], "only 8 of the 10 validation images"),
        (range(1, 4), [3.0, 0, -2.0], "only 3 of the 10 validation images"),
    ],
)
def test_obstacle__a_gain_has_to_stand_out_from_chance(
    classification: ToySession, held_out: range, margins: list[float], obstacle: str | None
) -> None:
    setup = _setup(classification, *held_out)
    assert setup.held_out is not None
    right = 2 * setup.held_out.targets - 1
    live = (0.5 * right).astype(np.float32)
    setup = replace(setup, live_logits=live)
    setup = replace(setup, live_quality=replace(quality(setup, live), accuracy=0.0))
    # Losses are those of the margin between right and wrong: this run is better by these.
    losses = np.log1p(np.exp(-1.0)) - 0.1 * np.array(margins)
    logits = (-0.5 * np.log(np.expm1(losses))[:, None] * right).astype(np.float32)
    gain, error = gain_over_live(setup, logits)
    assert gain > 0
    measured = _Measured(setup.label_sequence, 1, quality(setup, logits), figures(setup, logits), (gain, error), 1.0)
    assert measured.figures.selected_on_these
    with classification.db.read() as db_session:
        found = _obstacle(db_session, setup, measured, ServiceSettings().run_least_images)
    assert (found is None) if obstacle is None else obstacle in str(found)


def test_paired_gain__samples_of_one_image_go_together() -> None:
    gain = np.array([1.0, 1, 0, 0])
    assert paired_gain(gain, np.array([1, 1, 1, 1])) == (0.5, None)
    together, apart = paired_gain(gain, np.array([1, 1, 2, 2])), paired_gain(gain, np.array([1, 2, 3, 4]))
    assert (together[0], apart[0]) == (0.5, 0.5)
    assert together[1] == pytest.approx(0.5)
    assert apart[1] == pytest.approx(np.sqrt(1.0 * 4 / 3) / 4)
    assert paired_gain(gain, np.array([1, 2, 3, 4]), np.array([1.0, 1, 0, 0]))[0] == 1.0


def test_held_out_temperature__tempers_a_head_that_is_too_sure_and_never_the_other_way(
    classification: ToySession,
) -> None:
    setup = _setup(classification, *range(1, 11))
    assert setup.held_out is not None
    signs = np.where(np.arange(10) < 7, 1.0, -1.0)[:, None]
    logits = (signs * (2 * setup.held_out.targets - 1) * 10).astype(np.float32)
    # Right in 7 of 10: the margin ought to be log(0.7 / 0.3), and is 10.
    assert held_out_temperature(setup, logits / np.float32(2)) == pytest.approx(10 / np.log(7 / 3), rel=0.01)
    assert held_out_temperature(setup, logits / np.float32(100)) == 1.0


def test_quality__each_held_out_sample_counts_once_as_in_a_comparison(classification: ToySession) -> None:
    setup = _setup(classification, *range(1, 7))
    assert setup.held_out is not None
    logits = np.random.default_rng(1).normal(size=setup.held_out.targets.shape).astype(np.float32)
    uneven = replace(setup, class_weights=np.array([5.0, 0.2], dtype=np.float32))
    losses = sample_losses(logits, setup.held_out.targets, setup.output)
    assert quality(uneven, logits).loss == pytest.approx(losses.mean())


class _Publishing:
    """A run at work, at a state of its weights that the test sets."""

    def __init__(self, session: ToySession) -> None:
        session.label_rightly(range(1, 21))
        session.hold_out(*range(1, 11))
        session.label_rightly([20])
        context = session.context()
        with session.db.write() as db_session:
            self.run_id = request_run(db_session).id
            job = claim_job(db_session, "tester", [JobKind.TRAIN])
            assert job is not None
        with context.db.read() as db_session:
            context.training_set.sync(db_session)
        self.context = context
        self.loop = begin_loop(
            context,
            RunInputs(context, HeadKind.LINEAR, lambda: None),
            FeatureScaler.identity(EXTRACTOR.pooled_dim),
            TrainingSettings(),
            {1: "left", 2: "right"},
        )
        self.result = RunResult(context, RunRecord(context.db, self.run_id, job.id, "tester"))

    def publish(self, epoch: int, factor: float) -> FloatArray:
        """With the weights that fit the held-out samples best by squares, times a factor; returns their logits."""
        setup, state = self.loop.setup, self.loop.state
        module = self.context.parts.new_module(HeadKind.LINEAR, setup.class_ids, torch.Generator())
        held_out = self.loop.held_out
        assert held_out is not None
        signs = 2 * held_out.targets - 1
        [layer] = [part for part in module.modules() if isinstance(part, torch.nn.Linear)]
        with torch.no_grad():
            layer.weight.copy_(factor * torch.linalg.lstsq(held_out.inputs, signs).solution.T)
        state.best_weights, state.best_epoch = module.state_dict(), epoch
        logits = self.logits(module)
        self.result.keep_better(self.loop)
        return logits

    def logits(self, module: torch.nn.Module) -> FloatArray:
        """Of the held-out samples."""
        assert self.loop.held_out is not None
        with torch.no_grad():
            found: FloatArray = module(self.loop.held_out.inputs).numpy()
        return found


def test_keep_better__the_saved_head_is_the_one_that_was_measured(classification: ToySession) -> None:
    run = _Publishing(classification)
    # Far too sure of itself.
    measured = run.publish(1, 100.0)
    with classification.db.read() as db_session:
        row = db_session.scalars(select(Checkpoint)).one()
    temperature = row.metrics["temperature"]
    assert temperature > 1.1
    head, _description = load_head(classification.folder, row.path, run.context.parts, EXTRACTOR)
    assert isinstance(head, TorchHead)
    np.testing.assert_allclose(run.logits(head.module), measured / temperature, rtol=1e-4, atol=1e-5)


def test_keep_better__weights_with_an_obstacle_take_the_place_of_others_and_do_not_predict(
    classification: ToySession,
) -> None:
    run = _Publishing(classification)
    run.publish(1, 10.0)
    with classification.db.write() as db_session:
        active = active_checkpoint(db_session)
        assert active is not None
        assert active.run_id == run.run_id
        db_session.execute(delete(Event))
    run.publish(2, -1.0)
    with classification.db.read() as db_session:
        row = db_session.scalars(select(Checkpoint)).one()
        assert (row.id, row.active, active_checkpoint(db_session)) == (active.id, False, None)
        assert "prediction" in db_session.scalars(select(Event.kind)).all()
        assert "this run's 0." in run.result.verdict(db_session, run.loop)
