"""Train or validation: drawn once, by image, when it is labelled for the first time."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from db.models import Image, ImageClass, Label, Split

VALIDATION_SHARE = 0.2


def draw_split(db_session: Session, image: Image, class_id: int | None) -> Split:
    """The part that a newly labelled image joins, for good.

    About one in five is for validation, in each class of a classification on its own. The share is kept by balance,
    not by chance alone: an image joins the validation part with the more likelihood, the more that part lags behind;
    the first of a class always trains. So does an image that the model had picked: what is measured on such images
    tells nothing about the others.

    Args:
        class_id: class of the whole image, of several the one that `rarest_class` gives; None without any.
    """
    if image.picked_by_model:
        return Split.TRAIN
    counts = select(Image.split, func.count()).where(Image.split.is_not(None), Image.id != image.id)
    if class_id is not None:
        has_class = union_all(
            *(select(table.image_id).where(table.class_id == class_id) for table in (Label, ImageClass))
        )
        counts = counts.where(Image.id.in_(has_class))
    by_split = dict(db_session.execute(counts.group_by(Image.split)).all())
    labelled = sum(by_split.values())
    if labelled == 0:
        return Split.TRAIN
    lag = (labelled + 1) * VALIDATION_SHARE - by_split.get(Split.VALIDATION, 0)
    return Split.VALIDATION if _draw(image.id) < lag else Split.TRAIN


def rarest_class(db_session: Session, class_ids: Collection[int]) -> int | None:
    """Of several classes of an image the one that fewest images have: by it the image is balanced between the parts.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas, 2011), image by image as they are labelled: a class
    that many images have finds its balance on the others.
    """
    if not class_ids:
        return None
    statement = select(ImageClass.class_id, func.count()).where(ImageClass.class_id.in_(class_ids))
    counts = dict(db_session.execute(statement.group_by(ImageClass.class_id)).all())
    return min(class_ids, key=lambda class_id: (counts.get(class_id, 0), class_id))


def _draw(image_id: int) -> float:
    """Uniform in [0, 1), the same for an image on every machine, and unrelated to any order of labelling."""
    digest = hashlib.sha256(f"split {image_id}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
