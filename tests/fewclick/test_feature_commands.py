from __future__ import annotations

import io
import json
import os
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image as PillowImage
from rich.console import Console
from sqlalchemy import select

from db.enums import FeatureState, ImageStatus, WorkerRole
from db.queries.workers import beat
from db.tables.annotations import Point
from db.tables.images import Image
from db.tasks import Task
from fewclick import cli, feature_commands
from initialization.create import exclusive
from initialization.inspection import inspect_file
from models.base import Features
from models.feature_store import FeatureStore
from tests.conftest import EXTRACTOR, ReadySession


@pytest.fixture
def session(segmentation_session: ReadySession) -> ReadySession:
    """Six images whose features are stored, with size and time of their files on record."""
    with segmentation_session.database.write() as db_session:
        for image in db_session.scalars(select(Image)):
            facts = inspect_file(segmentation_session.image_root / image.path)
            image.file_size, image.file_mtime_ns = facts.file_size, facts.file_mtime_ns
            image.pooled_ready = True
    return segmentation_session


@pytest.fixture
def features(capsys: pytest.CaptureFixture[str], session: ReadySession) -> Callable[..., tuple[int, str]]:
    """Runs `fewclick features ...`: exit status, and what was printed."""

    def run(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["features", *arguments, "--session", str(session.folder)])
        shown = capsys.readouterr()
        return int(ended.value.code or 0), shown.out + shown.err

    return run


Run = Callable[..., tuple[int, str]]


def row(session: ReadySession, number: int = 0) -> Image:
    with session.database.read() as db_session:
        return db_session.get_one(Image, session.image_ids[number])


def store(session: ReadySession) -> FeatureStore:
    return FeatureStore(session.folder, EXTRACTOR)


def replace_picture(session: ReadySession, size: tuple[int, int] | None = None, number: int = 0) -> None:
    path = session.image_root / row(session, number).path
    with PillowImage.open(path) as picture:
        old = picture.size
    PillowImage.fromarray(np.full((*(size or old)[::-1], 3), 7, np.uint8)).save(path)


def test_verify__all_is_well(features: Run) -> None:
    for arguments in ((), ("--full",), ("--repair",)):
        status, shown = features("verify", *arguments)
        assert status == 0, shown
        assert "6 images and their features are as they should be" in shown


def cut_off(session: ReadySession) -> None:
    path = store(session).patches_path(row(session).content_hash or "")
    path.write_bytes(path.read_bytes()[:-20])


def misshape(session: ReadySession) -> None:
    patches = np.zeros((3, 3, EXTRACTOR.dim), np.float32)
    store(session).write(row(session).content_hash or "", Features(patches, None))


def break_pooled(session: ReadySession) -> None:
    path = store(session).pooled_path(row(session).content_hash or "")
    np.save(path, np.full(EXTRACTOR.pooled_dim, np.nan, np.float32))


def remove_patches(session: ReadySession) -> None:
    store(session).remove(row(session).content_hash or "", pooled=False)


def remove_pooled(session: ReadySession) -> None:
    store(session).remove(row(session).content_hash or "", patches=False)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (cut_off, ["features damaged", "cut off"]),
        (misshape, ["features damaged", "3 x 3 cells"]),
        (break_pooled, ["features damaged", "not finite"]),
        (remove_patches, ["features missing", "no patches stored"]),
        (remove_pooled, ["features missing", "no pooled stored"]),
        (replace_picture, ["image changed", "another content of the same size"]),
        (lambda session: replace_picture(session, (30, 40)), ["image changed", "pixels, now 30 x 40"]),
    ],
)
def test_verify__faults_are_told_and_repaired(
    session: ReadySession, features: Run, spoil: Callable[[ReadySession], None], words: list[str]
) -> None:
    spoil(session)
    status, shown = features("verify")
    assert status == 1
    for word in [row(session).path, *words]:
        assert word in shown
    assert row(session).features is FeatureState.READY
    status, shown = features("verify", "--repair")
    assert status == 1
    assert "1 image to be made anew" in shown
    assert row(session).features is FeatureState.PENDING
    assert not row(session).pooled_ready
    assert row(session).failure, "what is stored must not be taken for good"
    assert row(session, 1).features is FeatureState.READY


def test_verify__missing_image_keeps_its_features(session: ReadySession, features: Run) -> None:
    (session.image_root / row(session).path).unlink()
    status, shown = features("verify", "--repair")
    assert status == 1
    assert "image missing" in shown
    assert "put the files back" in shown
    assert row(session).features is FeatureState.READY


def test_verify__picture_of_another_size_under_annotations_is_refused(session: ReadySession, features: Run) -> None:
    with session.database.write() as db_session:
        image = db_session.get_one(Image, session.image_ids[0])
        image.status = ImageStatus.LABELED
        db_session.add(Point(image_id=image.id, class_id=session.class_ids[0], x=1.5, y=2.5))
    before = row(session)
    replace_picture(session, (30, 40))
    status, shown = features("verify", "--repair")
    assert status == 1
    assert "image resized under annotations" in shown
    after = row(session)
    assert after.features is FeatureState.FAILED
    assert "30 x 40" in (after.failure or "")
    assert (after.width, after.height, after.content_hash) == (before.width, before.height, before.content_hash)
    with session.database.read() as db_session:
        assert len(db_session.scalars(select(Point)).all()) == 1


