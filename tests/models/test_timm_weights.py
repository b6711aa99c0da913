"""Files of weights for networks of timm: what they hold is data, never code. Needs no timm."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from models.errors import WeightsError
from models.timm_network import read_state

STATE = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.ones(2)}


class Payload:
    """Makes a file when it is unpickled, as a hostile one would do worse."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._mark,)


def test_read_state__code_in_a_file_is_not_run(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    torch.save({"conv.weight": torch.zeros(1), "more": Payload(mark)}, tmp_path / "archive.pth")
    (tmp_path / "bare.pth").write_bytes(pickle.dumps({"state_dict": Payload(mark)}, protocol=2))
    for name in ("archive.pth", "bare.pth"):
        with pytest.raises(WeightsError, match=f"{name} is damaged or holds more than tensors") as caught:
            read_state(tmp_path / name)
        assert "\n" not in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize(
    "content", [STATE, {"state_dict": STATE, "epoch": 3}, {f"module.{k}": STATE[k] for k in STATE}]
)
def test_read_state__unwraps(tmp_path: Path, content: dict[str, Any]) -> None:
    torch.save(content, tmp_path / "a.pth")
    found = read_state(tmp_path / "a.pth")
    assert list(found) == list(STATE)
    assert all(torch.equal(found[name], STATE[name]) for name in STATE)


def test_read_state__safetensors(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.safetensors")
    assert {name: tensor.shape for name, tensor in read_state(tmp_path / "a.safetensors").items()} == {
        name: tensor.shape for name, tensor in STATE.items()
    }


def test_read_state__without_tensors(tmp_path: Path) -> None:
    torch.save([1, 2], tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="holds a list without tensors"):
        read_state(tmp_path / "a.pth")
    (tmp_path / "b.safetensors").write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match=r"b.safetensors is damaged"):
        read_state(tmp_path / "b.safetensors")
