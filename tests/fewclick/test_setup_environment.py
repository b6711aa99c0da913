from __future__ import annotations

from pathlib import Path

import pytest

from fewclick import setup_environment
from fewclick.setup_environment import Stamp, TorchSource, choose_torch_source, inputs_hash


@pytest.mark.parametrize(
    ("platform", "has_gpu", "has_local_wheel", "expected"),
    [
        ("linux", False, False, TorchSource.CPU_INDEX),
        ("linux", True, False, TorchSource.CONFIGURED),
        ("linux", False, True, TorchSource.CONFIGURED),
        ("darwin", False, False, TorchSource.CONFIGURED),
        ("win32", False, False, TorchSource.CONFIGURED),
    ],
)
def test_choose_torch_source__platform_and_gpu(
    platform: str, has_gpu: bool, has_local_wheel: bool, expected: TorchSource
) -> None:
    assert choose_torch_source(platform, has_gpu=has_gpu, has_local_wheel=has_local_wheel) is expected


def test_torch_requirement__is_the_pin() -> None:
    name, version = setup_environment.torch_requirement().split("==")
    assert name == "torch"
    assert "+" not in version, "a local version would be found in no index"


def test_torch_requirement__missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("numpy==2.4.6\n")
    monkeypatch.setattr(setup_environment, "CONSTRAINTS", constraints)
    with pytest.raises(setup_environment.SetupError, match="no line torch==VERSION"):
        setup_environment.torch_requirement()


def test_inputs_hash__changes_with_content_name_and_extra(tmp_path: Path) -> None:
    file = tmp_path / "a" / "one.txt"
    file.parent.mkdir()
    file.write_text("1")
    first = inputs_hash([tmp_path / "a"])
    assert inputs_hash([tmp_path / "a"]) == first
    assert inputs_hash([tmp_path / "a"], "python 3.12") != first
    renamed = file.rename(file.with_name("two.txt"))
    assert inputs_hash([tmp_path / "a"]) != first
    renamed.rename(file).write_text("2")
    assert inputs_hash([tmp_path / "a"]) != first


def test_stamp__is_fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_environment, "STAMPS", tmp_path / "stamps")
    made = tmp_path / "made"
    stamp = Stamp("step", "inputs 1", made)
    assert not stamp.is_fresh()
    stamp.write()
    assert not stamp.is_fresh(), "what the step makes is not there"
    made.touch()
    assert stamp.is_fresh()
    assert not Stamp("step", "inputs 2", made).is_fresh()


def test_main__failing_step_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(setup_environment, "FRONTEND", Path("/nonexistent"))
    with pytest.raises(setup_environment.SetupError, match=r"Node\.js 20\.19 or newer"):
        setup_environment.require_node()
    monkeypatch.setitem(setup_environment.STEPS, "node", setup_environment.require_node)
    assert setup_environment.main(["node"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
