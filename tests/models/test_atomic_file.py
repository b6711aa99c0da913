from __future__ import annotations

from pathlib import Path

import pytest

from models.atomic_file import open_atomically


@pytest.mark.parametrize("durable", [False, True])
def test_open_atomically__nothing_under_the_name_before_the_end(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "deep/a.bin"
    with open_atomically(path, durable=durable) as stream:
        stream.write(b"content")
        assert not path.exists()
    assert path.read_bytes() == b"content"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.bin"]


def _write_half(path: Path, error: type[BaseException]) -> None:
    with open_atomically(path) as stream:
        stream.write(b"half")
        raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_open_atomically__error_leaves_the_old_file_and_no_rest(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(error):
        _write_half(path, error)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.bin"]


def test_open_atomically__longest_name_that_a_file_may_have(tmp_path: Path) -> None:
    path = tmp_path / ("ä" * 127)
    with open_atomically(path) as stream:
        stream.write(b"x")
    assert path.read_bytes() == b"x"
