from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from db.queries.session_info import HeadKind, TrainingSettings
from ml_service.confidence_intervals import paired_gain
from ml_service.heads.scaler import FeatureScaler
from ml_service.run_result import _Measured, _obstacle
from ml_service.run_setup import RunInputs, RunSetup, figures, gain_over_live, labels_now, make_setup, quality
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
        # All of the gain comes from one image: chance could have done that.
        (range(1, 9), [3.0, 0, 0, 0, 0, 0, 0, -2.5], "no more than chance"),
        (range(1, 9), [1.0, 1, 1, 1, 1, 1, 1, 0.5], None),
        # Of so few images nobody knows what chance can do.
        (range(1, 4), [3.0, 0, -2.0], None),
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
    measured = _Measured(setup.label_sequence, 1, quality(setup, logits), figures(setup, logits), (gain, error))
    assert measured.figures.selected_on_these
    with classification.db.read() as db_session:
        found = _obstacle(db_session, setup, measured)
    assert (found is None) if obstacle is None else obstacle in str(found)


def test_paired_gain__samples_of_one_image_go_together() -> None:
    gain = np.array([1.0, 1, 0, 0])
    assert paired_gain(gain, np.array([1, 1, 1, 1])) == (0.5, None)
    together, apart = paired_gain(gain, np.array([1, 1, 2, 2])), paired_gain(gain, np.array([1, 2, 3, 4]))
    assert (together[0], apart[0]) == (0.5, 0.5)
    assert together[1] == pytest.approx(0.5)
    assert apart[1] == pytest.approx(np.sqrt(1.0 * 4 / 3) / 4)
    assert paired_gain(gain, np.array([1, 2, 3, 4]), np.array([1.0, 1, 0, 0]))[0] == 1.0
