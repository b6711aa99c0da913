"""What a measurement of the live head is of: equal where measuring again would say the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator, Sequence
from typing import Any

from db.queries.training_data import LabelledImage
from ml_service.adapter_past import AdapterPast
from ml_service.context import Context
from ml_service.data_loaders.base import ImageSamples
from ml_service.heads.scaler import FeatureScaler

DIGESTS_PER_STEP = 200


class QualitySubject:
    """Hashes labels and the way to learn from them; images that did not change are not hashed again."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._digests: dict[int, tuple[ImageSamples, str]] = {}

    def content_hash(
        self,
        scaler: FeatureScaler,
        images: Sequence[ImageSamples],
        present: Sequence[int],
        extracted_weight: float,
        past: AdapterPast,
    ) -> Generator[bool, None, str]:
        """Yields now and then; returns the hash.

        Args:
            present: class ids that were not removed.
        """
        known, self._digests = self._digests, {}
        for position, samples in enumerate(images):
            found = known.get(samples.image.id)
            # The samples of an image are made anew when its annotation changes, and only then.
            digest = found[1] if found is not None and found[0] is samples else _digest(samples.image)
            self._digests[samples.image.id] = (samples, digest)
            if position % DIGESTS_PER_STEP == DIGESTS_PER_STEP - 1:
                yield True
        parts = self._context.parts
        subject = {
            "images": [self._digests[samples.image.id][1] for samples in images],
            "classes": list(present),
            "groups": parts.group_of(present).tolist(),
            "extracted_weight": extracted_weight,
            "head": repr(parts.live_config),
            "scaler": _scaler_digest(scaler),
            "extractor": self._context.extractor.to_json(),
            "adapter": past.describe(samples.image for samples in images),
        }
        return hashlib.sha256(json.dumps(subject).encode()).hexdigest()


def _digest(image: LabelledImage) -> str:
    targets = [
        [target.class_id, target.origin, target.x, target.y, *([target.weight] if target.is_cell else [])]
        for target in image.targets
    ]
    content: list[Any] = [image.id, image.content_hash, image.split, image.picked_by_model, image.answered, targets]
    if image.unasked:
        content.append(sorted(image.unasked))
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _scaler_digest(scaler: FeatureScaler) -> str:
    digest = hashlib.sha256()
    state = scaler.state()
    for name in sorted(state):
        digest.update(f"{name} {state[name].dtype} {state[name].shape}".encode())
        digest.update(state[name].tobytes())
    return digest.hexdigest()
