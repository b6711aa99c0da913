"""Shared by the tests of extractors."""

from __future__ import annotations

import pytest
import torch

from models.runtime import VARIABLE, Runtime


@pytest.fixture(autouse=True)
def _float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are compared to the last bits: with the network as it is, on every machine that runs the tests."""
    monkeypatch.setenv(VARIABLE, Runtime.TORCH)


@pytest.fixture(scope="session", autouse=True)
def _few_threads() -> None:
    torch.set_num_threads(1)
