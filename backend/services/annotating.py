"""Annotations of one image: each call is one transaction, durable before it returns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from backend.context import AppContext
from backend.schemas.annotations import AcceptPrediction, AnnotationPut, AnnotationStateOut, ExtractPoints
from backend.schemas.regions import GeometryScope, RegionsEdit
from backend.services.agreement import note_agreement
from backend.services.feature_requests import note_expected
from backend.services.prediction_maps import read_label_map
from backend.services.predictions import no_prediction, request_lost_map
from backend.services.region_edits import checked_edit, known_shapes, new_regions, shape_ids
from backend.task_handlers.base import PredictedImage, Proposal
from db.enums import Origin
from db.errors import ConflictError
from db.queries import annotations as annotation_queries
from db.queries.accepted_wholes import accepted_one_by_one
from db.queries.feature_requests import OPEN, is_behind, request_features
from db.queries.images import get_image
from db.queries.regions import NewRegion, RegionEdit, with_geometry
from db.queries.regions import edit_regions as store_edit
from db.tables.images import Image
from db.tables.learning import Prediction

ATTEMPTS = 5
"""A map may be replaced by a newer one between looking it up and reading it; so often in a row it is not."""


def get_state(context: AppContext, image_id: int) -> AnnotationStateOut:
    """What stands."""
    with context.database.read() as db_session:
        image = get_image(db_session, image_id)
        state = _schema(with_geometry(db_session, annotation_queries.current_state(db_session, image)))
    note_expected(context, image)
    return state


def replace(context: AppContext, image_id: int, body: AnnotationPut, geometry: GeometryScope) -> AnnotationStateOut:
    """Replace the whole annotation."""
    regions: list[NewRegion] = []
    if body.regions:
        with context.database.read() as db_session:
            seen = get_image(db_session, image_id)
        regions = new_regions(seen, body.regions)

    def change(db_session: Session, image: Image) -> dict[str, Any]:
        note_agreement(db_session, context.config.session_dir, image, body)
        return context.handler.write(db_session, image, body, regions)

    return _write(context, image_id, change, geometry)


def clear(context: AppContext, image_id: int, revision: int | None) -> AnnotationStateOut:
    """Remove all."""
    return _write(context, image_id, partial(annotation_queries.clear, expected_revision=revision))


def skip(context: AppContext, image_id: int, revision: int | None) -> AnnotationStateOut:
    """Set aside."""
    return _write(context, image_id, partial(annotation_queries.skip, expected_revision=revision))


def set_undetermined(context: AppContext, image_id: int, revision: int | None) -> AnnotationStateOut:
    """Say that nobody can tell."""
    return _write(context, image_id, partial(annotation_queries.set_undetermined, expected_revision=revision))


def undo(context: AppContext, image_id: int, revision: int | None, geometry: GeometryScope) -> AnnotationStateOut:
    """One step back."""
    return _write(context, image_id, partial(annotation_queries.undo, expected_revision=revision), geometry)


def redo(context: AppContext, image_id: int, revision: int | None, geometry: GeometryScope) -> AnnotationStateOut:
    """One step forward."""
    return _write(context, image_id, partial(annotation_queries.redo, expected_revision=revision), geometry)


def edit_regions(context: AppContext, image_id: int, body: RegionsEdit, geometry: GeometryScope) -> AnnotationStateOut:
    """Add, change and remove some regions.

    Shapes are looked at outside of the transaction, which others wait for: what they were in is looked at again.
    """
    for _attempt in range(ATTEMPTS):
        with context.database.read() as db_session:
            seen = get_image(db_session, image_id)
            known = known_shapes(db_session, seen, body.change)
        edit = checked_edit(seen, body, known)
        try:
            return _write(context, image_id, partial(_edit_unchanged, edit=edit, seen=seen, body=body), geometry)
        except _ChangedMeanwhileError:
            continue
    raise ConflictError(f"image {image_id} keeps being changed by somebody else: send the change again")


class _ChangedMeanwhileError(Exception):
    """The regions that a change starts from are not those that it was computed from."""


def _edit_unchanged(
    db_session: Session, image: Image, edit: RegionEdit, seen: Image, body: RegionsEdit
) -> dict[str, Any]:
    if body.change and image.revision != seen.revision:
        raise _ChangedMeanwhileError
    return store_edit(db_session, image, edit, expected_revision=body.revision)


def extract_points(context: AppContext, image_id: int, body: ExtractPoints) -> AnnotationStateOut:
    """Add points of the prediction; those extracted earlier go."""
    return _propose(context, image_id, context.handler.extract, Origin.EXTRACTED, revision=body.revision)


def accept_prediction(context: AppContext, image_id: int, body: AcceptPrediction) -> AnnotationStateOut:
    """Make the prediction the annotation.

    Raises:
        ConflictError: the person saw another version of the prediction than there is now.
    """
    return _propose(context, image_id, context.handler.accept, Origin.ACCEPTED, revision=body.revision, accept=body)


def _write(
    context: AppContext,
    image_id: int,
    change: Callable[[Session, Image], dict[str, Any]],
    geometry: GeometryScope = GeometryScope.ALL,
) -> AnnotationStateOut:
    with context.database.write() as db_session:
        image = get_image(db_session, image_id, lock=True)
        if is_behind(image, OPEN):
            # Kept, and learned from once the features are there: they come first now.
            request_features(db_session, image_id)
        known = shape_ids(db_session, image) if geometry is GeometryScope.CHANGED else ()
        try:
            return _schema(with_geometry(db_session, change(db_session, image), known))
        except ConflictError as error:
            if error.current is not None:
                error.current = with_geometry(db_session, error.current)
            raise


def _propose(
    context: AppContext,
    image_id: int,
    make: Callable[[PredictedImage], Proposal],
    origin: Origin,
    *,
    revision: int | None,
    accept: AcceptPrediction | None = None,
) -> AnnotationStateOut:
    """Make an annotation of the prediction outside the transaction, then store it if nothing has changed since."""
    accept = accept or AcceptPrediction()
    version = accept.version
    for attempt in range(ATTEMPTS):
        source = _read_source(context, image_id, accept)
        found = source.prediction.version
        if version is not None and version != found:
            raise ConflictError(
                f"the prediction of image {image_id} is at version {found}, the request accepts {version}: "
                "look at the new one first",
                current=source.annotation,
            )
        try:
            proposal = make(source)
        except FileNotFoundError as error:
            if attempt == ATTEMPTS - 1:
                raise request_lost_map(context, image_id) from error
            continue
        break
    expected = source.annotation["revision"] if revision is None else revision
    return _write(
        context,
        image_id,
        lambda db_session, image: context.handler.write_proposal(
            db_session, image, proposal, expected_revision=expected, origin=origin
        ),
    )


def _read_source(context: AppContext, image_id: int, accept: AcceptPrediction) -> PredictedImage:
    with context.database.read() as db_session:
        image = get_image(db_session, image_id)
        prediction = db_session.get(Prediction, image_id)
        if prediction is None:
            raise no_prediction(image_id)
        annotation = with_geometry(db_session, annotation_queries.current_state(db_session, image))
        one_by_one = accepted_one_by_one(db_session, image_id) if annotation["regions"] else frozenset()
    config = context.config
    return PredictedImage(
        image=image,
        prediction=prediction,
        annotation=annotation,
        class_ids=config.class_ids,
        class_groups=config.class_groups,
        class_tree=config.class_tree,
        training=config.training,
        session_dir=config.session_dir,
        wanted=accept,
        accepted_one_by_one=one_by_one,
        read_label_map=partial(read_label_map, context, image, prediction),
    )


def _schema(state: dict[str, Any]) -> AnnotationStateOut:
    return AnnotationStateOut.model_validate(state)
