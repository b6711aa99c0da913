"""The sets of the learning benchmarks: those with ground truth on disk, and small ones from the images in scikit-image.

What heads learn from is computed once and kept: deep features and filter responses of each image, float16, one file an
image. Truths are brought to at most 700 px, so that the simulated annotator takes milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import skimage
from PIL import Image
from skimage.feature import multiscale_basic_features
from skimage.filters import sobel, threshold_sauvola
from skimage.segmentation import watershed

from benchmarks.annotator import Mask
from benchmarks.baselines import SEGMENTATION_SIDE_PX, image_features, read_rgb
from benchmarks.datasets import Dataset, find_datasets
from ml_service.heads.scaler import FeatureScaler
from models.base import ChannelGroup
from models.extractor_settings import ExtractorSettings
from models.images import content_hash, read_image
from models.registry import load_extractor

FloatArray = npt.NDArray[np.float32]

TRUTH_SIDE_PX = 700
FILTER_STRIDE_PX = 4
"""The forest judges every fourth pixel either way, as fine as the deep features: on all of them it would take hours."""
SCALER_CELLS = 64
"""Cells of each image from which the statistics of the channels are taken."""
SHIPPED = Path(skimage.__file__).parent / "data"
TEXTURES = ("brick", "grass", "gravel")


@dataclass(frozen=True)
class Channels:
    """One kind of description of all images of a set."""

    rows: dict[str, FloatArray]
    """(Hp, Wp, D) or (D,) by image name."""
    scaler: FeatureScaler
    groups: tuple[ChannelGroup, ...]


@dataclass(frozen=True)
class LearningSet:
    """Features and truth of the images of one set."""

    name: str
    class_names: tuple[str, ...]
    masks: dict[str, Mask]
    """Of a segmentation set, by image name; empty otherwise."""
    class_of: dict[str, str]
    """Of a classification set, by image name; empty otherwise."""
    channels: dict[str, Channels]
    """`deep` and `filters`; of a segmentation set `colour` as well."""
    pictures: dict[str, npt.NDArray[np.uint8]] = field(default_factory=dict)
    """Of a segmentation set, by image name: (H, W, 3) in full size."""

    @property
    def is_segmentation(self) -> bool:
        """Whether each image has a mask, or else one class."""
        return bool(self.masks)


def all_datasets(data_dir: Path, cache_dir: Path) -> list[Dataset]:
    """Those on disk and those of scikit-image."""
    return [*find_datasets(data_dir), *shipped_sets(cache_dir / "shipped")]


def load_set(dataset: Dataset, cache_dir: Path, max_images: int, *, filters: bool = True) -> LearningSet:
    """Compute or read the features of a set."""
    names = dataset.image_names()
    if dataset.task == "segmentation":
        names = names[:max_images]
        masks = {name: _within(dataset.truth_mask(name)) for name in names}
        pictures = {name: read_image(dataset.image_dir / name) for name in names}
        class_of: dict[str, str] = {}
    else:
        names = names[:: max(1, -(-len(names) // max_images))]
        masks, pictures = {}, {}
        class_of = {name: dataset.truth_class(name) for name in names}
    channels = _channels(dataset, names, cache_dir, filters=filters)
    return LearningSet(dataset.name, dataset.class_names, masks, class_of, channels, pictures)


def _within(mask: Mask) -> Mask:
    factor = max(1.0, max(mask.shape) / TRUTH_SIDE_PX)
    return mask if factor == 1.0 else reduced(mask, round(mask.shape[1] / factor), round(mask.shape[0] / factor))


def reduced(mask: Mask, width: int, height: int) -> Mask:
    """What covers most of each pixel of a smaller mask."""
    share = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(share > 0.5)


def _channels(dataset: Dataset, names: Sequence[str], cache_dir: Path, *, filters: bool) -> dict[str, Channels]:
    extractor = load_extractor(ExtractorSettings())
    info = extractor.info
    pooled = dataset.task == "classification"

    def deep(path: Path) -> npt.NDArray[np.floating]:
        found = extractor.extract([read_image(path)], patches=not pooled, pooled=pooled)[0]
        vectors = found.pooled if pooled else found.patches
        assert vectors is not None
        return vectors

    paths = {name: dataset.image_dir / name for name in names}
    kind = f"{info.name}-{info.resize}-{info.options.get('recipe', 0)}-{'pooled' if pooled else 'patches'}"
    groups = info.pooled_groups if pooled else info.groups
    channels = {"deep": _described(paths, cache_dir / kind, deep, groups)}
    if filters:
        describe = image_features if pooled else _filter_responses
        channels["filters"] = _described(
            paths, cache_dir / ("filters-pooled" if pooled else f"filters-{FILTER_STRIDE_PX}px"), describe
        )
    if not pooled:
        colour = _colour_and_gradients
        colour_groups = (ChannelGroup("lab", 9), ChannelGroup("gradients", 3))
        channels["colour"] = _described(paths, cache_dir / "colour", colour, colour_groups)
    return channels


def _described(
    paths: dict[str, Path],
    folder: Path,
    describe: Callable[[Path], npt.NDArray[np.floating]],
    groups: Sequence[ChannelGroup] = (),
) -> Channels:
    folder.mkdir(parents=True, exist_ok=True)
    rows = {}
    for name, path in paths.items():
        kept = folder / f"{content_hash(path)}.npy"
        if not kept.exists():
            np.save(kept, describe(path).astype(np.float16))
        rows[name] = np.load(kept).astype(np.float32)
    rng = np.random.default_rng(0)
    some = [vectors.reshape(-1, vectors.shape[-1]) for vectors in rows.values()]
    sample = np.concatenate([rng.choice(vectors, min(SCALER_CELLS, len(vectors))) for vectors in some])
    dim = sample.shape[1]
    return Channels(rows, FeatureScaler.fit(sample, groups), tuple(groups) or (ChannelGroup("all", dim),))


def _filter_responses(path: Path) -> FloatArray:
    """What ilastik computes: smoothed colour, gradient magnitude, Hessian eigenvalues at scales of 0.5 to 16 px."""
    responses = multiscale_basic_features(read_rgb(path, SEGMENTATION_SIDE_PX), channel_axis=-1)  # type: ignore[no-untyped-call]
    first = FILTER_STRIDE_PX // 2 - 1
    return np.asarray(responses[first::FILTER_STRIDE_PX, first::FILTER_STRIDE_PX], dtype=np.float32)


def _colour_and_gradients(path: Path) -> FloatArray:
    """Lab colour and gradient magnitude of lightness at three scales each, cells of 4 px at 512 px."""
    rgb = read_rgb(path, SEGMENTATION_SIDE_PX)
    lab = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), dtype=np.float32) / 50
    colours = [lab, *(cv2.GaussianBlur(lab, (0, 0), sigma) for sigma in (6.0, 16.0))]
    gradients = []
    for sigma in (1.0, 2.0, 4.0):
        smooth = cv2.GaussianBlur(lab[..., 0], (0, 0), sigma)
        across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
        gradients.append(np.hypot(across, down) * sigma)
    size = (max(1, rgb.shape[1] // 4), max(1, rgb.shape[0] // 4))
    maps = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in [*colours, np.stack(gradients, 2)]]
    return np.concatenate(maps, axis=2).astype(np.float32)


def shipped_sets(folder: Path) -> list[Dataset]:
    """Small sets of the images that lie inside the installed scikit-image, written to `folder` once.

    - skimage_coins: 15 tiles of `coins`; truth by the watershed of the Sobel gradient from pixels below 30 and above
      150, as in the gallery of scikit-image.
    - skimage_page: 15 tiles of `page` and `text`; truth by Sauvola's local threshold, window 25 px.
    - skimage_textures: 20 mosaics of `brick`, `grass` and `gravel`; grass is foreground, exactly known.
    - skimage_faces: the 200 labelled pictures of `lfw_subset`, faces and others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    makers = {"skimage_coins": _coins, "skimage_page": _page, "skimage_textures": _textures}
    sets = []
    for name, make in makers.items():
        target = folder / name
        if not (target / "masks").is_dir():
            _write_masks(target, make())
        sets.append(Dataset(name, "segmentation", target / "images", ("foreground", "background")))
    faces = folder / "skimage_faces"
    if not (faces / "other").is_dir():
        _write_faces(faces)
    sets.append(Dataset("skimage_faces", "classification", faces, ("face", "other")))
    return sets


