"""One image that the extractor cannot take is one failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from models.base import Features
from tests.initialization.fakes import FakeExtractor, init, rows, save_picture, write_config


class Choosy(FakeExtractor):
    """Cannot take the picture that is 40 pixels wide."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self._error = error

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        if any(image.shape[1] == 40 for image in images):
            raise self._error
        return super().extract(images, patches=patches, pooled=pooled)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("out of\nmemory"), "1.png: fake failed: out of memory"),
        (NotImplementedError(), "1.png: fake failed: NotImplementedError"),
        (ValueError("too narrow"), "1.png: fake failed: too narrow"),
        (MemoryError(), "1.png needs more memory than there is: make it smaller, or cut it into tiles"),
    ],
)
def test_extract_features__failure_of_one_image_is_recorded(tmp_path: Path, error: Exception, reason: str) -> None:
    for number in range(3):
        save_picture(tmp_path / f"images/{number}.png", size=(40 if number == 1 else 24, 16))
    config = write_config(tmp_path)
    assert init(config, load=lambda *_: Choosy(error)) == 0
    found = rows(tmp_path / "session")
    assert [row["features"] for row in found] == ["ready", "failed", "ready"]
    assert found[1]["failure"] == reason
    assert init(config) == 0, "another run tries it again"
    assert {row["features"] for row in rows(tmp_path / "session")} == {"ready"}
