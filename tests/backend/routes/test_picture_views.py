"""Tiles of large pictures, other bands, another contrast: made by the real init, asked for by HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image as PillowImage
from starlette.testclient import TestClient

from backend.services import picture_views
from backend.services.picture_levels import halve
from models.images import read_image
from tests.backend.routes.pictures import decode
from tests.initialization.fakes import init, write_config

WIDTH, HEIGHT = 4301, 40
BIG, TURNED, BANDS, DEEP, INKS = range(1, 6)


def gradient(height: int, width: int) -> npt.NDArray[np.uint8]:
    """No two neighbours alike, so that a tile in the wrong place shows."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns % 251, rows * 6, columns // 251 * 14], axis=2).astype(np.uint8)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    PillowImage.fromarray(gradient(HEIGHT, WIDTH)).save(folder / "1_big.png")
    exif = PillowImage.Exif()
    exif[0x0112] = 6
    PillowImage.fromarray(gradient(HEIGHT, WIDTH)).save(folder / "2_turned.png", exif=exif)
    random = np.random.default_rng(0)
    bands = random.integers(0, 256, (20, 30, 4)).astype(np.uint8)
    tifffile.imwrite(folder / "3_bands.tif", bands, planarconfig="contig", photometric="minisblack")
    deep = np.linspace(0, 40_000, 30 * 20).reshape(20, 30).astype(np.uint16)
    tifffile.imwrite(folder / "4_deep.tif", deep, photometric="minisblack")
    PillowImage.new("CMYK", (4200, 16), (200, 0, 40, 10)).save(folder / "5_inks.jpg")
    return folder


@pytest.fixture
def client(tmp_path: Path, images: Path, serve: Callable[..., TestClient]) -> TestClient:  # noqa: ARG001
    assert init(write_config(tmp_path), "--yes") == 0
    return serve(SimpleNamespace(folder=tmp_path / "session"))


def tile(client: TestClient, image_id: int, level: int, x: int, y: int, **look: Any) -> npt.NDArray[np.uint8]:
    response = client.get(f"/api/images/{image_id}/tile", params={"level": level, "x": x, "y": y, **look})
    assert response.status_code == 200, response.text
    return decode(response.content)


