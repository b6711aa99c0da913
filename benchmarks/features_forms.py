"""What the compact forms of stored features cost: IoU of the simulated annotator against bytes and reading time.

Offline, with the product's own extractor, forms, head and geometry: 8 images x 4 clicks, then the held-out images.
"own clicks": the annotator looks at the predictions of that form. "same clicks": the form gets the clicks that were set
on float16, which leaves chance out. Run: python -m benchmarks.features_forms --data DIR
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console

from benchmarks.annotator import Click, Mask, iou, next_click, plan_segmentation
from benchmarks.datasets import Dataset, find_datasets
from benchmarks.tables import Section, show
from ml_service.heads.live import SEGMENTATION, LiveHead
from ml_service.heads.scaler import FeatureScaler
from models.base import ExtractorInfo, Features
from models.extractor_settings import ExtractorSettings
from models.feature_forms import PROJECTED_CHANNELS, FormName, make_form
from models.feature_storage import npy_bytes
from models.feature_store import FeatureStore, StoreSettings, open_store
from models.geometry import resample, sample_bilinear
from models.images import content_hash, read_image
from models.projection import Projection
from models.registry import load_extractor

FloatArray = npt.NDArray[np.float32]
LABELLED, CLICKS, HELD_OUT = 8, 4, 16
CELLS_PER_IMAGE = 64
FITTED_ON = 16
TIMED_IMAGES, REPEATS = 12, 5


@dataclass(frozen=True)
class FormRow:
    """One form on one set."""

    dataset: str
    form: FormName
    own_clicks_iou: float
    same_clicks_iou: float
    lost_points: float
    """Of 100, same clicks: float16 minus this form."""
    bytes_per_image: int
    whole_ms: float
    """Reading and decoding a whole map to float32, file in the page cache."""
    points_ms: float
    """Four points of one image."""


@dataclass(frozen=True)
class _Picture:
    """A map as one form gives it, and the truth."""

    features: FloatArray
    truth: Mask


def form_rows(data_dir: Path, cache_dir: Path, seeds: int, sets: Sequence[str] = ()) -> list[FormRow]:
    """All forms on all segmentation sets; the extractor's features are kept in `cache_dir`."""
    extractor_info, rows = None, []
    for dataset in find_datasets(data_dir):
        if dataset.task == "segmentation" and (not sets or dataset.name in sets):
            extractor_info, maps = _extract(dataset, cache_dir)
            rows += _rows_of(dataset, maps, extractor_info, seeds)
    return rows


def _extract(dataset: Dataset, cache_dir: Path) -> tuple[ExtractorInfo, dict[str, npt.NDArray[np.floating]]]:
    extractor = load_extractor(ExtractorSettings())
    store = FeatureStore(cache_dir, extractor.info)
    maps = {}
    for name in dataset.image_names():
        path = dataset.image_dir / name
        key = content_hash(path)
        if not store.has(key, pooled=False):
            store.write(key, extractor.extract([read_image(path)], pooled=False)[0])
        maps[name] = store.read_patches(key)
    return extractor.info, maps


