from __future__ import annotations

import os
from pathlib import Path

import pytest

from db.errors import InvalidInputError, SessionNotFoundError
from db.tasks import Task
from fewclick.sessions import describe_sessions, newest_session, slug_of
from tests.fewclick.conftest import MakeSession


@pytest.mark.parametrize(
    ("name", "taken", "expected"),
    [
        ("Stained tissue", set(), "stained-tissue"),
        ("a/../b", set(), "a-b"),
        ("Häuser!", set(), "h-user"),
        ("日本", set(), "session"),
        ("cats", {"cats", "cats-2"}, "cats-3"),
    ],
)
def test_slug_of__fit_for_an_address(name: str, taken: set[str], expected: str) -> None:
    assert slug_of(name, taken) == expected


def test_describe_sessions__names_tasks_and_addresses(make_session: MakeSession) -> None:
    folders = [make_session("cells", Task.SEGMENTATION), make_session("cells", folder="other")]
    first, second = describe_sessions(folders)
    assert (first.name, first.task, first.url) == ("cells", Task.SEGMENTATION, "/s/cells/")
    assert (second.task, second.url) == (Task.CLASSIFICATION, "/s/cells-2/")


def test_describe_sessions__no_session(tmp_path: Path) -> None:
    with pytest.raises(SessionNotFoundError, match="no session in"):
        describe_sessions([tmp_path])


def test_describe_sessions__named_twice(make_session: MakeSession) -> None:
    folder = make_session("cells")
    with pytest.raises(InvalidInputError, match="named twice"):
        describe_sessions([folder, folder.parent / "." / "cells"])


def test_describe_sessions__one_database_for_two(make_session: MakeSession, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [make_session("a"), make_session("b")]
    monkeypatch.setenv("FEWCLICK_DATABASE_URL", f"sqlite:///{folders[0] / 'annotations.db'}")
    with pytest.raises(InvalidInputError, match="unset FEWCLICK_DATABASE_URL"):
        describe_sessions(folders)


def test_newest_session__of_a_folder_of_sessions(make_session: MakeSession, tmp_path: Path) -> None:
    with pytest.raises(SessionNotFoundError, match="no session in the folders right below"):
        newest_session(tmp_path)
    older, newer = make_session("older"), make_session("newer")
    os.utime(older / "annotations.db", (1, 1))
    assert newest_session(tmp_path) == newer
