"""All labels with their features in memory, read again only for images whose annotation changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import replace

from sqlalchemy.orm import Session

from db.queries.class_groups import UnaskedClasses, class_groups, unasked_classes
from db.queries.session_info import get_session_info
from db.queries.training_data import LabelledImage, annotated_images, any_ready, present_class_ids
from db.tasks import Annotates, Task
from ml_service.data_loaders.base import FloatArray, ImageSamples, ReadInputs
from ml_service.data_loaders.region_cells import RegionCells
from ml_service.feature_reader import FeatureReader
from models.errors import FeatureMismatchError

FEW_WAITING = 100
"""Images without features yet that every look at the labels asks for."""


class TrainingSet:
    """What people said, by image. `sync` brings it up to date."""

    def __init__(
        self,
        task: Task,
        reader: FeatureReader,
        read_inputs: ReadInputs,
        group_by_class: dict[int, str] | None = None,
    ) -> None:
        """`group_by_class` is kept in step with the classes that exclude each other: see `TaskParts`."""
        self._group_by_class = {} if group_by_class is None else group_by_class
        self._task = task
        self._reader = reader
        self._read_inputs = read_inputs
        self._cells = RegionCells(reader.extractor)
        self._samples: dict[int, ImageSamples] = {}
        self._revisions: dict[int, int] = {}
        self._changes: OrderedDict[int, int] = OrderedDict()
        self._n_changes = 0
        self._unasked: UnaskedClasses | None = None
        self._waiting: set[int] = set()
        self._has_arrivals = False
        self.sequence = 0
        """`SessionInfo.label_sequence` up to which annotations were read."""
        self.class_ids: tuple[int, ...] = ()
        """Classes that were not removed."""
        self.broken: dict[int, str] = {}
        """Images whose features cannot be read, with the reason; to be recorded, then cleared, by the caller."""

    @property
    def images(self) -> list[ImageSamples]:
        """Images that teach something, by id, whatever the order in which they were labelled."""
        return [self._samples[image_id] for image_id in sorted(self._samples) if self._samples[image_id].image.teaches]

    @property
    def revisions(self) -> dict[int, int]:
        """By image id, the annotation revision that was read; images that wait for their features are absent."""
        return dict(self._revisions)

    @property
    def n_changes(self) -> int:
        """Number of changes of single images so far."""
        return self._n_changes

    def changed_after(self, n_changes: int) -> Iterator[tuple[int, ImageSamples | None]]:
        """(id, samples or None where nothing can be learned from it any more) of each image that changed since then."""
        for image_id in reversed(self._changes):
            if self._changes[image_id] <= n_changes:
                return
            yield image_id, self._samples.get(image_id)

    def sync(self, db_session: Session) -> None:
        """Read what changed since the last time, and images that waited for their features."""
        # The number is read first: what is annotated in between is read now, and once more next time.
        sequence = get_session_info(db_session).label_sequence
        # A click must not wait until a thousand images are asked for their features: the ticks do so.
        also = self._waiting if self._has_arrivals or len(self._waiting) <= FEW_WAITING else set()
        self._has_arrivals = False
        for image in annotated_images(db_session, self._task, after_sequence=self.sequence, also=also):
            self._take(self._cells.expand(db_session, image) if image.regions else image)
        self.class_ids = tuple(present_class_ids(db_session))
        if self._task.annotates is Annotates.CLASSES:
            self._group_by_class.clear()
            self._group_by_class.update(class_groups(db_session))
            self._follow_classes(unasked_classes(db_session))
        self.sequence = sequence

    def _follow_classes(self, unasked: UnaskedClasses) -> None:
        """What an answer was not about changes with the classes, and not with the image."""
        if unasked == self._unasked:
            return
        self._unasked = unasked
        for image_id, samples in self._samples.items():
            held = {target.class_id for target in samples.image.targets}
            unknown = unasked.of(samples.image.answered_at, held)
            if unknown != samples.image.unasked:
                self._samples[image_id] = replace(samples, image=replace(samples.image, unasked=unknown))
                self._note_change(image_id)

    def has_arrivals(self, db_session: Session) -> bool:
        """Whether an image that was labelled before its features were computed can be learned from now."""
        self._has_arrivals = any_ready(db_session, self._waiting)
        return self._has_arrivals

    def _take(self, image: LabelledImage) -> None:
        if not image.features_ready:
            self._drop(image.id)
            self._waiting.discard(image.id)
            if image.teaches:
                self._waiting.add(image.id)
            return
        # Points written again by an undo have new ids; their place and class are what must not change the result.
        targets = sorted(image.targets, key=lambda t: (t.x, t.y, t.class_id, t.origin, t.weight, t.is_cell))
        image = replace(image, targets=tuple(targets))
        try:
            samples = ImageSamples(image, self._read(image))
        except FeatureMismatchError as error:
            self.broken[image.id] = str(error)
            self._drop(image.id)
            self._waiting.add(image.id)
            return
        # Only now: what fails for the moment (too many open files) leaves the image to be read again.
        self._samples[image.id] = samples
        self._revisions[image.id] = image.revision
        self._waiting.discard(image.id)
        self._note_change(image.id)

    def _read(self, image: LabelledImage) -> FloatArray:
        """Inputs of an image's targets; those at places that were read before are not read again."""
        before = self._samples.get(image.id)
        if before is None or before.image.content_hash != image.content_hash or not len(before.inputs):
            return self._read_inputs(self._reader, image)
        if image.answered:
            return before.inputs
        row_of = {(target.x, target.y): row for row, target in enumerate(before.image.targets)}
        rows = [row_of.get((target.x, target.y)) for target in image.targets]
        new = [position for position, row in enumerate(rows) if row is None]
        inputs = before.inputs[[row or 0 for row in rows]]
        if new:
            targets = tuple(image.targets[position] for position in new)
            inputs[new] = self._read_inputs(self._reader, replace(image, targets=targets))
        return inputs

    def _drop(self, image_id: int) -> None:
        if self._samples.pop(image_id, None) is not None:
            del self._revisions[image_id]
            self._note_change(image_id)

    def _note_change(self, image_id: int) -> None:
        self._n_changes += 1
        self._changes[image_id] = self._n_changes
        self._changes.move_to_end(image_id)
