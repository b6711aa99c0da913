"""Images a second of each extractor and size, against plain `transformers` in the same run; peak memory.

DINOv3 has random weights here, as the real ones are gated; they are scaled so that attention has peaks, a few channels
stand out and layers count as unevenly as in trained networks. Run: python -m benchmarks.features_speed [--sizes 768]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from models.backbone import BackboneExtractor, Pretrained
from models.efficientnet_lite import EfficientNetLiteExtractor
from models.networks import VisionTransformer
from models.runtime import Runtime

SIZES_PX = (512, 768, 1024, 1536)
NETWORKS = {"vits16": (384, 6), "vitb16": (768, 12)}
"""D and heads."""
EMBEDDED = "efficientnet_lite0"
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class SpeedRow:
    """One extractor at one size. Ratios are medians over rounds in which each ran once, so that noise hits both."""

    extractor: str
    size_px: int
    threads: int
    runtime: str
    plain_per_s: float
    """Images a second of plain transformers; of the embedded network, images one after the other on all cores."""
    per_s: float
    ratio: float
    smallest_cosine: float
    """Of a cell's features with those of the plain run."""
    rounds: int
    gflop_per_s: float | None
    """Of the products of a ViT alone: over the peak of the device this is the share of the roofline."""


@dataclass(frozen=True)
class MemoryRow:
    """Highest resident memory of a process that does nothing else."""

    extractor: str
    size_px: int
    plain_mb: float
    runtime_mb: float


def speed_rows(sizes_px: Sequence[int] = SIZES_PX, *, budget_s: float = 60, threads: int = 0) -> list[SpeedRow]:
    """Each extractor and size in a process of its own, for about `budget_s`, at least two rounds."""
    return [
        SpeedRow(**_child("speed", name, size_px, budget_s=budget_s, threads=threads))
        for name in (EMBEDDED, *NETWORKS)
        for size_px in sizes_px
    ]


def memory_rows(sizes_px: Sequence[int] = SIZES_PX, *, threads: int = 0) -> list[MemoryRow]:
    """One image in each way, each in a process of its own."""
    rows = []
    for name in (EMBEDDED, *NETWORKS):
        for size_px in sizes_px:
            plain, fast = (
                float(_child("memory", name, size_px, plain=plain, threads=threads)["mb"]) for plain in (True, False)
            )
            rows.append(MemoryRow(name, size_px, plain, fast))
    return rows


