"""The same promises on a real PostgreSQL server: the one of FEWCLICK_TEST_POSTGRESQL_URL, else one started here."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, select, text

from db.database import ChangeDetector, Database
from db.enums import JobKind, JobState
from db.migrate import migrate
from db.queries.jobs import claim_job, finish_job
from db.queries.session_info import TrainingSettings, get_session_info
from db.tables.processes import Job
from db.tables.session import SessionInfo
from db.tasks import Task
from tests.db.queries.merging import check_merges_are_taken_back
from tests.db.queries.whole_images import check_changes_together_equal_those_one_by_one

URL_VARIABLE = "FEWCLICK_TEST_POSTGRESQL_URL"
SERVER_ACCOUNT = "postgres"
"""The server refuses to run as root; Debian's package makes this account."""
NOTICE_LIMIT_S = 5.0

pytest.importorskip("psycopg", reason="psycopg is not installed: pip install 'fewclick[postgresql]'")


@pytest.fixture(scope="module")
def server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server on which databases can be made."""
    given = os.environ.get(URL_VARIABLE)
    if given:
        yield given
        return
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(binaries[-1]) if binaries else None)
    if initdb is None:
        pytest.skip(f"no PostgreSQL server: install one, or name one by {URL_VARIABLE}")
    yield from _run_server(Path(initdb).parent, tmp_path_factory.mktemp("postgresql"))


def _run_server(binaries: Path, folder: Path) -> Iterator[str]:
    as_account: list[str] = []
    if os.geteuid() == 0:
        as_account = ["runuser", "-u", SERVER_ACCOUNT, "--"]
        # Pytest's folders are closed to others; the server's account has to get through.
        folder = Path("/tmp") / f"fewclick-postgresql-{uuid.uuid4().hex[:8]}"
        folder.mkdir()
        shutil.chown(folder, SERVER_ACCOUNT)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    control = [*as_account, str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log")]
    subprocess.run(
        [*as_account, str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "fewclick"],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL)
    try:
        yield f"postgresql+psycopg://fewclick@127.0.0.1:{port}/postgres"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=True, stdout=subprocess.DEVNULL)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def db(server_url: str) -> Iterator[Database]:
    """A migrated database of its own with a session row."""
    name = f"fewclick_{uuid.uuid4().hex[:12]}"
    admin = create_engine(server_url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    database = Database(make_url(server_url).set(database=name).render_as_string(hide_password=False))
    migrate(database.engine)
    training = TrainingSettings().model_dump(mode="json")
    with database.write() as db_session:
        db_session.add(
            SessionInfo(name="test", task=Task.SEGMENTATION, image_root=".", config={}, training=training, extractor={})
        )
    yield database
    database.close()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def test_write__writers_take_turns(db: Database) -> None:
    """Read, then write what was read plus one: lost updates would show."""

    def count(_: int) -> None:
        with db.write() as db_session:
            info = get_session_info(db_session)
            info.label_sequence += 1

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(40)))
    with db.read() as db_session:
        assert get_session_info(db_session).label_sequence == 40


def test_read__sees_one_snapshot(db: Database) -> None:
    with db.read() as reader:
        before = reader.scalar(select(SessionInfo.name))
        with db.write() as db_session:
            get_session_info(db_session).name = "changed"
        assert reader.scalar(select(SessionInfo.name)) == before
    with db.read() as reader:
        assert reader.scalar(select(SessionInfo.name)) == "changed"


def test_claim_job__two_workers_never_get_the_same(db: Database) -> None:
    with db.write() as db_session:
        added = [Job(kind=JobKind.PREDICT, key=f"predict:{n}") for n in range(30)]
        db_session.add_all(added)
        db_session.flush()
        jobs = {job.id for job in added}
    claimed: list[int] = []
    start = threading.Barrier(3)

    def work(worker_id: str) -> None:
        start.wait()
        while True:
            with db.write() as db_session:
                job = claim_job(db_session, worker_id)
            if job is None:
                return
            claimed.append(job.id)
            with db.write() as db_session:
                finish_job(db_session, job.id, worker_id)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, ("a", "b", "c")))
    assert sorted(claimed) == sorted(jobs)
    with db.read() as db_session:
        assert set(db_session.scalars(select(Job.state))) == {JobState.DONE}


def test_change_detector__hears_of_commits_and_of_nothing_else(db: Database) -> None:
    detector = ChangeDetector(db.engine)
    assert detector.changed(), "the first look"
    assert not detector.changed()
    with db.read() as db_session:
        get_session_info(db_session)
    assert not detector.changed()
    with db.write() as db_session:
        get_session_info(db_session).name = "changed"
    assert _changes_soon(detector)
    assert not detector.changed()
    detector.close()


def test_change_detector__connection_that_is_cut_counts_as_a_change(db: Database) -> None:
    detector = ChangeDetector(db.engine)
    detector.changed()
    with db.engine.connect() as connection:
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'"
        connection.execute(text(f"{cut} AND pid <> pg_backend_pid()"))
    assert _changes_soon(detector)
    assert detector.changed(), "connected anew: what was announced meanwhile is unknown"
    assert not detector.changed()
    detector.close()


@pytest.mark.parametrize("task", [Task.CLASSIFICATION, Task.MULTILABEL], ids=lambda task: task.name)
def test_batch__equals_changes_one_by_one(db: Database, task: Task) -> None:
    check_changes_together_equal_those_one_by_one(db, task)


@pytest.mark.parametrize("task", [Task.SEGMENTATION, Task.CLASSIFICATION, Task.MULTILABEL], ids=lambda task: task.name)
def test_restore_class__a_merge_is_taken_back(db: Database, task: Task) -> None:
    check_merges_are_taken_back(db, task)


def _changes_soon(detector: ChangeDetector) -> bool:
    deadline = time.monotonic() + NOTICE_LIMIT_S
    while time.monotonic() < deadline:
        if detector.changed():
            return True
        time.sleep(0.002)
    return False
