"""All labels with their features in memory, read again only for images whose annotation changed."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from db.queries.session_info import get_session_info
from db.queries.training_data import LabelledImage, annotated_images, any_ready, present_class_ids
from db.tasks import Task
from ml_service.data_loaders.base import ImageSamples, ReadInputs
from ml_service.feature_reader import FeatureReader
from models.errors import FeatureMismatchError


class TrainingSet:
    """What people said, by image. `sync` brings it up to date."""

    def __init__(self, task: Task, reader: FeatureReader, read_inputs: ReadInputs) -> None:
        self._task = task
        self._reader = reader
        self._read_inputs = read_inputs
        self._samples: dict[int, ImageSamples] = {}
        self._waiting: set[int] = set()
        self.sequence = 0
        """`SessionInfo.label_sequence` up to which annotations were read."""
        self.class_ids: tuple[int, ...] = ()
        """Classes that were not removed."""
        self.broken: dict[int, str] = {}
        """Images whose features cannot be read, with the reason; to be recorded, then cleared, by the caller."""

    @property
    def images(self) -> list[ImageSamples]:
        """Images that teach something, by id, whatever the order in which they were labelled."""
        return [self._samples[image_id] for image_id in sorted(self._samples) if self._samples[image_id].image.targets]

    @property
    def revisions(self) -> dict[int, int]:
        """By image id, the annotation revision that was read; images that wait for their features are absent."""
        return {image_id: samples.image.revision for image_id, samples in self._samples.items()}

    def sync(self, db_session: Session) -> None:
        """Read what changed since the last time, and images that waited for their features."""
        # The number is read first: what is annotated in between is read now, and once more next time.
        sequence = get_session_info(db_session).label_sequence
        for image in annotated_images(db_session, self._task, after_sequence=self.sequence, also=self._waiting):
            self._take(image)
        self.class_ids = tuple(present_class_ids(db_session))
        self.sequence = sequence

    def has_arrivals(self, db_session: Session) -> bool:
        """Whether an image that was labelled before its features were computed can be learned from now."""
        return any_ready(db_session, self._waiting)

    def _take(self, image: LabelledImage) -> None:
        if not image.features_ready:
            self._samples.pop(image.id, None)
            self._waiting.discard(image.id)
            if image.targets:
                self._waiting.add(image.id)
            return
        # Points written again by an undo have new ids; their place and class are what must not change the result.
        targets = sorted(image.targets, key=lambda target: (target.x, target.y, target.class_id, target.origin))
        image = replace(image, targets=tuple(targets))
        try:
            samples = ImageSamples(image, self._read_inputs(self._reader, image))
        except FeatureMismatchError as error:
            self.broken[image.id] = str(error)
            self._samples.pop(image.id, None)
            self._waiting.add(image.id)
            return
        # Only now: what fails for the moment (too many open files) leaves the image to be read again.
        self._samples[image.id] = samples
        self._waiting.discard(image.id)
