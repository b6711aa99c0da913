"""The JSON of an adapter is checked before anything is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.adapter_files import MAX_JSON_BYTES, read_adapter
from models.errors import WeightsError


def test_read_adapter__json_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(MAX_JSON_BYTES + 1)
    with pytest.raises(WeightsError, match="67,108,865 bytes, at most 67,108,864 are read"):
        read_adapter(tmp_path / "x.safetensors")


def test_read_adapter__json_without_end(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[" * 100_000)
    with pytest.raises(WeightsError, match="does not describe an adapter"):
        read_adapter(tmp_path / "x.safetensors")


def test_read_adapter__missing_or_no_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="is missing"):
        read_adapter(tmp_path / "x.safetensors")
    (tmp_path / "x.json").mkdir()
    with pytest.raises(WeightsError, match="cannot be read"):
        read_adapter(tmp_path / "x.safetensors")
