"""What the ML service reads to learn and to predict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Select, bindparam, delete, func, or_, select, update
from sqlalchemy.orm import Session

from db.enums import FeatureState, ImageStatus, Origin, RegionKind, RegionOrigin, Split
from db.queries.class_groups import unasked_classes
from db.queries.class_tree import ClassTree, read_tree
from db.queries.events import add_event
from db.queries.portions import in_portions
from db.tables.annotations import ImageClass, Label, Point, Region, RegionShape
from db.tables.images import Image
from db.tables.learning import Prediction
from db.tables.session import LabelClass
from db.tasks import Annotates, Task


@dataclass(frozen=True)
class ImageRef:
    """An image as prediction needs it."""

    id: int
    content_hash: str
    width: int
    height: int
    revision: int


@dataclass(frozen=True)
class Target:
    """One thing to learn: the class of a point (x, y in image pixels), or of the whole image (then x = y = 0)."""

    class_id: int
    origin: Origin
    x: float = 0.0
    y: float = 0.0
    weight: float = 1.0
    """What it counts, against 1 for a click."""
    is_cell: bool = False
    """Whether it stands for a part of a region: see ml_service/data_loaders/region_cells.py."""

    @property
    def is_guess(self) -> bool:
        """Whether a model made it, and nobody looked at this very place."""
        return self.origin is Origin.EXTRACTED or (self.is_cell and self.origin is Origin.ACCEPTED)


@dataclass(frozen=True)
class PaintedRegion:
    """A region of a present class, or an eraser (None), without its geometry."""

    shape_id: int
    kind: RegionKind
    class_id: int | None
    origin: RegionOrigin


@dataclass(frozen=True)
class LabelledImage:
    """An image that was annotated at least once; `targets` is empty when nothing of it is left.

    Where an image may have several classes, each that holds is a target, and `answered` says that no other holds.
    """

    id: int
    content_hash: str | None
    width: int
    height: int
    revision: int
    label_sequence: int
    split: Split | None
    features_ready: bool
    targets: tuple[Target, ...] = field(default=())
    answered: bool = False
    """For all classes at once, also if none holds."""
    picked_by_model: bool = False
    """As `Image.picked_by_model`."""
    answered_at: int = 0
    """As `Image.answered_at`."""
    unasked: tuple[int, ...] = ()
    """Classes of which the answer says nothing: they were added later."""
    regions: tuple[PaintedRegion, ...] = ()
    """The last on top; not among `targets` yet."""

    @property
    def teaches(self) -> bool:
        """Whether there is anything to learn from it."""
        return self.answered or bool(self.targets) or any(region.class_id is not None for region in self.regions)


def annotated_images(
    db_session: Session, task: Task, *, after_sequence: int = 0, also: Collection[int] = ()
) -> list[LabelledImage]:
    """Images annotated after `after_sequence`, and those with an id in `also`, with what they teach, by id.

    A skipped image teaches nothing, whatever lies on it. Targets of removed classes are among the rest, as a removal
    can be undone: leave out those that `present_class_ids` does not name.
    """
    columns = (Image.id, Image.content_hash, Image.width, Image.height, Image.revision, Image.label_sequence,
               Image.split, Image.features, Image.status, Image.picked_by_model, Image.answered_at,
               Image.region_count)  # fmt: skip
    wanted = [Image.label_sequence > after_sequence]
    wanted += [Image.id.in_(ids) for ids in in_portions(sorted(also))]
    # Sorted here: asked for in the order of ids, SQLite would walk through all images of the session.
    rows = sorted(db_session.execute(select(*columns).where(or_(*wanted))), key=lambda row: row.id)
    targets = _targets(db_session, task, [row.id for row in rows if row.status is ImageStatus.LABELED])
    regions = _regions(db_session, [row.id for row in rows if row.region_count and row.status is ImageStatus.LABELED])
    is_answer = task.annotates is Annotates.CLASSES
    unasked = unasked_classes(db_session) if is_answer else None

    def unknown(row: Any) -> tuple[int, ...]:
        return () if unasked is None else unasked.of(row.answered_at, {t.class_id for t in targets.get(row.id, ())})

    return [
        LabelledImage(
            id=row.id,
            content_hash=row.content_hash,
            width=row.width or 0,
            height=row.height or 0,
            revision=row.revision,
            label_sequence=row.label_sequence,
            split=row.split,
            features_ready=row.features is FeatureState.READY,
            targets=tuple(targets.get(row.id, ())),
            answered=is_answer and row.status is ImageStatus.LABELED,
            picked_by_model=row.picked_by_model,
            answered_at=row.answered_at,
            unasked=unknown(row),
            regions=tuple(regions.get(row.id, ())),
        )
        for row in rows
    ]


def present_class_ids(db_session: Session) -> list[int]:
    """Classes that were not removed, by id."""
    return list(db_session.scalars(_PRESENT_CLASSES))


def class_names(db_session: Session) -> dict[int, str]:
    """Name by id, of all classes that ever were."""
    return dict(db_session.execute(select(LabelClass.id, LabelClass.name)).all())


def count_ready(db_session: Session) -> int:
    """Number of images whose features can be used."""
    return db_session.scalar(select(func.count()).where(Image.features == FeatureState.READY)) or 0


def sample_ready(db_session: Session, limit: int) -> list[ImageRef]:
    """Up to `limit` images with features, spread over the session by their random key: always the same ones."""
    return _refs(db_session, select(*_REF).where(_IS_READY).order_by(Image.random_key, Image.id).limit(limit))


def ready_image(db_session: Session, image_id: int) -> ImageRef | None:
    """The image, if its features can be used."""
    refs = _refs(db_session, _READY_IMAGE, {"image_id": image_id})
    return refs[0] if refs else None


def any_ready(db_session: Session, image_ids: Collection[int]) -> bool:
    """Whether the features of at least one of the images can be used."""
    portions = in_portions(sorted(image_ids))
    return any(db_session.scalar(select(Image.id).where(_IS_READY, Image.id.in_(ids)).limit(1)) for ids in portions)


def record_broken_features(db_session: Session, broken: Mapping[int, str]) -> None:
    """Note images whose cached features turned out to be unusable, with the reason, and announce them."""
    for image_id, reason in broken.items():
        image = db_session.get(Image, image_id)
        if image is not None:
            image.features = FeatureState.FAILED
            image.failure = reason
            add_event(db_session, "features", image_id=image_id, features=FeatureState.FAILED.value)


def stale_images(
    db_session: Session, head_version: int, limit: int, *, share: tuple[int, int] = (0, 1)
) -> list[ImageRef]:
    """Images to predict anew, those of the oldest prediction first.

    Args:
        share: (k, n): the k-th of n workers takes other images than the others do, as long as it has any.
    """
    stale = select(*_REF).where(_IS_READY, Image.predicted_version < head_version)
    ordered = stale.order_by(Image.predicted_version, Image.id).limit(limit)
    place, count = share
    images = _refs(db_session, ordered.where(Image.id % count == place) if count > 1 else ordered)
    return images or (_refs(db_session, ordered) if count > 1 else [])


def last_annotated_image_id(db_session: Session) -> int | None:
    """The image whose annotation changed last: the best guess at what is open when a service starts."""
    statement = select(Image.id).where(Image.label_sequence > 0).order_by(Image.label_sequence.desc()).limit(1)
    return db_session.scalar(statement)


def predicted_image_ids(db_session: Session, limit: int) -> list[int]:
    """Up to so many images that have a prediction."""
    return list(db_session.scalars(select(Prediction.image_id).order_by(Prediction.image_id).limit(limit)))


def remove_predictions(db_session: Session, image_ids: Sequence[int]) -> list[str]:
    """Forget what was predicted of images, up to `IDS_PER_STATEMENT`, as there is no head left; paths of the maps."""
    is_meant = Prediction.image_id.in_(image_ids)
    paths = list(db_session.scalars(select(Prediction.map_path).where(is_meant, Prediction.map_path.is_not(None))))
    db_session.execute(delete(Prediction).where(is_meant))
    nothing = {"predicted_version": 0, "uncertainty": None, "predicted_class_id": None}
    db_session.execute(update(Image).where(Image.id.in_(image_ids)).values(nothing))
    return [path for path in paths if path is not None]


_REF = (Image.id, Image.content_hash, Image.width, Image.height, Image.revision)
_IS_READY = Image.features == FeatureState.READY
# Built once: every click runs them, and putting a statement together takes longer than running it.
_READY_IMAGE = select(*_REF).where(_IS_READY, Image.id == bindparam("image_id"))
_PRESENT_CLASSES = select(LabelClass.id).where(LabelClass.removed_at.is_(None)).order_by(LabelClass.id)


def _refs(
    db_session: Session, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any] | None = None
) -> list[ImageRef]:
    return [ImageRef(*row) for row in db_session.execute(statement, values)]


def _targets(db_session: Session, task: Task, image_ids: Sequence[int]) -> dict[int, list[Target]]:
    targets: dict[int, list[Target]] = defaultdict(list)
    rows: Iterable[Any]
    for ids in in_portions(image_ids):
        if task.annotates is Annotates.POINTS:
            points = select(Point.image_id, Point.class_id, Point.origin, Point.x, Point.y)
            rows = db_session.execute(points.where(Point.image_id.in_(ids)).order_by(Point.image_id, Point.id))
        elif task.annotates is Annotates.CLASSES:
            held = select(ImageClass.image_id, ImageClass.class_id, ImageClass.origin)
            rows = db_session.execute(held.where(ImageClass.image_id.in_(ids), ImageClass.class_id.is_not(None)))
        else:
            rows = db_session.execute(
                select(Label.image_id, Label.class_id, Label.origin).where(Label.image_id.in_(ids))
            )
        for image_id, *target in rows:
            targets[image_id].append(Target(*target))
    if task.annotates is Annotates.CLASSES:
        tree = read_tree(db_session)
        return {image_id: _with_parents(tree, found) for image_id, found in targets.items()}
    return targets


def _with_parents(tree: ClassTree, held: list[Target]) -> list[Target]:
    """The classes above too: an answer from before a class stood below another did not name that one."""
    by_class = {target.class_id: target for target in held}
    for target in held:
        for above in tree.above(target.class_id):
            by_class.setdefault(above, replace(target, class_id=above))
    return list(by_class.values())


def _regions(db_session: Session, image_ids: Sequence[int]) -> dict[int, list[PaintedRegion]]:
    present = select(LabelClass.id).where(LabelClass.removed_at.is_(None))
    regions: dict[int, list[PaintedRegion]] = defaultdict(list)
    for ids in in_portions(image_ids):
        rows = (
            select(Region.image_id, Region.shape_id, RegionShape.kind, Region.class_id, Region.origin)
            .join(RegionShape, RegionShape.id == Region.shape_id)
            .where(Region.image_id.in_(ids), or_(Region.class_id.is_(None), Region.class_id.in_(present)))
            .order_by(Region.image_id, Region.position)
        )
        for row in db_session.execute(rows):
            regions[row.image_id].append(PaintedRegion(row.shape_id, row.kind, row.class_id, row.origin))
    return regions


def labelled_without_features(db_session: Session) -> int:
    """How many images have labels that nothing can learn from yet."""
    waiting = (Image.status == ImageStatus.LABELED, Image.features == FeatureState.PENDING)
    return db_session.scalar(select(func.count()).select_from(Image).where(*waiting)) or 0
