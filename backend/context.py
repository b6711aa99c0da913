"""What a request needs besides its own content: made once at start, handed to every route."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import numpy as np
import numpy.typing as npt
from fastapi import Depends, Request

from backend.services.disk_space import DiskSpace
from backend.services.event_stream import EventBroker
from backend.services.lru import LruCache
from backend.services.session_counts import SessionCounts
from backend.services.session_snapshot import SessionSnapshot
from backend.settings import Settings
from backend.task_handlers.base import TaskHandler
from db.database import Database
from models.guide import Guide

if TYPE_CHECKING:
    from backend.services.picture_levels import PictureValues


@dataclass
class AppContext:
    """One session, open."""

    settings: Settings
    database: Database
    config: SessionSnapshot
    """The session's configuration as cached at start; replaced whole when it is changed through this process, and
    whenever a page begins."""
    handler: TaskHandler
    events: EventBroker
    opened_at: float = field(default_factory=time.monotonic)
    """`time.monotonic` when this process opened the session."""
    disk: DiskSpace = field(init=False)
    """For what can be made again."""
    config_lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while `config` is read anew, so that an older one never takes the place of a newer."""
    counts: SessionCounts = field(default_factory=SessionCounts)
    """Counts over the whole session, as they were a moment ago."""
    maps: LruCache[tuple[int, str | None, int, int, int], bytes] = field(
        default_factory=lambda: LruCache(64 * 1024 * 1024, len)
    )
    """Full-size prediction maps as PNG by (image id, content hash, version, revision, class id)."""
    refined: LruCache[tuple[int, str | None, int, int], npt.NDArray[np.uint8]] = field(
        default_factory=lambda: LruCache(64 * 1024 * 1024, lambda planes: planes.nbytes)
    )
    """The same before they are PNG, all classes at once (K, H, W): most pages ask for each of them."""
    guides: LruCache[tuple[int | str | None, ...], Guide] = field(
        default_factory=lambda: LruCache(64 * 1024 * 1024, lambda guide: guide.nbytes)
    )
    """What refinement looks at of a picture, by (image id, content hash, size and time of the file, rows and columns of
    the prediction's grid)."""
    values: LruCache[str, PictureValues] = field(
        default_factory=lambda: LruCache(192 * 1024 * 1024, lambda values: values.nbytes)
    )
    """What pictures of moderate size are shown from in other bands or contrasts, by `picture_name`."""
    decoding: threading.Lock = field(default_factory=threading.Lock)
    """Held while a picture is decoded for such a view, or for its pyramid: that takes memory."""
    refining: threading.Lock = field(default_factory=threading.Lock)
    """Held while full-size maps are computed: they take all cores, and memory, anyway."""

    def __post_init__(self) -> None:
        self.disk = DiskSpace(self.settings.spare_disk_bytes)


async def get_context(request: Request) -> AppContext:
    """The open session; async only so that it does not cost a thread."""
    context: AppContext = request.app.state.context
    return context


Context = Annotated[AppContext, Depends(get_context)]
