from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from db.queries.session_info import HeadKind, TrainingSettings
from ml_service.heads.scaler import FeatureScaler
from ml_service.heads.segmentation_head import NEIGHBOURHOOD, make_segmentation_module
from ml_service.loop_files import load_loop, save_loop
from ml_service.losses.segmentation import segmentation_loss
from ml_service.run_files import remove_loops, saved_run_ids
from ml_service.training_loop import EpochDone, LoopState, Step, Tensors, start_loop, train

DIM, N_CLASSES, BATCH_SIZE = 5, 3, 8
SETTINGS = TrainingSettings(head=HeadKind.CONV, follow_labels=False)


def _samples(kind: HeadKind, count: int, seed: int) -> Tensors:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, len(NEIGHBOURHOOD), DIM) if kind is HeadKind.CONV else (count, DIM)
    inputs = torch.randn(shape, generator=generator)
    truth = torch.randint(N_CLASSES, (count,), generator=generator)
    return Tensors(inputs, functional.one_hot(truth, N_CLASSES).float(), torch.rand(count, generator=generator) + 0.5)


def _state(kind: HeadKind, n_classes: int = N_CLASSES) -> LoopState:
    generator = torch.Generator().manual_seed(0)
    module = make_segmentation_module(kind, DIM, n_classes, generator)
    return start_loop(module, generator, learning_rate=0.05, patience=4, threshold=0.001)


def _save(folder: Path, state: LoopState, run_id: int = 3) -> None:
    save_loop(
        folder,
        run_id,
        state,
        settings=SETTINGS,
        extractor={"name": "toy"},
        scaler=FeatureScaler.identity(DIM),
        class_ids=(4, 7, 9),
        dataset_hash="abc",
        segments=({"after_epoch": 0},),
    )


def _weights(weights: dict[str, Tensor]) -> bytes:
    return b"".join(value.numpy().tobytes() for _, value in sorted(weights.items()))


@pytest.mark.parametrize("kind", HeadKind)
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pauses=st.lists(st.integers(0, 9), max_size=4))
def test_load_loop__through_the_disk_equals_an_unbroken_run(tmp_path: Path, kind: HeadKind, pauses: list[int]) -> None:
    samples = (_samples(kind, 21, 1), _samples(kind, 19, 2), segmentation_loss)
    unbroken = _state(kind)
    expected = [
        step for step in train(unbroken, *samples, max_epochs=6, batch_size=BATCH_SIZE) if isinstance(step, EpochDone)
    ]
    state, steps = _state(kind), list[Step]()
    for pause in [*pauses, None]:
        for count, step in enumerate(train(state, *samples, max_epochs=6, batch_size=BATCH_SIZE)):
            steps.append(step)
            if count == pause:
                break
        _save(tmp_path, state)
        saved = load_loop(tmp_path, 3)
        assert saved is not None
        torch.manual_seed(99)
        state = _state(kind)
        saved.restore(state)
    assert [step for step in steps if isinstance(step, EpochDone)] == expected
    assert _weights(state.module.state_dict()) == _weights(unbroken.module.state_dict())
    assert _weights(state.best_weights) == _weights(unbroken.best_weights)
    assert (state.reason, state.best_epoch, state.stopping) == (
        unbroken.reason,
        unbroken.best_epoch,
        unbroken.stopping,
    )


def test_load_loop__gives_back_what_the_run_was(tmp_path: Path) -> None:
    _save(tmp_path, _state(HeadKind.CONV))
    saved = load_loop(tmp_path, 3)
    assert saved is not None
    assert (saved.settings, saved.class_ids, saved.dataset_hash) == (SETTINGS, (4, 7, 9), "abc")
    assert saved.extractor == {"name": "toy"}
    assert saved.segments == ({"after_epoch": 0},)
    assert saved.scaler.group_sizes == FeatureScaler.identity(DIM).group_sizes
    assert load_loop(tmp_path, 4) is None


@pytest.mark.parametrize("damage", ["cut", "json", "missing", "version"])
def test_load_loop__damaged_files_are_no_state(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    _save(tmp_path, _state(HeadKind.LINEAR))
    path = tmp_path / "runs" / "run-3.json"
    arrays = next(path.parent.glob("*.safetensors"))
    if damage == "cut":
        arrays.write_bytes(arrays.read_bytes()[:-9])
    elif damage == "json":
        path.write_text("{")
    elif damage == "missing":
        arrays.unlink()
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | {"format_version": 99}))
    assert load_loop(tmp_path, 3) is None
    assert ("starts from the beginning" in caplog.text) is (damage != "missing")


def test_load_loop__another_head_does_not_fit(tmp_path: Path) -> None:
    _save(tmp_path, _state(HeadKind.CONV))
    saved = load_loop(tmp_path, 3)
    assert saved is not None
    with pytest.raises((RuntimeError, KeyError, ValueError)):
        saved.restore(_state(HeadKind.LINEAR))


def test_save_loop__leaves_one_pair_of_files_a_run(tmp_path: Path) -> None:
    state = _state(HeadKind.LINEAR)
    _save(tmp_path, state)
    _save(tmp_path, state)
    state.epoch = 5
    _save(tmp_path, state)
    _save(tmp_path, state, run_id=31)
    assert len(list((tmp_path / "runs").iterdir())) == 4
    assert saved_run_ids(tmp_path) == [3, 31]
    remove_loops(tmp_path, [3])
    assert saved_run_ids(tmp_path) == [31]
    assert load_loop(tmp_path, 31) is not None
