from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fewclick import ensure_browser


def test_find_browser__named_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEWCLICK_BROWSER", sys.executable)
    assert ensure_browser.find_browser() == Path(sys.executable)


def test_main__variable_names_no_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FEWCLICK_BROWSER", "/nonexistent/chromium")
    assert ensure_browser.main() == 2
    error = capsys.readouterr().err
    assert "/nonexistent/chromium" in error
    assert error.count("\n") == 1


def test_find_browser__on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "chromium-browser"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.delenv("FEWCLICK_BROWSER", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ensure_browser.find_browser() == program
