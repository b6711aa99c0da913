"""CSV lists: which column names the image, what becomes metadata, and what is refused."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from initialization.csv_source import CsvSource, open_csv, read_rows
from initialization.errors import SourceError
from initialization.list_source import ListSource
from initialization.web_files import Limits
from tests.initialization.fakes import save_picture
from tests.initialization.web_server import WebServer


def write(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("column", ["path", "File", " PATH "])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_csv__paths_are_taken_where_they_are(tmp_path: Path, column: str, delimiter: str) -> None:
    for name in ("b/z ä.png", "a.png"):
        save_picture(tmp_path / name)
    lines = [("site", column, "depth"), ("north", "b/z ä.png", "3.5"), ("", "./a.png", "007")]
    source = open_csv(write(tmp_path, "\ufeff" + "\r\n".join(delimiter.join(line) for line in lines) + "\r\n\r\n"))
    assert isinstance(source, CsvSource)
    assert source.is_in_place
    assert source.root(tmp_path / "s") == tmp_path
    plan = source.plan(tmp_path / "s")
    assert [(image.path, image.extra) for image in plan.images] == [
        ("b/z ä.png", {"site": "north", "depth": "3.5"}),
        ("a.png", {"depth": "007"}),
    ]
    assert plan.refusals == ()


def test_csv__addresses_are_downloaded_and_paths_beside_them_copied(tmp_path: Path, web_server: WebServer) -> None:
    picture = save_picture(tmp_path / "a.png").read_bytes()
    web_server.files["/b.png"] = picture
    source = open_csv(
        write(tmp_path, f"url,site\n{web_server.url('/b.png')},north\na.png,south\n"), limits=Limits(first_wait_s=0.0)
    )
    assert isinstance(source, ListSource)
    images = source.plan(tmp_path / "s").images
    assert [image.extra["site"] for image in images] == ["north", "south"]
    assert source.fetch(images, tmp_path / "s", lambda: None) == []
    assert {path.read_bytes() for path in (tmp_path / "s/images").iterdir()} == {picture}


def test_csv__path_wins_over_url_which_is_metadata(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    source = open_csv(write(tmp_path, "url,path\nhttp://example.org/a.png,a.png\n"))
    assert [(image.path, image.extra) for image in source.plan(tmp_path).images] == [
        ("a.png", {"url": "http://example.org/a.png"})
    ]


def test_csv__what_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    secret = save_picture(tmp_path / "secret.png")
    inside = save_picture(tmp_path / "list/a.png")
    (tmp_path / "list/link.png").symlink_to(secret)
    (tmp_path / "list/loop.png").symlink_to("loop.png")
    (tmp_path / "list/folder").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "list/pipe.png")
    paths = [
        str(inside), "../secret.png", str(secret), "b/../../secret.png", "link.png", "folder/secret.png", "pipe.png",
        "a.png", "..", "", "missing.png", "~/x.png",
    ]  # fmt: skip
    plan = open_csv(write(tmp_path / "list", "\n".join(["path,x", *[f"{path},1" for path in paths]]))).plan(tmp_path)
    assert [image.path for image in plan.images] == ["a.png", "missing.png", "~/x.png"]
    reasons = {refusal.path: refusal.reason for refusal in plan.refusals}
    assert all("leaves the folder" in reasons[f"line {number}"] for number in (3, 4, 5, 6, 7, 10))
    assert "pipe, socket or device" in reasons["line 8"]
    assert "stands in a line before" in reasons["line 9"]
    assert reasons["line 11"] == "path is empty"


def test_csv__backslashes_of_windows(tmp_path: Path) -> None:
    save_picture(tmp_path / "b/a.png")
    plan = open_csv(write(tmp_path, "path\nb\\a.png\n")).plan(tmp_path)
    assert [image.path for image in plan.images] == ["b/a.png"]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "has the columns nothing, expected path, file or url"),
        ("name,site\na.png,x\n", "has the columns name, site, expected path"),
        ("path,site\na.png\n", "row 2: found 1 values, expected 2 (path, site)"),
        ("path,site,Site\n", "has the column 'Site' twice"),
        ('path\n"a.png\n', None),
        ("path\n" + "x" * 200_000, "is no .csv: field larger"),
    ],
)
def test_csv__wrong_file(tmp_path: Path, text: str, part: str | None) -> None:
    path = write(tmp_path, text)
    if part is None:
        assert len(open_csv(path).plan(tmp_path).images) == 1
        return
    with pytest.raises(SourceError) as caught:
        open_csv(path).plan(tmp_path)
    assert part in str(caught.value)


def test_csv__not_utf_8(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes("path\nä.png\n".encode("latin-1"))
    with pytest.raises(SourceError, match="is no UTF-8 text"):
        open_csv(tmp_path / "list.csv")


_cells = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


@given(st.lists(st.tuples(_cells, _cells), max_size=6))
def test_read_rows__round_trip(tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("csv") / "list.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([("path", "note"), *cells])
    column, rows = read_rows(path)
    assert column == "path"
    assert [(row.image, row.metadata.get("note", "")) for row in rows] == [(name.strip(), note) for name, note in cells]
