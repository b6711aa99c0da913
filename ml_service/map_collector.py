"""Removal of prediction maps that no row names: a crash between commit and removal leaves them behind."""

from __future__ import annotations

import logging
import os
import re
import time
from pathlib import Path

from db.database import Database
from db.queries.predictions import named_maps
from ml_service.inference import remove_maps
from models.prediction_store import IMAGES_PER_FOLDER, MAPS_FOLDER

logger = logging.getLogger(__name__)
MIN_AGE_S = 60.0
"""A file is written before the row that names it is committed: younger ones are left alone."""
REST_S = 3600.0
"""From the end of one pass over the folders to the next."""
MAX_REMOVED = 500
"""Of one folder; more have to wait for the next pass."""
MAP_NAME = re.compile(r"\d+\.\d+\.npy|\.\d+\.\d+\.npy\..*\.tmp")
"""A map, or the temporary file of one that was never finished."""


class MapCollector:
    """Looks through one folder (the maps of a thousand images) at a time, in idle time."""

    def __init__(self, db: Database, session_dir: Path) -> None:
        self._db = db
        self._session_dir = session_dir
        self._folders: list[str] = []
        self._begin_at = 0.0

    def step(self) -> bool:
        """Collect in the next folder; False if the pass is over and the next one not due."""
        if not self._folders:
            if time.monotonic() < self._begin_at:
                return False
            self._folders = self._list_folders()
            self._begin_at = time.monotonic() + REST_S
            if not self._folders:
                return False
        orphans = self._orphans(self._folders.pop())[:MAX_REMOVED]
        if orphans:
            logger.info("removing %d prediction maps that nothing refers to", len(orphans))
            remove_maps(self._session_dir, orphans)
        return True

    def _list_folders(self) -> list[str]:
        root = self._session_dir / MAPS_FOLDER
        return sorted((path.name for path in root.glob("*") if path.name.isdecimal()), reverse=True)

    def _orphans(self, folder: str) -> list[str]:
        # Files first, rows second: what is old and still unnamed afterwards was not about to be named.
        newest = time.time() - MIN_AGE_S
        old: list[str] = []
        with os.scandir(self._session_dir / MAPS_FOLDER / folder) as entries:
            for entry in entries:
                if MAP_NAME.fullmatch(entry.name) and _modified_at(entry) < newest:
                    old.append(f"{MAPS_FOLDER}/{folder}/{entry.name}")
        first = int(folder) * IMAGES_PER_FOLDER
        with self._db.read() as db_session:
            named = named_maps(db_session, first, first + IMAGES_PER_FOLDER - 1)
        return sorted(set(old) - named)


def _modified_at(entry: os.DirEntry[str]) -> float:
    """Seconds since the epoch; a file that has gone meanwhile is as good as new."""
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return float("inf")
