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

from models.color_fit import along, each_plane, fit_colors, foretold
from models.geometry import resample, sample_bilinear, scale_between
from models.guide import Guide, make_guide
from models.prediction_store import softmax

FloatArray = npt.NDArray[np.float32]

RANGE_RADIUS = 2
"""A pixel's probability stays within what the grid says this many cells around it."""
BAND_VALUES = 1 << 19
"""Values worked on at once: they fit into a processor's cache."""
PRODUCT_VALUES = 1 << 18
"""Multiplications for one plane of a band: for more, the matrix library would start threads besides ours."""
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
    guide: Guide
    logits: FloatArray
    """(K, Hp, Wp); of one or two classes (1, Hp, Wp), the first one's minus the other's."""
    correction: FloatArray
    """(K or 1, 6, Hp, Wp): what is added to the probability (an offset, slopes for the three channels of the guide),
    and between which probabilities the sum has to stay."""

    def each_band(self, use: Callable[[slice, FloatArray], None], threads: int = THREADS) -> None:
        """Call `use(rows, probabilities (K, rows, W))` for all rows of the picture, in any order, in threads."""
        self._in_bands(lambda rows: use(rows, self.rows(rows)), threads)

    def probabilities(self) -> FloatArray:
        """All of them (K, H, W)."""
        whole = np.empty((self.n_classes, self.guide.height, self.guide.width), np.float32)
        self._in_bands(lambda rows: self._write_rows(rows, whole[:, rows]))
        return whole

    def label_map(self, among: Sequence[int] | None = None) -> npt.NDArray[np.unsignedinteger]:
        """Index (H, W) of the most probable class; of several, the first.

        Args:
            among: Class indices to choose from, in the order in which they are counted from 0 in the result.
        """
        count = self.n_classes if among is None else len(among)
        whole = np.empty((self.guide.height, self.guide.width), np.uint8 if count <= 256 else np.uint16)

        def choose(rows: slice, band: FloatArray) -> None:
            chosen = band if among is None else band[list(among)]
            # Of two, several times as fast as the place of the largest.
            whole[rows] = chosen[1] > chosen[0] if count == 2 else chosen.argmax(axis=0)

        self.each_band(choose)
        return whole

    def rows(self, rows: slice) -> FloatArray:
        """Probabilities (K, rows, W) of some rows of pixels."""
        band = np.empty((self.n_classes, *self.guide.planes[0, rows].shape), np.float32)
        self._write_rows(rows, band)
        return band

    def _in_bands(self, work: Callable[[slice], None], threads: int = THREADS) -> None:
        height, step = self.guide.height, self._band_rows()
        bands = [slice(start, min(start + step, height)) for start in range(0, height, step)]
        with ThreadPoolExecutor(min(threads, len(bands)), "refine") as pool:
            list(pool.map(work, bands))

    def _band_rows(self) -> int:
        height, width = self.guide.height, self.guide.width
        grid_rows, grid_columns = self.logits.shape[1:]
        cells_a_row = float(scale_between((width, height), (grid_columns, grid_rows))[1])
        # Rows x columns x rows of cells needed, which are two more than the rows cover.
        within_product = (np.sqrt(1 + cells_a_row * PRODUCT_VALUES / width) - 1) / cells_a_row
        return max(1, min(BAND_VALUES // (width * (6 + self.n_classes)), int(within_product)))

    def _write_rows(self, rows: slice, band: FloatArray) -> None:
        lines = self._lines(rows)
        corrections = (self._enlarge(planes, lines) for planes in self.correction)
        self._refine(
            _plain(self._enlarge(self.logits, lines)), corrections, self.guide.planes[:, rows].astype(np.float32), band
        )

    def at(self, pixels: npt.NDArray[np.intp]) -> tuple[FloatArray, FloatArray]:
        """Plainly upsampled and refined probabilities (N, K) of pixels (N, 2), each as (column, row)."""
        uv = self._grid_position(pixels + 0.5)
        colors = self.guide.planes[:, pixels[:, 1], pixels[:, 0]].astype(np.float32)
        plain = _plain(_sample(self.logits, uv))
        corrections = (_sample(planes, uv) for planes in self.correction)
        both = np.empty((2, self.n_classes, 1, len(pixels)), np.float32)
        _complete(plain, both[0])
        self._refine(plain, corrections, colors[:, None], both[1])
        return both[0, :, 0].T, both[1, :, 0].T

    def _refine(
        self, plain: FloatArray, corrections: Iterable[FloatArray], colors: FloatArray, refined: FloatArray
    ) -> None:
        """Probabilities (K, H, W) of plain ones (K or 1, H, W), which it overwrites."""
        for probability, correction in zip(plain, corrections, strict=True):
            _correct(probability, correction, colors, exclusive_pair=len(plain) == 1)
        _complete(plain, refined)

    def keep_plain(self, xy: npt.NDArray[np.float64]) -> None:
        """Take the correction away from the cells between which these points (N, 2) of the picture lie."""
        rows, columns = self.logits.shape[1:]
        first = np.floor(self._grid_position(xy) - 0.5).astype(np.intp)
        for step in ((0, 0), (0, 1), (1, 0), (1, 1)):
            column, row = np.clip(first + step, 0, (columns - 1, rows - 1)).T
            self.correction[:, OFFSET : SLOPES.stop, row, column] = 0

    def _grid_position(self, xy: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
        size = (self.guide.width, self.guide.height)
        return xy * scale_between(size, (self.logits.shape[2], self.logits.shape[1]))

    def _lines(self, rows: slice) -> _Lines:
        cells = self.logits.shape[1]
        v = np.clip((np.arange(rows.start, rows.stop) + 0.5) * (cells / self.guide.height) - 0.5, 0, cells - 1)
        upper = np.floor(v).astype(np.intp)
        lower = np.minimum(upper + 1, cells - 1)
        weights = np.zeros((len(v), lower[-1] + 1 - upper[0]), np.float32)
        index = np.arange(len(v))
        weights[index, upper - upper[0]] = 1 - (v - upper)
        weights[index, lower - upper[0]] += v - upper
        return _Lines(slice(upper[0], lower[-1] + 1), weights)

    def _enlarge(self, planes: FloatArray, lines: _Lines) -> FloatArray:
        """Rows of planes (N, Hp, Wp) enlarged to the picture: (N, rows, W), just as `resample` gives them.

        First along the rows, as there are fewer of them before.
        """
        near = planes[:, lines.cells]
        wide = resample(near.reshape(-1, near.shape[2]), self.guide.width, near.shape[0] * near.shape[1])
        return np.asarray(lines.weights @ wide.reshape(*near.shape[:2], -1), dtype=np.float32)


@dataclass(frozen=True)
class _Lines:
    """How rows of pixels are made of rows of cells."""

    cells: slice
    weights: FloatArray
    """(rows of pixels, rows of cells)"""


def refine(
    logits: npt.NDArray[np.floating], picture: npt.NDArray[np.uint8], clicks: Clicks | None = None
) -> FloatArray:
    """Probabilities (K, H, W) of logits (K, Hp, Wp), following the edges of the picture (H, W, 3) RGB.

    They sum to one. A clicked pixel to which the upsampled grid gives its class keeps it.
    """
    return fit_refinement(logits, make_guide(picture, logits.shape[-2:]), clicks).probabilities()


def fit_refinement(logits: npt.NDArray[np.floating], guide: Guide, clicks: Clicks | None = None) -> Refinement:
    """As `refine`, up to where memory for each pixel is needed."""
    if logits.ndim != 3 or len(logits) < 1:
        raise ValueError(f"expected logits (K, Hp, Wp), found shape {logits.shape}")
    if logits.shape[1:] != guide.grid:
        raise ValueError(f"expected logits on the guide's grid of {guide.grid} cells, found {logits.shape[1:]}")
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


def _no_finer(logits: FloatArray, guide: Guide) -> FloatArray:
    """Logits (K, Hp, Wp) on a grid that has no more cells than the picture has pixels, by averaging."""
    rows, columns = guide.colors.fine.cells.shape[1:]
    if (rows, columns) == logits.shape[1:]:
        return logits
    return np.stack([np.asarray(cv2.resize(plane, (columns, rows), interpolation=cv2.INTER_AREA)) for plane in logits])


def _respect(refinement: Refinement, clicks: Clicks) -> None:
    last = (refinement.guide.width - 1, refinement.guide.height - 1)
    pixels = np.clip(np.floor(clicks.xy), 0, last).astype(np.intp)
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
        cv2.min(low, probability, dst=low)
        cv2.max(high, probability, dst=high)
    probability += correction[OFFSET]
    # One pass each where NumPy needs two.
    for slope, color in zip(correction[SLOPES], colors, strict=True):
        cv2.accumulateProduct(slope, color, probability)
    cv2.min(cv2.max(probability, low, dst=probability), high, dst=probability)


def _plain(logits: FloatArray) -> FloatArray:
    """Probabilities of logits (K, ...), or of the first of two classes of their difference (1, ...), in their place."""
    if len(logits) > 1:
        logits -= logits.max(axis=0)
        np.exp(logits, out=logits)
        logits /= logits.sum(axis=0)
        return logits
    np.negative(logits, out=logits)
    # Bounded, as the exponential of more overflows.
    np.exp(np.minimum(logits, NEVER_LOGIT / 2, out=logits), out=logits)
    logits += 1
    return np.reciprocal(logits, out=logits)


def _complete(probabilities: FloatArray, whole: FloatArray) -> None:
    """Write probabilities (K, ...) that sum to one: of those that nearly do, or of the first of one or two (1, ...)."""
    if len(probabilities) == 1:
        whole[0] = probabilities[0]
        np.subtract(1, whole[:1], out=whole[1:])
    else:
        total = np.maximum(probabilities.sum(axis=0), np.finfo(np.float32).tiny)
        np.divide(probabilities, total, out=whole)


def _sample(planes: FloatArray, uv: npt.NDArray[np.float64]) -> FloatArray:
    """Values (N planes, 1, M) of planes (N, Hp, Wp) at grid coordinates (M, 2)."""
    return np.ascontiguousarray(sample_bilinear(np.moveaxis(planes, 0, -1), uv).T)[:, None]


def _fit_correction(probabilities: FloatArray, guide: Guide) -> FloatArray:
    """`Refinement.correction` (K, 6, Hp, Wp) of probabilities (K, Hp, Wp)."""
    model = fit_colors(guide.colors.fine, probabilities)
    share = model.share * foretold(guide.colors, probabilities)
    kernel = np.ones((2 * RANGE_RADIUS + 1,) * 2, np.uint8)
    correction = np.empty((len(probabilities), 6, *share.shape), np.float32)

    def fill(index: int) -> None:
        plane, probability = correction[index], probabilities[index]
        cv2.erode(probability, kernel, dst=plane[LOW])
        cv2.dilate(probability, kernel, dst=plane[HIGH])
        slopes = np.multiply(model.slopes[index], share, out=plane[SLOPES])
        smooth = guide.smoother.smooth((1 - share) * probability)
        # On the pixels the slopes meet colours as they are, not centred.
        plane[OFFSET] = share * model.offsets[index] + smooth - probability - along(slopes, guide.center)

    each_plane(fill, range(len(probabilities)))
    return correction