def _shipped(name: str) -> npt.NDArray[np.uint8]:
    with Image.open(SHIPPED / f"{name}.png") as picture:
        return np.asarray(picture.convert("L"))


def _tiles(
    image: npt.NDArray[np.uint8], mask: Mask, rows: int, columns: int
) -> list[tuple[npt.NDArray[np.uint8], Mask]]:
    height, width = image.shape[0] // rows, image.shape[1] // columns
    return [
        (image[y : y + height, x : x + width], mask[y : y + height, x : x + width])
        for y in range(0, rows * height, height)
        for x in range(0, columns * width, width)
    ]


def _coins() -> list[tuple[npt.NDArray[np.uint8], Mask]]:
    image = _shipped("coins")
    markers = np.where(image > 150, 2, np.where(image < 30, 1, 0))
    mask = watershed(sobel(image), markers) == 2  # type: ignore[no-untyped-call]
    return _tiles(image, np.asarray(mask), 3, 5)


def _page() -> list[tuple[npt.NDArray[np.uint8], Mask]]:
    tiles = []
    for name, rows, columns in (("page", 3, 3), ("text", 2, 3)):
        image = _shipped(name)
        tiles += _tiles(image, np.asarray(image < threshold_sauvola(image, 25)), rows, columns)  # type: ignore[no-untyped-call]
    return tiles


def _textures() -> list[tuple[npt.NDArray[np.uint8], Mask]]:
    pictures = [_shipped(name) for name in TEXTURES]
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:256, :256]
    mosaics = []
    for _ in range(20):
        seeds, kinds = rng.uniform(0, 256, (7, 2)), rng.permutation([0, 0, 1, 1, 1, 2, 2])
        nearest = np.argmin([(rows - y) ** 2 + (columns - x) ** 2 for y, x in seeds], axis=0)
        kind = kinds[nearest]
        y, x = rng.integers(0, 256, 2)
        crops = np.stack([picture[y : y + 256, x : x + 256] for picture in pictures])
        mosaics.append((np.take_along_axis(crops, kind[None], 0)[0], np.asarray(kind == TEXTURES.index("grass"))))
    return mosaics


def _write_masks(target: Path, pairs: Sequence[tuple[npt.NDArray[np.uint8], Mask]]) -> None:
    for part in ("images", "masks"):
        (target / part).mkdir(parents=True, exist_ok=True)
    for index, (image, mask) in enumerate(pairs):
        Image.fromarray(np.ascontiguousarray(image)).save(target / "images" / f"{index:03d}.png")
        Image.fromarray(mask.astype(np.uint8) * 255).save(target / "masks" / f"{index:03d}.png")


def _write_faces(target: Path) -> None:
    pictures = np.load(SHIPPED / "lfw_subset.npy")
    for index, picture in enumerate(pictures):
        folder = target / ("face" if index < len(pictures) // 2 else "other")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray((picture * 255).astype(np.uint8)).save(folder / f"{index:03d}.png")
