"""How the forward pass of a network is run fast: the choice, by device, processor and FEWCLICK_RUNTIME."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path

import torch
from torch import Tensor, nn

from models.errors import WeightsError
from models.int16_blocks import Int16Block, Workspace, is_supported
from models.int16_library import load_library
from models.networks import FrozenNetwork, NetworkOutput, VisionTransformer

VARIABLE = "FEWCLICK_RUNTIME"
CPU_INFO = Path("/proc/cpuinfo")
CELLS_AT_ONCE, MAX_BATCH = 32768, 32

Runner = Callable[[Tensor], NetworkOutput]
"""Normalised pixels (B, 3, H, W) on the device -> what the network gives, float32."""


class Runtime(StrEnum):
    """Ways to run a network."""

    TORCH = "torch"
    """float32, as it is."""
    INT16 = "int16"
    """Blocks of a ViT in 16-bit integers; the rest in float32. The same features but for float16 rounding."""
    BFLOAT16 = "bfloat16"
    """torch.autocast: coarser, so part of the identity of the features."""

    @property
    def options(self) -> dict[str, str]:
        """What it adds to `ExtractorInfo.options`."""
        return {"precision": "bfloat16"} if self is Runtime.BFLOAT16 else {}


def requested_runtime(environ: Mapping[str, str] = os.environ) -> Runtime | None:
    """What FEWCLICK_RUNTIME asks for; None for `auto` or nothing.

    Raises:
        WeightsError: it names no runtime.
    """
    text = environ.get(VARIABLE, "auto")
    if text == "auto":
        return None
    try:
        return Runtime(text)
    except ValueError:
        raise WeightsError(
            f"{VARIABLE}: found {text!r}, expected auto, {', '.join(Runtime)}: see docs/performance.md"
        ) from None


def choose_runtime(
    network: FrozenNetwork, device: torch.device, requested: Runtime | None = None, precision: str | None = None
) -> Runtime:
    """What was requested; else the fastest that the device can do and the network allows, of that precision if given.

    Raises:
        WeightsError: what was asked for cannot be had here; says why and what can.
    """
    reason = _why_no_int16(network, device)
    if requested is Runtime.INT16 and reason is not None:
        raise WeightsError(f"{VARIABLE}: found int16, but {reason}: leave it out, or write torch")
    if requested is not None:
        return requested
    prefers_bfloat16 = precision is None and _is_bfloat16_fastest(network, device)
    if precision == Runtime.BFLOAT16 or prefers_bfloat16:
        return Runtime.BFLOAT16
    return Runtime.TORCH if reason is not None else Runtime.INT16


def make_runner(network: FrozenNetwork, device: torch.device, runtime: Runtime) -> Runner:
    """The network on its device, run that way. For INT16 its blocks are replaced: the network itself changes."""
    if runtime is Runtime.BFLOAT16:
        return _in_bfloat16(network, device)
    if runtime is Runtime.INT16:
        _use_int16_blocks(network)
    return network


def choose_batch_size(device: torch.device, cells: int) -> int:
    """Images at once: on a GPU about as many as keep it busy, on a processor one.

    Args:
        cells: Of the largest grid, which bounds the memory.
    """
    if device.type != "cuda":
        return 1
    return max(1, min(MAX_BATCH, CELLS_AT_ONCE // max(1, cells)))


def to_device(pixels: Tensor, device: torch.device) -> Tensor:
    """To a GPU through pinned memory, without waiting for the copy; elsewhere as it is."""
    return pixels.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else pixels.to(device)


@cache
def cpu_flags() -> frozenset[str]:
    """What the processor can do, by the names that Linux gives it; empty on other systems."""
    return parse_cpu_flags(CPU_INFO.read_text()) if CPU_INFO.is_file() else frozenset()


def parse_cpu_flags(cpu_info: str) -> frozenset[str]:
    """The flags of the first processor in the text of /proc/cpuinfo."""
    lines = (line.partition(":") for line in cpu_info.splitlines())
    return next((frozenset(value.split()) for key, _, value in lines if key.strip() == "flags"), frozenset())


def _is_bfloat16_fastest(network: FrozenNetwork, device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # On processors only with tiles (AMX): integers are as fast as AVX-512 bfloat16, and finer.
    return device.type == "cpu" and "amx_bf16" in cpu_flags() and isinstance(network, VisionTransformer)


def _why_no_int16(network: FrozenNetwork, device: torch.device) -> str | None:
    """None if it works."""
    if device.type != "cpu":
        return "it is for processors, not for GPUs"
    if not isinstance(network, VisionTransformer) or not all(map(is_supported, network.blocks)):
        return "it is for DINOv2 and DINOv3 ViTs with heads of 64 channels only"
    if load_library() is None:
        return "it needs a processor with AVX-512 VNNI and an installation with a C compiler (docs/performance.md)"
    return None


def _use_int16_blocks(network: FrozenNetwork) -> None:
    library = load_library()
    assert isinstance(network, VisionTransformer)
    assert library is not None
    workspace = Workspace()
    # One after the other, so that no more than one block is in memory twice.
    for index, block in enumerate(network.blocks):
        network.blocks[index] = Int16Block(block, library, workspace)


def _in_bfloat16(network: nn.Module, device: torch.device) -> Runner:
    def run(pixels: Tensor) -> NetworkOutput:
        with torch.autocast(device.type, torch.bfloat16):
            output: NetworkOutput = network(pixels)
        return NetworkOutput(output.patch_map.float(), output.summary.float())

    return run
