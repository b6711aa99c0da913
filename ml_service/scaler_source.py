"""Channel statistics of unlabelled images, gathered a few images at a time so that no click waits for them."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from db.queries.training_data import ImageRef, count_ready, sample_ready
from ml_service.feature_reader import FeatureReader
from ml_service.heads.scaler import FeatureScaler
from ml_service.task_factory import TaskParts
from models.errors import FeatureMismatchError

logger = logging.getLogger(__name__)
STEPS_AT_FIRST = 4
"""Steps that the very first click waits for, if it comes before the first pass is over."""


class RunningMoments:
    """Mean and deviation of vectors that come in portions (Chan, Golub and LeVeque 1979), in double precision."""

    def __init__(self, dim: int) -> None:
        self.count = 0
        self.mean = np.zeros(dim)
        self._squares = np.zeros(dim)

    @property
    def deviation(self) -> npt.NDArray[np.float64]:
        """(D,)"""
        return np.sqrt(self._squares / max(1, self.count))

    def add(self, sample: npt.NDArray[np.floating]) -> None:
        """Take note of vectors (M, D)."""
        if len(sample) == 0:
            return
        values = sample.astype(np.float64)
        mean = values.mean(axis=0)
        total = self.count + len(values)
        shift = mean - self.mean
        self._squares += np.square(values - mean).sum(axis=0) + shift**2 * (self.count * len(values) / total)
        self.mean += shift * (len(values) / total)
        self.count = total


@dataclass
class _Gathering:
    """A pass over the sample of images that is not finished yet."""

    n_ready: int
    left: list[ImageRef]
    moments: RunningMoments


class ScalerSource:
    """The scaler that live heads and runs share: due at first, and again when twice as many images are ready.

    While a new one is gathered the old one stays in force, so that until then equal labels give equal heads.
    """

    def __init__(self, parts: TaskParts, reader: FeatureReader) -> None:
        self._parts = parts
        self._reader = reader
        self._gathering: _Gathering | None = None
        self.fitted_on = 0
        """Images that were ready when the scaler in force was due; 0 for one of a few images."""
        self.scaler: FeatureScaler | None = None
        """None while no image is ready."""

    @property
    def is_gathering(self) -> bool:
        """Whether `step` has something to do."""
        return self._gathering is not None

    def begin_if_due(self, db_session: Session) -> None:
        """Choose the images of a new scaler, if one is due and none is being gathered."""
        n_ready = count_ready(db_session)
        if self._gathering is None and n_ready > 0 and n_ready >= 2 * self.fitted_on:
            images = sample_ready(db_session, self._parts.scaler_images)
            self._gathering = _Gathering(n_ready, images, RunningMoments(self._parts.dim))

    def step(self) -> None:
        """Read a few images; with the last of them the new scaler comes into force."""
        gathering = self._gathering
        if gathering is None:
            return
        for image in gathering.left[: self._parts.scaler_images_per_step]:
            try:
                gathering.moments.add(self._parts.read_scaler_sample(self._reader, image))
            except FeatureMismatchError as error:
                # It is recorded where the image is predicted; the others are sample enough.
                logger.warning("left out of the channel statistics: %s", error)
            # One by one: after an error that passes, none is read twice.
            gathering.left.remove(image)
        if not gathering.left:
            self._gathering = None
            if gathering.moments.count > 0:
                self.scaler = self._fit(gathering.moments)
                self.fitted_on = gathering.n_ready

    def take(self, scaler: FeatureScaler, fitted_on: int) -> None:
        """Have in force what another service has gathered, or this one before it was started anew."""
        self.scaler, self.fitted_on = scaler, fitted_on
        if self._gathering is not None and self._gathering.n_ready < 2 * fitted_on:
            self._gathering = None

    def complete(self) -> None:
        """Gather to the end at once: before anybody waits for an answer."""
        while self._gathering is not None:
            self.step()

    def require(self, db_session: Session) -> None:
        """Have a scaler, if any image is ready, for a click that cannot wait: of a few images, until the pass ends."""
        if self.scaler is not None:
            return
        self.begin_if_due(db_session)
        for _ in range(STEPS_AT_FIRST):
            self.step()
        if self.scaler is None and self._gathering is not None and self._gathering.moments.count > 0:
            self.scaler = self._fit(self._gathering.moments)

    def _fit(self, moments: RunningMoments) -> FeatureScaler:
        return FeatureScaler.from_statistics(moments.mean, moments.deviation, self._parts.groups)
