"""Which labels the features themselves know: those that the adapter of the extractor in force was fine-tuned on.

A head of such features tells the labels of these images well without having learned from them, even by guesswork: an
adapter can learn them by heart. Imports no torch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from db.enums import CheckpointKind, Split
from db.queries.training_data import LabelledImage
from db.tables.learning import Checkpoint
from ml_service.data_snapshot import load_snapshot
from ml_service.errors import CheckpointError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class AdapterPast:
    """Images by id, as the data snapshots beside the adapter have them; None: there are none, so that all may count."""

    learned_from: frozenset[int] | None
    chosen_on: frozenset[int] | None
    """Its best epoch."""

    def has_learned_from(self, image: LabelledImage) -> bool:
        """Whether its label shows in the features of now; without a record, of every image that trains."""
        if self.learned_from is None:
            return image.split is not Split.VALIDATION
        return image.id in self.learned_from

    def was_chosen_on(self, image: LabelledImage) -> bool:
        """Whether its label had a say in which epoch was kept."""
        if self.chosen_on is None:
            return image.split is Split.VALIDATION
        return image.id in self.chosen_on

    def describe(self, images: Iterable[LabelledImage]) -> list[list[int]]:
        """As plain JSON values: equal where it says the same of these images."""
        return [
            [image.id, self.has_learned_from(image), self.was_chosen_on(image)]
            for image in images
            if self.has_learned_from(image) or self.was_chosen_on(image)
        ]


NO_ADAPTER = AdapterPast(frozenset(), frozenset())
UNRECORDED = AdapterPast(None, None)


def read_past(db_session: Session, session_dir: Path, adapter_path: str | None) -> AdapterPast:
    """Of the adapter in force.

    An adapter may be stacked on an earlier one, which has learned too: all made up to then are taken together.

    Args:
        adapter_path: `SessionInfo.config` has it; None without one.
    """
    if adapter_path is None:
        return NO_ADAPTER
    is_adapter = Checkpoint.kind == CheckpointKind.ADAPTER
    newest_id = db_session.scalar(select(Checkpoint.id).where(is_adapter, Checkpoint.path == adapter_path))
    if newest_id is None:
        return UNRECORDED
    hashes = db_session.scalars(select(Checkpoint.dataset_hash).where(is_adapter, Checkpoint.id <= newest_id)).all()
    learned_from: set[int] = set()
    chosen_on: set[int] = set()
    for dataset_hash in dict.fromkeys(hashes):
        try:
            if dataset_hash is None:
                return UNRECORDED
            snapshot = load_snapshot(session_dir, dataset_hash)
        except CheckpointError as error:
            logger.warning("every training image counts as known to the adapter: %s", error)
            return UNRECORDED
        learned_from.update(image.id for image in snapshot.part(Split.TRAIN))
        chosen_on.update(image.id for image in snapshot.part(Split.VALIDATION))
    return AdapterPast(frozenset(learned_from), frozenset(chosen_on))
