"""Train or validation: drawn once, by image, when it is labelled for the first time."""

from __future__ import annotations

import hashlib

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from db.models import Image, Label, Split

VALIDATION_SHARE = 0.2


def draw_split(db_session: Session, image: Image, class_id: int | None) -> Split:
    """The part that a newly labelled image joins, for good.

    About one in five is for validation, in each class of a classification on its own. The share is kept by balance,
    not by chance alone: an image joins the validation part with the more likelihood, the more that part lags behind;
    the first of a class always trains. So does an image that the model had picked: what is measured on such images
    tells nothing about the others.

    Args:
        class_id: class of the whole image; None in a segmentation session.
    """
    if image.picked_by_model:
        return Split.TRAIN
    counts = select(Image.split, func.count()).where(Image.split.is_not(None), Image.id != image.id)
    if class_id is not None:
        counts = counts.join(Label, Label.image_id == Image.id).where(Label.class_id == class_id)
    by_split = dict(db_session.execute(counts.group_by(Image.split)).all())
    labelled = sum(by_split.values())
    if labelled == 0:
        return Split.TRAIN
    lag = (labelled + 1) * VALIDATION_SHARE - by_split.get(Split.VALIDATION, 0)
    return Split.VALIDATION if _draw(image.id) < lag else Split.TRAIN


def _draw(image_id: int) -> float:
    """Uniform in [0, 1), the same for an image on every machine, and unrelated to any order of labelling."""
    digest = hashlib.sha256(f"split {image_id}".encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48
