"""`fewclick features status | verify | prune | recompute`: look after what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.database import Database
from db.enums import FeatureState
from db.errors import ConflictError, InvalidInputError, NotFoundError
from db.queries.extraction import read_progress
from db.queries.extraction_workers import living_workers
from db.queries.feature_repair import compute_anew
from db.queries.session_info import get_session_info
from db.tables.images import Image
from db.tasks import Task
from initialization.create import exclusive
from initialization.feature_audit import Audit, Fault, Finding, audit, read_rows, repair
from initialization.report import Report, format_bytes
from models.base import ExtractorInfo
from models.feature_housekeeping import Abandoned, find_abandoned, remove_abandoned
from models.feature_storage import Pruned, count_bytes
from models.feature_store import FeatureStore, has_store

OK, FAULTS = 0, 1
MAX_SHOWN = 50
"""Faults that are listed one by one; all are counted."""
REMEDIES = {
    Fault.IMAGE_MISSING: "put the files back",
    Fault.IMAGE_CHANGED: "`fewclick features verify --repair` has their features made anew",
    Fault.IMAGE_RESIZED: "put the old files back, or remove their annotations, then --repair",
    Fault.FEATURES_MISSING: "`fewclick features verify --repair` has them made anew",
    Fault.FEATURES_DAMAGED: "`fewclick features verify --repair` has them made anew",
    Fault.ORPHANED: "`fewclick features prune` removes them",
}


@dataclass(frozen=True)
class _Open:
    """A session whose features are looked at."""

    database: Database
    session_dir: Path
    root: Path
    task: Task
    info: ExtractorInfo

    def store(self) -> FeatureStore:
        """The features.

        Raises:
            InvalidInputError: there are none yet.
        """
        if not has_store(self.session_dir, self.info):
            raise InvalidInputError(
                f"{self.session_dir} has no features yet: `fewclick up` or init_session.py make them"
            )
        return FeatureStore(self.session_dir, self.info)


def print_status(session_dir: Path) -> None:
    """Counts by state and tier, bytes, form, place, extractor, and each failed image with its reason.

    Raises:
        FewclickError, ModelsError: the folder holds no session, or its features cannot be opened.
    """
    with _opened(session_dir) as opened, opened.database.read() as db_session:
        info, progress = opened.info, read_progress(db_session)
        report = Report()
        report.title(f"Features of {session_dir}")
        channels = f"{info.dim:,} channels, pooled {info.pooled_dim:,}"
        report.fact("extractor", f"{info.name} ({info.weights_hash}), resize {info.resize} px, {channels}")
        states = [f"{progress.done:,} ready", f"{progress.pending:,} pending"]
        states += [f"{progress.failed:,} failed"] if progress.failed else []
        report.fact(
            "images", f"{', '.join(states)}; {progress.pooled_done:,} of {progress.total:,} with a pooled vector"
        )
        if has_store(session_dir, info):
            _report_store(report, opened.store())
        else:
            report.fact("stored", "nothing yet")
        workers = living_workers(db_session)
        report.fact("at work", _plural(len(workers), "extraction worker") if workers else "nobody")
        failed = select(Image.path, Image.failure).where(Image.features == FeatureState.FAILED).order_by(Image.id)
        report.listing("failed", [f"{path}: {failure}" for path, failure in db_session.execute(failed)])


def _report_store(report: Report, store: FeatureStore) -> None:
    manifest = store.manifest
    report.fact("form", f"{manifest.form}, in {manifest.storage}")
    report.fact("place", str(manifest.root(store.folder)))
    for tier, (number, size) in count_bytes(store.entries()).items():
        each = f", {format_bytes(size // number)} each" if number else ""
        report.fact(tier, f"{number:,} stored, {format_bytes(size)}{each}")


def verify(session_dir: Path, *, full: bool, mend: bool) -> int:
    """Compare files and features with the database, print what is wrong; returns the exit status.

    Args:
        full: Read every image, not only those whose size or time has changed.
        mend: Have made again what can be.
    """
    with _opened(session_dir) as opened:
        store, report = opened.store(), Report()
        with opened.database.read() as db_session:
            rows = read_rows(db_session)
        with report.progress("verify", len(rows)) as advance:
            patches = opened.task.reads_patches
            found = audit(rows, opened.root, store, patches=patches, full=full, advance=advance)
        _print_audit(found)
        if found.unknown:
            number = _plural(found.unknown, "image")
            report.note(f"{number} from before size and time were kept: only --full can tell whether they changed")
        if found.findings and mend:
            with opened.database.write() as db_session:
                again, refused = repair(db_session, found.findings)
            report.fact(
                "repaired",
                f"{_plural(again, 'image')} to be made anew: `fewclick up` or init_session.py --append make them",
            )
            if refused:
                report.fact("refused", f"{_plural(refused, 'image')} marked as failed, annotations as they were")
        return OK if found.is_clean else FAULTS


def prune(session_dir: Path, *, yes: bool, shared: bool) -> int:
    """Remove features that no image of the session has, and those of other extractors; returns the exit status.

    Raises:
        ConflictError: features are being made.
        InvalidInputError: other sessions may use them, or nobody is there to be asked.
    """
    with _opened(session_dir) as opened, exclusive(session_dir):
        store, report = opened.store(), Report()
        if store.manifest.is_shared and not shared:
            raise InvalidInputError(
                f"features_dir {store.manifest.place} may serve other sessions too: add --shared to remove what this "
                "one does not use"
            )
        with opened.database.read() as db_session:
            _check_idle(db_session)
            wanted = set(db_session.scalars(select(Image.content_hash).where(Image.content_hash.is_not(None))))
        unused = store.prune(lambda entry: entry.content_hash in wanted, dry=True)
        abandoned = find_abandoned(store)
        _report_unused(report, unused, abandoned)
        if unused == Pruned() and not abandoned:
            return OK
        if not yes and not _asked(report):
            return OK
        with opened.database.read() as db_session:
            _check_idle(db_session)
        remove_abandoned(abandoned)
        store.prune(lambda entry: entry.content_hash in wanted)
        total = unused.freed_bytes + sum(each.size for each in abandoned)
        report.fact("removed", f"{format_bytes(total)} freed")
    return OK


def recompute(session_dir: Path, *, failed: bool, image_ids: Sequence[int], everything: bool, yes: bool) -> int:
    """Have features made anew; returns the exit status.

    Raises:
        InvalidInputError: not exactly one choice was made.
        NotFoundError: there is no such image.
    """
    if failed + bool(image_ids) + everything != 1:
        raise InvalidInputError("name the images: one of --failed, --image ID (several times, if you like) or --all")
    with _opened(session_dir) as opened:
        report = Report()
        with opened.database.read() as db_session:
            chosen = _chosen(db_session, failed=failed, image_ids=image_ids)
        if everything and not yes:
            report.fact("images", f"all {len(chosen):,}")
            if not _asked(report):
                return OK
        with opened.database.write() as db_session:
            compute_anew(db_session, chosen)
        report.fact("pending", f"{_plural(len(chosen), 'image')}: `fewclick up` or init_session.py --append make them")
    return OK


def _chosen(db_session: Session, *, failed: bool, image_ids: Sequence[int]) -> list[int]:
    statement = select(Image.id).order_by(Image.id)
    if failed:
        statement = statement.where(Image.features == FeatureState.FAILED)
    if image_ids:
        statement = statement.where(Image.id.in_(image_ids))
    chosen = list(db_session.scalars(statement))
    unknown = sorted(set(image_ids) - set(chosen))
    if unknown:
        largest = db_session.scalar(select(func.max(Image.id))) or 0
        raise NotFoundError(f"--image {unknown[0]}: no such image, expected an id from 1 to {largest}")
    return chosen


def _print_audit(found: Audit) -> None:
    console = Console(highlight=False)
    rows = [*found.findings, *(Finding(Fault.ORPHANED, each.content_hash, each.tier) for each in found.orphans)]
    if not rows:
        console.print(f"{_plural(found.images, 'image')} and their features are as they should be", soft_wrap=True)
        return
    shown = [(row.fault, row.where, row.detail) for row in rows[:MAX_SHOWN]]
    if console.is_terminal:
        console.print(_table(shown))
    else:
        for cells in shown:
            print(*cells, sep="\t")
    if len(rows) > MAX_SHOWN:
        console.print(f"... and {len(rows) - MAX_SHOWN:,} more")
    console.print()
    for fault in Fault:
        number = sum(row.fault is fault for row in rows)
        if number:
            console.print(f"{number:>6,} {fault}: {REMEDIES[fault]}", soft_wrap=True)


def _table(rows: Sequence[tuple[str, str, str]]) -> Table:
    table = Table(box=box.ROUNDED)
    table.add_column("fault", style="red", no_wrap=True)
    table.add_column("image", overflow="fold")
    table.add_column("what was found", overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    return table


def _report_unused(report: Report, unused: Pruned, abandoned: Sequence[Abandoned]) -> None:
    if unused.arrays:
        report.fact("unused", f"{_plural(unused.arrays, 'array')} of images that the session does not have")
    if unused.leftovers:
        report.fact("left over", f"{_plural(unused.leftovers, 'piece')} from processes that were killed")
    if unused.freed_bytes:
        report.fact("", f"{format_bytes(unused.freed_bytes)} together")
    for each in abandoned:
        report.fact("other", f"{each.folder.name}: {format_bytes(each.size)} of another extractor or size")
    if unused == Pruned() and not abandoned:
        report.fact("unused", "nothing")


def _asked(report: Report) -> bool:
    if not report.can_ask:
        raise InvalidInputError("nobody is there to be asked: add --yes")
    return report.ask("Go on?")


def _check_idle(db_session: Session) -> None:
    workers = living_workers(db_session)
    if workers:
        raise ConflictError(
            f"{_plural(len(workers), 'extraction worker')} at work on this session: stop `fewclick up` and init first"
        )


@contextmanager
def _opened(session_dir: Path) -> Iterator[_Open]:
    database = Database.of_session(session_dir)
    try:
        with database.read() as db_session:
            info = get_session_info(db_session)
        extractor = ExtractorInfo.from_json(info.extractor)
        yield _Open(database, session_dir, (session_dir / info.image_root).resolve(), info.task, extractor)
    finally:
        database.close()


def _plural(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + "s" * (number != 1)
