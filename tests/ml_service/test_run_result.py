from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from db.queries.session_info import HeadKind, TrainingSettings
from ml_service.confidence_intervals import paired_gain
from ml_service.heads.scaler import FeatureScaler
from ml_service.metrics import sample_losses
from ml_service.run_result import _Measured, _obstacle
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
