"""Which session."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.settings import Settings
from db.session_dir import PROJECT_ROOT


def test_session_dir__variable_then_here_then_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FEWCLICK_SESSION", raising=False)
    assert Settings().session_dir == PROJECT_ROOT / "session"
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "annotations.db").touch()
    assert Settings().session_dir == tmp_path / "session"
    monkeypatch.setenv("FEWCLICK_SESSION", str(tmp_path / "other"))
    assert Settings().session_dir == tmp_path / "other"
