from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from models.backbone import BackboneExtractor, Pretrained
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.int16_library import load_library
from models.networks import ConvNeXt, FrozenNetwork, VisionTransformer
from models.pretrained import load_pretrained
from models.runtime import (
    VARIABLE,
    Runtime,
    choose_batch_size,
    choose_runtime,
    make_runner,
    parse_cpu_flags,
    requested_runtime,
    to_device,
)
from tests.models.tiny_networks import dinov2, dinov3_convnext, dinov3_vit, picture

CPU, GPU = torch.device("cpu"), torch.device("cuda")
needs_int16 = pytest.mark.skipif(
    load_library() is None, reason="no AVX-512 VNNI, or models/native was not compiled: pip install -e ."
)


def vit(**sizes: int) -> VisionTransformer:
    return VisionTransformer(dinov3_vit(**sizes)).eval().requires_grad_(False)


def pixels(width: int, height: int, count: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(width * height)
    return torch.randn(count, 3, height, width, generator=generator)


@torch.inference_mode()
def cosines(network: FrozenNetwork, runtime: Runtime, images: torch.Tensor) -> tuple[float, float]:
    """Smallest cosine similarity of a cell, and largest absolute difference, to float32."""
    expected = network(images)
    found = make_runner(copy.deepcopy(network), CPU, runtime)(images)
    cells = torch.cosine_similarity(found.patch_map, expected.patch_map, dim=-1).min()
    summary = torch.cosine_similarity(found.summary, expected.summary, dim=-1).min()
    assert found.patch_map.dtype == found.summary.dtype == torch.float32
    return min(cells.item(), summary.item()), (found.patch_map - expected.patch_map).abs().max().item()


def test_requested_runtime__auto_unless_told() -> None:
    assert requested_runtime({}) is requested_runtime({VARIABLE: "auto"}) is None
    assert requested_runtime({VARIABLE: "bfloat16"}) is Runtime.BFLOAT16
    with pytest.raises(WeightsError, match="found 'fast', expected auto, torch, int16, bfloat16"):
        requested_runtime({VARIABLE: "fast"})


def test_parse_cpu_flags__first_processor() -> None:
    text = "processor\t: 0\nflags\t\t: fpu avx512_vnni amx_bf16\nbugs\t\t: none\n\nflags\t\t: fpu\n"
    assert parse_cpu_flags(text) == {"fpu", "avx512_vnni", "amx_bf16"}
    assert parse_cpu_flags("Features : asimd\n") == frozenset()


def test_choose_runtime__bfloat16_where_the_processor_has_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.runtime.cpu_flags", lambda: frozenset({"amx_bf16"}))
    assert choose_runtime(vit(), CPU) is Runtime.BFLOAT16
    assert choose_runtime(vit(), CPU, Runtime.TORCH) is Runtime.TORCH
    assert choose_runtime(ConvNeXt(dinov3_convnext()), CPU) is Runtime.TORCH
    assert choose_runtime(vit(), CPU, precision="float32") is not Runtime.BFLOAT16


def test_as_in__a_session_keeps_its_precision_on_every_machine() -> None:
    halves = (0.5, 0.5, 0.5)
    pretrained = Pretrained("tiny", vit(), "0" * 16, halves, halves, resize=96, pooled_size_px=64)
    coarse = BackboneExtractor(pretrained, runtime=Runtime.BFLOAT16)
    assert coarse.info.options["precision"] == coarse.info.precision == "bfloat16"
    settings = ExtractorSettings().as_in(coarse.info)
    assert choose_runtime(vit(), CPU, precision=settings.precision) is Runtime.BFLOAT16
    assert BackboneExtractor(pretrained, runtime=Runtime.TORCH).info.precision == "float32"


def test_choose_runtime__what_cannot_be_had_is_refused() -> None:
    with pytest.raises(WeightsError, match="heads of 64 channels"):
        choose_runtime(ConvNeXt(dinov3_convnext()), CPU, Runtime.INT16)
    with pytest.raises(WeightsError, match="not for GPUs"):
        choose_runtime(vit(), GPU, Runtime.INT16)
    heads_of_32 = vit(dim=64, heads=2)
    assert choose_runtime(heads_of_32, CPU) is not Runtime.INT16


def test_options__only_what_is_coarser_than_the_store_is_part_of_the_identity() -> None:
    assert Runtime.TORCH.options == Runtime.INT16.options == {}
    assert Runtime.BFLOAT16.options == {"precision": "bfloat16"}


def test_choose_batch_size__bounded_by_cells() -> None:
    assert choose_batch_size(CPU, 48 * 48) == 1
    assert [choose_batch_size(GPU, (px // 16) ** 2) for px in (256, 512, 1536, 8192)] == [32, 32, 3, 1]


def test_to_device__keeps_values() -> None:
    values = torch.arange(12, dtype=torch.uint8)
    assert torch.equal(to_device(values, CPU), values)


def test_make_runner__bfloat16_is_close() -> None:
    cosine, _ = cosines(vit(), Runtime.BFLOAT16, pixels(64, 48))
    assert cosine > 0.999


@needs_int16
@pytest.mark.parametrize("sizes", [{}, {"gated": True}, {"dim": 192, "heads": 3}], ids=["plain", "gated", "3 heads"])
@pytest.mark.parametrize(("width", "height"), [(16, 16), (128, 112), (240, 160)])
def test_make_runner__int16_equals_float32(sizes: dict[str, int], width: int, height: int) -> None:
    network = vit(**sizes)
    assert choose_runtime(network, CPU, Runtime.INT16) is Runtime.INT16
    cosine, difference = cosines(network, Runtime.INT16, pixels(width, height, count=2))
    assert cosine > 0.99999
    assert difference < 5e-3


@needs_int16
def test_make_runner__int16_knows_dinov2() -> None:
    network = VisionTransformer(dinov2()).eval()
    if choose_runtime(network, CPU) is Runtime.INT16:
        assert cosines(network, Runtime.INT16, pixels(56, 42))[0] > 0.99999


@needs_int16
@torch.inference_mode()
def test_make_runner__int16_survives_outliers_and_peaks() -> None:
    """Channels fifty times the others, attention on single tokens, layer scales from 0.1 to 1."""
    torch.manual_seed(0)
    network = vit(dim=192, heads=3)
    for name, value in network.named_parameters():
        if "q_proj.weight" in name or "k_proj.weight" in name:
            value.normal_(0, 0.15)
        elif "lambda1" in name:
            value.uniform_(0.1, 1)
        elif "norm" in name and name.endswith("weight"):
            value[::48] *= 50
    assert cosines(network, Runtime.INT16, pixels(160, 160))[0] > 0.999


@needs_int16
@torch.inference_mode()
def test_make_runner__int16_is_the_same_to_the_last_bit() -> None:
    """Whatever the number of threads, the neighbours in the batch, and what ran before in the same memory."""
    run = make_runner(vit(), CPU, Runtime.INT16)
    images = pixels(160, 144, count=3)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = run(images[1:2]).patch_map
        run(pixels(320, 320) * 100)
        torch.set_num_threads(3)
        assert torch.equal(run(images).patch_map[1:2], alone)
    finally:
        torch.set_num_threads(threads)


@needs_int16
def test_extract__int16_changes_the_features_less_than_their_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dinov3_vit().save_pretrained(tmp_path)
    extractors: list[BackboneExtractor] = []
    for runtime in (Runtime.TORCH, Runtime.INT16):
        monkeypatch.setenv(VARIABLE, runtime)
        extractors.append(load_pretrained(ExtractorSettings(weights_path=tmp_path, resize=160)))
        assert extractors[-1].runtime is runtime
    plain, fast = (extractor.extract([picture(320, 200)])[0] for extractor in extractors)
    assert extractors[0].info == extractors[1].info
    stored = np.abs(plain.patches.astype(np.float16) - plain.patches)
    assert np.abs(fast.patches - plain.patches).mean() < 2 * stored.mean()


@pytest.mark.parametrize("batch_size", [1, 3])
def test_extract__batches_are_filled_so_that_neighbours_do_not_matter(batch_size: int) -> None:
    halves = (0.5, 0.5, 0.5)
    pretrained = Pretrained("tiny", vit(), "0" * 16, halves, halves, resize=96, pooled_size_px=64)
    extractor = BackboneExtractor(pretrained, batch_size=batch_size)
    images = [picture(96, 64), picture(96, 64)[::-1].copy(), picture(64, 96), picture(96, 64)[:, ::-1].copy()]
    together = extractor.extract(images)
    for image, features in zip(images, together, strict=True):
        (alone,) = extractor.extract([image])
        np.testing.assert_array_equal(alone.patches, features.patches)
        np.testing.assert_array_equal(alone.pooled, features.pooled)
