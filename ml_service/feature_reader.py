"""Features of the session's images as the ML service needs them, with what was read lately kept in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from db.queries.training_data import ImageRef
from models.base import ExtractorInfo
from models.errors import FeatureMismatchError
from models.feature_store import FeatureStore
from models.geometry import make_grid, sample_bilinear

FloatArray = npt.NDArray[np.float32]


class ByteLimitedCache:
    """Keeps the arrays used last, as many as fit into `limit_bytes`. Use from any thread."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._arrays: OrderedDict[str, FloatArray] = OrderedDict()
        self._lock = Lock()

    def get(self, key: str) -> FloatArray | None:
        """The array, which now counts as used last; None if it is not kept."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
            return self._arrays.get(key)

    def put(self, key: str, array: FloatArray) -> None:
        """Keep an array; those unused for longest give way."""
        with self._lock:
            before = self._arrays.pop(key, None)
            self._bytes += array.nbytes - (0 if before is None else before.nbytes)
            self._arrays[key] = array
            while self._bytes > self._limit_bytes and len(self._arrays) > 1:
                _, dropped = self._arrays.popitem(last=False)
                self._bytes -= dropped.nbytes


class FeatureReader:
    """Reads from the feature store of one session.

    Every method raises `models.errors.FeatureMismatchError` when a file is missing, damaged,
    of another shape, or holds values that are not finite.
    """

    def __init__(self, store: FeatureStore, *, map_cache_bytes: int, pooled_cache_bytes: int) -> None:
        self._store = store
        self._maps = ByteLimitedCache(map_cache_bytes)
        self._pooled = ByteLimitedCache(pooled_cache_bytes)

    @property
    def extractor(self) -> ExtractorInfo:
        """Whose features they are."""
        return self._store.info

    def at_points(
        self,
        content_hash: str,
        size: tuple[int, int],
        xy: npt.ArrayLike,
        offsets: Sequence[tuple[int, int]] = ((0, 0),),
    ) -> FloatArray:
        """Features (N, len(offsets), D) at image points (N, 2), and at `offsets` in cells from them.

        Args:
            size: width and height of the upright image, pixels.
        """
        kept = self._maps.get(content_hash)
        features = self._store.open_patches(content_hash) if kept is None else kept
        grid = make_grid(*size, self._store.info)
        if features.shape[:2] != (grid.height, grid.width):
            raise FeatureMismatchError(
                f"features of {content_hash} have {features.shape[1]} x {features.shape[0]} cells, an image of "
                f"{size[0]} x {size[1]} pixels has {grid.width} x {grid.height}: run init_session.py again with "
                "--append to compute them anew"
            )
        uv = grid.to_grid(np.asarray(xy, dtype=np.float64).reshape(-1, 2))
        around = uv[:, None, :] + np.asarray(offsets, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # what is not finite is told below
            sampled = sample_bilinear(features, around.reshape(-1, 2))
        return _finite(sampled.reshape(len(uv), len(offsets), features.shape[-1]), content_hash)

    def cells(self, content_hash: str, limit: int) -> FloatArray:
        """Features (M, D) of up to `limit` cells, evenly spread over the image."""
        features = self._store.open_patches(content_hash)
        height, width = features.shape[:2]
        count = height * width
        chosen = np.unique(np.linspace(0, count - 1, min(limit, count)).round().astype(np.intp))
        return _finite(features[chosen // width, chosen % width].astype(np.float32), content_hash)

    def feature_map(self, image: ImageRef, *, keep: bool) -> FloatArray:
        """Features (Hp, Wp, D) of a whole image; `keep` those that are likely to be asked for again."""
        kept = self._maps.get(image.content_hash)
        if kept is not None:
            return kept
        features = _finite(self._store.read_patches(image.content_hash).astype(np.float32), image.content_hash)
        if keep:
            self._maps.put(image.content_hash, features)
        return features

    def stored_map(self, image: ImageRef) -> npt.NDArray[np.floating]:
        """Features (Hp, Wp, D) of a whole image as they are stored, float16 or float32, finite or not."""
        kept = self._maps.get(image.content_hash)
        return self._store.read_patches(image.content_hash) if kept is None else kept

    def is_kept(self, image: ImageRef) -> bool:
        """Whether the map of an image is in memory."""
        return self._maps.get(image.content_hash) is not None

    def pooled(self, content_hashes: Sequence[str]) -> FloatArray:
        """Pooled vectors (N, P)."""
        vectors = {content_hash: self._pooled.get(content_hash) for content_hash in content_hashes}
        unread = [content_hash for content_hash, vector in vectors.items() if vector is None]
        for content_hash, vector in zip(unread, self._store.read_pooled_many(unread), strict=True):
            vectors[content_hash] = _finite(vector, content_hash)
            # A copy: the row would keep the vectors of all the others in memory.
            self._pooled.put(content_hash, vector.copy())
        return np.stack([vector for content_hash in content_hashes if (vector := vectors[content_hash]) is not None])


def _finite(features: FloatArray, content_hash: str) -> FloatArray:
    if not np.isfinite(features).all():
        raise FeatureMismatchError(
            f"features of {content_hash} hold values that are not finite: run init_session.py again with --append "
            "to compute them anew"
        )
    return features