def test_get_image_tile__shows_the_pixels_of_its_place(client: TestClient, images: Path) -> None:
    for image_id, name in ((BIG, "1_big.png"), (TURNED, "2_turned.png"), (INKS, "5_inks.jpg")):
        picture = read_image(images / name)
        height, width = picture.shape[:2]
        for x, y in ((0, 0), (width // 512, 0), (0, height // 512)):
            expected = picture[y * 512 : (y + 1) * 512, x * 512 : (x + 1) * 512]
            np.testing.assert_array_equal(tile(client, image_id, 0, x, y), expected)
        coarse = tile(client, image_id, 2, 1 if width > height else 0, 0 if width > height else 1)
        expected = halve(halve(picture))[:512, 512:1024] if width > height else halve(halve(picture))[512:1024, :512]
        assert coarse.shape == expected.shape
        assert np.abs(coarse.astype(float) - expected).mean() < 4, "JPEG, but of the same place"


def test_get_image_tile__that_is_not_there(client: TestClient) -> None:
    for level, x, y in ((0, 9, 0), (0, 0, 1), (4, 1, 0)):
        response = client.get(f"/api/images/{BIG}/tile", params={"level": level, "x": x, "y": y})
        assert response.status_code == 404
        assert "there is no tile" in response.json()["detail"]
    assert client.get(f"/api/images/{BIG}/tile", params={"level": 5, "x": 0, "y": 0}).status_code == 404


def test_get_image_tile__is_made_again_when_deleted_and_never_stale(
    client: TestClient, images: Path, tmp_path: Path
) -> None:
    before = tile(client, BIG, 0, 0, 0)
    address = f"/api/images/{BIG}/tile?level=0&x=0&y=0"
    etag = client.get(address).headers["etag"]
    assert client.get(address, headers={"if-none-match": etag}).status_code == 304
    (folder,) = (tmp_path / "session/cache/pyramids").iterdir()
    for file in folder.iterdir():
        file.unlink()
    np.testing.assert_array_equal(tile(client, BIG, 0, 0, 0), before)
    PillowImage.fromarray(255 - gradient(HEIGHT, WIDTH)).save(images / "1_big.png")
    os.utime(images / "1_big.png", ns=(1, 1))
    assert client.get(address, headers={"if-none-match": etag}).status_code == 200
    np.testing.assert_array_equal(tile(client, BIG, 0, 0, 0), 255 - before)


@pytest.mark.parametrize("damage", ["half_deleted", "empty_level", "short_level", "empty_description", "other_json"])
def test_get_image_tile__of_a_broken_pyramid_is_made_again(client: TestClient, tmp_path: Path, damage: str) -> None:
    before = tile(client, BIG, 0, 0, 0)
    home = tmp_path / "session/cache/pyramids"
    (folder,) = home.iterdir()
    match damage:
        case "half_deleted":
            (folder / "pyramid.json").unlink()
        case "empty_level":
            (folder / "0.npy").write_bytes(b"")
        case "short_level":
            (folder / "0.npy").write_bytes((folder / "0.npy").read_bytes()[:-1000])
        case "empty_description":
            (folder / "pyramid.json").write_text("")
        case "other_json":
            (folder / "pyramid.json").write_text("[]")
    np.testing.assert_array_equal(tile(client, BIG, 0, 0, 0), before)
    assert list(home.iterdir()) == [folder], "nothing stays of the broken one"


def test_get_image_tile__that_another_process_made_meanwhile(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tile(client, BIG, 0, 0, 0)
    home = tmp_path / "session/cache/pyramids"
    (folder,) = home.iterdir()
    theirs = tmp_path / "theirs"
    folder.rename(theirs)
    dump = json.dumps

    def finish_theirs(described: Any, **options: Any) -> str:
        if "levels" in described:
            theirs.rename(folder)
        return dump(described, **options)

    monkeypatch.setattr(json, "dumps", finish_theirs)
    np.testing.assert_array_equal(tile(client, BIG, 0, 0, 0), before)
    assert list(home.iterdir()) == [folder]


def test_get_image_tile__a_killed_deletion_is_finished(client: TestClient, tmp_path: Path) -> None:
    home = tmp_path / "session/cache/pyramids"
    dead = home / ".dead-1/pyramid"
    dead.mkdir(parents=True)
    (dead / "0.npy").write_bytes(b"0")
    tile(client, BIG, 0, 0, 0)
    assert not dead.parent.exists()


def test_get_image_tile__replaced_by_one_of_another_size_is_refused(client: TestClient, images: Path) -> None:
    PillowImage.fromarray(gradient(HEIGHT, WIDTH + 1)).save(images / "1_big.png")
    response = client.get(f"/api/images/{BIG}/tile?level=0&x=0&y=0")
    assert response.status_code == 409
    assert "when it was registered" in response.json()["detail"]


def test_get_image_tile__disk_is_bounded(images: Path, tmp_path: Path, serve: Callable[..., TestClient]) -> None:
    assert images.is_dir()
    assert init(write_config(tmp_path), "--yes") == 0
    client = serve(SimpleNamespace(folder=tmp_path / "session"), pyramid_cache_bytes=900_000)
    for image_id in (BIG, TURNED, INKS):
        tile(client, image_id, 0, 0, 0)
    kept = list((tmp_path / "session/cache/pyramids").iterdir())
    assert len(kept) == 1


def test_get_image_file__in_other_bands(client: TestClient, images: Path) -> None:
    bands = tifffile.imread(images / "3_bands.tif")
    shown = decode(client.get(f"/api/images/{BANDS}/file", params={"bands": "4,1,2"}).content)
    np.testing.assert_array_equal(shown, bands[:, :, [3, 0, 1]])
    grey = decode(client.get(f"/api/images/{BANDS}/file", params={"bands": "4"}).content)
    np.testing.assert_array_equal(grey, np.repeat(bands[:, :, 3:4], 3, axis=2))
    big = tile(client, BIG, 0, 1, 0, bands="3")
    np.testing.assert_array_equal(big[:, :, 0], gradient(HEIGHT, WIDTH)[:, 512:1024, 2])


def test_get_image_file__in_other_bands_takes_bounded_memory(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_views, "MOST_PIXELS", 40_000)
    whole = client.get(f"/api/images/{BIG}/file", params={"bands": "3"})
    assert whole.status_code == 400
    most = int(whole.json()["detail"].rsplit(" ", 1)[1])
    params = {"bands": "3", "max_side": most}
    assert decode(client.get(f"/api/images/{BIG}/file", params=params).content).shape[1] == most
    assert client.get(f"/api/images/{BIG}/file", params={**params, "max_side": most + 9}).status_code == 400
    assert client.get(f"/api/images/{BANDS}/file", params={"bands": "4"}).status_code == 200
    assert client.get(f"/api/images/{BIG}/file").status_code == 200


def test_get_image_file__in_another_contrast_shows_the_full_depth(client: TestClient, images: Path) -> None:
    plain = decode(client.get(f"/api/images/{DEEP}/file").content)
    deep = tifffile.imread(images / "4_deep.tif").astype(float)
    display = client.get(f"/api/images/{DEEP}/display").json()
    black, white = display["black"], display["white"]
    narrow = decode(client.get(f"/api/images/{DEEP}/file", params={"low": 0.4, "high": 0.5}).content)[:, :, 0]
    expected = np.clip((deep - black) / (white - black) * 10 - 4, 0, 1) * 255
    assert np.abs(narrow - expected).max() < 1
    inside = (narrow > 0) & (narrow < 255)
    assert len(np.unique(narrow[inside])) > 2 * len(np.unique(plain[:, :, 0][inside]))


def test_get_image_display__says_what_there_is(client: TestClient) -> None:
    def display(image_id: int, **look: str) -> dict[str, Any]:
        response = client.get(f"/api/images/{image_id}/display", params=look)
        assert response.status_code == 200, response.text
        return dict(response.json())

    big = display(BIG)
    assert (big["bands"], big["deep"], big["tile_px"], big["levels"]) == (3, False, 512, 5)
    assert (big["black"], big["white"]) == (0, 255)
    bands = display(BANDS, bands="2")
    assert (bands["bands"], bands["deep"], bands["tile_px"]) == (4, False, None)
    deep = display(DEEP)
    assert (deep["bands"], deep["deep"]) == (1, True)
    assert 0 < deep["black"] < deep["white"] < 40_000
    assert (deep["auto_low"], deep["auto_high"]) == pytest.approx((0, 1))


@pytest.mark.parametrize(
    ("query", "status"),
    [("bands=0", 400), ("bands=1,2", 400), ("bands=a", 400), ("low=1&high=0", 400), ("low=nan", 422), ("bands=9", 422)],
)
def test_get_image_file__looks_that_cannot_be(client: TestClient, query: str, status: int) -> None:
    assert client.get(f"/api/images/{BANDS}/file?{query}").status_code == status


def test_halve__odd_edges_stand_for_themselves() -> None:
    values = np.array([[0, 2, 9], [4, 6, 9], [8, 8, 5]], np.uint16)[:, :, None]
    np.testing.assert_array_equal(halve(values)[:, :, 0], [[3, 9], [8, 5]])
