from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from fewclick import cli
from tests.fewclick.conftest import MakeSession

ROOT = Path(__file__).resolve().parents[2]


def run_cli(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "fewclick.cli", *arguments]
    # Set empty, not removed: the machine's own settings must not reach the test.
    clean = {"FEWCLICK_SESSION": "", "FEWCLICK_DATABASE_URL": "", "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env=os.environ | clean | environment, check=False
    )


def assert_one_line_error(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("fewclick: ")
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr


def test_main__help_loads_nothing_heavy() -> None:
    script = (
        "import sys, contextlib, fewclick.cli as cli\n"
        "with contextlib.suppress(SystemExit): cli.main(['--help'])\n"
        "heavy = {'torch', 'numpy', 'sqlalchemy', 'fastapi', 'transformers'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "demo" in done.stdout


def test_main__no_command_shows_the_help() -> None:
    done = run_cli()
    assert (done.returncode, done.stderr) == (2, "")
    assert "demo" in done.stdout


def test_main__version() -> None:
    done = run_cli("--version")
    assert (done.returncode, done.stdout.strip()) == (0, version("fewclick"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["stauts"], ["stauts", "status"]),
        (["up", "--port", "70000"], ["--port", "65535"]),
        (["up", "--prot", "1"], ["--prot"]),
        (["up", "--port", "eight"], ["--port", "eight"]),
    ],
)
def test_main__bad_usage(arguments: list[str], words: list[str]) -> None:
    assert_one_line_error(run_cli(*arguments), *words)


@pytest.mark.parametrize("command", [["up"], ["serve"], ["status"], ["checkpoints"], ["features", "status"]])
def test_main__no_session(command: list[str], tmp_path: Path) -> None:
    done = run_cli(*command, FEWCLICK_SESSION=str(tmp_path / "none"))
    assert_one_line_error(done, "no session in", str(tmp_path / "none"), "init_session.py")


def test_up__port_in_use(make_session: MakeSession) -> None:
    session_dir = make_session("cells")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert_one_line_error(run_cli("up", "--session", str(session_dir), "--port", port), f"port {port}", "--port 0")
        assert_one_line_error(run_cli("demo", "--folder", "/nonexistent", "--port", port), f"port {port}")


def test_up__other_host(make_session: MakeSession) -> None:
    done = run_cli("up", "--session", str(make_session("cells")), "--host", "0.0.0.0")
    assert_one_line_error(done, "0.0.0.0", "127.0.0.1")


def test_status__counts(make_session: MakeSession, capsys: pytest.CaptureFixture[str]) -> None:
    session_dir = make_session("cells")
    with pytest.raises(SystemExit) as ended:
        cli.main(["status", "--session", str(session_dir)])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "cells (classification)" in shown
    assert "efficientnet_lite0" in shown
    assert "not running" in shown
    assert "unknown: nothing is labelled yet" in shown


def test_init__bad_config_is_one_line(tmp_path: Path) -> None:
    done = run_cli("init", "--config", str(tmp_path / "none.yaml"))
    assert done.returncode == 2
    assert done.stderr.strip().count("\n") == 0
    assert "none.yaml" in done.stderr


def test_next__none_left(make_session: MakeSession) -> None:
    done = run_cli("next", "--session", str(make_session("cells")))
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_next__unknown_strategy(make_session: MakeSession) -> None:
    done = run_cli("next", "--strategy", "hardest", "--session", str(make_session("cells")))
    assert_one_line_error(done, "hardest", "least_confident")


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        (("checkpoints", "export", "--wrong"), "fewclick checkpoints export"),
        (("checkpoints", "wrong"), "fewclick checkpoints"),
        (("up", "--wrong"), "fewclick up"),
        (("wrong",), "fewclick"),
    ],
)
def test_main__names_the_help_of_the_command(arguments: tuple[str, ...], command: str) -> None:
    assert_one_line_error(run_cli(*arguments), f"see `{command} --help`")


def test_export__json_file(make_session: MakeSession, tmp_path: Path) -> None:
    file = tmp_path / "labels.json"
    done = run_cli("export", str(file), "--session", str(make_session("cells")))
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(rf"wrote {re.escape(str(file))} \(json, [\d.]+ k?B\)\n", done.stdout)
    content = json.loads(file.read_text())
    assert content["session"]["name"] == "cells"
    assert [entry["name"] for entry in content["classes"]] == ["a", "b"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "labels.json"]


def test_export__standard_output(make_session: MakeSession) -> None:
    done = run_cli("export", "-", "--format", "csv", "--session", str(make_session("cells")))
    assert done.stdout.strip() == "image_id,path,class_id,class,origin"


def test_export__format_of_the_other_task(make_session: MakeSession, tmp_path: Path) -> None:
    session_dir = make_session("cells")
    done = run_cli("export", str(tmp_path / "masks.zip"), "--format", "png-masks", "--session", str(session_dir))
    assert_one_line_error(done, "png-masks", "classification")
    assert [path.name for path in tmp_path.iterdir()] == ["cells"]


def test_export__no_such_folder(make_session: MakeSession, tmp_path: Path) -> None:
    done = run_cli("export", str(tmp_path / "none" / "labels.json"), "--session", str(make_session("cells")))
    assert_one_line_error(done, "labels.json", "folder that exists")
