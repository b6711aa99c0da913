"""The steps of an initialization that write, each of which goes on where a killed run stopped."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from db.database import Database
from db.queries.extraction import read_progress, retry_failed
from db.queries.feature_requests import expect_first
from initialization.cluster_engine import ClusterOrder, extract_on_cluster
from initialization.cluster_pool import ClusterSettings
from initialization.config import SessionConfig
from initialization.extract import Extraction, count_pending
from initialization.feature_place import open_features
from initialization.file_changes import FileChanges, notice_changes
from initialization.heartbeat import Heartbeat
from initialization.import_labels import import_labels
from initialization.inspect_ahead import AheadOfTime
from initialization.register import register_images
from initialization.report import Report, counted
from initialization.sources import PlannedImage, Source
from models.base import FeatureExtractor
from models.extractor_settings import ExtractorSettings

FIRST_IMAGES = 2
"""Of a new session so many come before all others, so that there is something to click on soon."""
LoadExtractor = Callable[[ExtractorSettings], FeatureExtractor]


def register_all(
    database: Database,
    session_dir: Path,
    config: SessionConfig,
    source: Source,
    images: tuple[PlannedImage, ...],
    ahead: AheadOfTime,
    report: Report,
) -> FileChanges:
    """Fetch, look for changes and register."""
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
        register_images(database, root, images, unavailable, advance, preprocessing=config.preprocessing, ahead=ahead)
    return changes


def make_features(
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
        store,
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


def order_for_cluster(
    cluster: ClusterSettings,
    session_dir: Path,
    config: SessionConfig,
    source: Source,
    extractor: FeatureExtractor,
    load_extractor: LoadExtractor,
) -> ClusterOrder:
    """What a cluster needs to know to make the features."""
    return ClusterOrder(
        cluster=cluster,
        session_dir=session_dir,
        root=source.root(session_dir),
        load_extractor=load_extractor,
        settings=config.extractor_settings(session_dir).as_in(extractor.info),
        preprocessing=config.preprocessing,
        info=extractor.info,
        patches=config.task.reads_patches,
    )


def bring_labels(database: Database, config: SessionConfig, total: int, report: Report) -> None:
    """The labels of `labels_dir`, where the YAML file names one."""
    if config.labels_dir is None:
        return
    with report.progress("labels", total) as advance:
        imported = import_labels(database, config.labels_dir, advance, masks_as_points=config.import_masks == "points")
    what = counted(imported.images, "image") + f", {counted(imported.points, 'point')}" * bool(imported.points)
    what += f", {counted(imported.regions, 'region')}" * bool(imported.regions)
    report.fact("imported", what + f"; {imported.left_alone:,} kept as they are" * bool(imported.left_alone))
    report.listing("not used", imported.problems)
