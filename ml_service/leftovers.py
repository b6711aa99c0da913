"""Predictions of a head that is gone: they are removed when nobody waits, some at a time."""

from __future__ import annotations

from db.queries.session_info import get_session_info
from db.queries.training_data import predicted_image_ids, remove_predictions
from ml_service.context import Context
from ml_service.inference import remove_maps

PREDICTIONS_PER_STEP = 100
"""That are removed at once: a click waits for no more."""


class Leftovers:
    """What the last head has left where nothing is labelled any more."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.may_exist = False

    def remove_some(self, head_version: int) -> bool:
        """Unless another head has been published since that version; False if there are none."""
        if not self.may_exist:
            return False
        context = self._context
        with context.db.write() as db_session:
            if get_session_info(db_session).head_version != head_version:
                return False
            image_ids = predicted_image_ids(db_session, PREDICTIONS_PER_STEP)
            replaced = remove_predictions(db_session, image_ids)
        self.may_exist = bool(image_ids)
        remove_maps(context.session_dir, replaced)
        return self.may_exist
