"""The quality of the head in force, put together from what the ML service has measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from backend.schemas.quality import (
    Agreement,
    AgreementPoint,
    ClassAgreement,
    Figures,
    HistoryPoint,
    Interval,
    LearningCurve,
    Method,
    Quality,
)
from db.queries.measurements import list_measurements, newest_measurement
from db.queries.outcomes import AgreementRow, newest_agreements
from db.tables.learning import Checkpoint, Measurement
from ml_service.confidence_intervals import clustered_share
from ml_service.leading_figure import leading_method
from ml_service.quality_figures import MIN_IMAGES, MIN_SAMPLES, too_few

WINDOW = 50
AGREEMENTS_READ = 1000
POINTS_SHOWN = 200
UNPROMPTED_READ, UNPROMPTED_NEEDED = 200, 5
CURVE_IMAGES = 8
NOT_YET = "nothing was measured yet: that follows a second after the last label"
NOTHING = "nothing is labelled yet"
STALE = "the labels have changed since it was measured: it is measured anew a second after the last change"


def read_quality(db_session: Session, active: Checkpoint | None, label_sequence: int, *, is_labelled: bool) -> Quality:
    """Everything that is known of the head in force.

    Args:
        active: The checkpoint that predicts; None while the live head does.
        label_sequence: `SessionInfo.label_sequence`
    """
    history = [_history_point(row) for row in list_measurements(db_session)]
    agreement = _agreement(newest_agreements(db_session, AGREEMENTS_READ))
    common: dict[str, Any] = {"history": history, "agreement": agreement}
    if not is_labelled:
        return Quality(**_nothing(NOTHING), **common)
    if active is not None:
        return Quality(**_of_checkpoint(active, label_sequence), **common)
    newest = newest_measurement(db_session)
    if newest is None or newest.details is None:
        return Quality(**_nothing(NOT_YET), **common)
    return Quality(**_of_live_head(newest, label_sequence), **common)


def _of_live_head(newest: Measurement, label_sequence: int) -> dict[str, Any]:
    details = newest.details or {}
    held_out, estimate = (_figures(details.get(key)) for key in ("held_out", "cross_validation"))
    leading = _leading(held_out, estimate)
    is_current = newest.label_sequence == label_sequence
    curve = details.get("curve")
    # Figures of a moment ago still tell something; what was missing then may be there by now.
    curve_unknown = details.get("curve_unknown") or _curve_unknown(newest.n_images) if is_current else STALE
    return {
        "measured_at": newest.created_at,
        "is_current": is_current,
        "n_labels": newest.n_labels,
        "n_picked_images": details.get("n_picked_images"),
        "leading": leading,
        "held_out": held_out,
        "estimate": estimate,
        "unknown": None if leading else _missing(estimate or held_out, newest.n_images) if is_current else STALE,
        "curve": None if curve is None else LearningCurve.model_validate(curve),
        "curve_unknown": None if curve is not None else curve_unknown,
    }


def _missing(figures: Figures | None, n_images: int) -> str:
    """Why a head has no accuracy, and what to do about it.

    Args:
        figures: The surest there are, without an accuracy.
        n_images: Labelled ones.
    """
    if n_images < MIN_IMAGES:
        return f"accuracy needs labels on {MIN_IMAGES} images at least, there is 1: label another image"
    if figures is None:
        return "no image that a person labelled and the model did not pick is left to tell it: label one of your choice"
    return f"accuracy {figures.unknown}: label {'more images' if figures.n_images < MIN_IMAGES else 'some more'}"


def _leading(held_out: Figures | None, estimate: Figures | None) -> Method | None:
    has_estimate = estimate is not None and estimate.accuracy is not None
    n_images = None if held_out is None or held_out.accuracy is None else held_out.n_images
    return leading_method(n_images, has_estimate=has_estimate)


def _curve_unknown(n_images: int) -> str:
    if n_images < CURVE_IMAGES:
        return f"a learning curve needs {CURVE_IMAGES} labelled images, there are {n_images}"
    return "a quarter of the labels has no two classes yet: label more images of each class"


def _of_checkpoint(active: Checkpoint, label_sequence: int) -> dict[str, Any]:
    held_out = _figures(active.metrics.get("figures"))
    unknown = None
    if held_out is None or held_out.accuracy is None:
        unknown = _missing_when_saved(active.metrics.get("held_out"))
    return {
        "measured_at": active.created_at,
        "is_current": None if active.label_sequence is None else active.label_sequence == label_sequence,
        "n_labels": active.n_labels,
        "leading": _leading(held_out, None),
        "held_out": held_out,
        "estimate": None,
        "unknown": unknown,
        "curve": None,
        "curve_unknown": "learning curves are those of the live head",
    }


def _missing_when_saved(measured: Mapping[str, Any] | None) -> str:
    """Why a saved head has no accuracy class by class, from the short form of its figures."""
    if measured is None:
        return "it was saved before any held-out image had a label"
    n_samples, n_images = measured.get("n_samples", 0), measured.get("n_images", 0)
    if too_few(n_samples, n_images) is not None:
        needed = f"at least {MIN_SAMPLES} held-out labels on {MIN_IMAGES} images"
        return f"accuracy needs {needed}, it was saved with {n_samples} on {n_images}"
    return "it was saved without figures class by class"


def _nothing(reason: str) -> dict[str, Any]:
    names = ("measured_at", "is_current", "n_labels", "leading", "held_out", "estimate", "curve")
    return dict.fromkeys(names) | {"unknown": reason, "curve_unknown": reason}


def _figures(stored: dict[str, Any] | None) -> Figures | None:
    return None if stored is None else Figures.model_validate(stored)


def _history_point(row: Measurement) -> HistoryPoint:
    accuracy = None
    if row.value is not None and row.low is not None and row.high is not None:
        accuracy = Interval(value=row.value, low=row.low, high=row.high)
    return HistoryPoint.model_validate(
        {"at": row.created_at, "n_labels": row.n_labels, "n_images": row.n_images, "method": row.method}
        | {"accuracy": accuracy}
    )


def _agreement(rows: Sequence[AgreementRow]) -> Agreement | None:
    if not rows:
        return None
    over_time = []
    agreed = 0
    for index, row in enumerate(rows):
        agreed += row.agreed
        if index >= WINDOW:
            agreed -= rows[index - WINDOW].agreed
        count = min(index + 1, WINDOW)
        over_time.append((row.at, count, agreed / count))
    step = -(-len(over_time) // POINTS_SHOWN)
    counts = Counter(row.class_id for row in rows)
    confirmed = Counter(row.class_id for row in rows if row.agreed)
    unprompted = [row for row in rows if row.unprompted][-UNPROMPTED_READ:]
    return Agreement(
        count=len(rows),
        share=over_time[-1][2],
        over_time=[AgreementPoint(at=at, count=n, share=share) for at, n, share in over_time[::-step][::-1]],
        unprompted=_interval(unprompted) if len(unprompted) >= UNPROMPTED_NEEDED else None,
        unprompted_count=len(unprompted),
        by_class=[
            ClassAgreement(class_id=class_id, count=counts[class_id], agreed=confirmed[class_id])
            for class_id in sorted(counts)
        ],
    )


def _interval(rows: Sequence[AgreementRow]) -> Interval:
    share = clustered_share(np.array([row.agreed for row in rows]), np.array([row.image_id for row in rows]))
    return Interval.model_validate(share.to_json())
