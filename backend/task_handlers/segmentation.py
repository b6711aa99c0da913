"""Points and regions in images."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from backend.schemas.annotations import AcceptedForm, AnnotationPut
from backend.schemas.export import ExportFormat
from backend.schemas.predictions import PredictionMap, PredictionOut
from backend.task_handlers.accepted_regions import accepted_regions, require_two_classes
from backend.task_handlers.base import PredictedImage, Proposal
from db.enums import Origin
from db.errors import ConflictError, InvalidInputError
from db.queries.annotations import NewPoint, replace_points
from db.queries.regions import NewRegion, edit_regions, replace_regions
from db.tables.images import Image
from db.tables.learning import Prediction
from db.tasks import Task
from ml_service.sampling.point_extraction import ExtractionSettings, extract_points
from models.geometry import fit_within, scale_between
from models.prediction_store import read_map, upsampled_probabilities
from models.region_shapes import paint, shape_of

EXTRACTION_SIDE = 1024
"""Points are drawn on the map at no more than this side, pixels: far finer than the cells of any feature grid."""
REPLACED_ON_EXTRACTION = frozenset({Origin.EXTRACTED})
REPLACED_ON_ACCEPTANCE = frozenset({Origin.EXTRACTED, Origin.ACCEPTED})


class SegmentationHandler:
    """Payload: {"points"}, {"regions"} or both. Prediction: a map per class."""

    task = Task.SEGMENTATION
    has_maps = True
    export_formats = frozenset(ExportFormat)

    def write(
        self, db_session: Session, image: Image, body: AnnotationPut, regions: Sequence[NewRegion] = ()
    ) -> dict[str, Any]:
        """See TaskHandler."""
        if body.points is None and body.regions is None:
            raise InvalidInputError(
                'this is a segmentation session: send {"points": [{"x", "y", "class_id"}]} or regions, found '
                + ("class_id" if body.class_id is not None else "class_ids")
            )
        given = body.points
        points = None if given is None else [NewPoint(p.x, p.y, p.class_id, p.id) for p in given]
        if body.regions is not None:
            return replace_regions(db_session, image, regions, points=points, expected_revision=body.revision)
        return replace_points(db_session, image, points or [], expected_revision=body.revision)

    def encode_prediction(
        self, prediction: Prediction, *, stale: bool, class_ids: Collection[int], map_url: str
    ) -> PredictionOut:
        """See TaskHandler."""
        present = [class_id for class_id in prediction.class_ids if class_id in class_ids]
        return PredictionOut(
            version=prediction.version,
            checkpoint_id=prediction.checkpoint_id,
            annotation_revision=prediction.annotation_revision,
            stale=stale,
            created_at=prediction.created_at,
            map=PredictionMap(
                url=map_url,
                width=prediction.map_width or 0,
                height=prediction.map_height or 0,
                class_ids=present,
            ),
        )

    def extract(self, source: PredictedImage) -> Proposal:
        """See TaskHandler."""
        return _sample(source, REPLACED_ON_EXTRACTION)

    def accept(self, source: PredictedImage) -> Proposal:
        """See TaskHandler.

        Raises:
            ConflictError: no room for a point is left, or the predicted classes were all removed.
            InvalidInputError: a place outside of the image.
        """
        if source.wanted.into is AcceptedForm.MASKS:
            return Proposal(regions=accepted_regions(source))
        proposal = _sample(source, REPLACED_ON_ACCEPTANCE, whole=True)
        if all(point.id is not None for point in proposal.points):
            raise ConflictError(
                f"nothing to accept: the prediction of image {source.image.id} adds no point to those that are set"
            )
        return proposal

    def write_proposal(
        self, db_session: Session, image: Image, proposal: Proposal, *, expected_revision: int, origin: Origin
    ) -> dict[str, Any]:
        """See TaskHandler."""
        if proposal.regions is not None:
            return edit_regions(db_session, image, proposal.regions, expected_revision=expected_revision)
        return replace_points(db_session, image, proposal.points, expected_revision=expected_revision, origin=origin)


def _sample(source: PredictedImage, replaced: frozenset[Origin], *, whole: bool = False) -> Proposal:
    """Points of the prediction beside those that stay.

    Args:
        whole: From the whole region of each class, as the mask shows it; otherwise only where the head is sure.
    """
    image, prediction, training = source.image, source.prediction, source.training
    require_two_classes(source)
    assert prediction.map_path is not None
    assert image.width is not None
    assert image.height is not None
    stay = [point for point in source.annotation["points"] if point["origin"] not in replaced]
    map_size = fit_within(image.width, image.height, EXTRACTION_SIDE)
    to_map = scale_between((image.width, image.height), map_size)
    logits = read_map(source.session_dir, prediction.map_path)
    probabilities = upsampled_probabilities(logits, *map_size)
    if whole:
        probabilities = np.where(probabilities == probabilities.max(axis=0), probabilities, np.float32(0))
    extracted = extract_points(
        probabilities,
        ExtractionSettings(
            max_points=training.max_points,
            confidence_threshold=1.0 if whole else training.confidence_threshold,
            min_distance=training.min_distance * float(to_map.max()) if whole else _spacing(source, to_map),
            # Drawn towards its borders, a whole region would be told by the pixels that are least certain.
            gradient_weight=0.0 if whole else training.gradient_weight,
        ),
        occupied=np.array([(point["x"], point["y"]) for point in stay]).reshape(-1, 2) * to_map,
        covered=None if whole else _painted(source, map_size, to_map),
        seed=image.id,
    )
    new = (
        NewPoint(float(point.x / to_map[0]), float(point.y / to_map[1]), prediction.class_ids[point.class_index])
        for point in extracted
        if prediction.class_ids[point.class_index] in source.class_ids
    )
    kept = (NewPoint(point["x"], point["y"], point["class_id"], point["id"]) for point in stay)
    return Proposal(points=(*kept, *new))


def _spacing(source: PredictedImage, to_map: npt.NDArray[np.float64]) -> float:
    """Between extracted points, pixels of the map: two points in one feature cell would say one thing twice."""
    image, prediction = source.image, source.prediction
    assert image.width is not None
    assert image.height is not None
    cell = max(
        image.width / (prediction.map_width or 1) * to_map[0], image.height / (prediction.map_height or 1) * to_map[1]
    )
    return max(source.training.min_distance * float(to_map.max()), float(cell))


def _painted(
    source: PredictedImage, map_size: tuple[int, int], to_map: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_] | None:
    """Where regions say the class already, (H, W) of the map."""
    regions = source.annotation["regions"]
    if not regions:
        return None
    width, height = map_size
    labels = np.zeros((height, width), dtype=np.uint16)
    for region in regions:
        shape = shape_of(region["kind"], region["geometry"])
        paint(
            labels,
            shape.cover(width, height, (float(to_map[0]), float(to_map[1]))),
            int(region["class_id"] is not None),
        )
    return labels > 0
