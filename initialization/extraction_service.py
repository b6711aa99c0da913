"""The extraction service: `python -m initialization.extraction_service` makes the features that a session lacks.

It costs next to nothing while there is nothing to make: neither torch nor a network is in memory then. `fewclick up`
keeps one alive for each session; several may share one database, and init with them.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from db.database import ChangeDetector, Database
from db.errors import FewclickError
from db.queries.extraction import a_person_waits, has_pending
from db.queries.extraction_workers import WorkerProgress
from db.queries.session_info import get_session_info
from db.service_log import configure_log
from db.session_dir import resolve_session_dir
from db.tables.session import SessionInfo
from initialization.heartbeat import Heartbeat
from initialization.service_settings import ServiceSettings
from models.base import ExtractorInfo, FeatureExtractor
from models.errors import ModelsError
from models.extractor_settings import ExtractorSettings, is_of_earlier_version, tell_differences

logger = logging.getLogger("extraction")
BAD_INPUT = 2
COURTESY_LOOK_S = 0.01
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

LoadExtractor = Callable[[ExtractorSettings], FeatureExtractor]


class ExtractionService:
    """Waits for work and does it. `run` until `stop`, which may come from any thread or a signal handler."""

    def __init__(
        self, session_dir: Path, settings: ServiceSettings, load_extractor: LoadExtractor | None = None
    ) -> None:
        self._session_dir = session_dir
        self._settings = settings
        self._load_extractor = load_extractor or _load_from_registry
        self._database = Database.of_session(session_dir)
        self._extractor: FeatureExtractor | None = None
        self._message: str | None = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ask for a clean end after the image at work."""
        self._stopping.set()

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to end."""
        return self._stopping.is_set()

    def run(self) -> bool:
        """Work until stopped; True if the process should start afresh, to be rid of a network that nobody needs."""
        detector = ChangeDetector(self._database.engine)
        try:
            with Heartbeat(self._database) as heartbeat:
                return self._run(detector, heartbeat)
        finally:
            detector.close()
            self._database.close()

    def _run(self, detector: ChangeDetector, heartbeat: Heartbeat) -> bool:
        idle_since = time.monotonic()
        is_first_look = True
        while not self._stopping.is_set():
            if (detector.changed() or is_first_look) and self._is_work_left():
                is_first_look = not self._work(heartbeat)
                idle_since = time.monotonic()
                continue
            is_first_look = False
            if self._extractor is not None and time.monotonic() - idle_since > self._settings.idle_exit_s:
                return True
            self._stopping.wait(self._settings.poll_interval_s)
        return False

    def _is_work_left(self) -> bool:
        with self._database.read() as db_session:
            return has_pending(db_session)

    def _work(self, heartbeat: Heartbeat) -> bool:
        """Make what is missing; False if that failed as a whole and is to be tried again."""
        try:
            while not self._make_features(heartbeat):
                logger.info("the session has another extractor now")
        except (FewclickError, ModelsError) as error:
            self._fail(heartbeat, " ".join(str(error).split()))
        except OperationalError as error:
            self._fail(heartbeat, f"the database failed: {' '.join(str(error.orig).split())}")
        except OSError as error:
            self._fail(heartbeat, f"features cannot be written: {error.strerror or error}")
        else:
            self._tell(heartbeat, None)
            return True
        self._stopping.wait(self._settings.retry_interval_s)
        return False

    def _make_features(self, heartbeat: Heartbeat) -> bool:
        """Until none is missing or the service stops; False if the session has another extractor since."""
        # Torch comes with these, and not before there is work.
        from initialization.create import restored_config
        from initialization.extract import Extraction, ExtractorChangedError
        from initialization.feature_place import open_features

        with self._database.read() as db_session:
            info = get_session_info(db_session)
        extractor = self._ready_extractor(info)
        root = (self._session_dir / info.image_root).resolve()
        config = restored_config(info.config)
        store = open_features(self._session_dir, config, extractor, self._database, root)
        self._tell(heartbeat, None)
        with (
            store,
            Extraction(
                self._database, root, store, extractor, heartbeat, patches=info.task.reads_patches, pooled_first=True
            ) as extraction,
        ):
            while not self._stopping.is_set():
                self._let_clicks_pass()
                try:
                    if extraction.step() is None:
                        break
                except ExtractorChangedError:
                    return False
        return True

    def _ready_extractor(self, info: SessionInfo) -> FeatureExtractor:
        """The extractor of the session, loaded once, and anew when the session has another.

        Raises:
            ModelsError, FewclickError: it cannot be had; the message says what to do.
        """
        wanted = ExtractorInfo.from_json(info.extractor)
        if self._extractor is None or self._extractor.info != wanted:
            from initialization.create import restored_config
            from models.errors import WeightsError
            from models.preprocessing import with_preprocessing

            self._extractor = None  # so that there are not two of them in memory
            config = restored_config(info.config)
            settings = config.extractor_settings(self._session_dir).as_in(wanted)
            extractor = with_preprocessing(self._load_extractor(settings), config.preprocessing)
            if extractor.info != wanted:
                way_back = "" if is_of_earlier_version(wanted, extractor.info) else "put the old weights back, or "
                raise WeightsError(
                    "the session's settings now give another extractor than its features are of "
                    f"({tell_differences(wanted, extractor.info)}): {way_back}run init_session.py with "
                    "--change-extractor (annotations stay)"
                )
            self._extractor = extractor
        return self._extractor

    def _let_clicks_pass(self) -> None:
        deadline = time.monotonic() + self._settings.courtesy_limit_s
        while time.monotonic() < deadline and not self._stopping.is_set():
            with self._database.read() as db_session:
                if not a_person_waits(db_session):
                    return
            time.sleep(COURTESY_LOOK_S)

    def _fail(self, heartbeat: Heartbeat, message: str) -> None:
        if message != self._message:
            logger.error("no features can be made: %s", message)
        self._tell(heartbeat, message)

    def _tell(self, heartbeat: Heartbeat, message: str | None) -> None:
        if message != self._message:
            self._message = message
            heartbeat.set_progress(WorkerProgress(message=message))
            try:
                heartbeat.beat()
            except OperationalError as error:
                logger.warning("no sign of life could be written: %s", error.orig)


def _load_from_registry(settings: ExtractorSettings) -> FeatureExtractor:
    from models.registry import load_extractor

    return load_extractor(settings)


def main() -> int:
    """Run the service for the session that FEWCLICK_SESSION names; returns the exit status."""
    try:
        configure_log()
        settings = ServiceSettings()
        if settings.threads is not None:
            # Read once, while torch and NumPy are imported.
            os.environ["OMP_NUM_THREADS"] = str(settings.threads)
        os.nice(max(0, settings.niceness - os.nice(0)))
        service = ExtractionService(resolve_session_dir(), settings)

        def stop(number: int, _frame: FrameType | None) -> None:
            logger.info("%s: stopping", signal.Signals(number).name)
            service.stop()

        for number in STOP_SIGNALS:
            signal.signal(number, stop)
        # Before a fresh start they are held back, and reach this process here.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        starts_afresh = service.run()
    except ValidationError as error:
        problem = error.errors()[0]
        name = "FEWCLICK_EXTRACTION_" + "_".join(str(part) for part in problem["loc"]).upper()
        return _refuse(f"{name}={problem['input']!r}: {problem['msg']}")
    except FewclickError as error:
        return _refuse(str(error))
    if starts_afresh:
        # A new process inherits what is held back; what came before is known by now.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        if not service.is_stopping:
            # The one way to give all memory of a network back to the system.
            os.execv(sys.executable, sys.orig_argv)
    return 0


def _refuse(message: str) -> int:
    sys.stderr.write(f"error: {' '.join(message.split())}\n")
    return BAD_INPUT


if __name__ == "__main__":
    sys.exit(main())
