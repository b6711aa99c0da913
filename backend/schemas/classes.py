"""Classes: what people can say."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

from pydantic import Field, StringConstraints

from backend.schemas.base import Id, RequestModel, ResponseModel

ClassName = Annotated[
    # One line without control characters: it stands in tables, file headers and error messages.
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")
]
Color = Annotated[str, StringConstraints(pattern=r"^#[0-9A-Fa-f]{6}$")]


class LabelClassOut(ResponseModel):
    """A class that can be assigned."""

    id: int
    name: str
    color: str = Field(description="#RRGGBB")
    group: str | None = Field(
        description="multilabel: an image has at most one of the classes of a group; null: any number"
    )
    parent_id: int | None = Field(
        default=None,
        description="the class that it is a kind of: counts, filters and exports of that one include it, and in a "
        "multilabel session an image that has the class has that one too; null: of none",
    )


class LabelClassNew(RequestModel):
    """A class to add."""

    name: ClassName
    color: Color | None = Field(default=None, description="#RRGGBB; left out: one unlike those in use is chosen")
    group: ClassName | None = Field(default=None, description="multilabel: of classes that exclude each other")
    parent_id: Id | None = Field(default=None, description="the class that it is a kind of")


class LabelClassChange(RequestModel):
    """What to change of a class; what is left out stays."""

    name: ClassName | None = None
    color: Color | None = Field(default=None, description="#RRGGBB")
    group: ClassName | None = Field(
        default=None,
        description="multilabel: of classes that exclude each other; null takes the class out of its group",
    )
    parent_id: Id | None = Field(
        default=None, description="the class that it is a kind of from now on; null: of none. It comes last there"
    )
    before: Id | None = Field(
        default=None,
        description="id of the class, of the same parent, that it comes before in the order; null: it comes last",
    )
    merge_into: Id | None = Field(
        default=None,
        description="id of another class that takes over all annotations; this class is then removed, until POST "
        "/classes/{id}/restore takes the merge back",
    )


class LabelClassChanged(LabelClassOut):
    """The class after the change; after a merge, the class that took over."""

    annotations_moved: int = Field(default=0, description="points or labels that a merge gave to this class")


class LabelClassRemoved(ResponseModel):
    """What a removal took away; POST /classes/{id}/restore brings it back."""

    id: int
    annotations_removed: int = Field(description="points, regions, or labels of whole images")
    images_changed: int


class LabelClassRestored(LabelClassOut):
    """A removed or merged class that is back."""

    annotations_restored: int
    annotations_changed: int = Field(
        default=0,
        description="after a merge: what the class had before and that was changed since; it stays as it is",
    )


class LabelClassUsage(ResponseModel):
    """What a removal would take away, or a restoration bring back."""

    id: int
    points: int
    regions: int
    labels: int = Field(description="of whole images")
    images: int = Field(description="that have any of these")


class RemovedClass(LabelClassUsage):
    """A class that can be restored, and what comes back with it."""

    name: str
    color: str = Field(description="#RRGGBB")
    removed_at: dt.datetime
    merged_into: int | None = Field(default=None, description="id of the class that has its annotations, if one has")
