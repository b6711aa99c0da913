"""Several classes of an image from files: every documented layout, what is wrong with them, and back from an export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from backend.services.export import as_csv
from backend.services.session_snapshot import read_snapshot
from db.database import Database
from db.enums import ImageStatus, Origin
from db.queries.annotations import clear, set_classes
from db.queries.class_tree import read_tree
from db.queries.classes import list_classes
from db.tables.annotations import ImageClass
from db.tables.images import Image
from db.tables.session import LabelClass, SessionInfo
from db.tasks import Task
from initialization.class_set_files import read_class_sets
from initialization.import_labels import import_labels
from initialization.label_files import ImageIndex
from tests.conftest import ReadySession
from tests.initialization.fakes import init, save_picture, write_config

CLASSES = [{"name": "day", "group": "light"}, {"name": "night", "group": "Light"}, {"name": "car"}]
Answers = dict[str, list[str] | None]


def label(tmp_path: Path, *images: str) -> Answers:
    """Run init on these images; names of their classes, None while not answered."""
    for name in images:
        save_picture(tmp_path / "images" / name)
    assert init(write_config(tmp_path, task="multilabel", classes=CLASSES, labels_dir="labels")) == 0
    return answers(tmp_path / "session")


def answers(session_dir: Path) -> Answers:
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        found: Answers = {
            image.path: [] if image.status is ImageStatus.LABELED else None for image in db_session.query(Image)
        }
        rows = select(Image.path, LabelClass.name, ImageClass.origin).join(LabelClass).join(Image)
        for path, name, origin in db_session.execute(rows.order_by(LabelClass.id)):
            assert origin is Origin.IMPORTED
            found[path].append(name)  # type: ignore[union-attr]
    database.close()
    return found


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    (tmp_path / "labels").mkdir()
    return tmp_path / "labels"


def test_import__csv_with_a_list(tmp_path: Path, labels: Path) -> None:
    (labels / "all.csv").write_text('Image,Classes\na.png,"day; car"\nb,\nc.png,car\nc.png,night\nnowhere.png,day\n')
    found = label(tmp_path, "a.png", "b.png", "c.png", "d.png")
    assert found == {"a.png": ["day", "car"], "b.png": [], "c.png": ["night", "car"], "d.png": None}


def test_import__csv_with_a_column_a_class(tmp_path: Path, labels: Path) -> None:
    (labels / "all.csv").write_text("path,DAY,car,weather\na.png,1,0,fine\nb.png,,yes,rain\nc.png,no,no,\n")
    found = label(tmp_path, "a.png", "b.png", "c.png")
    assert found == {"a.png": ["day"], "b.png": ["car"], "c.png": []}


def test_import__one_file_an_image_and_folders(tmp_path: Path, labels: Path) -> None:
    (labels / "a.txt").write_text("day\ncar\n")
    (labels / "b.txt").write_text("")
    (labels / "c.json").write_text(json.dumps({"classes": ["night"]}))
    save_picture(labels / "car" / "c.png")
    save_picture(labels / "day" / "d.png")
    found = label(tmp_path, "a.png", "b.png", "c.png", "d.png")
    assert found == {"a.png": ["day", "car"], "b.png": [], "c.png": ["night", "car"], "d.png": ["day"]}


def test_import__tells_what_it_cannot_use(tmp_path: Path, labels: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (labels / "a.txt").write_text("day\nnight\n")
    (labels / "b.txt").write_text("bus\n")
    (labels / "c.json").write_text("{}")
    (labels / "one.csv").write_text("path,car\nd.png,perhaps\nd.png\n")
    (labels / "two.csv").write_text("path,weather\nd.png,fine\n")
    (labels / "three.csv").write_text("day\n1\n")
    found = label(tmp_path, "a.png", "b.png", "c.png", "d.png")
    assert set(found.values()) == {None}
    printed = capsys.readouterr()
    told = " ".join((printed.err + printed.out).split())
    for problem in (
        "exclude each other",
        "class 'bus' is not in the session",
        "c.json: names no classes",
        "line 2: car is 'perhaps', expected 1 or 0",
        "line 3: expected 2 values",
        "two.csv: no column 'classes'",
        "three.csv: no column 'path'",
    ):
        assert problem in told, problem


def test_init__groups_belong_to_a_multilabel_session(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(tmp_path / "images" / "a.png")
    assert init(write_config(tmp_path, task="classification", classes=CLASSES)) == 2
    assert "leave it out, or write `task: multilabel`" in capsys.readouterr().err
    assert init(write_config(tmp_path, task="multilabel", classes=[{"name": "day", "grup": "light"}])) == 2
    assert "did you mean 'group'?" in capsys.readouterr().err
    assert init(write_config(tmp_path, task="multilabel", classes=CLASSES)) == 0
    database = Database.of_session(tmp_path / "session")
    with database.read() as db_session:
        assert [c.exclusive_group for c in db_session.query(LabelClass)] == ["light", "light", None]
    database.close()


names = st.text(
    st.characters(blacklist_categories=("Cs", "Cc", "Zl", "Zp", "Zs")), min_size=1, max_size=8
) | st.sampled_from(["path", "image_id", "classes", "a;b", 'say "x"', "1,2", "Class", "=1+1", "'=1+1", "-"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    class_names=st.lists(names, min_size=3, max_size=3, unique_by=str.casefold),
    held=st.lists(st.none() | st.sets(st.integers(0, 2)), min_size=6, max_size=6),
)
def test_export_csv__comes_back_whole(
    multilabel_session: ReadySession, tmp_path: Path, class_names: list[str], held: list[set[int] | None]
) -> None:
    made = multilabel_session
    wanted: dict[str, set[str]] = {}
    with made.database.write() as db_session:
        for class_id, name in zip(made.class_ids, class_names, strict=True):
            values: dict[str, Any] = {"name": f"{class_id} {name}", "exclusive_group": None}
            db_session.execute(update(LabelClass).where(LabelClass.id == class_id).values(**values))
        for class_id, name in zip(made.class_ids, class_names, strict=True):
            db_session.execute(update(LabelClass).where(LabelClass.id == class_id).values(name=name))
        for image, positions in zip(db_session.query(Image).order_by(Image.id).all(), held, strict=True):
            if positions is None:
                clear(db_session, image)
                continue
            set_classes(db_session, image, [made.class_ids[position] for position in positions])
            wanted[image.path] = {class_names[position] for position in positions}
    with made.database.read() as db_session:
        content = b"".join(as_csv.stream(db_session, read_snapshot(db_session, made.folder)))
        paths = list(db_session.scalars(select(Image.path)))
    file = tmp_path / "labels.csv"
    file.write_bytes(content)
    found = read_class_sets(file, ImageIndex(paths), class_names)
    assert (found.class_sets, found.problems) == (wanted, [])


def test_export_csv__goes_into_another_session(session_maker: Callable[..., ReadySession], tmp_path: Path) -> None:
    first, second = session_maker("first", Task.MULTILABEL), session_maker("second", Task.MULTILABEL)
    with first.database.write() as db_session:
        for image_id, class_ids in ((1, [1, 3]), (2, []), (4, [2])):
            set_classes(db_session, db_session.get_one(Image, image_id), class_ids)
    with first.database.read() as db_session:
        content = b"".join(as_csv.stream(db_session, read_snapshot(db_session, first.folder)))
    (tmp_path / "labels.csv").write_bytes(content)
    report = import_labels(second.database, tmp_path / "labels.csv", lambda _count: None)
    assert (report.images, report.problems) == (3, [])
    found = answers(second.folder)
    assert [found[f"image_{number}.png"] for number in range(4)] == [["day", "car"], [], None, ["night"]]


def test_init__again_after_an_upgrade_leaves_the_classes_of_a_session_without_groups(tmp_path: Path) -> None:
    save_picture(tmp_path / "images" / "a.png")
    config = write_config(tmp_path, task="classification", classes=["cat", "dog"])
    assert init(config) == 0
    database = Database.of_session(tmp_path / "session")
    with database.write() as db_session:
        info = db_session.get_one(SessionInfo, 1)
        # As the version before wrote it; and a class renamed on the page since.
        plain = [{key: entry[key] for key in ("name", "color")} for entry in info.config["classes"]]
        info.config = {**info.config, "classes": plain}
        db_session.get_one(LabelClass, 1).name = "tomcat"
    assert init(config) == 0
    with database.read() as db_session:
        assert [c.name for c in db_session.query(LabelClass).order_by(LabelClass.id)] == ["tomcat", "dog"]
    database.close()


def test_import__lines_of_images_that_nobody_answered_for_say_nothing(tmp_path: Path, labels: Path) -> None:
    (labels / "a.csv").write_text(
        "image_id,path,class_ids,origin,status,day,night,car\n1,a.png,,,unlabeled,,,\n2,b.png,1,human,labeled,1,0,0\n"
        "3,c.png,,,labeled,0,0,0\n4,d.png,,,skipped,,,\n",
        encoding="utf-8",
    )
    found = label(tmp_path, "a.png", "b.png", "c.png", "d.png")
    assert found == {"a.png": None, "b.png": ["day"], "c.png": [], "d.png": None}


def test_import__csv_with_undetermined_images(tmp_path: Path, labels: Path) -> None:
    (labels / "a.csv").write_text("path,undetermined,day,night,car\na.png,1,,,\nb.png,0,1,0,0\n", encoding="utf-8")
    assert label(tmp_path, "a.png", "b.png") == {"a.png": None, "b.png": ["day"]}
    database = Database.of_session(tmp_path / "session")
    with database.read() as db_session:
        statuses = dict(db_session.execute(select(Image.path, Image.status)).all())
    database.close()
    assert statuses == {"a.png": ImageStatus.UNDETERMINED, "b.png": ImageStatus.LABELED}


def test_init__classes_below_others(tmp_path: Path) -> None:
    save_picture(tmp_path / "images" / "a.png")
    classes = [{"name": "cat", "parent": "animal"}, "car", "animal", {"name": "dog", "parent": "animal"}]
    assert init(write_config(tmp_path, task="multilabel", classes=classes)) == 0
    database = Database.of_session(tmp_path / "session")
    with database.read() as db_session:
        names = {found.id: found.name for found in list_classes(db_session)}
        tree = read_tree(db_session)
    database.close()
    assert list(names.values()) == ["car", "animal", "cat", "dog"]
    assert {names[c]: [names[a] for a in tree.above(c)] for c in names if tree.above(c)} == {
        "cat": ["animal"],
        "dog": ["animal"],
    }
