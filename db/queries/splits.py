"""Train or validation: drawn once, by image, when it is labelled for the first time."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.expression import Subquery

from db.enums import Split
from db.tables.annotations import ANNOTATION_TABLES, ImageClass, Label, Point, Region
from db.tables.images import Image

VALIDATION_SHARE = 0.2
MANY = 1000
"""Images, from which on they are not counted."""


def draw_split(db_session: Session, image: Image, class_id: int | None) -> Split:
    """The part that a newly labelled image joins, for good.

    About one in five is for validation, in each class on its own. The share is kept by balance, not by chance alone:
    an image joins the validation part with the more likelihood, the more that part lags behind; the first of a class
    always trains. Once a class has many images, chance alone keeps the share, and nobody waits for a count. An image
    that the model had picked always trains: what is measured on such images tells nothing about the others.

    Args:
        class_id: Of several classes on the image the one that `rarest_class` gives; None without any.
    """
    if image.picked_by_model:
        return Split.TRAIN
    return _decide(image.id, _counts_by_split(db_session, image.id, class_id))


class SplitDrawer:
    """Draws for many images that are labelled together: what is counted once goes on by addition."""

    def __init__(self, db_session: Session) -> None:
        """None of the images may have its new classes yet."""
        self._db_session = db_session
        self._by_split: dict[int | None, Counter[Split | None]] = {}
        self._images: dict[int, int] = {}

    def draw(self, image_id: int, class_ids: Collection[int]) -> Split:
        """As `draw_split`, of an image that the model had not picked, with all of its classes."""
        if len(class_ids) > 1:
            self._images |= count_images(self._db_session, [found for found in class_ids if found not in self._images])
            class_id: int | None = min(class_ids, key=lambda found: (self._images.get(found, 0), found))
        else:
            class_id = next(iter(class_ids), None)
        if class_id not in self._by_split:
            self._by_split[class_id] = _counts_by_split(self._db_session, image_id, class_id)
        split = _decide(image_id, self._by_split[class_id])
        for found in class_ids or (None,):
            if found in self._by_split:
                self._by_split[found][split] += 1
            if found in self._images:
                self._images[found] += 1
        return split


def _counts_by_split(db_session: Session, image_id: int, class_id: int | None) -> Counter[Split | None]:
    """How many labelled images are in each part, up to many; the image itself does not count."""
    counts = select(Image.split, func.count()).where(Image.split.is_not(None))
    if class_id is None:
        some = select(Image.id).where(Image.split.is_not(None), Image.id != image_id).limit(MANY)
        counts = counts.where(Image.id.in_(some))
    else:
        counts = counts.where(
            or_(*(Image.id.in_(select(_images_with(table, class_id))) for table in ANNOTATION_TABLES))
        )
    return Counter(dict(db_session.execute(counts.where(Image.id != image_id).group_by(Image.split)).all()))


def _decide(image_id: int, by_split: Counter[Split | None]) -> Split:
    labelled = sum(by_split.values())
    if labelled == 0:
        return Split.TRAIN
    lag = (labelled + 1) * VALIDATION_SHARE - by_split[Split.VALIDATION]
    is_drawn = _draw(image_id) < (VALIDATION_SHARE if labelled >= MANY - 1 else lag)
    return Split.VALIDATION if is_drawn else Split.TRAIN


def rarest_class(db_session: Session, class_ids: Collection[int]) -> int | None:
    """Of several classes on an image the one that fewest images have: by it the image is balanced between the parts.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011), image by image as they are labelled: a class
    that many images have finds its balance on the others.
    """
    if len(class_ids) < 2:
        return next(iter(class_ids), None)
    counts = count_images(db_session, class_ids)
    return min(class_ids, key=lambda class_id: (counts[class_id], class_id))


def count_images(db_session: Session, class_ids: Collection[int]) -> dict[int, int]:
    """How many images have each class, up to many."""
    counts: dict[int, int] = {}
    for class_id in class_ids:
        found = [
            select(func.count()).select_from(_images_with(table, class_id)).scalar_subquery()
            for table in ANNOTATION_TABLES
        ]
        counts[class_id] = sum(db_session.execute(select(*found)).one())
    return counts


def _images_with(table: type[Label | ImageClass | Point | Region], class_id: int) -> Subquery:
    """Ids of up to `MANY` of the images with a class."""
    return select(table.image_id).where(table.class_id == class_id).distinct().limit(MANY).subquery()


def _draw(image_id: int) -> float:
    """Uniform in [0, 1), the same for an image on every machine, and unrelated to any order of labelling."""
    digest = hashlib.sha256(f"split {image_id}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
