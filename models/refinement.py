"""From logits on the feature grid to probabilities on every pixel, along the edges of the picture.

Around each cell, the probabilities of the grid are explained by the mean colours of the cells: one linear fit for each
window, ridge-regularised, with the fits of neighbouring windows averaged. That is the guided filter (He et al. 2013),
fitted on the grid, where its two sides have the same resolution, and evaluated with the colours of the pixels, which
have a higher one. How much of it counts is measured on the picture at hand, so that nothing happens where colour tells
nothing: locally by the share of the variance that the colours explain, and for the whole picture by whether a fit on
cells of twice the size foretells what differs between the cells of the grid (Wald's protocol of pansharpening, Wald et
al. 1997). What colour does not explain is smoothed over a few cells by the fast global smoother (Min et al. 2014).
Everything is linear in the probabilities, with weights that all classes share, so they go on summing to one.
NumPy and OpenCV only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from models.color_fit import along, fit_colors, foretold
from models.geometry import resample, sample_bilinear, scale_between
from models.prediction_store import softmax

FloatArray = npt.NDArray[np.float32]

SMOOTHER_LAMBDA = 4.0
"""Strength of the smoothing, in squared cells, on a grid of `SMOOTHER_CELLS`; on a coarser one, where a cell holds more
of an object, as much less as it has fewer cells."""
SMOOTHER_CELLS = 128 * 128
SMOOTHER_SIGMA_COLOR = 8.0
"""Difference of colour, of 255, across which the smoothed part changes freely."""
RANGE_RADIUS = 2
"""A pixel's probability stays within what the grid says this many cells around it."""
MEDIAN_PX = 3
"""Window of the median filter that takes single noisy pixels out of the guide."""
BAND_VALUES = 1 << 18
"""Values worked on at once: they fit into a processor's cache."""
SPLIT_PIXELS_PER_CELL = 8
"""Larger cells (along a side) are averaged in two steps, so that a large picture is never held as floats."""
THREADS = 2
NEVER_LOGIT = 160.0
"""So improbable that float32 cannot tell it from impossible."""
OFFSET, SLOPES, LOW, HIGH = 0, slice(1, 4), 4, 5
"""Planes of a class in `Refinement.correction`."""


@dataclass(frozen=True)
class Clicks:
    """What a person said of single points of this picture."""

    xy: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 2)))
    """(N, 2), continuous pixels of the picture: (0.5, 0.5) is the centre of the first one."""
    class_index: npt.NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    """(N,), indices into the K classes of the logits."""


