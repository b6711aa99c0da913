"""What a step of fine-tuning costs: pictures a second and memory, beside a frozen pass over the same pictures.

The network is a DINOv3 ViT with random weights, as the real ones are gated: time and memory do not depend on them. On
a processor each step learns from one picture, on a GPU from as many as a run takes together there.
Run: python -m benchmarks.learning_finetune [--sizes 224 512] [--batch-size 1 8 16]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from transformers import DINOv3ViTConfig, DINOv3ViTModel

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.tables import Section, machine, section_of, show
from db.queries.session_info import FinetuneSettings
from ml_service.finetuning.adapted_network import AdaptedNetwork
from models.backbone import Pretrained
from models.networks import VisionTransformer
from models.runtime import choose_batch_size

SIZES_PX = (224, 512)
CUDA_SIZES_PX = (224, 512, 1024, 1536)
NETWORKS = {"dinov3_vits16": (384, 6, 12), "dinov3_vitb16": (768, 12, 12), "dinov3_vitl16": (1024, 16, 24)}
"""D, heads, blocks."""
POINTS = 20
"""Labels of each picture."""
BUDGET_S = 15.0
"""For the measured steps of a row; at least two are taken."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COLUMNS = {
    "device": "device",
    "network": "network",
    "size_px": "px",
    "pictures": "pictures a step",
    "frozen_per_s": "frozen, pictures/s",
    "step_per_s": "learning, pictures/s",
    "ratio": "a step costs, frozen passes",
    "memory_mib": "peak, MiB",
    "factors": "numbers that learn",
}


@dataclass(frozen=True)
class StepRow:
    """One network at one size."""

    device: str
    network: str
    size_px: int
    pictures: int
    """Together in a step."""
    frozen_per_s: float
    step_per_s: float
    """Forward, backward and the optimiser's step."""
    ratio: float
    """How many frozen passes a step takes."""
    memory_mib: float | None
    """Above what the network itself takes: of the device on CUDA; of saved tensors on a processor."""
    factors: int


def step_row(network: str, size_px: int, device: torch.device, pictures: int | None = None) -> StepRow:
    """Measure one.

    Args:
        pictures: In a step; None takes what a run would.
    """
    adapted = AdaptedNetwork(_pretrained(network), FinetuneSettings(), device)
    count = pictures or choose_batch_size(device, (size_px // 16) ** 2)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count, size_px, size_px, 3), dtype=np.uint8)
    places = [torch.from_numpy(random.random((POINTS, 2), dtype=np.float32)) for _ in range(count)]
    optimizer = torch.optim.AdamW(adapted.parameters.values(), lr=1e-4)

    def frozen() -> None:
        with torch.no_grad():
            adapted.point_features(pixels, places)

    def step() -> None:
        optimizer.zero_grad()
        with adapted.learning():
            adapted.point_features(pixels, places).square().mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    memory = _memory_mib(step, adapted, device)
    frozen_per_s, step_per_s = (count / _seconds(work, device) for work in (frozen, step))
    return StepRow(
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else "processor",
        network=network,
        size_px=size_px,
        pictures=count,
        frozen_per_s=frozen_per_s,
        step_per_s=step_per_s,
        ratio=frozen_per_s / step_per_s,
        memory_mib=memory,
        factors=sum(parameter.numel() for parameter in adapted.parameters.values()),
    )


def tables(sizes_px: Sequence[int] = SIZES_PX, *, batch_sizes: Sequence[int] = ()) -> list[Section]:
    """On the processor ViT-S/16 at `sizes_px`; where there is a GPU, S, B and L there too.

    Args:
        batch_sizes: Pictures a step on the GPU; empty takes what a run would.
    """
    processor = torch.device("cpu")
    rows = [step_row("dinov3_vits16", size_px, processor) for size_px in sizes_px]
    if torch.cuda.is_available():
        device = torch.device("cuda")
        rows += [
            step_row(network, size_px, device, count)
            for network in NETWORKS
            for size_px in CUDA_SIZES_PX
            for count in batch_sizes or (None,)
        ]
    title = f"A step of fine-tuning (LoRA of rank {FinetuneSettings().rank} on q and v, random weights; {machine()})"
    return [section_of(title, rows, COLUMNS)]


def _pretrained(name: str) -> Pretrained:
    dim, heads, blocks = NETWORKS[name]
    config = DINOv3ViTConfig(
        hidden_size=dim, intermediate_size=4 * dim, num_hidden_layers=blocks, num_attention_heads=heads,
        num_register_tokens=4,
    )  # fmt: skip
    network = VisionTransformer(DINOv3ViTModel(config)).eval().requires_grad_(False)
    return Pretrained(name, network, "0" * 16, MEAN, STD, resize=1536, pooled_size_px=256)


def _seconds(work: Callable[[], None], device: torch.device) -> float:
    """Of the fastest of at least two rounds, as other programs only make it slower."""
    found: list[float] = []
    begun = time.perf_counter()
    while len(found) < 2 or (time.perf_counter() < begun + BUDGET_S / 2 and len(found) < 20):
        _wait(device)
        started = time.perf_counter()
        work()
        _wait(device)
        found.append(time.perf_counter() - started)
    return min(found)


def _memory_mib(step: Callable[[], None], adapted: AdaptedNetwork, device: torch.device) -> float:
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        step()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    saved: dict[int, int] = {}
    weights = {value.untyped_storage().data_ptr() for value in adapted.weights}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        step()
    return sum(saved.values()) / 2**20


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description="Measure a step of fine-tuning.")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES_PX, help="longest sides, pixels, on the processor"
    )
    parser.add_argument("--batch-size", type=int, nargs="+", default=(), help="pictures a step, on a GPU")
    options = parser.parse_args(arguments)
    show(Console(width=160), tables(options.sizes, batch_sizes=options.batch_size))
    return 0


if __name__ == "__main__":
    sys.exit(main())
