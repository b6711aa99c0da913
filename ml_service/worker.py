"""The service's main loop: poll, claim, do, record. One job that fails never ends it."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Collection

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from db.database import ChangeDetector
from db.enums import JobKind, RunKind
from db.errors import FewclickError
from db.queries.jobs import JobLostError, claim_job, finish_job, has_queued
from db.queries.training_data import ready_image
from db.queries.workers import remove_worker
from db.tables.processes import Job
from ml_service.comparison_execution import execute_comparison
from ml_service.context import Context
from ml_service.errors import ExtractorChangedError, LearningError, StoppingError
from ml_service.finetuning.execution import FinetuneExecution
from ml_service.head_keeper import HeadKeeper
from ml_service.heartbeat import Heartbeat
from ml_service.job_ends import give_back, record_failure
from ml_service.map_collector import MapCollector
from ml_service.pacing import Effort, Pacing
from ml_service.provenance import code_version
from ml_service.quality_measurement import QualityMeasurement
from ml_service.resting import LONGEST_REST_S, Resting
from ml_service.run_beginning import begin_next_run
from ml_service.run_execution import RunExecution
from ml_service.shape_collector import ShapeCollector
from ml_service.sweeping import Sweep
from models.errors import ModelsError
from models.startup_objects import spare_startup_objects

logger = logging.getLogger(__name__)
URGENT = (JobKind.REFIT, JobKind.PREDICT)
"""A person waits for these; a run gives way to them."""
PASSING = (OperationalError, OSError)
"""A full disk, a database out of reach: no fault of the work, which is worth another try in better times."""


class Worker:
    """One ML service. `run` until `stop`; tests call `step`. Use from one thread, `stop` from any."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._detector = ChangeDetector(context.db.engine)
        self._stopping = threading.Event()
        self._keeper = HeadKeeper(context)
        self._quality = QualityMeasurement(context)
        self._collectors = (ShapeCollector(context.db), MapCollector(context.db, context.session_dir))
        self._may_have_work = True
        self._has_unread_news = False
        """Those that a look of the sweep has used up, and a run beside it has yet to hear."""
        self._swept_with = Effort.FULL
        """With more than this there may be more to do than the last sweep has found."""
        self._job_ids: list[int] = []
        self._resting = Resting()
        self._pacing = Pacing(context.settings)
        self._idle_until = -float("inf")
        self.worker_id = f"{socket.gethostname()[:40]}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._heartbeat = Heartbeat(context, self.worker_id)
        self._sweep = Sweep(context, self.worker_id, self._is_wanted)

    @property
    def keeper(self) -> HeadKeeper:
        """The head in force."""
        return self._keeper

    def run(self) -> bool:
        """Work until `stop` is called; True if the session is to be opened anew, as it has another extractor."""
        has_started = is_outdated = False
        while not self._stopping.is_set():
            try:
                if not has_started:
                    self.start()
                    has_started = True
                has_worked = self.step()
            except ExtractorChangedError:
                is_outdated = True
                break
            except PASSING as error:
                # A job that could be neither done nor put back gets no more heartbeats, so it is queued again.
                self._rest(error)
                self._stopping.wait(self._context.settings.tick_interval_s)
                continue
            if not has_worked:
                self._stopping.wait(self._pacing.pause_s)
        self.close()
        return is_outdated and not self._stopping.is_set()

    def start(self) -> None:
        """Announce this worker, take over what a dead one left, and be ready for the first click."""
        # Git takes its time, and the first checkpoint wants to know: one second after a click.
        threading.Thread(target=code_version, name="code-version", daemon=True).start()
        self.tick_if_due()
        self._keeper.start()
        spare_startup_objects()

    def stop(self) -> None:
        """Ask for a clean end soon: what is at work goes back to the queue."""
        self._stopping.set()

    def close(self) -> None:
        """Take leave."""
        with self._context.db.write() as db_session:
            remove_worker(db_session, self.worker_id)
        self._detector.close()
        self._sweep.close()
        self._quality.close()
        self._keeper.close()

    def step(self) -> bool:
        """Do the most urgent thing there is; False if nothing is left to do for now."""
        has_ticked = self.tick_if_due()
        self._may_have_work |= self._detector.changed()
        if self._resting.is_on:
            return False
        if self._may_have_work and self._do_next_job(None):
            return True
        return self._try_idle_work(has_ticked)

    def work_idly(self, *, has_ticked: bool, has_news: bool) -> bool:
        """As in `IdleAttendant`."""
        self._may_have_work |= has_news
        return not self._resting.is_on and self._try_idle_work(has_ticked)

    def _try_idle_work(self, has_ticked: bool) -> bool:
        if time.monotonic() < self._idle_until:
            return False
        try:
            return self._do_idle_work(has_ticked)
        except (*PASSING, ExtractorChangedError):
            raise
        except Exception:  # The boundary of idle work: whatever is wrong with it, clicks are answered.
            logger.exception("idle work failed; it rests for %g s", LONGEST_REST_S)
            self._idle_until = time.monotonic() + LONGEST_REST_S
            self._may_have_work = True
            return False

    def _do_idle_work(self, has_ticked: bool) -> bool:
        self._keeper.look_ahead()
        # A new scaler comes before the sweep: with it all images have to be predicted anew.
        # Quality too: it is told after a second of rest, and a sweep of a large session takes longer than people rest.
        if self._keeper.forget_some() or self._keeper.gather() or self._quality.step(self._keeper.measured_scaler):
            return True
        if (self._may_have_work or self._pacing.effort > self._swept_with) and self._sweep_on():
            return True
        if (has_ticked and self._keeper.look_for_features()) or self._save_live_if_due():
            return True
        return has_ticked and any(collector.step() for collector in self._collectors)

    def _save_live_if_due(self) -> bool:
        # The checkpoint holds what was measured.
        return not self._quality.is_pending and self._keeper.save_live_if_due(self._quality.held_out)

    def _sweep_on(self) -> bool:
        # First, as the sweep itself notices when there is work again.
        self._may_have_work = False
        self._swept_with = effort = self._pacing.effort
        if effort is Effort.NOTHING:
            return False
        self._keeper.ensure_current()
        model = self._keeper.model
        if model is not None and self._sweep.step(model, self._keeper.open_image_id, effort):
            self._may_have_work = True
            return True
        if effort is Effort.HALF:
            self._swept_with = Effort.FULL
        return False

    def _is_wanted(self) -> bool:
        """Whether a person began to wait since the last look."""
        if not self._detector.changed():
            return False
        self._may_have_work = self._has_unread_news = True
        return self.has_urgent_jobs()

    def is_stopping(self) -> bool:
        """As in `Attendant`."""
        return self._stopping.is_set()

    def has_news(self) -> bool:
        """As in `Attendant`."""
        has_news, self._has_unread_news = self._detector.changed() or self._has_unread_news, False
        return has_news

    def has_urgent_jobs(self) -> bool:
        """As in `Attendant`."""
        if self._resting.is_on:
            return False
        with self._context.db.read() as db_session:
            return has_queued(db_session, URGENT)

    def serve_urgent_jobs(self) -> None:
        """As in `Attendant`."""
        while not self._stopping.is_set() and not self._resting.is_on and self._do_next_job(URGENT):
            pass

    def tick_if_due(self) -> bool:
        """Heartbeat, and the look for dead workers: about once a second; True if it was done now."""
        return self._heartbeat.beat_if_due(self._job_ids)

    def _do_next_job(self, kinds: Collection[JobKind] | None) -> bool:
        """Claim and do one job of the given kinds, or of any; False if there is none."""
        with self._context.db.read() as db_session:
            if not has_queued(db_session, kinds):
                return False
        with self._context.db.write() as db_session:
            job = claim_job(db_session, self.worker_id, kinds)
        if job is None:
            return False
        self._job_ids.append(job.id)
        try:
            self._do(job)
        except JobLostError as error:
            logger.warning("%s", error)
        except StoppingError:
            give_back(self._context.db, job, self.worker_id)
        except ExtractorChangedError:
            give_back(self._context.db, job, self.worker_id)
            raise
        except PASSING as error:
            if job.kind in URGENT:
                self._rest(error)
                give_back(self._context.db, job, self.worker_id)
            else:
                logger.exception("job %d (%s) failed", job.id, job.kind.value)
                record_failure(self._context, job, self.worker_id, error)
        except (FewclickError, LearningError, ModelsError) as error:
            logger.warning("job %d (%s) failed: %s", job.id, job.kind.value, error)
            record_failure(self._context, job, self.worker_id, error)
        except Exception as error:  # The boundary of a job: whatever it was, it is recorded, and the service lives on.
            logger.exception("job %d (%s) failed", job.id, job.kind.value)
            record_failure(self._context, job, self.worker_id, error)
        else:
            self._resting.succeeded()
            # Others are of features that came, or of classes that were merged: nobody looks at an image meanwhile.
            if job.kind in URGENT and job.image_id is not None:
                self._pacing.note_answer()
        finally:
            self._job_ids.remove(job.id)
            self._pacing.note_job()
        return True

    def _rest(self, error: Exception) -> None:
        self._resting.begin(error)
        self._may_have_work = True

    def _do(self, job: Job) -> None:
        def finish(db_session: Session) -> None:
            finish_job(db_session, job.id, self.worker_id)

        # A run's image is only a guess of the backend; what was clicked or opened last is known better.
        if job.image_id is not None and (job.kind in URGENT or self._keeper.open_image_id is None):
            self._keeper.open_image_id = job.image_id
        if job.kind is JobKind.REFIT:
            self._quality.interrupt()
            self._keeper.refit(finish)
        elif job.kind is JobKind.PREDICT:
            with self._context.db.read() as db_session:
                image = None if job.image_id is None else ready_image(db_session, job.image_id)
            self._keeper.predict(image, finish)
        elif job.kind is JobKind.COMPARE:
            execute_comparison(self._context, job, self.worker_id, self._attend_between_images)
        else:
            self._do_run(job)

    def _attend_between_images(self) -> None:
        if self.is_stopping():
            raise StoppingError
        self.tick_if_due()
        if self.has_news():
            self._may_have_work = True
            self.serve_urgent_jobs()

    def _do_run(self, job: Job) -> None:
        run = begin_next_run(self._context, job.id, self.worker_id)
        if run is None:
            return
        try:
            execution = FinetuneExecution if run.kind is RunKind.FINETUNE else RunExecution
            execution(self._context, self._keeper, self, run.id, job.id).execute()
        finally:
            # The run's own looks at the detector have used up the news of what else was asked for.
            self._may_have_work = True