@dataclass(frozen=True)
class Refinement:
    """Everything on the grid that the pixels need; they are computed in bands of rows, whatever the picture's size."""

    n_classes: int
    """K"""
    guide: npt.NDArray[np.uint8]
    """(H, W, 3), of `make_guide`."""
    logits: FloatArray
    """(K, Hp, Wp); of one or two classes (1, Hp, Wp), the first one's minus the other's."""
    correction: FloatArray
    """(K or 1, 6, Hp, Wp): what is added to the probability (an offset, slopes for the three channels of the guide),
    and between which probabilities the sum has to stay."""

    def each_band(self, use: Callable[[slice, FloatArray], None], threads: int = THREADS) -> None:
        """Call `use(rows, probabilities (K, rows, W))` for all rows of the picture, in any order, in threads."""
        height, width = self.guide.shape[:2]
        step = max(1, BAND_VALUES // (width * (6 + self.n_classes)))
        bands = [slice(start, min(start + step, height)) for start in range(0, height, step)]
        with ThreadPoolExecutor(min(threads, len(bands)), "refine") as pool:
            list(pool.map(lambda rows: use(rows, self.rows(rows)), bands))

    def probabilities(self) -> FloatArray:
        """All of them (K, H, W)."""
        whole = np.empty((self.n_classes, *self.guide.shape[:2]), np.float32)

        def keep(rows: slice, band: FloatArray) -> None:
            whole[:, rows] = band

        self.each_band(keep)
        return whole

    def label_map(self, among: Sequence[int] | None = None) -> npt.NDArray[np.unsignedinteger]:
        """Index (H, W) of the most probable class; of several, the first.

        Args:
            among: Class indices to choose from, in the order in which they are counted from 0 in the result.
        """
        count = self.n_classes if among is None else len(among)
        whole = np.empty(self.guide.shape[:2], np.uint8 if count <= 256 else np.uint16)

        def choose(rows: slice, band: FloatArray) -> None:
            whole[rows] = (band if among is None else band[list(among)]).argmax(axis=0)

        self.each_band(choose)
        return whole

    def rows(self, rows: slice) -> FloatArray:
        """Probabilities (K, rows, W) of some rows of pixels."""
        colors = np.ascontiguousarray(np.moveaxis(self.guide[rows], -1, 0), dtype=np.float32)
        corrections = (self._enlarge(planes, rows) for planes in self.correction)
        return self._refined(_plain(self._enlarge(self.logits, rows)), corrections, colors)[: self.n_classes]

    def at(self, pixels: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Plainly upsampled and refined probabilities (N, K) of pixels (N, 2), each as (column, row)."""
        uv = self._grid_position(pixels + 0.5)
        colors = np.ascontiguousarray(self.guide[pixels[:, 1], pixels[:, 0]].T, dtype=np.float32)
        plain = _plain(_sample(self.logits, uv))
        corrections = (_sample(planes, uv) for planes in self.correction)
        refined = self._refined(plain.copy(), corrections, colors[:, None])
        return _complete(plain)[:, 0].T, refined[:, 0].T

    def _refined(self, plain: FloatArray, corrections: Iterable[FloatArray], colors: FloatArray) -> FloatArray:
        """Probabilities (K, H, W) of plain ones (K or 1, H, W), which it overwrites."""
        for probability, correction in zip(plain, corrections, strict=True):
            _correct(probability, correction, colors, exclusive_pair=len(plain) == 1)
        return _complete(plain)

    def keep_plain(self, xy: npt.NDArray[np.float64]) -> None:
        """Take the correction away from the cells between which these points (N, 2) of the picture lie."""
        rows, columns = self.logits.shape[1:]
        first = np.floor(self._grid_position(xy) - 0.5).astype(np.intp)
        for step in ((0, 0), (0, 1), (1, 0), (1, 1)):
            column, row = np.clip(first + step, 0, (columns - 1, rows - 1)).T
            self.correction[:, OFFSET : SLOPES.stop, row, column] = 0

    def _grid_position(self, xy: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        height, width = self.guide.shape[:2]
        return xy * scale_between((width, height), (self.logits.shape[2], self.logits.shape[1]))

    def _enlarge(self, planes: FloatArray, rows: slice) -> FloatArray:
        """Rows of planes (N, Hp, Wp) enlarged to the picture: (N, rows, W), just as `resample` gives them."""
        height, width = self.guide.shape[:2]
        cells = planes.shape[1]
        v = np.clip((np.arange(rows.start, rows.stop) + 0.5) * (cells / height) - 0.5, 0, cells - 1)
        upper = np.floor(v).astype(np.intp)
        share = (v - upper).astype(np.float32)[:, None]
        tall = planes[:, upper] * (1 - share) + planes[:, np.minimum(upper + 1, cells - 1)] * share
        flat = tall.reshape(-1, tall.shape[-1])
        return resample(flat, width, len(flat)).reshape(len(planes), -1, width)


def make_guide(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """What refinement looks at, (H, W, 3): depends on the picture (H, W, 3) RGB alone, so it can be kept.

    Roots of the values, as the noise of a camera then is the same in dark and bright places, with single pixels that
    stand out removed.
    """
    roots = np.rint(np.sqrt(np.arange(256) * 255.0)).astype(np.uint8)
    guide = cv2.medianBlur(picture, MEDIAN_PX)
    return np.asarray(cv2.LUT(guide, roots, dst=guide), dtype=np.uint8)


def refine(
    logits: npt.NDArray[np.floating], picture: npt.NDArray[np.uint8], clicks: Clicks | None = None
) -> FloatArray:
    """Probabilities (K, H, W) of logits (K, Hp, Wp), following the edges of the picture (H, W, 3) RGB.

    They sum to one. A clicked pixel to which the upsampled grid gives its class keeps it.
    """
    return fit_refinement(logits, make_guide(picture), clicks).probabilities()


def fit_refinement(
    logits: npt.NDArray[np.floating], guide: npt.NDArray[np.uint8], clicks: Clicks | None = None
) -> Refinement:
    """As `refine`, up to where memory for each pixel is needed; `guide` is what `make_guide` gave."""
    if logits.ndim != 3 or len(logits) < 1:
        raise ValueError(f"expected logits (K, Hp, Wp), found shape {logits.shape}")
    n_classes = len(logits)
    values = _no_finer(np.ascontiguousarray(logits, dtype=np.float32), guide)
    if n_classes == 1:
        # Certainty, by whatever its logits are: there is nothing else.
        values = np.stack([np.zeros_like(values[0]), np.full_like(values[0], -NEVER_LOGIT)])
    probabilities = softmax(values, axis=0)
    if len(values) == 2:
        values, probabilities = values[:1] - values[1:], probabilities[:1]
    refinement = Refinement(n_classes, guide, values, _fit_correction(probabilities, guide))
    if clicks is not None and len(clicks.xy):
        _respect(refinement, clicks)
    return refinement


def _no_finer(logits: FloatArray, guide: npt.NDArray[np.uint8]) -> FloatArray:
    """Logits (K, Hp, Wp) on a grid that has no more cells than the picture has pixels, by averaging."""
    size = (min(logits.shape[2], guide.shape[1]), min(logits.shape[1], guide.shape[0]))
    if size == (logits.shape[2], logits.shape[1]):
        return logits
    return np.stack([np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA)) for plane in logits])


def _respect(refinement: Refinement, clicks: Clicks) -> None:
    height, width = refinement.guide.shape[:2]
    pixels = np.clip(np.floor(clicks.xy), 0, (width - 1, height - 1)).astype(np.intp)
    # Taking away the correction at one click changes pixels next to it, another click perhaps among them.
    for _ in range(len(pixels)):
        plain, refined = refinement.at(pixels)
        overruled = (plain.argmax(axis=1) == clicks.class_index) & (refined.argmax(axis=1) != clicks.class_index)
        if not overruled.any():
            return
        refinement.keep_plain(pixels[overruled] + 0.5)


def _correct(probability: FloatArray, correction: FloatArray, colors: FloatArray, *, exclusive_pair: bool) -> None:
    """Add the correction (6, H, W) for colours (3, H, W) to the plain probability (H, W) in place."""
    low, high = correction[LOW], correction[HIGH]
    if not exclusive_pair:
        # Of three classes and more, the plain value may lie outside the range of the cells: it is never out of range.
        low, high = np.minimum(low, probability), np.maximum(high, probability)
    probability += correction[OFFSET]
    # One pass each where NumPy needs two.
    for slope, color in zip(correction[SLOPES], colors, strict=True):
        cv2.accumulateProduct(slope, color, probability)
    cv2.min(cv2.max(probability, low, dst=probability), high, dst=probability)


def _plain(logits: FloatArray) -> FloatArray:
    """Probabilities of logits (K, ...), or of the first of two classes of their difference (1, ...)."""
    if len(logits) > 1:
        return softmax(logits, axis=0)
    # Bounded, as the exponential of more overflows.
    return np.asarray(1 / (1 + np.exp(np.minimum(-logits, NEVER_LOGIT / 2))), dtype=np.float32)


def _complete(probabilities: FloatArray) -> FloatArray:
    """Probabilities (K, ...) that sum to one, of (K, ...) that nearly do or of the first of two classes (1, ...)."""
    if len(probabilities) == 1:
        return np.concatenate([probabilities, 1 - probabilities])
    total = np.maximum(probabilities.sum(axis=0), np.finfo(np.float32).tiny)
    return np.asarray(probabilities / total, dtype=np.float32)


def _sample(planes: FloatArray, uv: npt.NDArray[np.float64]) -> FloatArray:
    """Values (N planes, 1, M) of planes (N, Hp, Wp) at grid coordinates (M, 2)."""
    return np.ascontiguousarray(sample_bilinear(np.moveaxis(planes, 0, -1), uv).T)[:, None]


def _fit_correction(probabilities: FloatArray, guide: npt.NDArray[np.uint8]) -> FloatArray:
    """`Refinement.correction` (K, 6, Hp, Wp) of probabilities (K, Hp, Wp)."""
    count, rows, columns = probabilities.shape
    correction = np.zeros((count, 6, rows, columns), np.float32)
    kernel = np.ones((2 * RANGE_RADIUS + 1,) * 2, np.uint8)
    for plane, probability in zip(correction, probabilities, strict=True):
        plane[LOW], plane[HIGH] = cv2.erode(probability, kernel), cv2.dilate(probability, kernel)
    cells = _cell_means(guide, columns, rows)
    center = cells.mean(axis=(1, 2))
    centered = cells - center[:, None, None]
    model = fit_colors(centered, probabilities)
    share = model.share * foretold(centered, probabilities)
    slopes = model.slopes * share
    around = along(slopes, centered)
    base = around + share * model.offsets + _smooth((1 - share) * probabilities, cells)
    # On the pixels the slopes meet colours as they are, not centred.
    correction[:, OFFSET] = base - probabilities - around - along(slopes, center[:, None, None])
    correction[:, SLOPES] = slopes
    return correction


def _cell_means(guide: npt.NDArray[np.uint8], columns: int, rows: int) -> FloatArray:
    """Mean colours (3, Hp, Wp) of the cells, not rounded."""
    height, width = guide.shape[:2]
    within = (min(width, columns * SPLIT_PIXELS_PER_CELL), min(height, rows * SPLIT_PIXELS_PER_CELL))
    if within != (width, height):
        guide = np.asarray(cv2.resize(guide, within, interpolation=cv2.INTER_AREA))
    means = cv2.resize(guide.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.moveaxis(means.reshape(rows, columns, 3), -1, 0))


def _smooth(planes: FloatArray, cells: FloatArray) -> FloatArray:
    """Planes (K, Hp, Wp) smoothed where the cells' colours (3, Hp, Wp) do not change."""
    rows, columns = cells.shape[1:]
    if min(rows, columns) < 2:
        return planes
    colors = np.ascontiguousarray(np.moveaxis(np.rint(cells), 0, -1), dtype=np.uint8)
    strength = SMOOTHER_LAMBDA * rows * columns / SMOOTHER_CELLS
    smoother = cv2.ximgproc.createFastGlobalSmootherFilter(colors, strength, SMOOTHER_SIGMA_COLOR)
    return np.stack([smoother.filter(np.ascontiguousarray(plane)) for plane in planes])
