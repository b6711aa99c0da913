from __future__ import annotations

import sys

import pytest

from fewclick.checks import Check, check_migrations, run_check


def test_run_check__passed_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_check(Check("name", (sys.executable, "-c", "print('noise')"), "do this"))
    shown = capsys.readouterr().out
    assert shown.startswith("ok    name")
    assert shown.count("\n") == 1


def test_run_check__failed_shows_output_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert not run_check(Check("name", (sys.executable, "-c", "print('reason'); raise SystemExit(3)"), "do this"))
    shown = capsys.readouterr().out
    assert shown.startswith("FAIL  name")
    assert "reason" in shown
    assert "-> do this" in shown


def test_run_check__missing_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert not run_check(Check("name", ("no-such-program",), "do this"))
    assert "no-such-program cannot be run" in capsys.readouterr().out


def test_check_migrations__lead_to_the_tables() -> None:
    check_migrations()
