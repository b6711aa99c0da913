"""Initialization from the first check to the last line, step by step; nothing is written before all checks passed."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from db.queries.session_info import ADAPTER_KEY
from initialization.choose_source import choose_source
from initialization.cluster_pool import ClusterSettings, check_address
from initialization.config import SessionConfig, session_dir_of
from initialization.config_file import load_config
from initialization.create import change_extractor, check_writable, exclusive, open_session
from initialization.estimate import check_disk, estimate_run
from initialization.existing import (
    ExistingSession,
    check_can_change_extractor,
    check_can_continue,
    check_can_move,
    check_extractor,
    find_session,
    move_aside,
)
from initialization.inspect_ahead import AheadOfTime, inspect_ahead
from initialization.ray_runtime import check_installed
from initialization.report import Report, counted
from initialization.sources import Plan, PlannedImage, Source
from initialization.steps import LoadExtractor, bring_labels, make_features, order_for_cluster, register_all
from initialization.summary import summarize
from initialization.tell_plan import check_found, tell_estimate, tell_extractor, tell_plan
from models.base import ExtractorInfo, FeatureExtractor
from models.feature_store import check_store
from models.preprocessing import with_preprocessing


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
    tells_next: bool = True
    """Whether the closing table says what to run next."""
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
    config = _with_adopted(config, existing, options)
    # Before anything is said of a session that will not be.
    plan = source.plan(session_dir)
    check_found(source, plan, config)
    report.title(f"Fewclick: {config.task.name} session {config.session_name!r}")
    report.fact("session", f"{session_dir}{_how(existing, options)}")
    report.fact("classes", ", ".join(_class_names(config, None if options.move_aside else existing)))

    continued = None if options.move_aside else existing
    start = _Start(options, config, session_dir, source, continued, plan, plan.images[: options.max_files])
    with inspect_ahead(source.root(session_dir), start.paths_to_inspect(), config.preprocessing) as ahead:
        extractor = _choose_extractor(start, report, load_extractor)
        if not _is_agreed(start, extractor, report):
            report.fact("stopped", "nothing was written")
            return
        _make(start, extractor, ahead, report, load_extractor, started)


@dataclass(frozen=True)
class _Start:
    """What is known before anything is written."""

    options: Options
    config: SessionConfig
    session_dir: Path
    source: Source
    continued: ExistingSession | None
    """The session to go on with."""
    plan: Plan
    images: tuple[PlannedImage, ...]

    @property
    def changes_extractor(self) -> bool:
        """Whether features that are there do not count."""
        return self.continued is not None and self.options.change_extractor

    def paths_to_inspect(self) -> list[str]:
        """Of a new session whose registration somebody waits for; else making the features takes longer by far."""
        is_worth_it = self.options.background and self.continued is None and self.source.is_in_place
        return [image.path for image in self.images] if is_worth_it else []

    def to_extract(self) -> list[PlannedImage]:
        """Images without features."""
        has_none = self.continued is None or self.changes_extractor
        ready_paths = frozenset[str]() if has_none or self.continued is None else self.continued.ready_paths
        return [image for image in self.images if image.path not in ready_paths]


def _choose_extractor(start: _Start, report: Report, load_extractor: LoadExtractor) -> FeatureExtractor:
    config, continued = start.config, start.continued
    settings = config.extractor_settings(start.session_dir)
    if continued is not None and not start.changes_extractor:
        settings = settings.as_in(ExtractorInfo.from_json(continued.extractor))
    extractor = with_preprocessing(load_extractor(settings), config.preprocessing)
    tell_extractor(report, extractor.info, patches=config.task.reads_patches)
    if continued is not None:
        check = check_can_change_extractor if start.changes_extractor else check_extractor
        check(continued, start.session_dir, extractor.info)
    return extractor


def _is_agreed(start: _Start, extractor: FeatureExtractor, report: Report) -> bool:
    """Whether to go on, once it is known how long it takes and whether the disk suffices."""
    config, source = start.config, start.source
    stored_in = None if start.continued is None else start.session_dir
    stored = check_store(stored_in, extractor.info, config.store_settings())
    form = stored.form if config.task.reads_patches else None
    tell_plan(report, source, start.plan, start.images)
    todo = start.to_extract()
    if todo and start.options.background:
        check_disk(source, todo, extractor.info, stored.disk(start.session_dir), form=form)
    elif todo:
        tell_estimate(
            report, estimate_run(source, todo, extractor, stored.disk(start.session_dir), form=form), extractor.info
        )
        return start.options.yes or not report.can_ask or report.ask("Go on?")
    return True


def _make(
    start: _Start,
    extractor: FeatureExtractor,
    ahead: AheadOfTime,
    report: Report,
    load_extractor: LoadExtractor,
    started: float,
) -> None:
    options, config, session_dir, source = start.options, start.config, start.session_dir, start.source
    if options.move_aside and session_dir.exists():
        report.fact("moved", f"the old session is now {move_aside(session_dir)}")
    with exclusive(session_dir):
        database = open_session(session_dir, config, source, extractor.info, start.continued)
        try:
            if start.changes_extractor:
                change_extractor(database, config, extractor.info)
            changes = register_all(database, session_dir, config, source, start.images, ahead, report)
            cluster = None
            if options.cluster is not None:
                cluster = order_for_cluster(options.cluster, session_dir, config, source, extractor, load_extractor)
            make_features(
                database, session_dir, config, source, extractor, report, cluster, background=options.background
            )
            bring_labels(database, config, len(start.images), report)
            summarize(database, session_dir, extractor.info, changes, started, report, tells_next=options.tells_next)
        finally:
            database.close()


def _with_adopted(config: SessionConfig, existing: ExistingSession | None, options: Options) -> SessionConfig:
    """A session goes on with the adapter that it has adopted, though its YAML file does not name it."""
    if existing is None or options.move_aside or options.change_extractor or config.adapter_path is not None:
        return config
    stored = existing.config.get(ADAPTER_KEY)
    return config if stored is None else config.model_copy(update={ADAPTER_KEY: Path(stored)})


def _class_names(config: SessionConfig, existing: ExistingSession | None) -> Sequence[str]:
    """Those of the session, where the file says of them what it said when the session was made."""
    named = [entry.name for entry in config.classes]
    if existing is None or [entry["name"] for entry in existing.config.get("classes", ())] != named:
        return named
    return existing.class_names


def _how(existing: ExistingSession | None, options: Options) -> str:
    if existing is None:
        return " (new)"
    if options.move_aside:
        return " (the old one will be moved aside)"
    annotated = existing.annotated + existing.imported
    kept = (
        f", work on {counted(annotated, 'image')} kept as found ({existing.labelled:,} labelled)" if annotated else ""
    )
    return f" (going on: {counted(len(existing.ready_paths), 'image')} ready{kept})"


def _check_existing(
    options: Options, config: SessionConfig, session_dir: Path, source: Source
) -> ExistingSession | None:
    existing = find_session(session_dir)
    if options.move_aside:
        check_can_move(existing, session_dir)
    elif existing is not None:
        check_can_continue(existing, session_dir, config, source, append=options.append or options.change_extractor)
    return existing
