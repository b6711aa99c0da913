"""Time, disk and price of features on a cluster: a formula, fed with what was measured or assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.tables import Section
from models.feature_forms import PROJECTED_CHANNELS, FormName

ASSUMED_UTILISATION = 0.15
"""Of a GPU's dense bf16 peak, for a network as small as ViT-S; assumed, not measured."""
BYTES_PER_VALUE = {FormName.FLOAT16: 2, FormName.INT8: 1, FormName.PCA_INT8: 1}


@dataclass(frozen=True)
class VisionTransformer:
    """What the work of a forward pass depends on."""

    name: str
    dim: int
    layers: int
    patch_px: int = 16
    extra_tokens: int = 5
    """Class token and registers."""

    def cells(self, width_px: int, height_px: int) -> int:
        """Feature cells of an image."""
        return (width_px // self.patch_px) * (height_px // self.patch_px)

    def flops(self, width_px: int, height_px: int) -> float:
        """Floating-point operations of a forward pass: two for each multiplication with its addition.

        Each layer has 12 N D^2 of them in its six matrices (the MLP four times as wide as D) and 2 N^2 D in attention.
        """
        tokens = self.cells(width_px, height_px) + self.extra_tokens
        layer = 12 * tokens * self.dim**2 + 2 * tokens**2 * self.dim
        embedding = self.cells(width_px, height_px) * 3 * self.patch_px**2 * self.dim
        return 2.0 * (self.layers * layer + embedding)

    def bytes_per_image(self, width_px: int, height_px: int, form: FormName) -> int:
        """Of patch features and pooled vector, in the storage form; headers of some hundred bytes aside."""
        channels = min(self.dim, PROJECTED_CHANNELS) if form is FormName.PCA_INT8 else self.dim
        return self.cells(width_px, height_px) * channels * BYTES_PER_VALUE[form] + 4 * self.dim


VIT_SMALL = VisionTransformer("DINOv3 ViT-S/16", dim=384, layers=12)


@dataclass(frozen=True)
class Gpu:
    """Peak of the manufacturer's data sheet, dense."""

    name: str
    bf16_flops: float

    def images_per_s(self, network: VisionTransformer, side_px: int, utilisation: float) -> float:
        """Computed: what the network alone could do."""
        return self.bf16_flops * utilisation / network.flops(side_px, side_px)


GPUS = (Gpu("L4", 121e12), Gpu("A100", 312e12), Gpu("H100 SXM", 989e12))


@dataclass(frozen=True)
class Plan:
    """A cluster and the images that it is to go through."""

    images: int
    workers: int
    network_per_s: float
    """Images a second of one worker's network."""
    decode_per_s: float
    """Images a second that one worker's processors read and decode."""
    disk_bytes_per_s: float
    """What the storage takes from all workers together."""
    bytes_per_image: int
    driver_per_s: float
    """Rows a second that the driver commits."""

    def limits(self) -> dict[str, float]:
        """Images a second that each part allows."""
        return {
            "network": self.workers * self.network_per_s,
            "decoding": self.workers * self.decode_per_s,
            "storage": self.disk_bytes_per_s / self.bytes_per_image,
            "database": self.driver_per_s,
        }

    @property
    def bottleneck(self) -> str:
        """The slowest part."""
        limits = self.limits()
        return min(limits, key=lambda name: limits[name])

    @property
    def hours(self) -> float:
        """For all images, without registration and start."""
        return self.images / min(self.limits().values()) / 3600

    @property
    def disk_bytes(self) -> int:
        """Of all features."""
        return self.images * self.bytes_per_image

    def price(self, per_worker_hour: float) -> float:
        """In the currency of the price of one worker for an hour."""
        return self.hours * self.workers * per_worker_hour


def plans(images: int, side_px: int, decode_per_core_s: float, driver_per_s: float) -> list[tuple[str, Plan]]:
    """Ten million images on GPUs: eight workers with eight cores each, storage that takes 5 GB/s."""
    return [
        (
            f"8 x {gpu.name}, {form}",
            Plan(
                images=images,
                workers=8,
                network_per_s=gpu.images_per_s(VIT_SMALL, side_px, ASSUMED_UTILISATION),
                decode_per_s=8 * decode_per_core_s,
                disk_bytes_per_s=5e9,
                bytes_per_image=VIT_SMALL.bytes_per_image(side_px, side_px, form),
                driver_per_s=driver_per_s,
            ),
        )
        for gpu in GPUS
        for form in (FormName.FLOAT16, FormName.PCA_INT8)
    ]


def plan_section(rows: Sequence[tuple[str, Plan]], side_px: int) -> Section:
    """Computed."""
    columns = ("cluster, form", "images/s, network", "bound by", "images/s", "hours", "TB", "price, p per GPU hour")
    cells = (
        (
            name,
            f"{plan.limits()['network']:,.0f}",
            plan.bottleneck,
            f"{min(plan.limits().values()):,.0f}",
            f"{plan.hours:.1f}",
            f"{plan.disk_bytes / 1e12:.1f}",
            f"{plan.price(1.0):.1f} p",
        )
        for name, plan in rows
    )
    title = (
        f"{rows[0][1].images:,} images, {VIT_SMALL.name} at {side_px} px: computed from "
        f"{VIT_SMALL.flops(side_px, side_px) / 1e9:.0f} GFLOP each and an assumed {ASSUMED_UTILISATION:.0%} of the peak"
    )
    return Section(title, columns, tuple(cells))
