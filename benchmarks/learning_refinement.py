"""Masks that follow the edges: IoU and boundary F of refined maps, and what they cost.

Run: python -m benchmarks.learning_refinement --data DIR

Offline: the simulated annotator clicks four times in each of eight images, where the head under plain upsampling
errs most; after 8 and 32 clicks every way of enlarging sees the same logits, of two images that were clicked and of
four that never were. Cells of 4 px are those of the embedded extractor; cells of 16 px (its features, averaged) stand
for a vision transformer. Truth and picture are in full size.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rich.console import Console

from benchmarks.annotator import Mask, iou
from benchmarks.datasets import Dataset, find_datasets
from benchmarks.learning_sets import Channels, load_set, shipped_sets
from benchmarks.refinement_states import STATES, State, drawn_lines, pooled_cells, states
from benchmarks.tables import Section, show
from models.geometry import resample, scale_between
from models.guide import make_guide
from models.images import read_image
from models.prediction_store import upsampled_probabilities
from models.refinement import Clicks, fit_refinement, refine

FloatArray = npt.NDArray[np.float32]
Picture = npt.NDArray[np.uint8]
Enlarge = Callable[[FloatArray, Picture, Clicks], FloatArray]
"""Logits (2, Hp, Wp), the picture (H, W, 3) and the clicks in it -> P of the first class (H, W)."""

IMAGES_PER_SET = 30
POOLINGS = (1, 4)
TOLERANCE = 0.005
"""Of the diagonal: how far a boundary may lie from the true one."""
TIMED_SIDES = (512, 768, 1024, 1536)
TIMED_GRID = 128
REPEATS = 9
PLAIN, FORMER, GUIDED, DEFAULT = "bilinear logits", "former smoother", "guided filter", "refined (default)"
NO_CLICKS = Clicks()


def _plain(logits: FloatArray, picture: Picture, _clicks: Clicks) -> FloatArray:
    probabilities = upsampled_probabilities(logits, picture.shape[1], picture.shape[0])
    return np.ascontiguousarray(probabilities[0], dtype=np.float32)


def _cell_px(logits: FloatArray, picture: Picture) -> float:
    return float(scale_between((logits.shape[2], logits.shape[1]), (picture.shape[1], picture.shape[0])).min())


def _former(logits: FloatArray, picture: Picture, clicks: Clicks) -> FloatArray:
    """What the product did before: the fast global smoother on the upsampled probabilities."""
    plain, cell_px = _plain(logits, picture, clicks), _cell_px(logits, picture)
    if cell_px <= 1:
        return plain
    smoothed = cv2.ximgproc.fastGlobalSmootherFilter(picture, plain, 4.0 * cell_px**2, 4.0)
    return np.asarray(smoothed, dtype=np.float32)


def _guided(logits: FloatArray, picture: Picture, clicks: Clicks) -> FloatArray:
    """The guided filter as published, on every pixel, two cells to either side."""
    radius = max(1, round(2 * _cell_px(logits, picture)))
    plain = _plain(logits, picture, clicks)
    return np.asarray(cv2.ximgproc.guidedFilter(picture, plain, radius, 1e-3 * 255**2), dtype=np.float32)


def _default(logits: FloatArray, picture: Picture, clicks: Clicks) -> FloatArray:
    return np.asarray(refine(logits, picture, clicks)[0], dtype=np.float32)


WAYS: dict[str, Enlarge] = {PLAIN: _plain, FORMER: _former, GUIDED: _guided, DEFAULT: _default}


@dataclass(frozen=True)
class Score:
    """One image enlarged one way."""

    dataset: str
    pooling: int
    clicks: int
    was_clicked: bool
    way: str
    iou: float
    boundary_f: float


def tables(data: Path = Path("../shared/data"), seeds: int = 3) -> list[Section]:
    """IoU, boundary F, clicked images against others, time."""
    with tempfile.TemporaryDirectory() as folder:
        scores = [score for dataset in _datasets(data, Path(folder)) for score in _scores(dataset, Path(folder), seeds)]
    return [*quality_sections(scores, seeds), time_section()]


def _datasets(data: Path, folder: Path) -> Iterator[Dataset]:
    candidates = [*find_datasets(data), *shipped_sets(folder / "shipped"), drawn_lines(folder / "lines")]
    return (dataset for dataset in candidates if dataset.task == "segmentation")


def _scores(dataset: Dataset, folder: Path, seeds: int) -> Iterator[Score]:
    channels = load_set(dataset, folder, IMAGES_PER_SET, filters=False).channels["deep"]
    truths = {name: dataset.truth_mask(name) for name in channels.rows}
    for pooling in POOLINGS:
        rows = {name: pooled_cells(grid, pooling) for name, grid in channels.rows.items()}
        pooled = Channels(rows, channels.scaler, channels.groups)
        for seed in range(seeds):
            for state in states(pooled, truths, seed):
                yield from _score(dataset, pooling, state, truths[state.name])


def _score(dataset: Dataset, pooling: int, state: State, truth: Mask) -> Iterator[Score]:
    picture = read_image(dataset.image_dir / state.name)
    for way, enlarge in WAYS.items():
        found = enlarge(state.logits, picture, state.clicks) > 0.5
        quality = (iou(truth, found), boundary_f(truth, found))
        yield Score(dataset.name, pooling, state.n_clicks, state.was_clicked, way, *quality)


def boundary_f(truth: Mask, found: Mask) -> float:
    """Harmonic mean of the shares of either boundary that lie within TOLERANCE of the other; 1 where both have none."""
    radius = max(1, round(TOLERANCE * float(np.hypot(*truth.shape))))
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    edges = [_inner_boundary(mask) for mask in (truth, found)]
    if not edges[0].any() or not edges[1].any():
        return float(edges[0].any() == edges[1].any())
    hit = [(cv2.dilate(b, around) > 0)[a > 0].mean() for a, b in (edges, edges[::-1])]
    return float(2 * hit[0] * hit[1] / max(hit[0] + hit[1], 1e-9))


def _inner_boundary(mask: Mask) -> npt.NDArray[np.uint8]:
    solid = mask.astype(np.uint8)
    return np.asarray(solid - cv2.erode(solid, np.ones((3, 3), np.uint8)), dtype=np.uint8)


def quality_sections(scores: Sequence[Score], seeds: int) -> list[Section]:
    """By set and cell size; then by what the images had been used for."""
    sets = list(dict.fromkeys(score.dataset for score in scores))
    sections = []
    for field, title in (("iou", "IoU"), ("boundary_f", f"Boundary F ({100 * TOLERANCE:g} % of the diagonal)")):
        rows = []
        for pooling in POOLINGS:
            for clicks in STATES:
                here = [score for score in scores if (score.pooling, score.clicks) == (pooling, clicks)]
                means = {name: _means([score for score in here if score.dataset == name], field) for name in sets}
                all_sets = {way: float(np.mean([means[name][way] for name in sets])) for way in WAYS}
                for name, mean in (*means.items(), ("mean of sets", all_sets)):
                    rows.append((f"{4 * pooling} px", str(clicks), name, *_cells(mean)))
        columns = ("cells", "clicks", "set", *WAYS, "gain")
        sections.append(Section(f"{title} of masks, by how logits are enlarged ({seeds} seeds)", columns, tuple(rows)))
    rows = []
    for was_clicked, name in ((True, "clicked"), (False, "never clicked")):
        mean = _means([score for score in scores if score.was_clicked is was_clicked], "iou")
        rows.append((name, *_cells(mean)))
    sections.append(Section("IoU, images that were clicked and others", ("images", *WAYS, "gain"), tuple(rows)))
    return sections


def _means(scores: Sequence[Score], field: str) -> dict[str, float]:
    values: dict[str, list[float]] = defaultdict(list)
    for score in scores:
        values[score.way].append(getattr(score, field))
    return {way: float(np.mean(values[way])) for way in WAYS}


def _cells(mean: dict[str, float]) -> tuple[str, ...]:
    return (*(f"{mean[way]:.3f}" for way in WAYS), f"{mean[DEFAULT] - mean[PLAIN]:+.3f}")


def time_section() -> Section:
    """Square pictures, a grid of 128 x 128 cells: medians, the steps taken in turn."""
    rows = []
    for side in TIMED_SIDES:
        steps = _timed_steps(side)
        times: dict[str, list[float]] = defaultdict(list)
        for _ in range(REPEATS):
            for name, step in steps.items():
                started = time.perf_counter()
                step()
                times[name].append(1e3 * (time.perf_counter() - started))
        rows.append((f"{side} px", *(f"{np.median(times[name]):.1f}" for name in steps)))
    columns = ("side", *_timed_steps(TIMED_SIDES[0]))
    return Section(
        "Milliseconds from logits to probabilities of all pixels, by side of the picture", columns, tuple(rows)
    )


def _timed_steps(side: int) -> dict[str, Callable[[], object]]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (side // 16, side // 16, 3), dtype=np.uint8)
    picture = resample(coarse, side, side)
    jpeg = cv2.imencode(".jpg", picture)[1]
    small = rng.normal(0, 4, (12, 12, 12)).astype(np.float32)
    logits = np.stack([resample(plane, TIMED_GRID, TIMED_GRID) for plane in small])
    two, guide = logits[:2], make_guide(picture, logits.shape[1:])
    return {
        "decoding the JPEG": lambda: cv2.imdecode(jpeg, cv2.IMREAD_COLOR),
        "guide (once a picture)": lambda: make_guide(picture, logits.shape[1:]),
        "refined, both of 2 classes": lambda: fit_refinement(two, guide).probabilities(),
        "refined, all of 12 classes": lambda: fit_refinement(logits, guide).probabilities(),
        "bilinear logits, both of 2": lambda: upsampled_probabilities(two, side, side),
        "former smoother, 1 of 2": lambda: _former(two, picture, NO_CLICKS),
    }


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with seg/NAME/{images,masks}")
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    show(Console(width=200), tables(arguments.data, arguments.seeds))


if __name__ == "__main__":
    main()
