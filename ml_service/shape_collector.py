"""Removal of shapes of regions that no state names: undo reaches back so far only, and strokes are many."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from db.database import Database
from db.queries.unused_shapes import forget_shapes, next_image_with_shapes, shapes_in_states, unused_shapes

logger = logging.getLogger(__name__)
STATES_AT_ONCE = 4
"""One of thousands of regions takes some milliseconds to read, and a click waits for no more than these."""
STEP_S = 0.02
"""After which a step ends."""
REST_S = 3600.0
"""From the beginning of one pass over the images to the next."""


@dataclass
class _Look:
    """At one image, for as long as nobody changes it."""

    image_id: int
    revision: int
    named: frozenset[int] = frozenset()
    position: int = 0


class ShapeCollector:
    """Looks through some states at a time, in idle time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._begin_at = 0.0
        self._last_id = 0
        self._look: _Look | None = None
        self._seen: dict[int, int] = {}
        """Revision by image, of those that have nothing left to remove at it."""

    def step(self) -> bool:
        """Look on for a moment; False if the pass is over and the next one not due."""
        if self._look is None and self._last_id == 0 and time.monotonic() < self._begin_at:
            return False
        until = time.monotonic() + STEP_S
        while time.monotonic() < until:
            if not self._advance():
                self._last_id, self._begin_at = 0, time.monotonic() + REST_S
                return False
        return True

    def _advance(self) -> bool:
        if self._look is None:
            return self._go_to_next_image()
        look = self._look
        with self._db.read() as db_session:
            position, named = shapes_in_states(db_session, look.image_id, look.position, STATES_AT_ONCE)
            unused = unused_shapes(db_session, look.image_id, look.named) if position is None else []
        if position is not None:
            look.position, look.named = position, look.named | named
        elif not unused:
            self._seen[look.image_id] = look.revision
            self._look = None
        else:
            self._remove(look, unused)
        return True

    def _go_to_next_image(self) -> bool:
        with self._db.read() as db_session:
            found = next_image_with_shapes(db_session, self._last_id)
        if found is None:
            return False
        self._last_id = found[0]
        if self._seen.get(found[0]) != found[1]:
            self._look = _Look(*found)
        return True

    def _remove(self, look: _Look, unused: list[int]) -> None:
        with self._db.write() as db_session:
            is_done = forget_shapes(db_session, look.image_id, look.revision, unused)
        if is_done:
            logger.info("removed %d shapes of image %d that no state names", len(unused), look.image_id)
        else:
            # Somebody works on it: in the next pass.
            self._look = None
