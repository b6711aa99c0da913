"""A disk with no room left: pictures are shown all the same, and what cannot be says why in one sentence."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import IO

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from fastapi import FastAPI
from PIL import Image as PillowImage
from starlette.testclient import TestClient

from backend.errors import add_error_handlers
from backend.services import disk_space
from models.images import read_image
from tests.backend.routes.pictures import decode
from tests.initialization.fakes import init, write_config

Serve = Callable[..., TestClient]
Mount = Callable[[Path, str], None]
WIDTH, HEIGHT = 4301, 40
BIG, BANDS = 1, 2
TILE = f"/api/images/{BIG}/tile?level=0&x=0&y=0"
OVERVIEW = f"/api/images/{BIG}/file?max_side=4096"
EVERYTHING = 1 << 60


@pytest.fixture
def session(tmp_path: Path) -> SimpleNamespace:
    """With two pictures that are shown in tiles."""
    images = tmp_path / "images"
    images.mkdir()
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    PillowImage.fromarray(np.stack([columns % 251, rows * 6, columns // 251 * 14], axis=2).astype(np.uint8)).save(
        images / "1_big.png"
    )
    bands = (columns[:, :, None] // 20 + np.arange(4) * 5 + rows[:, :, None]).clip(0, 255).astype(np.uint8)
    tifffile.imwrite(images / "2_bands.tif", bands, planarconfig="contig", photometric="minisblack")
    assert init(write_config(tmp_path), "--yes") == 0
    shutil.rmtree(tmp_path / "session" / "cache", ignore_errors=True)
    return SimpleNamespace(folder=tmp_path / "session", images=images)


@pytest.fixture
def mount_small() -> Iterator[Callable[[Path, str], None]]:
    """`mount_small(place, options)`: a filesystem of its own there, which really has no more room than told.

    To be asked for before `serve`, so that nothing is served from there any more when it goes.
    """
    with ExitStack() as stack:

        def mount(place: Path, options: str) -> None:
            place.mkdir(parents=True, exist_ok=True)
            program = shutil.which("mount")
            command = [program or "mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
            if program is None or subprocess.run(command, check=False, capture_output=True).returncode:
                pytest.skip("a small filesystem cannot be mounted here: that takes root")
            # Lazily: files of it may still be mapped into memory.
            stack.callback(subprocess.run, ["umount", "--lazy", str(place)], check=True)

        yield mount


def looks_like(found: npt.NDArray[np.uint8], expected: npt.NDArray[np.uint8]) -> bool:
    return found.shape == expected.shape and float(np.abs(found.astype(float) - expected).mean()) < 4


def test_get_image_file__of_a_large_picture_without_room_for_tiles(session: SimpleNamespace, serve: Serve) -> None:
    overview = decode(serve(session).get(OVERVIEW).content)
    shutil.rmtree(session.folder / "cache")
    full = serve(session, spare_disk_bytes=EVERYTHING)
    assert looks_like(decode(full.get(OVERVIEW).content), overview)
    assert full.get(OVERVIEW).status_code == 200, "again, though nothing was kept"
    for image_id in (BIG, BANDS):
        assert full.get(f"/api/images/{image_id}/thumbnail?size=256").status_code == 200
    assert not (session.folder / "cache").exists()


def test_get_image_file__of_a_large_picture_in_another_look(session: SimpleNamespace, serve: Serve) -> None:
    address = f"/api/images/{BANDS}/file?max_side=1024&bands=4,1,2"
    roomy, full = serve(session), serve(session, spare_disk_bytes=EVERYTHING)
    assert looks_like(decode(full.get(address).content), decode(roomy.get(address).content))
    display = f"/api/images/{BANDS}/display"
    assert full.get(display).json() == roomy.get(display).json()


def test_get_image_tile__without_room_says_how_much_is_needed(session: SimpleNamespace, serve: Serve) -> None:
    wanted = 20_000_000 + shutil.disk_usage(session.folder).free
    response = serve(session, spare_disk_bytes=wanted).get(TILE)
    assert response.status_code == 507
    body = response.json()
    assert body["error"] == "StorageFullError"
    needed = -(-(wanted + WIDTH * HEIGHT * 4) // 1_000_000)
    assert body["detail"].startswith(f"full detail of this picture needs {needed} MB free on the disk, ")
    assert body["detail"].endswith("MB are: free some space")


def test_get_image_tile__without_room_keeps_the_pyramids_that_are_there(session: SimpleNamespace, serve: Serve) -> None:
    assert serve(session).get(TILE).status_code == 200
    full = serve(session, spare_disk_bytes=EVERYTHING)
    assert full.get(f"/api/images/{BANDS}/tile?level=0&x=0&y=0").status_code == 507
    assert full.get(TILE).status_code == 200


def test_get_image_tile__when_there_is_room_again(session: SimpleNamespace, serve: Serve) -> None:
    assert serve(session, spare_disk_bytes=EVERYTHING).get(TILE).status_code == 507
    expected = read_image(session.images / "1_big.png")[:, :512]
    np.testing.assert_array_equal(decode(serve(session).get(TILE).content), expected)


# Pages of 4096 bytes: less than the pyramid; as much as its values, without what the last page of each file wastes;
# and room enough, but for three files and folders only.
@pytest.mark.parametrize("options", ["size=262144", "size=692224", "size=8m,nr_inodes=3"])
def test_get_image_tile__on_a_small_disk(
    session: SimpleNamespace, mount_small: Mount, serve: Serve, options: str
) -> None:
    cache = session.folder / "cache"
    mount_small(cache, options)
    client = serve(session, spare_disk_bytes=0)
    response = client.get(TILE)
    assert (response.status_code, response.json()["error"]) == (507, "StorageFullError")
    assert "full detail of this picture needs 1 MB free" in response.json()["detail"]
    assert client.get(OVERVIEW).status_code == 200
    pyramids = cache / "pyramids"
    assert not pyramids.exists() or list(pyramids.iterdir()) == [], "nothing half made takes room"


def test_get_image_tile__on_a_disk_that_one_pyramid_fills(
    session: SimpleNamespace, mount_small: Mount, serve: Serve
) -> None:
    # Two folders, five levels and what describes them, beside the root: not one file more can be made.
    mount_small(session.folder / "cache", "size=737280,nr_inodes=9")
    client = serve(session, spare_disk_bytes=0)
    for image_id in (BIG, BANDS, BIG):
        assert client.get(f"/api/images/{image_id}/tile?level=0&x=0&y=0").status_code == 200
        assert len(list((session.folder / "cache/pyramids").iterdir())) == 1


@pytest.mark.parametrize("options", ["size=4096", "size=8m,nr_inodes=2"])
def test_get_image_thumbnail__that_cannot_be_kept(
    session: SimpleNamespace, mount_small: Mount, serve: Serve, options: str, caplog: pytest.LogCaptureFixture
) -> None:
    mount_small(session.folder / "cache", options)
    client = serve(session, spare_disk_bytes=0)
    for size in (256, 384, 512):
        response = client.get(f"/api/images/{BANDS}/thumbnail?size={size}")
        assert response.status_code == 200
        assert max(decode(response.content).shape[:2]) == size
    assert [record.name for record in caplog.records].count(disk_space.__name__) == 1, "said once"


def test_put_annotations__on_a_full_disk(
    session: SimpleNamespace, mount_small: Mount, serve: Serve, tmp_path: Path
) -> None:
    place = tmp_path / "small"
    mount_small(place, "size=8m")
    shutil.copytree(session.folder, place / "session")
    client = serve(SimpleNamespace(folder=place / "session"), spare_disk_bytes=0)
    fill(place / "filler")
    points = [{"x": x + 0.5, "y": y + 0.5, "class_id": 1} for x in range(40) for y in range(HEIGHT)]
    address = f"/api/images/{BIG}/annotations"
    response = client.put(address, json={"revision": 0, "points": points})
    assert (response.status_code, response.json()["error"]) == (507, "StorageFullError")
    assert "nothing was saved" in response.json()["detail"]
    (place / "filler").unlink()
    response = client.put(address, json={"revision": 0, "points": points})
    assert (response.status_code, len(response.json()["points"])) == (200, len(points))


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space left"):
        write_forever(stream)


def write_forever(stream: IO[bytes]) -> None:
    while True:
        stream.write(b"0" * 4096)


def test_errors__of_a_full_disk_anywhere() -> None:
    app = FastAPI()
    add_error_handlers(app)

    @app.get("/write")
    def write() -> None:
        with Path("/dev/full").open("wb", buffering=0) as stream:
            stream.write(b"0")

    @app.get("/read")
    def read() -> None:
        Path("/nowhere").read_bytes()

    with TestClient(app, raise_server_exceptions=False) as client:
        full = client.get("/write")
        assert (full.status_code, full.json()["error"]) == (507, "StorageFullError")
        assert "the disk is full" in full.json()["detail"]
        other = client.get("/read")
        assert (other.status_code, other.json()["error"]) == (500, "InternalError")
