"""The program that gathers the tables; what each part measures is tested with that part."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks import learning
from benchmarks.tables import Section, marks


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A part called `toy`, and what it was last called with."""
    called: dict[str, Any] = {}

    def tables(data: Path, seeds: int = 7) -> list[Section]:
        called.update(data=data, seeds=seeds)
        return [Section("Toy figures", ("set", "IoU"), (("cells", "0.7"),))]

    module = ModuleType("toy_part")
    module.tables = tables  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy_part", module)
    monkeypatch.setitem(learning.PARTS, "toy", "toy_part")
    return called


def test_main__a_part_is_written_between_its_own_marks(
    part: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "benchmarks.md"
    out.write_text("# Benchmarks\n\nHow.\n", encoding="utf-8")
    for _ in range(2):
        assert learning.main(["toy", "--data", str(tmp_path), "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    start, end = marks("learning: toy")
    assert text.index("How.") < text.index(start) < text.index("| cells | 0.7 |") < text.index(end)
    assert text.count("Toy figures") == 1
    assert "`python -m benchmarks.learning toy`" in text
    assert "cores" in text
    assert "at the start" in text
    assert part == {"data": tmp_path, "seeds": 7}
    assert "Toy figures" in capsys.readouterr().out


def test_main__options_that_were_given_reach_the_part_and_the_document(part: dict[str, Any], tmp_path: Path) -> None:
    out = tmp_path / "benchmarks.md"
    learning.main(["toy", "--seeds", "2", "--sets", "cells", "--out", str(out)])
    assert part["seeds"] == 2
    assert "`python -m benchmarks.learning toy --seeds 2 --sets cells`" in out.read_text(encoding="utf-8")


def test_main__unknown_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        learning.main(["colour"])
    assert "found part colour, expected some of latency" in capsys.readouterr().err


def test_measure__a_part_that_asks_for_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("odd_part")
    module.tables = lambda colour: []  # type: ignore[attr-defined]  # noqa: ARG005
    monkeypatch.setitem(sys.modules, "odd_part", module)
    with pytest.raises(TypeError, match=r"odd_part\.tables asks for colour"):
        learning.measure("odd_part", {"data": Path()})


def test_parts__each_is_a_module_whose_tables_this_program_can_call() -> None:
    for module_name in learning.PARTS.values():
        parameters = inspect.signature(import_module(module_name).tables).parameters
        asked = {name for name, parameter in parameters.items() if parameter.default is inspect.Parameter.empty}
        assert asked <= {"data"}, module_name
