"""Features of image files without a database: files in, files in the store and facts out.

The loop of init and of the extraction service, and the tasks of a cluster all do their work through this module.
`prepare` reads and decodes (threads do it well), `finish` runs the network; `compute_image` is both for one image.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from initialization.inspection import FileFacts, inspect_file
from models.base import FeatureExtractor, Features
from models.errors import ImageReadError
from models.feature_store import FeatureStore
from models.images import read_image
from models.preprocessing import preprocessing_of

EXTRACTOR_ERRORS = (RuntimeError, ValueError, TypeError, ArithmeticError, LookupError, cv2.error)
"""What a network raises on a picture that it cannot take; out of memory on an accelerator is a RuntimeError too."""


@dataclass(frozen=True)
class Tiers:
    """Which features: the expensive tier, the cheap one, or both."""

    patches: bool
    pooled: bool

    def __bool__(self) -> bool:
        return self.patches or self.pooled


@dataclass(frozen=True)
class Computed:
    """What became of one image; without a failure, the features that were asked for are stored."""

    facts: FileFacts

    @property
    def failure(self) -> str | None:
        """Why there are none."""
        return self.facts.failure


@dataclass(frozen=True)
class Prepared:
    """An image whose file was read; `pixels` is None where nothing is left to compute."""

    name: str
    facts: FileFacts
    missing: Tiers
    pixels: npt.NDArray[np.uint8] | None


def compute_image(
    path: Path,
    store: FeatureStore,
    extractor: FeatureExtractor,
    wanted: Tiers,
    *,
    known: FileFacts | None = None,
    anew: bool = False,
) -> Computed:
    """Make and store the features of one image file that the store does not hold yet.

    What is at fault with the image becomes `Computed.failure`; a full disk and the like are raised.

    Args:
        known: What was found when the image was registered: spares a second reading while the file is unchanged.
        anew: Whatever the store holds of this image is not trusted: read the file and compute all of it again.

    Raises:
        OSError: the store cannot be written.
    """
    return finish([prepare(path, store, wanted, known=known, anew=anew)], store, extractor)[0]


def prepare(
    path: Path, store: FeatureStore, wanted: Tiers, *, known: FileFacts | None = None, anew: bool = False
) -> Prepared:
    """Read and decode what `finish` will need; arguments as in `compute_image`."""
    nothing = Tiers(patches=False, pooled=False)
    preprocessing = preprocessing_of(store.info.options)
    facts = known if known is not None and not anew and known.fits(path) else inspect_file(path, preprocessing)
    if facts.failure is not None or facts.content_hash is None:
        return Prepared(path.name, facts, nothing, None)
    missing = wanted if anew else _missing(store, facts.content_hash, wanted)
    if not missing:  # made for an equal file, or before a kill
        return Prepared(path.name, facts, nothing, None)
    try:
        pixels = read_image(path, preprocessing=preprocessing)
    except ImageReadError as error:
        return Prepared(path.name, _unreadable(facts, str(error)), nothing, None)
    except MemoryError:
        return Prepared(path.name, _unreadable(facts, _too_big(path.name)), nothing, None)
    return Prepared(path.name, replace(facts, width=pixels.shape[1], height=pixels.shape[0]), missing, pixels)


def finish(images: Sequence[Prepared], store: FeatureStore, extractor: FeatureExtractor) -> list[Computed]:
    """Run the network on what was prepared and store the results; one answer for each, in order.

    Neighbours with the same missing features go to the extractor together.

    Raises:
        OSError: the store cannot be written.
    """
    done: list[Computed] = []
    for batch in _batches(images, max(1, extractor.batch_size)):
        if batch[0].pixels is None:
            done += [Computed(image.facts) for image in batch]
        else:
            done += _finish_batch(batch, store, extractor)
    return done


def _missing(store: FeatureStore, content_hash: str, wanted: Tiers) -> Tiers:
    return Tiers(
        patches=wanted.patches and not store.has(content_hash, patches=True, pooled=False),
        pooled=wanted.pooled and not store.has(content_hash, patches=False, pooled=True),
    )


def _batches(images: Sequence[Prepared], size: int) -> Iterator[list[Prepared]]:
    # Sizes may differ: what has to be of one size, the extractor sorts out itself.
    def kind(image: Prepared) -> tuple[object, ...]:
        return image.missing, image.pixels is None

    for _, group in groupby(images, kind):
        alike = list(group)
        yield from (alike[start : start + size] for start in range(0, len(alike), size))


def _finish_batch(batch: Sequence[Prepared], store: FeatureStore, extractor: FeatureExtractor) -> list[Computed]:
    missing = batch[0].missing
    pixels = [image.pixels for image in batch if image.pixels is not None]
    try:
        features = extractor.extract(pixels, patches=missing.patches, pooled=missing.pooled)
    except (MemoryError, *EXTRACTOR_ERRORS) as error:
        if len(batch) > 1:  # one of them is at fault, or all together need too much memory
            return [done for image in batch for done in _finish_batch([image], store, extractor)]
        return [Computed(_failed(batch[0].facts, _why(batch[0].name, store.info.name, error)))]
    return [_store(image, found, store) for image, found in zip(batch, features, strict=True)]


def _store(image: Prepared, features: Features, store: FeatureStore) -> Computed:
    assert image.facts.content_hash is not None
    try:
        store.write(image.facts.content_hash, features)
    except ValueError:
        return Computed(_failed(image.facts, f"{image.name}: {store.info.name} gave values that are not finite"))
    return Computed(image.facts)


def _why(name: str, extractor: str, error: Exception) -> str:
    if isinstance(error, MemoryError):
        return _too_big(name)
    return f"{name}: {extractor} failed: {' '.join(str(error).split()) or type(error).__name__}"


def _failed(facts: FileFacts, reason: str) -> FileFacts:
    return replace(facts, failure=reason)


def _unreadable(facts: FileFacts, reason: str) -> FileFacts:
    return replace(facts, width=None, height=None, failure=reason)


def _too_big(name: str) -> str:
    return f"{name} needs more memory than there is: make it smaller, or cut it into tiles"