def format_rows(rows: Sequence[SpeedRow | MemoryRow]) -> str:
    """A Markdown table."""
    titles = list(asdict(rows[0]))
    lines = [" | ".join(titles), " | ".join("---" for _ in titles)]
    lines += [" | ".join(_format(value) for value in asdict(row).values()) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def make_model(name: str) -> Any:
    """A DINOv3 ViT of transformers (sdpa, float32) with random weights that behave like trained ones."""
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    dim, heads = NETWORKS[name]
    config = DINOv3ViTConfig(
        hidden_size=dim, intermediate_size=4 * dim, num_hidden_layers=12, num_attention_heads=heads,
        num_register_tokens=4, key_bias=False,
    )  # fmt: skip
    config._attn_implementation = "sdpa"
    torch.manual_seed(0)
    model: Any = DINOv3ViTModel(config)
    model.eval().requires_grad_(False)
    for path, value in model.named_parameters():
        if path.endswith(("q_proj.weight", "k_proj.weight")):
            value.normal_(0, 1.8 / dim**0.5)  # logits deviate by 5: attention is on few tokens
        elif "lambda1" in path:
            value.uniform_(0.1, 1)
        elif "norm" in path and path.endswith("weight"):
            value.copy_(torch.exp(torch.randn_like(value) * 0.3))
            value[:: dim // 4] *= 8  # channels that stand out
        elif path.endswith("weight") and value.ndim == 2:
            value.normal_(0, 0.8 / dim**0.5)
        elif path.endswith("bias"):
            value.normal_(0, 0.1)
    return model


def make_extractor(model: Any, name: str, size_px: int) -> BackboneExtractor:
    """As the product runs it; the model itself is changed where blocks are replaced."""
    pretrained = Pretrained(
        f"dinov3_{name}", VisionTransformer(model), "0" * 16, MEAN, STD, resize=size_px, pooled_size_px=256
    )
    return BackboneExtractor(pretrained)


def gflop(name: str, size_px: int) -> float:
    """Of the matrix products of the 12 blocks for one square image; a multiplication and a sum are two."""
    dim, _ = NETWORKS[name]
    tokens = (size_px // 16) ** 2 + 5
    return 12 * (24 * tokens * dim**2 + 4 * tokens**2 * dim) / 1e9


def _measure_vit(name: str, size_px: int, budget_s: float) -> SpeedRow:
    plain = BackboneExtractor(
        Pretrained(name, VisionTransformer(make_model(name)), "0" * 16, MEAN, STD, size_px, 256), runtime=Runtime.TORCH
    )
    fast = make_extractor(make_model(name), name, size_px)
    model = make_model(name)
    image = _picture(size_px)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))

    @torch.inference_mode()
    def run_plain() -> None:
        pixels = (torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 - mean) / std
        model(pixel_values=pixels)

    expected, found = (extractor.extract([image], pooled=False)[0].patches for extractor in (plain, fast))
    assert expected is not None
    assert found is not None
    batch = [image] * fast.batch_size
    plain_s, fast_s = _interleave(run_plain, lambda: fast.extract(batch, pooled=False), budget_s)
    fast_s = [seconds / len(batch) for seconds in fast_s]
    cosine = torch.cosine_similarity(torch.from_numpy(expected), torch.from_numpy(found), dim=-1).min().item()
    return _row(f"dinov3_{name}", size_px, fast.runtime, plain_s, fast_s, cosine, gflop(name, size_px))


def _measure_embedded(size_px: int, budget_s: float) -> SpeedRow:
    extractor = EfficientNetLiteExtractor(resize=size_px)
    images = [_picture(size_px, seed) for seed in range(extractor.batch_size)]
    (expected,) = (extractor._patches(images[0]),)
    found = extractor.extract(images)[0].patches
    assert found is not None

    def one_by_one() -> None:
        for image in images:
            extractor._patches(image)
            extractor._pooled(image)

    plain_s, fast_s = (
        [seconds / len(images) for seconds in times]
        for times in _interleave(one_by_one, lambda: extractor.extract(images), budget_s)
    )
    cosine = torch.cosine_similarity(torch.from_numpy(expected), torch.from_numpy(found), dim=-1).min().item()
    return _row(EMBEDDED, size_px, "side by side", plain_s, fast_s, cosine)


def _row(
    name: str,
    size_px: int,
    runtime: str,
    plain_s: list[float],
    fast_s: list[float],
    cosine: float,
    gflop_per_image: float | None = None,
) -> SpeedRow:
    ratio = statistics.median(plain / fast for plain, fast in zip(plain_s, fast_s, strict=True))
    return SpeedRow(
        extractor=name,
        size_px=size_px,
        threads=torch.get_num_threads(),
        runtime=runtime,
        plain_per_s=1 / statistics.median(plain_s),
        per_s=1 / statistics.median(fast_s),
        ratio=ratio,
        smallest_cosine=cosine,
        rounds=len(plain_s),
        gflop_per_s=None if gflop_per_image is None else gflop_per_image / statistics.median(fast_s),
    )


def _interleave(
    first: Callable[[], object], second: Callable[[], object], budget_s: float
) -> tuple[list[float], list[float]]:
    """Seconds of each, in turns, after one round that does not count."""
    deadline = time.perf_counter() + budget_s
    seconds: tuple[list[float], list[float]] = ([], [])
    for round_number in range(1000):
        if round_number > 2 and time.perf_counter() > deadline:
            break
        for function, times in zip((first, second), seconds, strict=True):
            started = time.perf_counter()
            function()
            times.append(time.perf_counter() - started)
    return seconds[0][1:], seconds[1][1:]


def _measure_memory(name: str, size_px: int, *, plain: bool) -> float:
    """MB"""
    image = _picture(size_px)
    if name == EMBEDDED:
        extractor = EfficientNetLiteExtractor(resize=size_px)
        extractor.extract([image] * (1 if plain else extractor.batch_size))
    elif plain:
        with torch.inference_mode():
            make_model(name)(pixel_values=torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255)
    else:
        make_extractor(make_model(name), name, size_px).extract([image], pooled=False)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _picture(size_px: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Square, smooth and noisy places."""
    from PIL import Image

    small = np.random.default_rng(seed).integers(0, 256, (size_px // 16, size_px // 16, 3), dtype=np.uint8)
    return np.array(Image.fromarray(small).resize((size_px, size_px), Image.Resampling.BICUBIC))


def _child(kind: str, name: str, size_px: int, **options: Any) -> dict[str, Any]:
    request = json.dumps({"kind": kind, "name": name, "size_px": size_px, **options})
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.features_speed", "--child", request], capture_output=True, text=True
    )
    if done.returncode != 0:
        raise RuntimeError(f"the measurement of {name} at {size_px} px failed: {done.stderr.strip()[-500:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _answer(kind: str, name: str, size_px: int, threads: int, budget_s: float = 0, plain: bool = False) -> None:
    if threads:
        torch.set_num_threads(threads)
    if kind == "memory":
        print(json.dumps({"mb": _measure_memory(name, size_px, plain=plain)}))
        return
    row = _measure_embedded(size_px, budget_s) if name == EMBEDDED else _measure_vit(name, size_px, budget_s)
    print(json.dumps(asdict(row)))


def _format(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES_PX)
    parser.add_argument("--budget", type=float, default=60, help="seconds for each extractor and size")
    parser.add_argument("--threads", type=int, default=0, help="0: as many as torch takes")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        _answer(**json.loads(arguments.child))
        return
    print(format_rows(speed_rows(arguments.sizes, budget_s=arguments.budget, threads=arguments.threads)))
    print()
    print(format_rows(memory_rows(arguments.sizes, threads=arguments.threads)))


if __name__ == "__main__":
    main()
