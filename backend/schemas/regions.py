"""Regions: parts of an image with a class. Coordinates are pixels of the upright original image, as those of points."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.schemas.base import Id, RequestModel, ResponseModel, Revision
from db.enums import RegionKind, RegionOrigin
from db.queries.regions import MAX_REGIONS
from models.region_checks import MAX_COUNTS, MAX_VERTICES

Place = tuple[float, float]
"""(x, y)"""


class GeometryScope(StrEnum):
    """Of which regions an answer tells the geometry."""

    ALL = "all"
    CHANGED = "changed"


class _Geometry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class StrokeGeometry(_Geometry):
    """A line drawn by a round brush."""

    points: Annotated[list[Place], Field(min_length=1, max_length=MAX_VERTICES)]
    radius: float = Field(gt=0, description="half the width of the line, pixels")


class PolygonGeometry(_Geometry):
    """Rings; one inside of another is a hole. The last corner is not the first again."""

    rings: Annotated[list[Annotated[list[Place], Field(max_length=MAX_VERTICES)]], Field(min_length=1, max_length=1000)]


class BoxGeometry(_Geometry):
    """A rectangle between two corners."""

    x0: float
    y0: float
    x1: float
    y1: float


class MaskGeometry(_Geometry):
    """Pixels of a rectangle whose first pixel is at (x, y), as COCO writes them."""

    x: int = 0
    y: int = 0
    size: tuple[int, int] = Field(description="height and width of the rectangle")
    counts: str = Field(max_length=MAX_COUNTS, description="compressed run lengths, down the columns")


Geometry = StrokeGeometry | PolygonGeometry | BoxGeometry | MaskGeometry


class RegionOut(ResponseModel):
    """A part of an image with its class. Painted in the order of the list: the last is on top."""

    id: int = Field(description="stays the same while the region is moved, changed, removed and brought back")
    shape_id: int = Field(description="equal where the geometry is; a changed geometry gets another one")
    kind: RegionKind
    class_id: int | None = Field(description="null removes what lies below: an eraser")
    origin: RegionOrigin = Field(description="who made it; set by the server")
    geometry: Geometry | None = Field(
        default=None, description="null where geometry=changed was asked for and the image had this shape before"
    )


class _RegionIn(BaseModel):
    """What the server sets (origin, shape_id) may be there, as it came, and is ignored."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    class_id: Id | None = Field(description="null: an eraser, which removes what lies below")
    id: Id | None = Field(default=None, description="of an existing region; left out for a new one")

    @model_validator(mode="before")
    @classmethod
    def _has_geometry(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("geometry") is None and data.get("id") is None:
            raise ValueError("a new region needs a geometry; an existing one its id")
        return data


class StrokeIn(_RegionIn):
    """A stroke."""

    kind: Literal[RegionKind.STROKE]
    geometry: StrokeGeometry | None = Field(default=None, description="left out: that of the existing region")


class PolygonIn(_RegionIn):
    """A polygon."""

    kind: Literal[RegionKind.POLYGON]
    geometry: PolygonGeometry | None = Field(default=None, description="left out: that of the existing region")


class BoxIn(_RegionIn):
    """A box."""

    kind: Literal[RegionKind.BOX]
    geometry: BoxGeometry | None = Field(default=None, description="left out: that of the existing region")


class MaskIn(_RegionIn):
    """A mask."""

    kind: Literal[RegionKind.MASK]
    geometry: MaskGeometry | None = Field(default=None, description="left out: that of the existing region")


RegionIn = Annotated[StrokeIn | PolygonIn | BoxIn | MaskIn, Field(discriminator="kind")]
Regions = Annotated[list[RegionIn], Field(max_length=MAX_REGIONS)]


class _RegionChange(RequestModel):
    class_id: Id | None = Field(default=None, description="another class; null makes an eraser of it")
    dx: float = Field(default=0.0, description="pixels to the right; a mask moves by whole ones")
    dy: float = Field(default=0.0, description="pixels down")
    geometry: Geometry | None = Field(default=None, description="another geometry, of the same kind")


class RegionChange(_RegionChange):
    """What becomes of one existing region; what is left out stays."""

    id: Id


class RegionPatch(_RegionChange):
    """What becomes of a region; what is left out stays."""

    revision: Revision | None = Field(default=None, description="as in PUT annotations")

    def as_edit(self, region_id: int) -> RegionsEdit:
        """The same, as an edit of the image's regions."""
        given = {name: getattr(self, name) for name in self.model_fields_set if name != "revision"}
        return RegionsEdit(revision=self.revision, change=[RegionChange(id=region_id, **given)])


class RegionsEdit(RequestModel):
    """One action of a person: regions to add on top, to change and to remove. One step for undo."""

    revision: Revision | None = Field(default=None, description="as in PUT annotations")
    add: Regions = Field(default=[], description="new ones, the last on top")
    change: list[RegionChange] = Field(default=[], max_length=MAX_REGIONS)
    remove: list[Id] = Field(default=[], max_length=MAX_REGIONS)

    @model_validator(mode="after")
    def _is_clear(self) -> RegionsEdit:
        changed = [change.id for change in self.change]
        if any(region.id is not None for region in self.add):
            raise ValueError("add takes new regions, without id: name existing ones in change or remove")
        if len(set(changed)) < len(changed) or set(changed) & set(self.remove):
            raise ValueError("a region is named twice: name it once, in change or in remove")
        return self
