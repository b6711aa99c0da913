"""What a task must say of itself so that routes, services and exports need not know it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from backend.schemas.annotations import AcceptPrediction, AnnotationPut
from backend.schemas.export import ExportFormat
from backend.schemas.predictions import PredictionOut
from db.enums import Origin
from db.queries.annotations import NewPoint
from db.queries.class_tree import ClassTree
from db.queries.regions import NewRegion, RegionEdit
from db.queries.session_info import TrainingSettings
from db.tables.images import Image
from db.tables.learning import Prediction
from db.tasks import Task

LabelMap = tuple[npt.NDArray[np.unsignedinteger[Any]], list[int]]
"""Indices (H, W) into a list of class ids."""


@dataclass(frozen=True)
class PredictedImage:
    """An image with its newest prediction and its annotation, all of one moment."""

    image: Image
    prediction: Prediction
    annotation: dict[str, Any]
    """As `db.queries.annotations.current_state` gives it."""
    class_ids: Collection[int]
    """Classes that can be assigned."""
    class_groups: Mapping[int, str]
    """Group by class id, of the classes that exclude others."""
    class_tree: ClassTree
    training: TrainingSettings
    session_dir: Path
    wanted: AcceptPrediction = field(default_factory=AcceptPrediction)
    """What of the prediction is to be accepted."""
    accepted_one_by_one: frozenset[int] = frozenset()
    """Ids of regions that stay when the whole is accepted anew."""
    read_label_map: Callable[[], LabelMap] | None = None
    """The most probable class of each pixel, where the task has maps; takes a while."""


@dataclass(frozen=True)
class Proposal:
    """An annotation made of a prediction: points or regions, a class of the whole image, or several."""

    points: tuple[NewPoint, ...] = ()
    regions: RegionEdit | None = None
    class_id: int | None = None
    class_ids: tuple[int, ...] | None = None


class TaskHandler(Protocol):
    """One task."""

    @property
    def task(self) -> Task:
        """The task that it handles."""
        ...

    @property
    def has_maps(self) -> bool:
        """Whether its predictions are maps that lie in files."""
        ...

    @property
    def export_formats(self) -> frozenset[ExportFormat]:
        """Formats that make sense for the task."""
        ...

    def write(
        self, db_session: Session, image: Image, body: AnnotationPut, regions: Sequence[NewRegion] = ()
    ) -> dict[str, Any]:
        """Validate a payload and store it; returns the new state.

        Args:
            regions: Those of the payload, their shapes checked before the transaction: that takes a while.

        Raises:
            InvalidInputError: the payload is one of another task, or wrong in itself; nothing is changed.
            ConflictError: the image is at another revision.
        """
        ...

    def encode_prediction(
        self, prediction: Prediction, *, stale: bool, class_ids: Collection[int], map_url: str
    ) -> PredictionOut:
        """A prediction as it goes over the wire, without classes that were removed since."""
        ...

    def extract(self, source: PredictedImage) -> Proposal:
        """An annotation that adds what the head is sure of to what people said.

        Raises:
            InvalidInputError: the task has no such thing.
            ConflictError: the prediction is no base for it.
            FileNotFoundError: a newer prediction has replaced this one meanwhile.
        """
        ...

    def accept(self, source: PredictedImage) -> Proposal:
        """The annotation that says what the prediction says; raises as `extract`."""
        ...

    def write_proposal(
        self, db_session: Session, image: Image, proposal: Proposal, *, expected_revision: int, origin: Origin
    ) -> dict[str, Any]:
        """Store a proposal; returns the new state."""
        ...
