"""Fine-tuning learns what frozen random features cannot tell, starts where they stand, and goes on where it was cut."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ml_service.errors import DivergedError, FinetuneError
from ml_service.finetuning.adapted_network import AdaptedNetwork
from ml_service.finetuning.events import EpochDone, Look, PicturesDone
from ml_service.finetuning.execution import FinetuneExecution
from ml_service.finetuning.loop import Finetuning
from ml_service.finetuning.pictures import Pictures
from ml_service.finetuning.plan import Plan
from ml_service.finetuning.samples import Mirrored, SampleSource
from ml_service.finetuning.state_file import STATE_NAME, load_state, save_state
from models.backbone import Pretrained
from models.geometry import sample_bilinear
from models.pretrained import load_network
from tests.ml_service.finetuning.striped_session import StripedSession

CPU = torch.device("cpu")


@pytest.fixture
def plan(striped: Callable[..., StripedSession]) -> Plan:
    """Of the segmentation session."""
    return plan_of(striped())


def plan_of(session: StripedSession) -> Plan:
    worker = session.worker()
    execution = FinetuneExecution(worker._context, worker.keeper, worker, 1, 1)
    execution._folder.mkdir(parents=True)
    plan = execution._new_plan()
    worker.close()
    return plan


def network_of(plan: Plan) -> Pretrained:
    return load_network(plan.weights)


def run_to_end(run: Finetuning) -> list[EpochDone]:
    for _ in run.begin():
        pass
    epochs = [event for event in run.learn() if isinstance(event, EpochDone)]
    for _ in run.finish():
        pass
    return epochs


@pytest.mark.parametrize("task", ["segmentation", "classification", "multilabel"])
def test_finetuning__learns_what_frozen_features_cannot_tell(
    striped: Callable[[str], StripedSession], task: str
) -> None:
    session = striped(task)
    session.tune(max_epochs=5)
    plan = plan_of(session)
    run = Finetuning(plan, network_of(plan), CPU)
    epochs = run_to_end(run)
    assert run.comparison.frozen is not None
    assert run.comparison.tuned is not None
    assert run.reason in ("early_stop", "max_epochs")
    assert len(epochs) == run.epoch <= plan.settings.max_epochs
    assert run.comparison.tuned.loss < 0.7 * run.comparison.frozen.loss
    assert run.comparison.tuned.accuracy >= run.comparison.frozen.accuracy
    assert min(epochs, key=lambda epoch: epoch.val_loss).epoch == run.best_epoch
    assert [epoch.epoch for epoch in epochs if epoch.is_best][-1] == run.best_epoch


def test_begin__network_says_what_the_frozen_one_says(plan: Plan) -> None:
    """The session's own features are those that the run starts from."""
    run = Finetuning(plan, network_of(plan), CPU)
    looks = [event for event in run.begin() if isinstance(event, Look)]
    assert looks[-1].done == looks[-1].total
    source = run._training
    with torch.no_grad():
        rows, features = source.rows([1]), source.features([1])
    frozen = network_of(plan).network
    pixels = Pictures(plan, 64).read([1]).astype(np.float32) / 255
    mean, std = (np.array(values, dtype=np.float32) for values in (network_of(plan).mean, network_of(plan).std))
    with torch.no_grad():
        expected = frozen(torch.from_numpy(((pixels - mean) / std).transpose(0, 3, 1, 2))).patch_map[0].numpy()
    places = plan.training.inputs[rows.numpy()] / 8
    np.testing.assert_allclose(features.numpy(), sample_bilinear(expected, places.astype(np.float64)), atol=1e-5)


def test_point_features__mirrored_pictures_have_mirrored_points(plan: Plan) -> None:
    """A picture that is its own mirror image has the same features at mirrored places."""
    network = AdaptedNetwork(network_of(plan), plan.settings, CPU)

    class Symmetric(Pictures):
        def read(self, image_ids: object) -> np.ndarray:  # type: ignore[override]
            one = super().read(image_ids)[:, :, :32]  # type: ignore[arg-type]
            return np.concatenate([one, one[:, :, ::-1]], axis=2)

    pictures = Symmetric(plan, 64)
    places = plan.training.inputs * np.float32([-1, 1]) + np.float32([64, 0])
    mirrored = replace(plan.training, inputs=places)
    sources = [
        SampleSource(samples, pictures, network, reads_patches=True, factors=None)
        for samples in (plan.training, mirrored)
    ]
    with torch.no_grad():
        there, back = sources[0].features([1, 2]), sources[1].features([1, 2], Mirrored(left_right=True))
    torch.testing.assert_close(there, back)


def test_restore__goes_on_as_an_unbroken_run_would(plan: Plan, tmp_path: Path) -> None:
    dropping = replace(plan, settings=plan.settings.model_copy(update={"dropout": 0.1, "max_epochs": 4}))
    unbroken = Finetuning(dropping, network_of(plan), CPU)
    run_to_end(unbroken)
    broken = Finetuning(dropping, network_of(plan), CPU)
    for _ in broken.begin():
        pass
    for event in broken.learn():
        if isinstance(event, EpochDone):
            save_state(tmp_path, *broken.state())
        if isinstance(event, PicturesDone) and event.epoch == 3:
            break  # killed in the middle of an epoch
    saved = load_state(tmp_path)
    assert saved is not None
    again = Finetuning(dropping, network_of(plan), CPU)
    again.restore(*saved)
    assert again.epoch == 2
    for _ in (*again.learn(), *again.finish()):
        pass
    assert again.history == unbroken.history
    for name in ("frozen", "tuned", "gain"):
        assert getattr(again.comparison, name) == getattr(unbroken.comparison, name) is not None
    assert again.best_epoch == unbroken.best_epoch
    for name, value in unbroken.best_factors.items():
        assert torch.equal(again.best_factors[name], value)


def test_learn__diverging_run_names_the_setting(plan: Plan) -> None:
    wild = replace(plan, settings=plan.settings.model_copy(update={"learning_rate": 1e30}))
    run = Finetuning(wild, network_of(plan), CPU)
    with pytest.raises(DivergedError, match=r"finetune\.learning_rate 1e\+30: choose a smaller one"):
        run_to_end(run)


def test_read__changed_file_is_refused(plan: Plan) -> None:
    Path(plan.images[0].path).write_bytes(b"another picture")
    with pytest.raises(FinetuneError, match="is not the one that its labels belong to"):
        Pictures(plan, 64).read([plan.images[0].id])


def test_plan__comes_back_from_its_file(plan: Plan, tmp_path: Path) -> None:
    plan.write(tmp_path)
    again = Plan.read(tmp_path)
    for name in ("training", "held_out"):
        one, other = getattr(plan, name), getattr(again, name)
        for key in ("inputs", "targets", "weights", "image_ids"):
            np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
    assert replace(again, training=plan.training, held_out=plan.held_out, facts=plan.facts) == plan


def test_load_state__damaged_file_counts_as_none(tmp_path: Path) -> None:
    assert load_state(tmp_path) is None
    (tmp_path / STATE_NAME).write_bytes(b"\x10\0\0\0\0\0\0\0{")
    assert load_state(tmp_path) is None
