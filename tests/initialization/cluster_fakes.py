"""The command with an extractor that notes what workers compute, and that some pictures kill; to be run as a process.

Arguments: a folder for notes, then those of init_session.py. What a picture does is told by its width.
"""

from __future__ import annotations

import functools
import hashlib
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from initialization.init_session import main
from models.base import FeatureExtractor, Features
from models.extractor_settings import ExtractorSettings
from tests.initialization.fakes import FakeExtractor

FAILS, KILLS_ONCE, KILLS_ALWAYS = 40, 48, 56
DELAY_S = 0.05


class NotingExtractor(FakeExtractor):
    """Outside the driver it appends `picture process` to the file `computed` for each picture it is done with."""

    def __init__(self, resize: int | None, notes: Path, driver: int) -> None:
        super().__init__(resize)
        self._notes = notes
        self._is_worker = os.getpid() != driver

    @property
    def batch_size(self) -> int:
        return 1

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        width = images[0].shape[1]
        if width == FAILS:
            raise RuntimeError("too narrow")
        if self._is_worker:
            if width == KILLS_ALWAYS or (width == KILLS_ONCE and self._is_first()):
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(DELAY_S)
            with (self._notes / "computed").open("a") as stream:
                stream.write(f"{hashlib.sha256(images[0].tobytes()).hexdigest()} {os.getpid()}\n")
        return super().extract(images, patches=patches, pooled=pooled)

    def _is_first(self) -> bool:
        try:
            (self._notes / "killed").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def load_noting(notes: Path, driver: int, settings: ExtractorSettings) -> FeatureExtractor:
    return NotingExtractor(settings.resize, notes, driver)


if __name__ == "__main__":
    # By its importable name: Ray sends functions of __main__ by value.
    from tests.initialization import cluster_fakes

    load = functools.partial(cluster_fakes.load_noting, Path(sys.argv[1]), os.getpid())
    sys.exit(main(sys.argv[2:], load_extractor=load))
