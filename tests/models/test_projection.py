from __future__ import annotations

import errno
import threading
from pathlib import Path

import numpy as np
import pytest

from models.projection import PROJECTION_NAME, Projection, keep_projection, projection_digest, read_projection

PATCHES = np.random.default_rng(0).standard_normal((5, 7, 4), dtype=np.float32)


def fitted(patches: np.ndarray = PATCHES) -> Projection:
    projection = Projection.fit([patches], (), 3)
    assert projection is not None
    return projection


def assert_kept(folder: Path, projection: Projection) -> None:
    found = read_projection(folder)
    assert found is not None
    np.testing.assert_array_equal(found.encoding, projection.encoding)
    assert [path.name for path in folder.iterdir()] == [PROJECTION_NAME]


def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(link: Path, target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted", str(target), None, str(link))

    monkeypatch.setattr(Path, "hardlink_to", refuse)


def test_keep_projection__first_one_stays(tmp_path: Path) -> None:
    assert read_projection(tmp_path) is None
    assert projection_digest(tmp_path) is None
    keep_projection(tmp_path, fitted())
    digest = projection_digest(tmp_path)
    keep_projection(tmp_path, fitted(PATCHES**2))
    assert_kept(tmp_path, fitted())
    assert projection_digest(tmp_path) == digest


def test_keep_projection__file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_links(monkeypatch)
    keep_projection(tmp_path, fitted())
    keep_projection(tmp_path, fitted(PATCHES**2))
    assert_kept(tmp_path, fitted())


def test_keep_projection__waits_for_the_one_who_is_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_projection(tmp_path, fitted())
    path = tmp_path / PROJECTION_NAME
    data = path.read_bytes()
    path.write_bytes(data[:100])
    without_links(monkeypatch)
    finish = threading.Timer(0.1, path.write_bytes, [data])
    finish.start()
    keep_projection(tmp_path, fitted(PATCHES**2))
    assert_kept(tmp_path, fitted())
    finish.join()


def test_keep_projection__same_process_id_on_another_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = Path.hardlink_to

    def meanwhile(self: Path, target: Path) -> None:
        monkeypatch.setattr(Path, "hardlink_to", link)
        keep_projection(tmp_path, fitted(PATCHES**2))
        self.hardlink_to(target)

    monkeypatch.setattr(Path, "hardlink_to", meanwhile)
    keep_projection(tmp_path, fitted())
    assert_kept(tmp_path, fitted(PATCHES**2))
