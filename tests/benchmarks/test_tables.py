from pathlib import Path

from benchmarks.tables import marks, write_between_marks


def test_write_between_marks__keeps_what_people_wrote(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    start, end = marks("robot")
    path.write_text(f"# Benchmarks\n\nHow.\n\n{start}\nold\n{end}\n\nAfterwards.\n", encoding="utf-8")
    write_between_marks(path, "robot", "new")
    text = path.read_text(encoding="utf-8")
    assert "old" not in text
    assert text.index("How.") < text.index("new") < text.index("Afterwards.")
    write_between_marks(path, "robot", "newer")
    assert path.read_text(encoding="utf-8").count(start) == 1


def test_write_between_marks__parts_do_not_touch_each_other(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.md"
    for part, text in (("robot", "clicks"), ("features", "grids"), ("robot", "labels")):
        write_between_marks(path, part, text)
    text = path.read_text(encoding="utf-8")
    assert "clicks" not in text
    assert text.index("labels") < text.index("grids")
