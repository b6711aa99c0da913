"""Folders, archives and lists: what is taken, in which order, and what is refused."""

from __future__ import annotations

import errno
import os
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from initialization import downloads, zip_source
from initialization.errors import SourceError
from initialization.inspection import inspect_file
from initialization.list_source import ListSource
from initialization.scan import FolderSource
from initialization.sources import natural_key
from initialization.zip_source import ZipSource
from tests.initialization.fakes import save_picture, write_json

FORMATS = ("jpg", "png")


def paths_of(source: FolderSource | ZipSource | ListSource, session_dir: Path) -> list[str]:
    return [image.path for image in source.plan(session_dir).images]


def reasons_of(source: FolderSource | ZipSource | ListSource, session_dir: Path) -> dict[str, str]:
    return {refusal.path: refusal.reason for refusal in source.plan(session_dir).refusals}


def test_natural_key__numbers_by_value_folders_apart() -> None:
    names = ["b/1.png", "img10.png", "img2.png", "a/b.png", "a_b.png", "img1.png", "a/a10.png", "a/a9.png", "²x.png"]
    assert sorted(names, key=natural_key) == [
        "a/a9.png", "a/a10.png", "a/b.png", "a_b.png", "b/1.png", "img1.png", "img2.png", "img10.png", "²x.png"
    ]  # fmt: skip


def test_folder__recursive_by_format_without_hidden_and_session(tmp_path: Path) -> None:
    for name in ("b.PNG", "a/b.png", "a_b.png", "c.jpg", ".hidden.png", ".git/x.png", "session/features/x.png"):
        save_picture(tmp_path / name)
    (tmp_path / "notes.txt").write_text("x")
    source = FolderSource(tmp_path, FORMATS)
    assert paths_of(source, tmp_path / "session") == ["a/b.png", "a_b.png", "b.PNG", "c.jpg"]
    assert source.plan(tmp_path / "session").other_suffixes == {"txt": 1}
    assert source.root(tmp_path / "session") == tmp_path