def test_verify__touched_file_is_no_change(session: ReadySession, features: Run) -> None:
    os.utime(session.image_root / row(session).path, (1, 1))
    assert features("verify")[0] == 0


def test_verify__full_finds_what_size_and_time_hide(session: ReadySession, features: Run) -> None:
    path = session.image_root / row(session).path
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert features("verify")[0] == 0
    code, shown = features("verify", "--full")
    assert code == 1
    assert "image changed" in shown


def test_verify__sessions_without_sizes_say_so(session: ReadySession, features: Run) -> None:
    with session.database.write() as db_session:
        image = db_session.get_one(Image, session.image_ids[0])
        image.file_size = image.file_mtime_ns = None
    status, shown = features("verify")
    assert status == 0
    assert "1 image from before size and time were kept" in shown


def test_prune__what_no_image_has(session: ReadySession, features: Run) -> None:
    kept = store(session)
    orphan = Features(np.ones((2, 2, EXTRACTOR.dim), np.float32), None)
    kept.write("ab" * 32, orphan)
    other = kept.folder.with_name("older-123")
    other.mkdir()
    (other / "manifest.json").write_text(json.dumps({}))
    (other / "x.npy").write_bytes(bytes(500))
    mine = kept.folder.with_name("notes")
    mine.mkdir()
    status, shown = features("verify")
    assert status == 1
    assert "no image: `fewclick features prune` removes them" in shown
    status, shown = features("prune")
    assert (status, "add --yes" in shown) == (2, True)
    assert kept.has("ab" * 32, pooled=False)
    status, shown = features("prune", "--yes")
    assert status == 0, shown
    assert "1 array" in shown
    assert "older-123" in shown
    assert not kept.has("ab" * 32, pooled=False)
    assert not other.exists()
    assert mine.exists()
    assert features("verify")[0] == 0
    assert "nothing" in features("prune")[1]


def test_prune__never_while_features_are_made(session: ReadySession, features: Run) -> None:
    with exclusive(session.folder):
        assert features("prune", "--yes")[0] == 2
    with session.database.write() as db_session:
        beat(db_session, "w", os.getpid(), "here", role=WorkerRole.EXTRACTION)
    status, shown = features("prune", "--yes")
    assert status == 2
    assert "1 extraction worker at work" in shown


def test_recompute__chosen_images(session: ReadySession, features: Run) -> None:
    with session.database.write() as db_session:
        db_session.get_one(Image, session.image_ids[3]).features = FeatureState.FAILED
    status, shown = features("recompute", "--image", str(session.image_ids[0]), "--image", str(session.image_ids[2]))
    assert (status, "2 images" in shown) == (0, True)
    features("recompute", "--failed")
    states = [row(session, number).features for number in range(5)]
    ready, pending = FeatureState.READY, FeatureState.PENDING
    assert states == [pending, ready, pending, pending, ready]
    assert features("recompute", "--all")[0] == 2
    assert features("recompute", "--all", "--yes")[0] == 0
    assert row(session, 4).features is pending


@pytest.mark.parametrize("arguments", [[], ["--failed", "--all"]])
def test_recompute__one_choice(features: Run, arguments: list[str]) -> None:
    status, shown = features("recompute", *arguments)
    assert status == 2
    assert shown.count("\n") == 1
    assert "--image ID" in shown


def test_recompute__no_such_image(features: Run) -> None:
    status, shown = features("recompute", "--image", "77")
    assert (status, "--image 77: no such image, expected an id from 1 to 6" in shown) == (2, True)


def test_status__counts_form_and_bytes(features: Run) -> None:
    status, shown = features("status")
    assert status == 0
    for word in (
        "6 ready, 0 pending",
        "6 of 6 with a pooled vector",
        "int8, in files",
        "6 stored",
        EXTRACTOR.name,
        "nobody",
    ):
        assert word in shown


def test_status__nothing_yet_writes_nothing(session_maker: Callable[..., ReadySession]) -> None:
    made = session_maker("fresh", Task.SEGMENTATION, features=False)
    with pytest.raises(SystemExit) as ended:
        cli.main(["features", "status", "--session", str(made.folder)])
    assert ended.value.code == 0
    assert not (made.folder / "features").exists()
    with pytest.raises(SystemExit) as ended:
        cli.main(["features", "verify", "--session", str(made.folder)])
    assert ended.value.code == 2


def test_table__names_with_brackets_stand_as_they_are() -> None:
    output = io.StringIO()
    Console(file=output, width=80).print(feature_commands._table([("missing", "[old]/[/a].png", "no [file]")]))
    assert "[old]/[/a].png" in output.getvalue()
    assert "no [file]" in output.getvalue()
