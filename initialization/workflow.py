"""Initialization from the first check to the last line, step by step; nothing is written before all checks passed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from db.database import Database
from db.queries.extraction import read_progress, retry_failed
from db.queries.feature_requests import expect_first
from initialization.choose_source import choose_source
from initialization.cluster_engine import ClusterOrder, extract_on_cluster
from initialization.cluster_pool import ClusterSettings, check_address
from initialization.config import SessionConfig, load_config, session_dir_of
from initialization.create import change_extractor, check_writable, exclusive, open_session
from initialization.errors import SourceError
from initialization.estimate import SAMPLES, Estimate, check_disk, estimate_run
from initialization.existing import (
    ExistingSession,
    check_can_change_extractor,
    check_can_continue,
    check_can_move,
    check_extractor,
    find_session,
    move_aside,
)
from initialization.extract import Extraction, count_pending
from initialization.feature_place import open_features
from initialization.file_changes import FileChanges, notice_changes
from initialization.heartbeat import Heartbeat
from initialization.import_labels import import_labels
from initialization.ray_runtime import check_installed
from initialization.register import register_images
from initialization.report import Report, counted, format_bytes, format_duration
from initialization.sources import Plan, PlannedImage, Source
from initialization.summary import summarize
from models.base import ExtractorInfo, FeatureExtractor
from models.feature_store import check_store
from models.preprocessing import with_preprocessing
from models.registry import ExtractorSettings

FIRST_IMAGES = 2
"""Of a new session so many come before all others, so that there is something to click on soon."""
LoadExtractor = Callable[[ExtractorSettings], FeatureExtractor]


@dataclass(frozen=True)
class Options:
    """The command line."""

    config: Path
    max_files: int | None = None
    append: bool = False
    yes: bool = False
    move_aside: bool = False
    change_extractor: bool = False
    """Go on with a session whose features another extractor made."""
    background: bool = False
    """Register only: the extraction service of `fewclick up` makes the features."""
    cluster: ClusterSettings | None = None
    """Extract with Ray; None extracts in this process."""


def initialize(options: Options, report: Report, load_extractor: LoadExtractor) -> None:
    """Make the session that the YAML file describes, or go on with it.

    Raises:
        FewclickError, ModelsError: one line for a person; what was complete before stays.
    """
    started = time.monotonic()
    config = load_config(options.config)
    if options.cluster is not None:
        check_address(options.cluster.address)
        check_installed()
    session_dir = session_dir_of(config, os.environ)
    source = choose_source(config)
    check_writable(session_dir)
    existing = _check_existing(options, config, session_dir, source)
    report.title(f"Fewclick: {config.task.name} session {config.session_name!r}")
    report.fact("session", f"{session_dir}{_how(existing, options)}")
    report.fact("classes", ", ".join(entry.name for entry in config.classes))

    continued = None if options.move_aside else existing
    settings = config.extractor_settings()
    changes_extractor = continued is not None and options.change_extractor
    if continued is not None and not changes_extractor:
        settings = settings.as_in(ExtractorInfo.from_json(continued.extractor))
    extractor = with_preprocessing(load_extractor(settings), config.preprocessing)
    _report_extractor(report, extractor.info, patches=config.task.reads_patches)
    if continued is not None and changes_extractor:
        check_can_change_extractor(continued, session_dir, extractor.info)
    elif continued is not None:
        check_extractor(continued, session_dir, extractor.info)
    stored = check_store(None if continued is None else session_dir, extractor.info, config.store_settings())
    form = stored.form if config.task.reads_patches else None

    plan = source.plan(session_dir)
    images = plan.images[: options.max_files]
    _report_plan(report, source, plan, images, config)
    ready_paths = frozenset[str]() if continued is None or changes_extractor else continued.ready_paths
    todo = [image for image in images if image.path not in ready_paths]
    if todo and options.background:
        check_disk(source, todo, extractor.info, stored.disk(session_dir), form=form)
    elif todo:
        estimate = estimate_run(source, todo, extractor, stored.disk(session_dir), form=form)
        _report_estimate(report, estimate, extractor.info)
        if not options.yes and report.can_ask and not report.ask("Go on?"):
            report.fact("stopped", "nothing was written")
            return

    if options.move_aside and session_dir.exists():
        report.fact("moved", f"the old session is now {move_aside(session_dir)}")
    with exclusive(session_dir):
        database = open_session(session_dir, config, source, extractor.info, continued)
        try:
            if changes_extractor:
                change_extractor(database, config, extractor.info)
            changes = _fill(database, session_dir, config, source, images, report)
            cluster = None
            if options.cluster is not None:
                cluster = _order(options.cluster, session_dir, config, source, extractor, load_extractor)
            _extract(database, session_dir, config, source, extractor, report, cluster, background=options.background)
            _import_labels(database, config, len(images), report)
            summarize(database, session_dir, extractor.info, changes, started, report)
        finally:
            database.close()


def _check_existing(
    options: Options, config: SessionConfig, session_dir: Path, source: Source
) -> ExistingSession | None:
    existing = find_session(session_dir)
    if options.move_aside:
        check_can_move(existing, session_dir)
    elif existing is not None:
        check_can_continue(existing, session_dir, config, source, append=options.append or options.change_extractor)
    return existing


def _fill(
    database: Database,
    session_dir: Path,
    config: SessionConfig,
    source: Source,
    images: tuple[PlannedImage, ...],
    report: Report,
) -> FileChanges:
    """Fetch, look for changes and register: each step goes on where a killed run stopped."""
    root = source.root(session_dir)
    unavailable = {}
    if not source.is_in_place:
        with report.progress("fetch", len(images)) as advance:
            refusals = source.fetch(images, session_dir, advance)
        unavailable = {refusal.path: refusal.reason for refusal in refusals}
    changes = notice_changes(database, root, config.preprocessing)
    with database.write() as db_session:
        retry_failed(db_session, except_paths={*unavailable, *changes.refused})
    with report.progress("register", len(images)) as advance:
        register_images(database, root, images, unavailable, advance, preprocessing=config.preprocessing)
    return changes


def _extract(
    database: Database,
    session_dir: Path,
    config: SessionConfig,
    source: Source,
    extractor: FeatureExtractor,
    report: Report,
    cluster: ClusterOrder | None,
    *,
    background: bool,
) -> None:
    """All features, together with whoever else is at work; in the background only those of the first image."""
    with database.write() as db_session:
        if read_progress(db_session).done == 0:
            expect_first(db_session, config.strategy, FIRST_IMAGES)
    store = open_features(session_dir, config, extractor, database, source.root(session_dir))
    patches = config.task.reads_patches
    with (
        Heartbeat(database) as heartbeat,
        Extraction(
            database, source.root(session_dir), store, extractor, heartbeat, patches=patches, pooled_first=False
        ) as extraction,
    ):
        if background:
            extraction.step(only_requested=True)
            return
        with report.progress("features", count_pending(database)) as advance:
            if cluster is not None:
                extract_on_cluster(database, cluster, heartbeat, advance, partial(report.fact, "cluster"))
            # After a cluster: what others hold, and what they leave when they end.
            extraction.finish_all(advance)


def _order(
    cluster: ClusterSettings,
    session_dir: Path,
    config: SessionConfig,
    source: Source,
    extractor: FeatureExtractor,
    load_extractor: LoadExtractor,
) -> ClusterOrder:
    return ClusterOrder(
        cluster=cluster,
        session_dir=session_dir,
        root=source.root(session_dir),
        load_extractor=load_extractor,
        settings=config.extractor_settings().as_in(extractor.info),
        preprocessing=config.preprocessing,
        info=extractor.info,
        patches=config.task.reads_patches,
    )


def _import_labels(database: Database, config: SessionConfig, total: int, report: Report) -> None:
    if config.labels_dir is None:
        return
    with report.progress("labels", total) as advance:
        imported = import_labels(database, config.labels_dir, advance)
    what = counted(imported.images, "image") + f", {counted(imported.points, 'point')}" * bool(imported.points)
    report.fact("imported", what + f"; {imported.left_alone:,} kept as they are" * bool(imported.left_alone))
    report.listing("not used", imported.problems)


def _how(existing: ExistingSession | None, options: Options) -> str:
    if existing is None:
        return " (new)"
    if options.move_aside:
        return " (the old one will be moved aside)"
    annotated = existing.annotated + existing.imported
    kept = f", {counted(annotated, 'annotated image')} kept as found" if annotated else ""
    return f" (going on: {counted(len(existing.ready_paths), 'image')} ready{kept})"


def _report_extractor(report: Report, info: ExtractorInfo, *, patches: bool) -> None:
    sizes_px = [info.resize] if patches else info.options.get("pooled_sizes_px", [info.resize])
    resized = " and ".join(str(size_px) for size_px in sizes_px)
    channels = info.dim if patches else info.pooled_dim
    report.fact("extractor", f"{info.name}, images resized to {resized} px, {channels:,} channels")
    if info.name.startswith("efficientnet"):
        report.note("the embedded extractor is at work; DINOv3 knows more shapes and textures: see docs/extractors.md")


def _report_plan(
    report: Report, source: Source, plan: Plan, images: tuple[PlannedImage, ...], config: SessionConfig
) -> None:
    others = sum(plan.other_suffixes.values())
    kinds = ", ".join(f"{count} .{suffix or '(none)'}" for suffix, count in plan.other_suffixes.most_common(4))
    if not images:
        found = f"; found {others} other files ({kinds})" if others else "; it is empty"
        raise SourceError(
            f"image_dir: no images ending in {', '.join(config.formats)} in {source.identity}{found}: "
            "name another folder, or set formats"
        )
    text = f"{len(images):,} in {source.identity}"
    if len(images) < len(plan.images):
        text += f" (the first of {len(plan.images):,})"
    report.fact("images", text)
    if others:
        report.note(f"{others:,} files of other kinds are left out: {kinds}")
    report.listing("refused", [f"{refusal.path}: {refusal.reason}" for refusal in plan.refusals])


def _report_estimate(report: Report, estimate: Estimate, info: ExtractorInfo) -> None:
    if not estimate.measured:
        if estimate.images > SAMPLES:  # else all were tried, and the summary says what is wrong with each
            report.note(f"no estimate: the {SAMPLES} images tried cannot be read; the summary will say why")
        return
    each = f"{estimate.grid[0]} x {estimate.grid[1]} cells of {info.dim}" if estimate.grid else "a vector for each"
    report.fact(
        "estimate",
        f"about {format_duration(estimate.seconds)} and {format_bytes(estimate.disk_bytes)} for "
        f"{counted(estimate.images, 'image')} ({each})"
        + (f"; {format_bytes(estimate.free_bytes)} free" if estimate.free_bytes is not None else ""),
    )
