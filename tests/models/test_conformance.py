from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from models.backbone import BackboneExtractor
from models.base import ChannelGroup, ExtractorInfo, Features
from models.conformance import contract_faults, golden_pixels, golden_values, verify_golden
from models.errors import ImageReadError, WeightsError
from models.extractor_settings import ExtractorSettings
from models.geometry import make_grid
from models.pretrained import load_pretrained
from models.published import GOLDEN, GoldenValues
from tests.models.tiny_networks import TINY, picture

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


@pytest.fixture(params=["dinov3", "dinov2 registers", "dinov3 convnext"])
def checked(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[BackboneExtractor, GoldenValues]:
    """A tiny network, and its values by a pass through plain transformers."""
    tiny = TINY[request.param]
    model = tiny.make()
    model.save_pretrained(tmp_path)
    pixels = torch.from_numpy(picture(640, 480)).permute(2, 0, 1).float() / 255
    small = torch.nn.functional.interpolate(pixels[None], size=(224, 224), mode="bilinear", antialias=True)
    with torch.inference_mode():
        tokens = model(pixel_values=(small - MEAN.view(3, 1, 1)) / STD.view(3, 1, 1)).last_hidden_state[0]
    golden = GoldenValues(tuple(tokens[0, :5].tolist()), tuple(tokens[tiny.prefix_tokens, :5].tolist()))
    return load_pretrained(ExtractorSettings(weights_path=tmp_path)), golden


def test_verify_golden__network_as_published(checked: tuple[BackboneExtractor, GoldenValues]) -> None:
    extractor, golden = checked
    verdict = verify_golden(extractor, picture(640, 480), golden)
    assert verdict.passed
    assert verdict.largest_difference < 1e-5
    assert verdict.name == extractor.info.name


def test_verify_golden__another_network(checked: tuple[BackboneExtractor, GoldenValues]) -> None:
    extractor, golden = checked
    other = replace(golden, first_patch=(*golden.first_patch[:4], golden.first_patch[4] + 0.25))
    verdict = verify_golden(extractor, picture(640, 480), other)
    assert not verdict.passed
    assert verdict.largest_difference == pytest.approx(0.25, abs=1e-4)
    assert verdict.where == "first patch, channel 4"
    with pytest.raises(ImageReadError, match=r"has 64 x 48 pixels, expected 640 x 480: .*000000039769"):
        verify_golden(extractor, picture(64, 48), golden)


def test_golden_values__only_of_what_is_published() -> None:
    info = ExtractorInfo("dinov3_vits16", "0", 16, 16, 384, 768, 1536, options={"mean": [0.485, 0.456, 0.406]})
    assert golden_values(info).cls[:2] == (0.46356, -0.41561)
    assert golden_values(info) is GOLDEN["dinov3_vits16"]
    with pytest.raises(WeightsError, match="no values are published for dinov2_vits14, only for dinov3_vits16,"):
        golden_values(replace(info, name="dinov2_vits14"))
    with pytest.raises(WeightsError, match="dinov3_vits16 for satellite pictures"):
        golden_values(replace(info, options={"mean": [0.43, 0.411, 0.296]}))


def test_golden_pixels__whole_image_without_its_proportions() -> None:
    image = np.zeros((480, 640, 3), np.uint8)
    image[:240, :320, 0] = 255
    pixels = golden_pixels(image)
    assert pixels.shape == (1, 3, 224, 224)
    assert pixels[0, 0, 50, 50] == pytest.approx(1)
    assert pixels[0, :, 150, 150].sum() == 0
    assert pixels.mean() == pytest.approx(1 / 12, abs=1e-3)


class Sloppy:
    """An extractor that breaks the contract in the ways that it is told to."""

    def __init__(self, *faults: str) -> None:
        self.faults = faults
        self.info = ExtractorInfo("sloppy", "0" * 16, 8, 8, dim=3, pooled_dim=3, resize=32)
        if "groups" in faults:
            self.info = replace(self.info, groups=(ChannelGroup("all", 4),))
        if "json" in faults:
            self.info = replace(self.info, options={"path": Path()})
        if "tuple" in faults:
            self.info = replace(self.info, options={"sizes": (1, 2)})
        if "multiple" in faults:
            self.info = replace(self.info, size_multiple=12)
        self.batch_size = 0 if "batch_size" in faults else 1

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        everything = "everything" in self.faults
        return [self._one(image, images, patches or everything, pooled or everything) for image in images]

    def _one(
        self, image: npt.NDArray[np.uint8], images: list[npt.NDArray[np.uint8]], patches: bool, pooled: bool
    ) -> Features:
        grid = make_grid(image.shape[1], image.shape[0], self.info)
        mean = (images[0] if "neighbours" in self.faults else image).mean(axis=(0, 1), dtype=np.float32)
        mean = mean / 0 if "nan" in self.faults else mean
        cells = np.broadcast_to(mean, (grid.height, grid.width + ("shape" in self.faults), 3))
        return Features(np.array(cells) if patches else None, mean if pooled else None)


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(
    ("fault", "part"),
    [
        ("groups", "info.groups have 4 channels together, expected 3"),
        ("json", "info cannot be written as JSON"),
        ("tuple", "info does not survive JSON"),
        ("multiple", "size_multiple 12 is no multiple of info.patch_size 8"),
        ("batch_size", "batch_size is 0"),
        ("everything", "features that were not asked for"),
        ("neighbours", "pooled depend on the other images of the list"),
        ("nan", "hold infinity or NaN"),
        ("shape", "expected (3, 4, 3) of float32"),
    ],
)
def test_contract_faults__each_is_told(fault: str, part: str) -> None:
    assert any(part in line for line in contract_faults(Sloppy(fault)))


def test_contract_faults__none() -> None:
    assert contract_faults(Sloppy()) == []
