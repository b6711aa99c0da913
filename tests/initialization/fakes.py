"""An extractor for tests in which pixels do not matter, and small sessions made with it by the real command."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml
from PIL import Image as PillowImage
from sqlalchemy import select

from db.database import Database
from db.queries.annotations import NewPoint, replace_points
from db.tables.annotations import Label, Point
from db.tables.images import Image
from initialization.init_session import main
from models.base import ExtractorInfo, FeatureExtractor, Features
from models.extractor_settings import ExtractorSettings
from models.geometry import make_grid


class FakeExtractor:
    """Features that depend on the picture and cost nothing; `delay_s` gives a kill something to hit."""

    def __init__(self, resize: int | None = None, delay_s: float = 0.0) -> None:
        self._info = ExtractorInfo("fake", "f" * 16, 8, 8, dim=3, pooled_dim=3, resize=resize or 64)
        self._delay_s = delay_s
        self.extracted = 0

    @property
    def info(self) -> ExtractorInfo:
        return self._info

    @property
    def batch_size(self) -> int:
        return 4

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        time.sleep(self._delay_s)
        self.extracted += len(images)
        return [self._one(image, patches=patches, pooled=pooled) for image in images]

    def _one(self, image: npt.NDArray[np.uint8], *, patches: bool, pooled: bool) -> Features:
        mean = image.mean(axis=(0, 1), dtype=np.float32) / 255
        grid = make_grid(image.shape[1], image.shape[0], self._info)
        cells = np.broadcast_to(mean, (grid.height, grid.width, 3)).astype(np.float32)
        return Features(cells if patches else None, mean if pooled else None)


class Stopping:
    """Ctrl+C while the features of the `after`-th image are made."""

    def __init__(self, inner: FakeExtractor, after: int) -> None:
        self._inner = inner
        self._after = after

    @property
    def info(self) -> ExtractorInfo:
        return self._inner.info

    @property
    def batch_size(self) -> int:
        return 1

    def extract(self, images: list[np.ndarray], *, patches: bool = True, pooled: bool = True) -> list[object]:
        if self._inner.extracted >= self._after + 4:  # four go into the estimate
            raise KeyboardInterrupt
        return list(self._inner.extract(images, patches=patches, pooled=pooled))


def load_fake(settings: ExtractorSettings) -> FeatureExtractor:
    return FakeExtractor(settings.resize)


def save_picture(path: Path, *, size: tuple[int, int] = (24, 16), seed: int | None = None) -> Path:
    """A small random picture, another one for each path unless `seed` says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    number = int(hashlib.sha256(path.name.encode()).hexdigest()[:8], 16) if seed is None else seed
    pixels = np.random.default_rng(number).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    PillowImage.fromarray(pixels).save(path)
    return path


def write_config(folder: Path, **changes: Any) -> Path:
    """A YAML file in `folder`; its images lie in folder/images, its session in folder/session."""
    data: dict[str, Any] = {
        "task": "segmentation",
        "image_dir": "images",
        "session_dir": "session",
        "classes": [{"name": "foreground", "color": "#00FF00"}, {"name": "background", "color": "#FF0000"}],
    }
    data.update(changes)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({key: value for key, value in data.items() if value is not ...}))
    return path


def init(config: Path, *arguments: str, load: Callable[..., FeatureExtractor] = load_fake) -> int:
    """The real command with the fake extractor; returns its exit status."""
    return main(["--config", str(config), *arguments], load_extractor=load)


def make_images(folder: Path, count: int = 5) -> None:
    for number in range(count):
        save_picture(folder / f"images/{number}.png")


def make_session(tmp_path: Path, count: int = 3, **changes: object) -> tuple[Path, Path]:
    """A config and its finished session."""
    make_images(tmp_path, count)
    config = write_config(tmp_path, **changes)
    assert init(config, "--yes") == 0
    return config, tmp_path / "session"


@contextmanager
def opened(session_dir: Path) -> Iterator[Database]:
    """The database of a session, for a while."""
    database = Database.of_session(session_dir)
    yield database
    database.close()


def annotate(session_dir: Path, points: Sequence[NewPoint] = (NewPoint(3.5, 4.5, 1),), image_id: int = 1) -> None:
    """What a person does on the page."""
    with opened(session_dir) as database, database.write() as db_session:
        replace_points(db_session, db_session.get_one(Image, image_id), list(points))


def rows(session_dir: Path) -> list[dict[str, Any]]:
    """All image rows, without what differs between two equal runs on copies of the images."""
    differing = {"created_at", "metadata", "file_mtime_ns"}
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        columns = [column.name for column in Image.__table__.columns if column.name not in differing]
        result = [
            {name: getattr(image, name) for name in columns} | {"extra": image.extra}
            for image in db_session.scalars(select(Image).order_by(Image.id))
        ]
    database.close()
    return result


def annotations(session_dir: Path) -> dict[str, Any]:
    """By image path: the class id, or the points (x, y, class_id, origin)."""
    database = Database.of_session(session_dir)
    with database.read() as db_session:
        paths = dict(db_session.execute(select(Image.id, Image.path)).all())
        found: dict[str, Any] = {paths[label.image_id]: label.class_id for label in db_session.scalars(select(Label))}
        for point in db_session.scalars(select(Point).order_by(Point.id)):
            found.setdefault(paths[point.image_id], []).append((point.x, point.y, point.class_id, point.origin.value))
    database.close()
    return found


def feature_files(session_dir: Path) -> dict[str, str]:
    """Digest of every file under features/, by name; temporary files of a killed run aside."""
    folder = session_dir / "features"
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in {".npy", ".json"}
    }


def write_json(path: Path, data: Any) -> Path:
    path.write_text(json.dumps(data))
    return path