def test_folder__labels_below_the_images_are_no_images(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    save_picture(tmp_path / "masks/a.png")
    session_dir = tmp_path / "session"
    assert paths_of(FolderSource(tmp_path, FORMATS, tmp_path / "masks"), session_dir) == ["a.png"]
    assert paths_of(FolderSource(tmp_path, FORMATS, tmp_path), session_dir) == ["a.png", "masks/a.png"]


def test_folder__links_that_leave_it_are_refused(tmp_path: Path) -> None:
    inside = save_picture(tmp_path / "images/a.png")
    outside = save_picture(tmp_path / "secret/b.png")
    for name, target in (("good", inside), ("bad", outside), ("dangling", tmp_path / "nowhere.png")):
        (tmp_path / f"images/{name}.png").symlink_to(target)
    (tmp_path / "images/folder").symlink_to(outside.parent)
    source = FolderSource(tmp_path / "images", FORMATS)
    assert paths_of(source, tmp_path / "session") == ["a.png", "good.png"]
    assert set(reasons_of(source, tmp_path / "session")) == {"bad.png", "dangling.png", "folder"}


def test_folder__name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    try:
        (tmp_path / "b\udcff.png").write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes only valid names")
    source = FolderSource(tmp_path, FORMATS)
    assert paths_of(source, tmp_path / "session") == ["a.png"]
    assert "UTF-8" in next(iter(reasons_of(source, tmp_path / "session").values()))


def test_zip__unpacks_what_is_safe_and_nothing_else(tmp_path: Path) -> None:
    picture = save_picture(tmp_path / "p.png").read_bytes()
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("b/10.png", "b/9.png", "../evil.png", "/abs.png", "C:/x.png", "__MACOSX/._b.png", "x.txt"):
            archive.writestr(name, picture)
        archive.writestr(link, "/etc/passwd")
        archive.writestr("bomb.png", bytes(zip_source.RATIO_FREE_BYTES + 1))
    source = ZipSource(tmp_path / "a.zip", FORMATS)
    session_dir = tmp_path / "deep/session"
    plan = source.plan(session_dir)
    assert [image.path for image in plan.images] == ["b/9.png", "b/10.png"]
    assert set(reasons_of(source, session_dir)) == {"../evil.png", "/abs.png", "C:/x.png", "link.png", "bomb.png"}
    assert not session_dir.exists(), "planning writes nothing"
    advanced: list[None] = []
    for _ in range(2):  # the second time everything is there already
        assert source.fetch(plan.images, session_dir, lambda: advanced.append(None)) == []
    assert len(advanced) == 4
    found = sorted(path.relative_to(tmp_path).as_posix() for path in (tmp_path / "deep").rglob("*") if path.is_file())
    assert found == ["deep/session/images/b/10.png", "deep/session/images/b/9.png"]
    assert (session_dir / "images/b/9.png").read_bytes() == picture


def test_zip__damaged_member_is_refused_and_the_others_go_on(tmp_path: Path) -> None:
    picture = save_picture(tmp_path / "p.png").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.png", picture)
        archive.writestr("b.png", picture)
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[data.index(picture) + 100] ^= 255
    (tmp_path / "a.zip").write_bytes(data)
    source = ZipSource(tmp_path / "a.zip", FORMATS)
    images = source.plan(tmp_path / "s").images
    assert [refusal.path for refusal in source.fetch(images, tmp_path / "s", lambda: None)] == ["a.png"]
    assert sorted(path.name for path in (tmp_path / "s/images").iterdir()) == ["b.png"]


def make_zip(folder: Path, entries: list[tuple[str, bytes]]) -> ZipSource:
    """An archive whose names stand in it exactly as they are given, twice if given twice."""
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        for name, data in entries:
            archive.writestr(zipfile.ZipInfo(name), data)
    return ZipSource(folder / "a.zip", FORMATS)


@pytest.mark.parametrize(
    ("names", "taken", "reason"),
    [
        (["b.png", "./b.png"], ["b.png"], "stands twice"),
        (["a//b.png", "a/b.png"], ["a/b.png"], "stands twice"),
        (["a/./b.png"], ["a/b.png"], None),
        ([".", "a.png"], ["a.png"], None),
        (["a.png", "a.png/b.png"], ["a.png"], "a file and a folder of one name"),
        (["a.png/b.png", "a.png"], ["a.png/b.png"], "a file and a folder of one name"),
        (["x" * 300 + ".png", "a.png"], ["a.png"], "longer than 255 bytes"),
        (["ä" * 140 + ".png", "a.png"], ["a.png"], "longer than 255 bytes"),
        (["d/" * 600 + "x.png", "a.png"], ["a.png"], "its path than 1024"),
    ],
)
def test_zip__names_that_cannot_lie_side_by_side_are_refused(
    tmp_path: Path, names: list[str], taken: list[str], reason: str | None
) -> None:
    source = make_zip(tmp_path, [(name, name.encode()) for name in names])
    plan = source.plan(tmp_path / "s")
    assert [image.path for image in plan.images] == taken
    assert len(plan.refusals) == (reason is not None)
    assert all(reason and reason in refusal.reason for refusal in plan.refusals)
    assert source.fetch(plan.images, tmp_path / "s", lambda: None) == []
    first = next(name for name in names if name != "." and len(name.encode()) < 250)
    assert (tmp_path / "s/images" / taken[0]).read_bytes() == first.encode(), "the first one is taken"
    assert [path.read_bytes() for path in source.sample(plan.images, tmp_path)] == [first.encode()]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_zip__of_equal_names_the_first_is_taken(tmp_path: Path) -> None:
    source = make_zip(tmp_path, [("a.png", b"first"), ("a.png", b"second")])
    plan = source.plan(tmp_path / "s")
    assert source.fetch(plan.images, tmp_path / "s", lambda: None) == []
    assert (tmp_path / "s/images/a.png").read_bytes() == b"first"


def failing_with(number: int | None) -> Callable[..., object]:
    def fail(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number)) if number else OSError("Invalid data stream")

    return fail


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENAMETOOLONG, "cannot be written under this name: File name too long"), (None, "Invalid data stream")],
)
def test_zip__error_of_one_member_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None, reason: str
) -> None:
    source = make_zip(tmp_path, [("a.png", b"x")])
    monkeypatch.setattr(zip_source, "open_atomically", failing_with(number))
    (refusal,) = source.fetch(source.plan(tmp_path / "s").images, tmp_path / "s", lambda: None)
    assert reason in refusal.reason


