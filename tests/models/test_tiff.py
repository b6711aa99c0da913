"""Real TIFF files through `read_image`: depth, planes, pages, compression, orientation, and those that do harm."""

from __future__ import annotations

import contextlib
import struct
import tracemalloc
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image as PillowImage

from models import tiff
from models.errors import ImageReadError
from models.images import is_browser_ready, read_image, read_size
from models.preprocessing import Crop, Percentiles, Preprocessing, ValueRange

RNG = np.random.default_rng(3)
BANDS = RNG.integers(0, 60_000, (12, 20, 5)).astype(np.uint16)
FULL = ValueRange(0, 60_000)


def stretched(values: npt.NDArray[Any], high: float = 60_000) -> npt.NDArray[np.uint8]:
    return np.rint(values.astype(np.float64) / high * 255).clip(0, 255).astype(np.uint8)


def write(path: Path, values: npt.NDArray[Any], **how: Any) -> Path:
    """Channels last in `values`, whatever the file's layout."""
    if how.get("planarconfig") == "separate":
        values = np.moveaxis(values, -1, 0)
    tifffile.imwrite(path, values, **({"photometric": "minisblack"} | how))
    return path


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd", "lzma", "packbits"])
def test_read_image__five_bands_mapped_to_rgb(tmp_path: Path, planar: str, compression: str | None) -> None:
    path = write(tmp_path / "a.tif", BANDS, planarconfig=planar, compression=compression)
    preprocessing = Preprocessing(bands=(4, 3, 2), contrast=FULL)
    np.testing.assert_array_equal(read_image(path, preprocessing=preprocessing), stretched(BANDS[:, :, [3, 2, 1]]))
    assert read_size(path, preprocessing=preprocessing) == (20, 12)
    grey = read_image(path, preprocessing=Preprocessing(bands=(5,), contrast=FULL))
    np.testing.assert_array_equal(grey, stretched(BANDS[:, :, [4, 4, 4]]))
    assert not is_browser_ready(path, preprocessing=preprocessing)


@pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_read_image__more_than_four_channels_without_bands_are_refused(
    tmp_path: Path, photometric: str, dtype: str
) -> None:
    path = write(tmp_path / "a.tif", BANDS.astype(dtype), planarconfig="contig", photometric=photometric)
    with pytest.raises(ImageReadError, match=r"a\.tif has 5 channels, .* preprocessing\.bands"):
        read_image(path)
    with pytest.raises(ImageReadError, match=r"has 5 bands, preprocessing\.bands names band 6"):
        read_image(path, preprocessing=Preprocessing(bands=(6,)))


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_read_image__near_infrared_is_no_opacity(tmp_path: Path, dtype: str) -> None:
    values = RNG.integers(0, 256, (12, 20, 4)).astype(dtype)
    path = write(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unspecified"])
    np.testing.assert_array_equal(read_image(path), values[:, :, :3])
    infrared = read_image(path, preprocessing=Preprocessing(bands=(4, 1, 2)))
    np.testing.assert_array_equal(infrared, values[:, :, [3, 0, 1]])


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64"]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_read_image__every_type_on_one_scale(tmp_path: Path, dtype: str, channels: int) -> None:
    values = (RNG.random((12, 20, channels)) * 120).astype(dtype)
    stored = values[:, :, 0] if channels == 1 else values
    path = write(tmp_path / "a.tif", stored, photometric="rgb" if channels == 3 else "minisblack")
    picture = read_image(path, preprocessing=Preprocessing(contrast=ValueRange(0, 120)))
    np.testing.assert_allclose(picture.astype(int), stretched(values, 120).repeat(3 // channels, axis=2), atol=1)
    assert read_size(path) == (20, 12)


def test_read_image__values_beyond_31_bits_keep_their_order(tmp_path: Path) -> None:
    values = np.array([[0, 2**31 - 1, 2**32 - 1]], np.uint32)
    path = write(tmp_path / "a.tif", values)
    assert read_image(path, preprocessing=Preprocessing(contrast="none"))[0, :, 0].tolist() == [0, 127, 255]


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_read_image__white_is_zero(tmp_path: Path, dtype: str) -> None:
    top = np.iinfo(dtype).max
    path = write(tmp_path / "a.tif", np.array([[0, top]], dtype), photometric="miniswhite")
    assert read_image(path, preprocessing=Preprocessing(contrast="none"))[0, :, 0].tolist() == [255, 0]


def pages(tmp_path: Path, dtype: str = "uint16") -> tuple[Path, npt.NDArray[Any]]:
    values = (RNG.random((4, 12, 20)) * 200).astype(dtype)
    return write(tmp_path / "a.tif", values), values


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_read_image__page(tmp_path: Path, dtype: str) -> None:
    path, values = pages(tmp_path, dtype)
    for page in (1, 3, 4):
        preprocessing = Preprocessing(page=page)
        np.testing.assert_array_equal(read_image(path, preprocessing=preprocessing)[:, :, 0], values[page - 1])
        assert read_size(path, preprocessing=preprocessing) == (20, 12)
    for read in (read_image, read_size):
        with pytest.raises(ImageReadError, match=r"a\.tif has 4 pages, preprocessing\.page asks for 5"):
            read(path, preprocessing=Preprocessing(page=5))


def test_read_image__pages_of_one_channel_are_bands(tmp_path: Path) -> None:
    path, values = pages(tmp_path)
    picture = read_image(path, preprocessing=Preprocessing(bands=(3, 1, 2)))
    np.testing.assert_array_equal(picture, np.stack([values[2], values[0], values[1]], axis=2))
    later = read_image(path, preprocessing=Preprocessing(bands=(3,), page=2))
    np.testing.assert_array_equal(later[:, :, 0], values[3])
    with pytest.raises(ImageReadError, match="has 4 pages"):
        read_image(path, preprocessing=Preprocessing(bands=(5,)))


def test_read_image__unlike_pages_are_no_bands(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(np.zeros((4, 6), np.uint8))
        file.write(np.zeros((8, 6), np.uint8))
    with pytest.raises(ImageReadError, match="as bands they must be alike"):
        read_image(tmp_path / "a.tif", preprocessing=Preprocessing(bands=(1, 2, 1)))
    assert read_size(tmp_path / "a.tif", preprocessing=Preprocessing(page=2)) == (6, 8)


@pytest.mark.parametrize("suffix", ["jpg", "png", "bmp"])
def test_read_image__page_of_a_file_with_one(tmp_path: Path, suffix: str) -> None:
    PillowImage.new("RGB", (4, 3)).save(tmp_path / f"a.{suffix}")
    with pytest.raises(ImageReadError, match=r"has 1 page, preprocessing\.page asks for 2"):
        read_image(tmp_path / f"a.{suffix}", preprocessing=Preprocessing(page=2))


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_read_image__frame_of_an_animation(tmp_path: Path, suffix: str) -> None:
    frames = [PillowImage.new("RGB", (4, 3), color) for color in ((255, 0, 0), (0, 255, 0))]
    frames[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], lossless=True)
    picture = read_image(tmp_path / f"a.{suffix}", preprocessing=Preprocessing(page=2))
    assert picture[0, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_read_image__orientation_of_deep_values(tmp_path: Path, orientation: int, channels: int) -> None:
    values = RNG.integers(0, 256, (12, 20, channels)).astype(np.uint16)
    stored = values[:, :, 0] if channels == 1 else values
    tag = (274, "H", 1, orientation, True)
    layout = {"planarconfig": "contig"} if channels > 1 else {}
    photometric = "rgb" if channels == 3 else "minisblack"
    path = write(tmp_path / "a.tif", stored, photometric=photometric, extratags=[tag], **layout)
    bands = (1, 2, 3) if channels > 1 else (1,)
    picture = read_image(path, preprocessing=Preprocessing(bands=bands))
    expected = PillowImage.fromarray(values[:, :, [band - 1 for band in bands]].astype(np.uint8).squeeze())
    expected.getexif()[274] = orientation
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}.get(orientation)
    upright = expected if turned is None else expected.transpose(PillowImage.Transpose(turned))
    np.testing.assert_array_equal(picture, np.asarray(upright.convert("RGB")))
    assert read_size(path) == upright.size
    if channels < 5:
        np.testing.assert_array_equal(read_image(path), picture)


def test_read_image__crop_off_each_side(tmp_path: Path) -> None:
    values = RNG.integers(0, 256, (12, 20, 3), dtype=np.uint8)
    PillowImage.fromarray(values).save(tmp_path / "a.png")
    preprocessing = Preprocessing(crop=Crop(left=1, top=2, right=3, bottom=4))
    picture = read_image(tmp_path / "a.png", preprocessing=preprocessing)
    np.testing.assert_array_equal(picture, values[2:8, 1:17])
    assert read_size(tmp_path / "a.png", preprocessing=preprocessing) == (16, 6)
    assert is_browser_ready(tmp_path / "a.png")
    assert not is_browser_ready(tmp_path / "a.png", preprocessing=preprocessing)
    for read in (read_image, read_size):
        with pytest.raises(ImageReadError, match=r"a\.png has 20 x 12 pixels, of which preprocessing\.crop"):
            read(tmp_path / "a.png", preprocessing=Preprocessing(crop=Crop(bottom=12)))


def test_read_image__contrast_of_8_bits(tmp_path: Path) -> None:
    values = np.tile(np.linspace(100, 120, 20).astype(np.uint8), (12, 1))
    PillowImage.fromarray(values).save(tmp_path / "a.png")
    picture = read_image(tmp_path / "a.png", preprocessing=Preprocessing(contrast=Percentiles(0, 100)))
    assert (picture.min(), picture.max()) == (0, 255)
    assert not is_browser_ready(tmp_path / "a.png", preprocessing=Preprocessing(contrast=Percentiles(0, 100)))
    assert is_browser_ready(tmp_path / "a.png", preprocessing=Preprocessing(contrast="none"))


# --- refused ----------------------------------------------------------------------------------------------------------


def tiff_of(path: Path, tags: dict[int, tuple[int, int]], strip: bytes, following: int = 0) -> Path:
    """A TIFF by hand: tag -> (type, value), the strip behind the header."""
    tags = {273: (4, 8), 279: (4, len(strip)), **tags}
    entries = b"".join(struct.pack("<HHLL", tag, kind, 1, value) for tag, (kind, value) in sorted(tags.items()))
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<L", following)
    path.write_bytes(b"II*\x00" + struct.pack("<L", 8 + len(strip)) + strip + directory)
    return path


def deep(width: int, height: int, compression: int, samples: int = 1) -> dict[int, tuple[int, int]]:
    sizes = {256: (4, width), 257: (4, height), 278: (4, height)}
    return sizes | {258: (3, 16), 259: (3, compression), 262: (3, 1), 277: (3, samples)}


def test_read_image__strip_that_unpacks_to_more_than_it_says_takes_no_memory(tmp_path: Path) -> None:
    bomb = zlib.compress(zlib.compress(bytes(200_000_000)))
    path = tiff_of(tmp_path / "a.tif", deep(16, 16, 8), zlib.decompress(bomb))
    tracemalloc.start()
    try:
        with pytest.raises(ImageReadError, match=r"a\.tif is damaged"):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_read_image__picture_within_a_tiff_is_refused(tmp_path: Path) -> None:
    path = tiff_of(tmp_path / "a.tif", deep(16, 16, 33005), b"\xff\x4f\xff\x51")
    with pytest.raises(ImageReadError, match=r"is compressed by .* expected one of none, LZW"):
        read_image(path)


@pytest.mark.parametrize(("width", "height", "samples"), [(50_000, 50_000, 1), (20_000, 10_000, 60_000)])
def test_read_image__declared_size_is_refused_before_decoding(
    tmp_path: Path, width: int, height: int, samples: int
) -> None:
    path = tiff_of(tmp_path / "a.tif", deep(width, height, 1, samples), bytes(64))
    with pytest.raises(ImageReadError, match=f"{width} x {height} pixels.* more than the limit"):
        read_image(path, preprocessing=Preprocessing(bands=(1,)))


@pytest.mark.parametrize("compression", [1, 8])
def test_read_image__pixels_that_are_not_there_are_not_made_up(tmp_path: Path, compression: int) -> None:
    """A few bytes that declare a picture of 400 megabytes."""
    strip = bytes(64) if compression == 1 else zlib.compress(bytes(64))
    tags = deep(20_000, 10_000, compression) | {278: (4, 1)}
    path = tiff_of(tmp_path / "a.tif", tags, strip)
    tracemalloc.start()
    try:
        with pytest.raises(ImageReadError, match="it ends before its pixels do"):
            read_image(path)
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_read_image__page_that_follows_itself_ends(tmp_path: Path) -> None:
    tags = deep(2, 2, 1)
    path = tiff_of(tmp_path / "a.tif", tags, bytes(8), following=16)
    assert read_size(path, preprocessing=Preprocessing(page=1_000_000)) == (2, 2), "it goes round, but not for ever"


@pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Corrupt EXIF data", "ignore:Possibly corrupt")
@pytest.mark.parametrize("keep", [9, 60, 200])
def test_read_image__cut_short_is_damaged(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "a.tif", BANDS, planarconfig="contig")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ImageReadError):
        read_image(path, preprocessing=Preprocessing(bands=(1,)))


def test_read_image__what_has_no_plain_meaning_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", np.zeros((4, 6), np.complex64))
    with pytest.raises(ImageReadError, match="complex numbers"):
        read_image(tmp_path / "a.tif")
    write(tmp_path / "b.tif", np.zeros((4, 6, 3), np.uint16), photometric="cielab")
    with pytest.raises(ImageReadError, match="holds CIELAB of 16 bits"):
        read_image(tmp_path / "b.tif")


def test_limit_of_values__is_below_what_fits_into_memory() -> None:
    assert tiff.MAX_VALUES * 2 < 4 * 1024**3


@pytest.mark.filterwarnings("ignore")  # Pillow tells of each oddity that it passes over
@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
def test_read_image__damage_anywhere_is_a_picture_or_a_reason(tmp_path: Path, compression: str | None) -> None:
    whole = write(tmp_path / "a.tif", BANDS, planarconfig="contig", compression=compression).read_bytes()
    for seed in range(60):
        chance = np.random.default_rng(seed)
        damaged = bytearray(whole)
        for position in chance.integers(0, min(len(whole), 400), 4):
            damaged[position] = chance.choice([0, 1, 255, chance.integers(256)])
        (tmp_path / "b.tif").write_bytes(damaged)
        for read in (read_size, read_image, is_browser_ready):
            for preprocessing in (Preprocessing(), Preprocessing(bands=(3, 1, 2))):
                with contextlib.suppress(ImageReadError):
                    read(tmp_path / "b.tif", preprocessing=preprocessing)
