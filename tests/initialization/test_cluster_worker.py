"""A worker, without Ray: what it answers, and when it refuses to take part."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from initialization.cluster_worker import (
    MAX_ATTEMPTS,
    ClusterWorker,
    ImageTask,
    Job,
    WorkerRefusalError,
    count_in,
    read_answers,
    tasks_table,
)
from initialization.compute import Tiers
from initialization.inspection import inspect_file
from models.extractor_settings import ExtractorSettings
from models.feature_store import FeatureStore
from models.preprocessing import DEFAULT
from tests.initialization.fakes import FakeExtractor, load_fake, save_picture


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Five pictures, of which the last cannot be read."""
    for number in range(4):
        save_picture(tmp_path / f"images/{number}.png")
    (tmp_path / "images/4.png").write_text("no picture")
    info = FakeExtractor().info
    mark = tmp_path / "session/.cluster-1"
    mark.mkdir(parents=True)
    FeatureStore(tmp_path / "session", info)
    return Job(
        session_dir=tmp_path / "session",
        root=tmp_path / "images",
        mark=mark,
        probe="0.png",
        load_extractor=load_fake,
        settings=ExtractorSettings(),
        preprocessing=DEFAULT,
        info=info,
        tiers=Tiers(patches=True, pooled=True),
        threads=None,
        decode_threads=2,
    )


def tasks(job: Job) -> list[ImageTask]:
    return [ImageTask(n + 1, f"{n}.png", inspect_file(job.root / f"{n}.png"), anew=False) for n in range(5)]


def test_call__features_in_the_store_and_an_answer_to_each(job: Job) -> None:
    worker = ClusterWorker(job)
    answers = read_answers(worker(tasks_table(tasks(job))))
    assert [answer.id for answer in answers] == [1, 2, 3, 4, 5]
    assert [answer.facts for answer in answers[:4]] == [task.known for task in tasks(job)[:4]]
    assert answers[4].facts.failure is not None
    store = FeatureStore(job.session_dir, job.info)
    assert all(store.has(answer.facts.content_hash or "") for answer in answers[:4])
    assert not list(job.mark.iterdir()), "no attempt is left"


def test_call__second_worker_finds_the_files(job: Job) -> None:
    ClusterWorker(job)(tasks_table(tasks(job)[:2]))
    extractor = FakeExtractor()
    answers = read_answers(ClusterWorker(replace(job, load_extractor=lambda _: extractor))(tasks_table(tasks(job)[:4])))
    assert [answer.facts.failure for answer in answers] == [None] * 4
    assert extractor.extracted == 2


def test_call__no_answer_to_a_batch_that_killed_several_workers(job: Job) -> None:
    for _ in range(MAX_ATTEMPTS):
        count_in(job.mark / "1")
    assert read_answers(ClusterWorker(job)(tasks_table(tasks(job)))) == []


def test_call__other_session_folder(job: Job, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = replace(job, session_dir=tmp_path / "elsewhere", mark=tmp_path / "elsewhere/.cluster-1")
    with pytest.raises(WorkerRefusalError, match="elsewhere is not the one of the driver; every machine needs it"):
        read_answers(ClusterWorker(other)(tasks_table(tasks(job))))
    assert not list((tmp_path / "elsewhere").iterdir())


def test_call__other_image_folder(job: Job, tmp_path: Path) -> None:
    with pytest.raises(WorkerRefusalError, match=r"0\.png is not in the image folder .*nowhere; every machine"):
        read_answers(ClusterWorker(replace(job, root=tmp_path / "nowhere"))(tasks_table(tasks(job))))


def test_call__other_extractor(job: Job) -> None:
    other = replace(job, settings=ExtractorSettings(resize=128))
    with pytest.raises(WorkerRefusalError, match=r"differs \(resize: found 128, expected 64\)"):
        read_answers(ClusterWorker(other)(tasks_table(tasks(job))))


def test_call__store_that_cannot_be_written(job: Job) -> None:
    content_hash = inspect_file(job.root / "0.png").content_hash or ""
    (FeatureStore(job.session_dir, job.info).folder / content_hash[:2]).write_text("in the way")
    with pytest.raises(WorkerRefusalError, match="cannot write features: "):
        read_answers(ClusterWorker(job)(tasks_table(tasks(job))))
