"""A session has the one extractor or the other, whole, whatever happens on the way; and the way back costs nothing."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from backend.services.checkpoint_pruning import delete
from backend.services.checkpoints import Shelf
from db.database import Database
from db.enums import CheckpointKind, FeatureState
from db.errors import ConflictError, NotFoundError
from db.queries.session_info import ADAPTER_BASE_KEY, get_session_info
from db.tables.images import Image
from db.tables.learning import Checkpoint
from initialization.create import restored_config
from initialization.extract import Extraction, ExtractorChangedError
from initialization.heartbeat import Heartbeat
from ml_service.finetuning import adoption
from ml_service.finetuning.adoption import adopt
from models.adapter_files import AdapterDescription, write_adapter
from models.base import ExtractorInfo
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.feature_store import FeatureStore
from models.images import read_image
from models.registry import load_extractor
from tests.initialization.fakes import annotations, init
from tests.ml_service.finetuning.striped_session import StripedSession, add_adapter, extracting
from tests.waiting import wait_until

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["ml_service.finetuning.adoption"])


@pytest.fixture
def session(striped: Callable[..., StripedSession]) -> StripedSession:
    return striped()


def extractor_of(session: StripedSession) -> ExtractorInfo:
    return ExtractorInfo.from_json(session.info().extractor)


def feature_times(session: StripedSession) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in session.folder.glob("features/*/*/*.npy")}


def add_adapter_on(session: StripedSession, base: ExtractorInfo) -> int:
    """As `add_adapter`, for the extractor that the session had before."""
    checkpoint_id = add_adapter(session, seed=2)
    path = session.folder / "adapters/made-2.safetensors"
    write_adapter(path, path.read_bytes(), AdapterDescription(base.to_json(), 1.0))
    return checkpoint_id


def adopt_and_die(folder: Path, checkpoint_id: int) -> None:
    """A process of its own, to be killed."""
    database = Database.of_session(folder)
    adopt(database, folder, checkpoint_id)
    database.close()


def test_adopt__there_and_back(session: StripedSession) -> None:
    before, base, stored = annotations(session.folder), extractor_of(session), feature_times(session)
    tuned = adopt(session.db, session.folder, add_adapter(session), image_id=7)
    assert extractor_of(session) == tuned
    assert session.states() == {FeatureState.PENDING}
    assert session.info().config["adapter_path"] == "adapters/made-1.safetensors"
    with extracting(session):
        wait_until(lambda: session.states() == {FeatureState.READY})
    assert annotations(session.folder) == before
    # They are those of the merged network.
    settings = ExtractorSettings.of_session(session.info().config, session.folder).as_in(tuned)
    extractor = load_extractor(settings)
    assert extractor.info == tuned
    with session.db.read() as db_session:
        image = db_session.get_one(Image, 7)
    expected = extractor.extract([read_image(session.folder.parent / "images" / image.path)])[0].patches
    found = FeatureStore(session.folder, tuned).read_patches(image.content_hash or "")
    assert expected is not None
    assert np.abs(found.astype(np.float32) - expected).max() < 0.05

    assert adopt(session.db, session.folder, None) == base
    with extracting(session):
        wait_until(lambda: session.states() == {FeatureState.READY})
    assert {path: at for path, at in feature_times(session).items() if path in stored} == stored


def test_adopt__init_goes_on_with_the_adapter_and_change_extractor_goes_back(session: StripedSession) -> None:
    base = extractor_of(session)
    tuned = adopt(session.db, session.folder, add_adapter(session))
    assert init(session.config, "--append", load=load_extractor) == 0
    assert extractor_of(session) == tuned
    assert session.states() == {FeatureState.READY}
    assert session.info().config["adapter_path"] == "adapters/made-1.safetensors"
    assert init(session.config, "--change-extractor", load=load_extractor) == 0
    assert extractor_of(session) == base
    assert session.info().config["adapter_path"] is None


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.03, 0.06, 0.2])
def test_adopt__killed_at_any_moment_leaves_one_or_the_other(session: StripedSession, after_s: float) -> None:
    base, checkpoint_id = extractor_of(session), add_adapter(session)
    process = CONTEXT.Process(target=adopt_and_die, args=(session.folder, checkpoint_id))
    process.start()
    time.sleep(after_s)
    process.kill()
    process.join()
    expected = {FeatureState.READY} if extractor_of(session) == base else {FeatureState.PENDING}
    assert session.states() == expected
    if extractor_of(session) == base:
        adopt(session.db, session.folder, checkpoint_id)
    assert session.states() == {FeatureState.PENDING}


def test_adopt__extraction_with_the_old_extractor_records_nothing_more(session: StripedSession) -> None:
    extractor = load_extractor(ExtractorSettings.of_session(session.info().config, session.folder))
    with session.db.write() as db_session:
        for image in db_session.scalars(select(Image)):
            image.features, image.failure = FeatureState.PENDING, "to be made anew"
    root = session.folder.parent / "images"
    store = FeatureStore(session.folder, extractor.info)
    with (
        Heartbeat(session.db) as heartbeat,
        Extraction(session.db, root, store, extractor, heartbeat, patches=True, pooled_first=False) as extraction,
    ):
        extraction.step()
        adopt(session.db, session.folder, add_adapter(session))
        with pytest.raises(ExtractorChangedError):
            extraction.finish_all(lambda _made: None)
    assert session.states() == {FeatureState.PENDING}


def test_adopt__says_why_not(session: StripedSession) -> None:
    with pytest.raises(NotFoundError):
        adopt(session.db, session.folder, 99)
    with pytest.raises(ConflictError, match="the session has no adapter already"):
        adopt(session.db, session.folder, None)
    with session.db.write() as db_session:
        head = Checkpoint(kind=CheckpointKind.RUN, path="checkpoints/x.safetensors", head_version=1)
        db_session.add(head)
        db_session.flush()
        head_id = head.id
    with pytest.raises(ConflictError, match="is a head, no adapter"):
        adopt(session.db, session.folder, head_id)
    checkpoint_id = add_adapter(session)
    run_id = session.start_run()
    with pytest.raises(ConflictError, match=f"run {run_id} is at work or waits: stop it"):
        adopt(session.db, session.folder, checkpoint_id)
    assert session.states() == {FeatureState.READY}


def test_adopt__adapter_of_another_extractor_is_refused(session: StripedSession) -> None:
    checkpoint_id = add_adapter(session)
    with session.db.write() as db_session:
        info = session.info()
        info.extractor = {**info.extractor, "weights_hash": "f" * 16}
        db_session.merge(info)
    with pytest.raises(ConflictError, match="was made for another extractor"):
        adopt(session.db, session.folder, checkpoint_id)


def test_adopt__way_back_needs_no_file_of_the_adapter(session: StripedSession) -> None:
    base = extractor_of(session)
    adopt(session.db, session.folder, add_adapter(session))
    second = add_adapter_on(session, base)
    for path in session.folder.glob("adapters/made-1.*"):
        path.unlink()
    adopt(session.db, session.folder, second)
    for path in session.folder.glob("adapters/*"):
        path.unlink()
    assert adopt(session.db, session.folder, None) == base
    assert extractor_of(session) == base
    assert session.info().config["adapter_path"] is None


def test_adopt__session_of_an_earlier_version_reads_the_file_for_the_way_back(session: StripedSession) -> None:
    base = extractor_of(session)
    adopt(session.db, session.folder, add_adapter(session))
    with session.db.write() as db_session:
        info = get_session_info(db_session)
        info.config = {key: value for key, value in info.config.items() if key != ADAPTER_BASE_KEY}
    description = session.folder / "adapters/made-1.json"
    kept = description.read_bytes()
    description.unlink()
    with pytest.raises(WeightsError, match="--change-extractor"):
        adopt(session.db, session.folder, None)
    description.write_bytes(kept)
    assert adopt(session.db, session.folder, None) == base


def test_adopt__adapter_removed_meanwhile_is_refused(session: StripedSession, monkeypatch: pytest.MonkeyPatch) -> None:
    base, checkpoint_id = extractor_of(session), add_adapter(session)
    prepare = adoption._prepare_store

    def prepare_slowly(*values: Any) -> None:
        prepare(*values)
        delete(Shelf(session.db, session.folder), checkpoint_id)

    monkeypatch.setattr(adoption, "_prepare_store", prepare_slowly)
    with pytest.raises(NotFoundError):
        adopt(session.db, session.folder, checkpoint_id)
    assert extractor_of(session) == base
    assert session.states() == {FeatureState.READY}


def test_init__stored_settings_of_a_session_that_adopted_are_read(session: StripedSession) -> None:
    adopt(session.db, session.folder, add_adapter(session))
    assert str(restored_config(session.info().config).adapter_path) == "adapters/made-1.safetensors"


def test_adopt__damaged_adapter_is_refused(session: StripedSession) -> None:
    checkpoint_id = add_adapter(session)
    path = session.folder / "adapters/made-1.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(WeightsError, match="damaged"):
        adopt(session.db, session.folder, checkpoint_id)
    assert session.states() == {FeatureState.READY}
