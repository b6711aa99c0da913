"""The service as one process: opens the session, works until a signal."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path
from types import FrameType

import torch

from ml_service.context import open_context
from ml_service.settings import ServiceSettings
from ml_service.worker import Worker

logger = logging.getLogger(__name__)
SWITCH_INTERVAL_S = 0.001
"""After which a thread of the background lets a click have the interpreter."""


def serve(session_dir: Path, settings: ServiceSettings) -> None:
    """Work on a session until SIGTERM or SIGINT.

    Raises:
        SessionNotFoundError: the folder holds no session.
        FeatureMismatchError: its features were made by another extractor than its database says.
    """
    torch.set_num_threads(settings.threads)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    worker = Worker(open_context(session_dir, settings))
    is_stopping = False

    def stop(number: int, _frame: FrameType | None) -> None:
        nonlocal is_stopping
        logger.info("%s: stopping", signal.Signals(number).name)
        is_stopping = True
        worker.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    logger.info("learning for the session in %s", session_dir)
    while worker.run() and not is_stopping:
        logger.info("the session has another extractor now: it is opened anew")
        worker = Worker(open_context(session_dir, settings))
        if is_stopping:  # the signal came while there was no worker to tell
            worker.stop()
