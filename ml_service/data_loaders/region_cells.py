"""Regions as training cells: where a region covers a cell of the feature grid, the cell is a target of its class.

A cell that several classes share is a target of each, weighed by its part: to the log loss that is one target of soft
shares. Of each class and origin an image gives a bounded number of cells, spread evenly, which together weigh no more
than a few clicks: a stroke says one thing, at many places that look alike. What comes out depends on what is painted
alone, not on how or when.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from sqlalchemy.orm import Session

from db.enums import Origin, RegionOrigin
from db.queries.region_rows import read_geometries
from db.queries.training_data import LabelledImage, PaintedRegion, Target
from models.base import ExtractorInfo
from models.geometry import Grid, make_grid
from models.region_shapes import Covered, Shape, paint, shape_of

FINENESS = 8
"""Coverage is counted on a raster of so many places across a cell."""
MOST_CELLS = {Origin.HUMAN: 32, Origin.ACCEPTED: 16, Origin.IMPORTED: 16}
"""Of each class of an image: what people draw themselves is told in more detail."""
LONE_CELLS = 4
"""Of an accepted class, if no other is accepted in the image; else as many as the others have. To accept is one click
on what the head says already, as large as it may be: many cells of a class would outvote the clicks of the others."""
MOST_CLICKS = {Origin.HUMAN: np.inf, Origin.ACCEPTED: 1.0, Origin.IMPORTED: np.inf}
"""What the cells of a class of an image weigh together at most."""
ZONES = 8
"""An image is looked at in so many zones across and down."""
ZONE_WEIGHT = 0.25
"""Of the cells in a zone together, in clicks; but each part in a zone of its own weighs one click."""
LEAST_COVERAGE = 0.25
"""Share of the best covered cell of its class, from which on a cell counts."""
SPREAD_X, SPREAD_Y = 0.7548776662466927, 0.5698402909980532
"""Steps of the R2 sequence (Roberts 2018): the cells of smallest value lie evenly over whatever part is asked for."""
KEPT_IMAGES = 64
ORIGINS = {
    RegionOrigin.HUMAN: Origin.HUMAN,
    RegionOrigin.CORRECTED: Origin.HUMAN,
    RegionOrigin.ACCEPTED: Origin.ACCEPTED,
    RegionOrigin.IMPORTED: Origin.IMPORTED,
}


@dataclass
class _Kept:
    """What was painted of an image, so that one more stroke costs one stroke."""

    grid: Grid
    covered: dict[int, Covered | None]
    """By the id of the shape."""
    regions: tuple[PaintedRegion, ...] = ()
    targets: tuple[Target, ...] = ()


class RegionCells:
    """Turns regions into targets, for the grid of one extractor. Use from one thread."""

    def __init__(self, extractor: ExtractorInfo) -> None:
        self._extractor = extractor
        self._kept: OrderedDict[int, _Kept] = OrderedDict()

    def expand(self, db_session: Session, image: LabelledImage) -> LabelledImage:
        """The image with its regions as targets."""
        if not image.regions or not image.width or not image.height:
            return image
        grid = make_grid(image.width, image.height, self._extractor)
        kept = self._kept.get(image.id)
        if kept is None or kept.grid != grid:
            kept = self._kept[image.id] = _Kept(grid, {})
        self._kept.move_to_end(image.id)
        if len(self._kept) > KEPT_IMAGES:
            self._kept.popitem(last=False)
        if kept.regions != image.regions:
            kept.covered = _cover(db_session, grid, image.regions, kept.covered)
            painted = [(kept.covered[r.shape_id], r.class_id, ORIGINS[r.origin]) for r in image.regions]
            kept.regions, kept.targets = image.regions, tuple(cell_targets(grid, painted))
        return replace(image, targets=(*image.targets, *kept.targets))


def cell_targets(grid: Grid, painted: Sequence[tuple[Covered | None, int | None, Origin]]) -> list[Target]:
    """Targets of what was painted, the last on top.

    Args:
        painted: Pixels of a raster of `FINENESS` places across each cell, the class (None removes), who says so.
    """
    frame = _cells_around(covered for covered, class_id, _origin in painted if class_id is not None)
    if frame is None:
        return []
    top, left, bottom, right = frame
    labels = np.zeros((grid.height * FINENESS, grid.width * FINENESS), dtype=np.uint16)
    values: dict[tuple[int, Origin], int] = {}
    for covered, class_id, origin in painted:
        value = 0 if class_id is None else values.setdefault((class_id, origin), len(values) + 1)
        paint(labels, covered, value)
    blocks = labels.reshape(grid.height, FINENESS, grid.width, FINENESS)[top:bottom, :, left:right]
    found = {key: _Cells.of_class(blocks, value) for key, value in sorted(values.items())}
    accepted = {class_id: len(cells.rows) for (class_id, origin), cells in found.items() if origin is Origin.ACCEPTED}
    targets: list[Target] = []
    for (class_id, origin), cells in found.items():
        most = MOST_CELLS[origin]
        if origin is Origin.ACCEPTED:
            most = min(most, max(LONE_CELLS, sum(accepted.values()) - accepted[class_id]))
        if len(cells.rows):
            targets += _targets_of_class(grid, blocks, cells, (top, left), class_id, origin, most)
    return targets


@dataclass(frozen=True)
class _Cells:
    """Where a class is."""

    value: int
    counts: npt.NDArray[np.intp]
    """(h, w), places of each cell."""
    rows: npt.NDArray[np.intp]
    """(n,), of the cells that count."""
    columns: npt.NDArray[np.intp]
    """(n,)"""

    @classmethod
    def of_class(cls, blocks: npt.NDArray[np.uint16], value: int) -> _Cells:
        """Of what has `value` among places (h, FINENESS, w, FINENESS)."""
        counts = (blocks == value).sum(axis=(1, 3))
        return cls(value, counts, *np.nonzero(counts >= max(1.0, LEAST_COVERAGE * int(counts.max()))))


def _targets_of_class(
    grid: Grid,
    blocks: npt.NDArray[np.uint16],
    cells: _Cells,
    first: tuple[int, int],
    class_id: int,
    origin: Origin,
    most: int,
) -> list[Target]:
    """At most so many targets of the cells of a class, from the cell `first` on."""
    counts, rows, columns = cells.counts, cells.rows, cells.columns
    best = int(counts.max())
    order = ((rows + first[0]) * SPREAD_Y + (columns + first[1]) * SPREAD_X) % 1.0
    chosen = np.argsort(order, kind="stable")[:most]
    rows, columns = rows[chosen], columns[chosen]
    covered = blocks[rows, :, columns, :] == cells.value
    shares = np.minimum(1.0, 2.0 * counts[rows, columns] / best)
    worth = min(_worth(grid, counts > 0, first), MOST_CLICKS[origin])
    weights = shares * min(1.0, worth / float(shares.sum()))
    # Where the middle of what is covered lies: for a whole cell that is its centre.
    places = np.arange(FINENESS) + 0.5
    sizes = covered.sum(axis=(1, 2))
    u = (columns + first[1]) + covered.sum(axis=1) @ places / sizes / FINENESS
    v = (rows + first[0]) + covered.sum(axis=2) @ places / sizes / FINENESS
    xy = grid.to_image(np.stack([u, v], axis=1))
    return [
        Target(class_id, origin, round(x, 3), round(y, 3), round(weight, 4), is_cell=True)
        for (x, y), weight in zip(xy.tolist(), weights.tolist(), strict=True)
    ]


def _worth(grid: Grid, is_covered: npt.NDArray[np.bool_], first: tuple[int, int]) -> float:
    """Clicks that cells (h, w), from `first` on, are worth together: what lies near together looks alike."""
    n_parts = cv2.connectedComponents(is_covered.astype(np.uint8), connectivity=8)[0] - 1
    rows, columns = np.nonzero(is_covered)
    zones = (rows + first[0]) * ZONES // grid.height * ZONES + (columns + first[1]) * ZONES // grid.width
    n_zones = len(np.unique(zones))
    return max(float(min(n_parts, n_zones)), ZONE_WEIGHT * n_zones)


def _cover(
    db_session: Session, grid: Grid, regions: Sequence[PaintedRegion], known: dict[int, Covered | None]
) -> dict[int, Covered | None]:
    new = {region.shape_id for region in regions}.difference(known)
    geometries = read_geometries(db_session, new)
    scale = (grid.width * FINENESS / grid.image_width, grid.height * FINENESS / grid.image_height)
    covered: dict[int, Covered | None] = {}
    for region in regions:
        if region.shape_id in known:
            covered[region.shape_id] = known[region.shape_id]
        elif region.shape_id in geometries:
            shape = shape_of(region.kind, geometries[region.shape_id])
            covered[region.shape_id] = _on_raster(shape, grid, scale)
        else:
            covered.setdefault(region.shape_id, None)
    return covered


def _on_raster(shape: Shape, grid: Grid, scale: tuple[float, float]) -> Covered | None:
    """What a shape covers; one place at least, however small it is."""
    width, height = grid.width * FINENESS, grid.height * FINENESS
    covered = shape.cover(width, height, scale)
    if covered is not None and covered.pixels.any():
        return covered
    exact = shape.cover(grid.image_width, grid.image_height)
    if exact is None or not exact.pixels.any():
        return None
    rows, columns = np.nonzero(exact.pixels)
    column = min(width - 1, int((exact.left + columns.mean() + 0.5) * scale[0]))
    row = min(height - 1, int((exact.top + rows.mean() + 0.5) * scale[1]))
    return Covered(row, column, np.ones((1, 1), dtype=bool))


def _cells_around(covered: Iterable[Covered | None]) -> tuple[int, int, int, int] | None:
    """(top, left, bottom, right) in cells of all that is covered."""
    found = [one for one in covered if one is not None]
    if not found:
        return None
    top, left = min(one.top for one in found), min(one.left for one in found)
    bottom = max(one.top + one.pixels.shape[0] for one in found)
    right = max(one.left + one.pixels.shape[1] for one in found)
    return top // FINENESS, left // FINENESS, -(-bottom // FINENESS), -(-right // FINENESS)
