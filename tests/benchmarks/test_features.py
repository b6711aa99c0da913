"""The program that gathers the tables; what each part measures is tested with that part."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import features
from benchmarks.tables import marks


def test_main__a_part_is_written_between_its_own_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "benchmarks.md"
    out.write_text("# Benchmarks\n\nHow.\n", encoding="utf-8")
    assert features.main(["storage", "--images", "20", "--out", str(out)]) == 0
    text = out.read_text(encoding="utf-8")
    start, end = marks("features: storage")
    assert text.index("How.") < text.index(start) < text.index("| shards | 20 |") < text.index(end)
    assert "benchmarks.features storage" in text
    assert "shards" in capsys.readouterr().out


def test_main__unknown_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        features.main(["colour"])
    assert "found part colour, expected some of speed" in capsys.readouterr().err
