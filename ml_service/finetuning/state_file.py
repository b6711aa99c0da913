"""Where a fine-tuning run stands after each epoch, as one safetensors file: whole or not there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from models.atomic_file import write_atomically

STATE_NAME = "state.safetensors"
BEST = "best."
"""Prefix of the best epoch's factors."""


def save_state(folder: Path, tensors: dict[str, Tensor], plain: dict[str, Any]) -> None:
    """Replace what was there, durably."""
    write_atomically(folder / STATE_NAME, safetensors.torch.save(tensors, {"plain": json.dumps(plain)}))


def load_state(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Inverse of `save_state`; None without a file that can be read."""
    path = folder / STATE_NAME
    if not path.is_file():
        return None
    try:
        with safetensors.safe_open(path, "pt") as stream:
            plain = json.loads((stream.metadata() or {})["plain"])
            return {name: stream.get_tensor(name) for name in stream.keys()}, plain  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError):
        return None