def _rows_of(
    dataset: Dataset, maps: dict[str, npt.NDArray[np.floating]], info: ExtractorInfo, seeds: int
) -> list[FormRow]:
    names = sorted(maps)
    spread = [maps[names[index * len(names) // FITTED_ON]] for index in range(FITTED_ON)]
    projection = Projection.fit(spread, info.groups, PROJECTED_CHANNELS)
    assert projection is not None
    truths = {name: dataset.truth_mask(name) for name in names}
    rows: list[FormRow] = []
    clicks: list[list[tuple[str, Click]]] = []
    for form_name in FormName:
        form = make_form(form_name, info.dim, projection)
        encoded = {name: form.encode(maps[name]) for name in names}
        pictures = {name: _Picture(form.open(encoded[name]).whole().astype(np.float32), truths[name]) for name in names}
        scaler = _scaler(pictures, info)
        own = [_simulate(pictures, scaler, seed) for seed in range(seeds)]
        if not clicks:
            clicks = [made for made, _ in own]
        same = [_replay(pictures, scaler, seed, clicks[seed]) for seed in range(seeds)]
        size = round(float(np.mean([len(npy_bytes(array)) for array in encoded.values()])))
        whole_ms, points_ms = _reading_ms(form_name, projection, maps, info)
        base = rows[0].same_clicks_iou if rows else float(np.mean(same))
        lost = 100 * (base - float(np.mean(same)))
        own_iou = float(np.mean([score for _, score in own]))
        rows.append(FormRow(dataset.name, form_name, own_iou, float(np.mean(same)), lost, size, whole_ms, points_ms))
    return rows


def _scaler(pictures: dict[str, _Picture], info: ExtractorInfo) -> FeatureScaler:
    rng = np.random.default_rng(0)
    sample = []
    for picture in pictures.values():
        cells = picture.features.reshape(-1, info.dim)
        sample.append(cells[rng.integers(0, len(cells), CELLS_PER_IMAGE)])
    return FeatureScaler.fit(np.concatenate(sample), info.groups)


def _simulate(pictures: dict[str, _Picture], scaler: FeatureScaler, seed: int) -> tuple[list[tuple[str, Click]], float]:
    """The clicks set, and the mean IoU on the held-out images after them."""
    plan = plan_segmentation(list(pictures), seed, LABELLED, HELD_OUT)
    made: list[tuple[str, Click]] = []
    samples: list[FloatArray] = []
    head: LiveHead | None = None
    for name in plan.labelled:
        picture = pictures[name]
        for _ in range(CLICKS):
            earlier = [click for image, click in made if image == name]
            known = len({click.foreground for _, click in made}) == 2
            predicted = _predict(head, picture) if head is not None and known else None
            click = next_click(picture.truth, predicted, earlier)
            if click is None:
                break
            made.append((name, click))
            samples.append(_at(picture, click))
            head = _fit(samples, made, scaler)
    return made, _score(head, pictures, plan.held_out)


def _replay(pictures: dict[str, _Picture], scaler: FeatureScaler, seed: int, clicks: list[tuple[str, Click]]) -> float:
    plan = plan_segmentation(list(pictures), seed, LABELLED, HELD_OUT)
    samples = [_at(pictures[name], click) for name, click in clicks]
    return _score(_fit(samples, clicks, scaler), pictures, plan.held_out)


def _fit(samples: list[FloatArray], clicks: list[tuple[str, Click]], scaler: FeatureScaler) -> LiveHead:
    classes = np.array([click.foreground for _, click in clicks], dtype=np.int64)
    return LiveHead.fit(np.array(samples), classes, None, 2, scaler=scaler, config=SEGMENTATION)


def _at(picture: _Picture, click: Click) -> FloatArray:
    height, width = picture.truth.shape
    rows, columns, _ = picture.features.shape
    uv = np.array([[click.x / width * columns, click.y / height * rows]])
    return np.asarray(sample_bilinear(picture.features, uv)[0])


def _predict(head: LiveHead, picture: _Picture) -> Mask:
    logits = head.logits(picture.features)
    height, width = picture.truth.shape
    return np.asarray(resample(np.ascontiguousarray(logits[..., 1] - logits[..., 0]), width, height) > 0)


def _score(head: LiveHead | None, pictures: dict[str, _Picture], held_out: Sequence[str]) -> float:
    if head is None:
        return 0.0
    return float(np.mean([iou(pictures[name].truth, _predict(head, pictures[name])) for name in held_out]))


def _reading_ms(
    form: FormName, projection: Projection, maps: dict[str, npt.NDArray[np.floating]], info: ExtractorInfo
) -> tuple[float, float]:
    """Milliseconds for a whole map as float32, and for four points of one image: medians."""
    names = sorted(maps)[:TIMED_IMAGES]
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(Path(folder), info, StoreSettings(form=form))
        if store.lacks_projection:
            store.use_projection(projection)
        for name in names:
            store.write(name.encode().hex()[:64], Features(maps[name].astype(np.float32), None))
        keys = [name.encode().hex()[:64] for name in names]
        corners = np.array([0, 3, 7, 11])
        return (
            _median_ms(lambda key: store.read_patches(key).astype(np.float32, copy=False), keys),
            _median_ms(lambda key: store.open_patches(key)[corners, corners].astype(np.float32), keys),
        )


def _median_ms(read: Callable[[str], FloatArray], keys: Sequence[str]) -> float:
    times = []
    for _ in range(REPEATS):
        for key in keys:
            started = time.perf_counter()
            read(key)
            times.append(time.perf_counter() - started)
    return 1e3 * float(np.median(times))


def form_section(rows: Sequence[FormRow]) -> Section:
    """Each set, then the mean of all."""
    columns = (
        "set", "form", "IoU, own clicks", "IoU, same clicks", "lost, points", "MB an image", "whole map", "4 points",
    )  # fmt: skip
    names = [*dict.fromkeys(row.dataset for row in rows), "mean"]
    cells = tuple(
        _cells(name, form, [row for row in rows if row.form is form and name in (row.dataset, "mean")])
        for name in names
        for form in FormName
    )
    return Section("IoU lost against bytes saved, by form of the stored patch features", columns, cells)


def _cells(name: str, form: FormName, rows: Sequence[FormRow]) -> tuple[str, ...]:
    own, same, lost, size, whole_ms, points_ms = np.mean(
        [
            (r.own_clicks_iou, r.same_clicks_iou, r.lost_points, r.bytes_per_image, r.whole_ms, r.points_ms)
            for r in rows
        ],
        axis=0,
    )
    times = (f"{whole_ms:.1f} ms", f"{points_ms:.2f} ms")
    return (name, str(form), f"{own:.3f}", f"{same:.3f}", f"{lost:+.2f}", f"{size / 1e6:.2f}", *times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with seg/NAME/{images,masks}")
    parser.add_argument("--cache", type=Path, help="where to keep the extractor's features between runs")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--sets", nargs="*", default=[], metavar="NAME")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = form_rows(arguments.data, arguments.cache or Path(folder), arguments.seeds, arguments.sets)
    show(Console(), [form_section(rows)])


if __name__ == "__main__":
    main()
