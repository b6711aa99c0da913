"""Every kind of file that people really have, written to disk and read back."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageFile, ImageOps

from models import image_opening
from models.errors import ImageReadError
from models.images import content_hash, is_browser_ready, read_image, read_size
from models.preprocessing import Crop, Preprocessing

RGB = np.random.default_rng(5).integers(0, 256, (12, 20, 3), dtype=np.uint8)
RAMP = np.tile(np.linspace(0, 4095, 60).astype(np.uint16), (40, 1))
"""A 12-bit picture (40, 60) in 16-bit values."""


def save(path: Path, pixels: npt.NDArray[np.generic] = RGB, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def with_orientation(path: Path, orientation: int) -> Path:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if path.suffix == ".webp" else {}
    return save(path, exif=exif, **options)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp"])
def test_read_image__lossless_formats_come_back_exactly(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a.{suffix}", **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(read_image(path), RGB)
    assert read_size(path) == (20, 12)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_read_image__exif_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = with_orientation(tmp_path / f"a.{suffix}", orientation)
    with Image.open(path) as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    np.testing.assert_array_equal(read_image(path), upright)
    assert read_size(path) == (upright.shape[1], upright.shape[0])
    assert is_browser_ready(path) == (orientation == 1 and suffix != "tif")


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(("at_least", "longest"), [(75, 80), (150, 160), (321, 640), (900, 640)])
def test_read_image__a_jpeg_no_larger_than_needed(
    tmp_path: Path, orientation: int, at_least: int, longest: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    smooth = cv2.resize(RGB, (640, 400), interpolation=cv2.INTER_CUBIC)
    path = save(tmp_path / "a.jpg", smooth, quality=95, exif=exif)
    small, full = read_image(path, at_least=at_least), read_image(path)
    assert max(small.shape) == longest
    assert (small.shape[0] > small.shape[1]) == (orientation == 6)
    expected = cv2.resize(full, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).mean() < 2


def test_read_image__what_is_cropped_comes_in_full_size(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", cv2.resize(RGB, (640, 400)))
    cropped = Preprocessing(crop=Crop(0, 0, 600, 300))
    np.testing.assert_array_equal(
        read_image(path, preprocessing=cropped, at_least=75), read_image(path, preprocessing=cropped)
    )


def test_read_image__palette_keeps_its_colors(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([200, 10, 30, 5, 250, 60])
    picture.putdata([0, 1])
    picture.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").tolist() == [[[200, 10, 30], [5, 250, 60]]]


def test_read_image__alpha_is_laid_over_white(tmp_path: Path) -> None:
    pixels = np.array([[[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 128]]], dtype=np.uint8)
    path = save(tmp_path / "a.png", pixels)
    assert read_image(path).tolist() == [[[255, 255, 255], [10, 20, 30], [127, 127, 127]]]
    assert not is_browser_ready(path)


def test_read_image__transparent_palette_entry_is_white(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1))
    picture.putpalette([200, 10, 30, 5, 250, 60])
    picture.putdata([0, 1])
    picture.save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png").tolist() == [[[255, 255, 255], [5, 250, 60]]]


def test_read_image__grey_and_bilevel_get_three_equal_channels(tmp_path: Path) -> None:
    grey = save(tmp_path / "grey.png", RGB[:, :, 0])
    np.testing.assert_array_equal(read_image(grey), np.repeat(RGB[:, :, :1], 3, axis=2))
    Image.fromarray(RGB[:, :, 0]).convert("1", dither=Image.Dither.NONE).save(tmp_path / "one.png")
    assert set(np.unique(read_image(tmp_path / "one.png"))) == {0, 255}


def test_read_image__cmyk_is_converted(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "red.jpg", quality=100)
    red, green, blue = read_image(tmp_path / "red.jpg")[4, 4].tolist()
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_read_image__16_bit_grey_is_stretched(tmp_path: Path, suffix: str) -> None:
    pixels = read_image(save(tmp_path / f"a.{suffix}", RAMP))
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert (np.diff(pixels[0, :, 0].astype(int)) >= 0).all(), "order of brightness must survive"
    assert 120 <= pixels[0, 30, 0] <= 135


def test_read_image__16_bit_values_that_fit_into_8_bits_stay(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", RGB[:, :, 0].astype(np.uint16))
    np.testing.assert_array_equal(read_image(path)[:, :, 0], RGB[:, :, 0])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_read_image__16_bit_color_keeps_channel_order(tmp_path: Path, suffix: str) -> None:
    rgb = np.zeros((30, 30, 3), np.uint16)
    rgb[:, :15, 0] = 4095
    rgb[:, 15:, 2] = 2048
    cv2.imwrite(str(tmp_path / f"a.{suffix}"), rgb[:, :, ::-1])
    pixels = read_image(tmp_path / f"a.{suffix}")
    assert pixels[5, 5].tolist() == [255, 0, 0]
    assert pixels[5, 20].tolist() == [0, 0, 128]
    assert not is_browser_ready(tmp_path / f"a.{suffix}")


def test_read_image__float_tiff(tmp_path: Path) -> None:
    values = np.array([[0.0, 0.5, 1.0, np.nan]], dtype=np.float32)
    assert read_image(save(tmp_path / "a.tif", values))[0, :, 0].tolist() == [0, 128, 255, 0]
    constant = save(tmp_path / "b.tif", np.full((4, 4), -3.5, np.float32))
    assert len(np.unique(read_image(constant))) == 1


def test_read_image__huge_and_tiny(tmp_path: Path) -> None:
    Image.new("L", (10_000, 40), 7).save(tmp_path / "wide.png")
    assert read_image(tmp_path / "wide.png").shape == (40, 10_000, 3)
    assert read_image(save(tmp_path / "tiny.png", RGB[:1, :1])).shape == (1, 1, 3)


def broken(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.{'png' if 'png' in kind else 'tif' if 'tif' in kind else 'jpg'}"
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    if kind.startswith("truncated"):
        save(path, noise)
        path.write_bytes(path.read_bytes()[:6000])
    elif kind == "zero":
        path.touch()
    elif kind == "text":
        path.write_text("not an image")
    elif kind == "folder":
        path.mkdir()
    elif kind == "bomb_png":
        Image.new("1", (30_000, 20_000)).save(path)
    return path


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("truncated_jpg", "truncated"),
        ("truncated_png", "truncated"),
        ("truncated_tif", "truncated"),
        ("zero", "is empty (0 bytes)"),
        ("text", "fits no known format"),
        ("missing", "No such file"),
        ("folder", "Is a directory"),
        ("bomb_png", "more than the limit of 400 million"),
    ],
)
def test_read_image__says_why_not(tmp_path: Path, kind: str, reason: str) -> None:
    path = broken(tmp_path, kind)
    with pytest.raises(ImageReadError) as caught:
        read_image(path)
    message = str(caught.value)
    assert reason in message
    assert message.startswith(path.name)
    assert "\n" not in message
    assert str(tmp_path) not in message, "reasons are shown on the page, which shall not see absolute paths"


@pytest.mark.parametrize("kind", ["zero", "text", "missing", "folder", "bomb_png"])
def test_read_size__refuses_what_has_no_header(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ImageReadError):
        read_size(broken(tmp_path, kind))


def test_read_image__limit_is_checked_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_opening, "MAX_PIXELS", 100)
    with pytest.raises(ImageReadError, match="20 x 12 pixels"):
        read_image(save(tmp_path / "a.png"))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow takes a big-endian BigTIFF for another kind
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_read_image__size_of_a_tiff_for_opencv_is_checked_before_decoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: str, big: bool
) -> None:
    # Four channels of 64-bit floats: nothing that Pillow opens.
    tags = {256: 50_000, 257: 50_000, 258: 64, 259: 1, 262: 2, 273: 8, 277: 4, 278: 1, 279: 8, 339: 3}
    count, value = ("Q", "Q") if big else ("H", "L")
    entries = b"".join(
        struct.pack(f"{order}HH{value}{value}", tag, 16 if big else 4, 1, number) for tag, number in tags.items()
    )
    start = struct.pack(f"{order}HHHQ", 43, 8, 0, 16) if big else struct.pack(f"{order}HL", 42, 8)
    path = tmp_path / "a.tif"
    path.write_bytes(
        (b"II" if order == "<" else b"MM") + start + struct.pack(order + count, len(tags)) + entries + bytes(8)
    )
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    for read in (read_image, read_size):
        with pytest.raises(ImageReadError, match="50000 x 50000 pixels, more than the limit"):
            read(path)


def test_read_size__header_of_what_only_opencv_reads(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.tif"), np.zeros((12, 20, 3), np.float64))
    assert read_size(tmp_path / "a.tif") == (20, 12)
    assert read_image(tmp_path / "a.tif").shape == (12, 20, 3)


FOREIGN = {
    "dds": b"DDS " + struct.pack("<8I", 124, 0x1007, 16, 16, 64, 0, 0, 0) + bytes(40)
    + struct.pack("<2I4s5I", 32, 4, b"ZZZZ", 0, 0, 0, 0, 0) + bytes(220),
    "blp": b"BLP2" + struct.pack("<I", 7) + b"\1\1\1\1" + struct.pack("<II", 4, 4) + bytes(2000),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n",
}  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("read", [read_size, read_image])
def test_read_image__rare_formats_are_not_even_tried(tmp_path: Path, kind: str, read: Callable[[Path], object]) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(FOREIGN[kind])
    with pytest.raises(ImageReadError, match="fits no known format"):
        read(path)
    assert not is_browser_ready(path)


@pytest.mark.parametrize("error", [RuntimeError("decoder"), NotImplementedError("mode"), ZeroDivisionError("tile")])
def test_read_image__whatever_a_decoder_raises_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(_image: object) -> None:
        raise error

    path = save(tmp_path / "a.png")
    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(ImageReadError, match=f"a.png is damaged: {error}"):
        read_image(path)


def test_content_hash__is_that_of_the_bytes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png")
    assert content_hash(path) == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(ImageReadError, match="No such file"):
        content_hash(tmp_path / "missing.png")


@pytest.mark.parametrize(
    ("name", "mode", "ready"),
    [("a.jpg", "RGB", True), ("a.jpg", "L", True), ("a.jpg", "CMYK", False), ("a.png", "P", False),
     ("a.png", "RGBA", False), ("a.png", "1", True), ("a.gif", "P", False), ("a.bmp", "RGB", False)],
)  # fmt: skip
def test_is_browser_ready__only_what_needs_no_change(tmp_path: Path, name: str, mode: str, ready: bool) -> None:
    Image.fromarray(RGB).convert(mode).save(tmp_path / name)
    assert is_browser_ready(tmp_path / name) is ready
