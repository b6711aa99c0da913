"""One change of many images: the same rules as for one, all in the caller's one transaction, in few statements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from db.enums import ImageStatus, Split
from db.errors import InvalidInputError
from db.queries.annotation_change import session_info, status_of
from db.queries.annotation_rules import ClassRules
from db.queries.annotation_state import State
from db.queries.bulk_rows import (
    Planned,
    marks_of,
    read_images,
    read_past,
    read_states,
    remember,
    write_images,
    write_marks,
)
from db.queries.bulk_rules import Member, Rule
from db.queries.events import add_events
from db.queries.jobs import request_refit
from db.queries.splits import SplitDrawer
from db.tables.session import SessionInfo
from db.tasks import Annotates

MOST_IMAGES = 5_000
"""In one change: all of it is one transaction, and no other click is stored meanwhile."""


@dataclass
class BulkOutcome:
    """What became of the images."""

    changed: dict[int, int] = field(default_factory=dict)
    """Revision by id."""
    unchanged: list[int] = field(default_factory=list)
    """It was so before, or there is nothing to do about them."""
    conflicts: list[int] = field(default_factory=list)
    """They are not what the person saw."""
    refused: list[int] = field(default_factory=list)
    """There is no such image, or it cannot be labelled."""
    emptied: int = 0
    """Of those changed: how many were labelled before and are not now."""


class Batch:
    """Images that are changed together; only whole images have a class that can be given to many."""

    def __init__(self, db_session: Session, image_ids: Sequence[int]) -> None:
        """Read what stands, and keep others from changing it.

        Raises:
            InvalidInputError: the task has no labels of whole images, or there are too many.
        """
        if len(image_ids) > MOST_IMAGES:
            raise InvalidInputError(
                f"{len(image_ids)} images in one change, {MOST_IMAGES} are possible: send them in several"
            )
        self.db_session = db_session
        self.info: SessionInfo = session_info(db_session)
        self.task = self.info.task
        if self.task.annotates is Annotates.POINTS:
            raise InvalidInputError(f"this is a {self.task.name} session: images are changed one by one, not in bulk")
        self.classes = ClassRules(db_session)
        images = read_images(db_session, image_ids)
        states = read_states(db_session, images, self.task)
        # In the order given.
        self.members = {
            image_id: Member(self.classes, images[image_id], states[image_id])
            for image_id in image_ids
            if image_id in images
        }
        self.picked_by_model = False
        """What a head said decided which images these are: none that `apply` changes becomes a validation image."""
        self.outcome = BulkOutcome(refused=[image_id for image_id in image_ids if image_id not in images])

    def apply(self, rule: Rule) -> None:
        """Make what the rule says the state in force of each image, and the newest step of its history."""
        planned: list[Planned] = []
        # Of all of them: no class comes in between.
        answered_at = self.info.label_sequence + 1
        for image_id, member in self.members.items():
            after = rule(member)
            if after is None or after.same_as(member.before):
                self.outcome.unchanged.append(image_id)
                continue
            if after.classes:
                after = replace(after, answered_at=answered_at)
            planned.append(Planned(member.image, member.before, after, member.image.history_position + 1))
        remember(self.db_session, planned)
        self._put_in_force(planned, picked_by_model=self.picked_by_model)

    def step(self, direction: int) -> None:
        """One step back (-1) or forward (1) in the history of each image; those without one stay as they are."""
        positions = {image_id: m.image.history_position + direction for image_id, m in self.members.items()}
        states = read_past(self.db_session, positions)
        planned: list[Planned] = []
        for image_id, member in self.members.items():
            after = states.get(image_id)
            allowed = None if after is None else member.beside_hidden(after)
            if allowed is None or allowed.same_as(member.before):
                self.outcome.unchanged.append(image_id)
                continue
            planned.append(Planned(member.image, member.before, allowed, positions[image_id]))
        self._put_in_force(planned)

    def set_apart(self, image_ids: Iterable[int], into: list[int]) -> None:
        """Leave these out: `into` is one of the lists of the outcome."""
        for image_id in image_ids:
            if self.members.pop(image_id, None) is not None:
                into.append(image_id)

    def _put_in_force(self, planned: Sequence[Planned], *, picked_by_model: bool = False) -> None:
        """As `Change.put_in_force`; what agrees with a prediction is not noted, as many at once say little of it."""
        if not planned:
            return
        rows: list[dict[str, Any]] = []
        drawer = SplitDrawer(self.db_session)
        shown: dict[State, _Shown] = {}
        for plan in planned:
            image = plan.image
            if plan.after not in shown:
                shown[plan.after] = _shown(plan.after.visible(self.classes.present))
            found = shown[plan.after]
            self.info.label_sequence += 1
            self.outcome.emptied += image.status is ImageStatus.LABELED and found.status is not ImageStatus.LABELED
            is_picked = image.picked_by_model or (picked_by_model and image.split is None)
            split = image.split
            if split is None and found.class_ids is not None:
                split = Split.TRAIN if is_picked else drawer.draw(image.id, found.class_ids)
            self.outcome.changed[image.id] = image.revision + 1
            rows.append(
                {
                    "row_id": image.id,
                    "history_position": plan.position,
                    "revision": image.revision + 1,
                    "label_sequence": self.info.label_sequence,
                    "answered_at": plan.after.answered_at if plan.after.classes else 0,
                    "status": found.status,
                    "split": split,
                    "picked_by_model": is_picked,
                }
            )
        write_images(self.db_session, rows)
        write_marks(self.db_session, planned, self.task)
        self.db_session.flush()
        request_refit(self.db_session, planned[0].image.id)
        revisions = self.outcome.changed.items()
        add_events(self.db_session, "annotation", [{"image_id": i, "revision": revision} for i, revision in revisions])


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a state says of its image."""

    status: ImageStatus
    class_ids: frozenset[int] | None
    """None: it is not labelled."""


def _shown(visible: State) -> _Shown:
    class_ids = frozenset(class_id for class_id, _origin in marks_of(visible) if class_id is not None)
    return _Shown(status_of(visible), class_ids if visible.says_something else None)
