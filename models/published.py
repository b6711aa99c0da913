"""What is published about pretrained networks: names by size, SHA-256 digits of Meta's files, values to check against.

Imports no torch. Sources: hub/backbones.py of https://github.com/facebookresearch/dinov3 and of .../dinov2; the
conversion scripts of DINOv3 in https://github.com/huggingface/transformers.
"""

from __future__ import annotations

from dataclasses import dataclass

DINOV3_VITS = {
    (384, 12, False): "dinov3_vits16",
    (384, 12, True): "dinov3_vits16plus",
    (768, 12, False): "dinov3_vitb16",
    (1024, 24, False): "dinov3_vitl16",
    (1024, 24, True): "dinov3_vitl16plus",
    (1280, 32, True): "dinov3_vith16plus",
    (4096, 40, True): "dinov3_vit7b16",
}
"""By width, depth, and whether the MLPs are gated."""

DINOV3_CONVNEXTS = {
    ((96, 192, 384, 768), (3, 3, 9, 3)): "dinov3_convnext_tiny",
    ((96, 192, 384, 768), (3, 3, 27, 3)): "dinov3_convnext_small",
    ((128, 256, 512, 1024), (3, 3, 27, 3)): "dinov3_convnext_base",
    ((192, 384, 768, 1536), (3, 3, 27, 3)): "dinov3_convnext_large",
}
"""By widths and depths of the four stages."""

DINOV2_VITS = {
    (384, 12): "dinov2_vits14",
    (768, 12): "dinov2_vitb14",
    (1024, 24): "dinov2_vitl14",
    (1536, 40): "dinov2_vitg14",
}
"""By width and depth; `WITH_REGISTERS` is appended to the name of those that have register tokens."""
WITH_REGISTERS = "_reg"

PRETRAINED_NAMES = (
    *DINOV3_VITS.values(),
    *DINOV3_CONVNEXTS.values(),
    *DINOV2_VITS.values(),
    *(name + WITH_REGISTERS for name in DINOV2_VITS.values()),
)

SATELLITE = "sat493m"
WEB = "lvd1689m"


@dataclass(frozen=True)
class PublishedFile:
    """A file that Meta gives out."""

    extractor: str
    pictures: str
    """What it was trained on: `WEB` or `SATELLITE`."""


META_FILES = {
    "08c60483": PublishedFile("dinov3_vits16", WEB),
    "4057cbaa": PublishedFile("dinov3_vits16plus", WEB),
    "73cec8be": PublishedFile("dinov3_vitb16", WEB),
    "8aa4cbdd": PublishedFile("dinov3_vitl16", WEB),
    "46503df0": PublishedFile("dinov3_vitl16plus", WEB),
    "7c1da9a5": PublishedFile("dinov3_vith16plus", WEB),
    "a955f4ea": PublishedFile("dinov3_vit7b16", WEB),
    "eadcf0ff": PublishedFile("dinov3_vitl16", SATELLITE),
    "a6675841": PublishedFile("dinov3_vit7b16", SATELLITE),
    "21b726bb": PublishedFile("dinov3_convnext_tiny", WEB),
    "296db49d": PublishedFile("dinov3_convnext_small", WEB),
    "801f2ba9": PublishedFile("dinov3_convnext_base", WEB),
    "61fa432d": PublishedFile("dinov3_convnext_large", WEB),
}
"""By the first 8 hex digits of their SHA-256, which end their names too."""


@dataclass(frozen=True)
class GoldenValues:
    """First channels of what a network gives for the golden image, as its publishers computed them."""

    cls: tuple[float, ...]
    """Of the global token after the last norm."""
    first_patch: tuple[float, ...]
    """Of the top left patch token after the last norm."""


GOLDEN_IMAGE = "http://images.cocodataset.org/val2017/000000039769.jpg"
GOLDEN_IMAGE_SIZE = (640, 480)
"""Width and height as it is published, pixels."""
GOLDEN_SIZE_PX = 224
"""Both sides of the golden image as the network sees it: resized without keeping its proportions, bilinear."""

GOLDEN = {
    "dinov3_vits16": GoldenValues(
        (0.46356, -0.41561, 0.40824, -0.12661, -0.28664), (-0.03875, -0.25090, -0.01639, -0.45547, 0.57158)
    ),
    "dinov3_vits16plus": GoldenValues(
        (-0.47135, -1.36578, -0.31798, 0.37722, -0.76909), (0.14455, -0.38812, -0.39343, -0.15770, -0.60038)
    ),
    "dinov3_vitb16": GoldenValues(
        (1.03464, -0.18061, -0.34102, -0.06638, -0.01138), (-0.08252, -0.45627, -0.72803, -0.43068, -0.15288)
    ),
    "dinov3_vitl16": GoldenValues(
        (0.48453, -0.58221, 0.48064, 0.59204, 0.94517), (-0.21137, -0.49086, -0.25713, 0.10176, 0.15451)
    ),
    "dinov3_vith16plus": GoldenValues(
        (-0.06458, -0.14887, -0.62152, 0.63488, 0.15270), (-0.09382, 0.28741, -0.05004, 0.42804, 0.09456)
    ),
    "dinov3_vit7b16": GoldenValues(
        (0.27544, -0.26135, 0.06777, 0.04994, -0.15875), (0.04444, -0.05254, 0.07078, -0.06511, -0.02655)
    ),
    "dinov3_convnext_tiny": GoldenValues(
        (-6.37212, 1.30079, 2.07430, -0.07998, 0.60721), (0.49053, -3.71347, 1.84851, -1.04032, -1.09082)
    ),
    "dinov3_convnext_small": GoldenValues(
        (-0.90391, 1.41218, 0.28747, 0.17530, -2.39794), (-1.08111, 0.63736, 3.74877, 0.17018, 1.44515)
    ),
    "dinov3_convnext_base": GoldenValues(
        (0.15537, -0.37877, -0.73516, -2.81872, 0.01510), (3.03912, 0.77816, -1.96132, -1.60715, -2.41194)
    ),
    "dinov3_convnext_large": GoldenValues(
        (-2.21909, -0.59445, -2.30029, -0.95742, -0.52047), (-1.47735, -0.21704, -3.12814, 0.41896, 0.33495)
    ),
}
"""By extractor; all of networks trained on web pictures."""