@pytest.mark.parametrize("module", [zip_source, downloads])
def test_fetch__full_disk_is_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    picture = save_picture(tmp_path / "a.png")
    of_zip = module is zip_source
    source: ZipSource | ListSource = (
        make_zip(tmp_path, [("a.png", picture.read_bytes())])
        if of_zip
        else ListSource(write_json(tmp_path / "list.json", ["a.png"]))
    )
    monkeypatch.setattr(module, "open_atomically", failing_with(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        source.fetch(source.plan(tmp_path / "s").images, tmp_path / "s", lambda: None)


def test_zip__no_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("hello")
    with pytest.raises(SourceError, match=r"a\.zip cannot be opened as a \.zip"):
        ZipSource(tmp_path / "a.zip", FORMATS).plan(tmp_path / "s")


@pytest.mark.parametrize("name", ["inner.zip", "b/more.tar.gz", "x.7Z"])
def test_zip__archive_within_is_refused(tmp_path: Path, name: str) -> None:
    source = make_zip(tmp_path, [("a.png", b"x"), (name, b"PK")])
    assert paths_of(source, tmp_path / "s") == ["a.png"]
    assert reasons_of(source, tmp_path / "s") == {name: "an archive within the archive: unpack it yourself"}


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_zip__pipe_or_device_is_refused(tmp_path: Path, kind: int) -> None:
    member = zipfile.ZipInfo("a.png")
    member.external_attr = (kind | 0o644) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(member, b"x")
    assert reasons_of(ZipSource(tmp_path / "a.zip", FORMATS), tmp_path / "s") == {"a.png": "a pipe, socket or device"}


def test_zip__many_members_that_unpack_to_too_much_together_are_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zip_source, "RATIO_FREE_TOTAL_BYTES", 1_000_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(10):
            archive.writestr(f"{number}.png", bytes(1_000_000))
    with pytest.raises(SourceError, match=r"a\.zip of .* unpacks to 0\.0 GB, more than 500 times its size"):
        ZipSource(tmp_path / "a.zip", FORMATS).plan(tmp_path / "s")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes in folders")
def test_folder__pipe_is_refused_without_being_opened(tmp_path: Path) -> None:
    save_picture(tmp_path / "a.png")
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to(tmp_path / "b.png")
    source = FolderSource(tmp_path, FORMATS)
    assert paths_of(source, tmp_path / "s") == ["a.png"]
    assert set(reasons_of(source, tmp_path / "s")) == {"b.png", "c.png"}
    for name in ("b.png", "c.png"):
        assert "a pipe, socket or device" in str(inspect_file(tmp_path / name).failure)


def test_folder__link_through_a_folder_outside_is_refused(tmp_path: Path) -> None:
    save_picture(tmp_path / "images/a.png")
    save_picture(tmp_path / "secret/b.png")
    (tmp_path / "images/c.png").symlink_to("../secret/../secret/b.png")
    (tmp_path / "images/loop.png").symlink_to("loop.png")
    source = FolderSource(tmp_path / "images", FORMATS)
    assert paths_of(source, tmp_path / "s") == ["a.png"]
    assert set(reasons_of(source, tmp_path / "s")) == {"c.png", "loop.png"}
