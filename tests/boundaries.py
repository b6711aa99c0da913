"""Pictures whose colour changes at a known place, and logits that change sign at the very same place."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image as PillowImage

from db.tables.images import Image
from db.tables.session import SessionInfo
from models.base import ExtractorInfo
from models.geometry import make_grid

INFO = ExtractorInfo("toy", "0" * 16, patch_size=4, size_multiple=32, dim=6, pooled_dim=5, resize=512)
DARK, BRIGHT = 100, 170
LOGIT_PER_CELL = 2.0
ORIENTATION_TAG = 0x0112
_STORED = {
    2: PillowImage.Transpose.FLIP_LEFT_RIGHT,
    3: PillowImage.Transpose.ROTATE_180,
    4: PillowImage.Transpose.FLIP_TOP_BOTTOM,
    5: PillowImage.Transpose.TRANSPOSE,
    6: PillowImage.Transpose.ROTATE_90,
    7: PillowImage.Transpose.TRANSVERSE,
    8: PillowImage.Transpose.ROTATE_270,
}
"""By orientation tag: from upright to what is stored."""


@dataclass(frozen=True)
class Boundary:
    """The first class lies left of (above) a line across the upright image."""

    width: int
    height: int
    at: int
    """x of a vertical line, y of a horizontal one, pixels of the upright image."""
    vertical: bool
    orientation: int = 1

    def picture(self) -> npt.NDArray[np.uint8]:
        """(height, width, 3), upright."""
        pixels = np.full((self.height, self.width, 3), BRIGHT, np.uint8)
        pixels[(slice(None), slice(self.at)) if self.vertical else slice(self.at)] = DARK
        return pixels

    def logits(self) -> npt.NDArray[np.float32]:
        """(2, Hp, Wp): those of the first class and of the other."""
        grid = make_grid(self.width, self.height, INFO)
        columns, rows = np.meshgrid(np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5)
        u, v = grid.to_grid([self.at, self.at])
        first = LOGIT_PER_CELL * ((u - columns) if self.vertical else (v - rows))
        return np.stack([first / 2, -first / 2]).astype(np.float32)

    def profile(self, plane: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        """Values of a plane (H, W) along the line through its middle that crosses the boundary."""
        return np.asarray(plane[plane.shape[0] // 2] if self.vertical else plane[:, plane.shape[1] // 2], np.float64)


def put(session: Any, image_id: int, boundary: Boundary) -> None:
    """Make an image of a ready-made session such a picture, with such a prediction."""
    name = f"boundary_{image_id}.{'jpg' if boundary.orientation != 1 else 'png'}"
    path = session.image_root / name
    stored = PillowImage.fromarray(boundary.picture())
    if boundary.orientation != 1:
        stored = stored.transpose(_STORED[boundary.orientation])
    exif = PillowImage.Exif()
    exif[ORIENTATION_TAG] = boundary.orientation
    stored.save(path, exif=exif, **({"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}))
    with session.database.write() as db_session:
        image = db_session.get_one(Image, image_id)
        image.path, image.width, image.height = name, boundary.width, boundary.height
        image.content_hash = hashlib.sha256(path.read_bytes()).hexdigest()
        info = db_session.get_one(SessionInfo, 1)
        info.extractor = INFO.to_json()
    session.add_prediction(image_id, logits=boundary.logits())


def crossing(values: npt.NDArray[np.float64], level: float) -> float:
    """Where a falling profile passes a level, in pixels from the first one's outer edge: pixel i has its centre at
    i + 0.5, and values lie on straight lines between centres.
    """
    below = int(np.argmax(values < level))
    assert below > 0, "the profile does not fall through the level"
    before, after = values[below - 1], values[below]
    return below - 0.5 + float((before - level) / (before - after))
