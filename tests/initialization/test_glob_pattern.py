"""Patterns in image_dir."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initialization.glob_pattern import GlobPattern, split_pattern
from initialization.scan import FolderSource
from tests.initialization.fakes import save_picture


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("*.png", ["a.png", "é b.png", ".png"], ["a/b.png", "a.PNG", "a.pngx", "a.jpg"]),
        ("**/*_rgb.tif", ["x_rgb.tif", "a/x_rgb.tif", "a/b/_rgb.tif"], ["x_nir.tif", "a/x_rgb.tif/y"]),
        ("a/**", ["a/x.png", "a/b/x.png"], ["b/x.png", "a"]),
        ("a/**/b/*.png", ["a/b/x.png", "a/c/d/b/x.png"], ["a/b/c/x.png", "ab/x.png"]),
        ("plot?/*.png", ["plot1/x.png"], ["plot12/x.png", "plot/x.png", "plot//x.png"]),
        ("img[0-3!].png", ["img2.png", "img!.png"], ["img4.png", "img.png"]),
        ("img[!0-3].png", ["img4.png", "imgx.png"], ["img2.png", "img/.png"]),
        ("a[b.png", ["a[b.png"], ["ab.png"]),
        ("a+(b).png", ["a+(b).png"], ["aab.png"]),
    ],
)
def test_matches(pattern: str, matching: list[str], others: list[str]) -> None:
    found = GlobPattern(pattern)
    assert [path for path in matching + others if found.matches(path)] == matching


_names = st.text("ab.[]!-*?x", min_size=1, max_size=6)


@given(st.lists(_names, min_size=1, max_size=4))
def test_matches__everything_below_two_stars_and_no_pattern_breaks(parts: list[str]) -> None:
    assert GlobPattern("**").matches("/".join(parts))
    assert GlobPattern("**/*").matches("/".join(parts))
    try:
        GlobPattern("/".join(parts)).matches("a/b")
    except ValueError as error:
        assert "/".join(parts) in str(error)  # noqa: PT017


def test_split_pattern__folder_before_the_first_wildcard() -> None:
    split = split_pattern(Path("/data/x/**/*_rgb.tif"))
    assert split is not None
    assert (split[0], str(split[1])) == (Path("/data/x"), "**/*_rgb.tif")
    assert split_pattern(Path("/data/x")) is None


def test_folder__pattern_takes_what_it_names_by_format(tmp_path: Path) -> None:
    for name in ("a/x_rgb.png", "a/x_nir.png", "b/c/y_rgb.png", "z_rgb.png", ".h/x_rgb.png", "a_rgb.png/x.png"):
        save_picture(tmp_path / name)
    (tmp_path / "a/n_rgb.txt").write_text("x")
    source = FolderSource(tmp_path, ("png",), None, GlobPattern("**/*_rgb.*"))
    plan = source.plan(tmp_path / "s")
    assert [image.path for image in plan.images] == ["a/x_rgb.png", "b/c/y_rgb.png", "z_rgb.png"]
    assert plan.other_suffixes == {"txt": 1}
    assert source.identity == f"{tmp_path}/**/*_rgb.*"
