"""Networks of Meta without their gated weights: small random ones, in both of the forms in which they are given out."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import DINOv3ConvNextConfig, DINOv3ViTConfig

from models.backbone import BackboneExtractor
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.geometry import make_grid
from models.pretrained import load_pretrained, name_of
from models.published import DINOV3_VITS, GOLDEN, META_FILES, PRETRAINED_NAMES
from models.registry import load_extractor
from tests.models.tiny_networks import TINY, dinov3_vit, meta_vit_state, picture, plain_forward, save_both

RESIZE = 96


def load(path: Path, *, resize: int | None = RESIZE, **settings: Any) -> BackboneExtractor:
    return load_pretrained(ExtractorSettings(weights_path=path, resize=resize, **settings))


@pytest.mark.parametrize("kind", TINY)
def test_load_pretrained__both_forms_give_the_same_features(tmp_path: Path, kind: str) -> None:
    folder, meta = (load(path) for path in save_both(kind, tmp_path))
    assert folder.info.name == meta.info.name
    assert replace(folder.info, weights_hash="") == replace(meta.info, weights_hash="")
    images = [picture(96, 96), picture(120, 50), picture(33, 90)]
    for image, one, other in zip(images, folder.extract(images), meta.extract(images), strict=True):
        grid = make_grid(image.shape[1], image.shape[0], meta.info)
        assert one.patches.shape == other.patches.shape == (grid.height, grid.width, meta.info.dim)
        assert one.pooled.shape == other.pooled.shape == (2 * TINY[kind].dims[-1],)
        assert np.abs(one.patches).mean() > 0.01, "features that are all but zero would prove nothing"
        np.testing.assert_allclose(one.patches, other.patches, atol=1e-5)
        np.testing.assert_allclose(one.pooled, other.pooled, atol=1e-5)


@pytest.mark.parametrize("kind", TINY)
def test_extract__equals_plain_transformers(tmp_path: Path, kind: str) -> None:
    tiny = TINY[kind]
    model = tiny.make()
    model.save_pretrained(tmp_path)
    cell = tiny.size_multiple
    image = picture(4 * cell, 2 * cell)  # exactly the input size: nothing is resampled
    (features,) = load(tmp_path, resize=4 * cell, layers=(len(tiny.dims) - 1,)).extract([image], pooled=False)
    tokens = plain_forward(model, image)[tiny.prefix_tokens :]
    np.testing.assert_allclose(features.patches, tokens.reshape(2, 4, -1), atol=1e-5)


@pytest.mark.parametrize("kind", TINY)
def test_extract__pooled_vector_is_that_of_the_small_picture(tmp_path: Path, kind: str) -> None:
    tiny = TINY[kind]
    model = tiny.make()
    model.save_pretrained(tmp_path)
    extractor = load(tmp_path, resize=RESIZE)
    assert extractor.info.options["pooled_sizes_px"] == [tiny.pooled_size_px]
    image = picture(tiny.pooled_size_px, tiny.pooled_size_px // 2)
    (features,) = extractor.extract([image])
    tokens = plain_forward(model, image)
    expected = np.concatenate([tokens[0], tokens[tiny.prefix_tokens :].mean(axis=0)])
    np.testing.assert_allclose(features.pooled, expected, atol=1e-5)
    (alone,) = extractor.extract([image], patches=False)
    assert alone.patches is None
    np.testing.assert_array_equal(alone.pooled, features.pooled)


@pytest.mark.parametrize("kind", ["dinov3", "dinov2", "dinov2 registers", "dinov3 convnext"])
@pytest.mark.parametrize(("width", "height"), [(640, 480), (31, 64)])
def test_extract__no_padding_and_no_neighbour_reaches_the_pooled_vector(
    tmp_path: Path, kind: str, width: int, height: int
) -> None:
    TINY[kind].make().save_pretrained(tmp_path)
    extractor = load(tmp_path)
    seen: list[Tensor] = []
    hook = extractor._network.register_forward_pre_hook(lambda _module, arguments: seen.append(arguments[0]))
    image = np.full((height, width, 3), 90, dtype=np.uint8)
    [alone] = extractor.extract([image], patches=False)
    hook.remove()
    (pixels,) = seen
    grid = make_grid(width, height, replace(extractor.info, resize=TINY[kind].pooled_size_px))
    assert pixels.shape == (1, 3, grid.input_height, grid.input_width)
    assert all(side % extractor.info.size_multiple == 0 for side in pixels.shape[2:])
    assert (pixels == pixels[:, :, :1, :1]).all(), "every pixel that the network sees is one of the image"
    neighbours = [picture(500, 300), image, picture(64, 90)]
    np.testing.assert_array_equal(extractor.extract(neighbours, patches=False)[1].pooled, alone.pooled)


@pytest.mark.parametrize("kind", TINY)
@pytest.mark.parametrize(("width", "height"), [(300, 200), (199, 401)])
def test_info__grid_follows_geometry(tmp_path: Path, kind: str, width: int, height: int) -> None:
    TINY[kind].make().save_pretrained(tmp_path)
    extractor = load(tmp_path, resize=160)
    assert (extractor.info.patch_size, extractor.info.size_multiple) == (TINY[kind].cell_px, TINY[kind].size_multiple)
    (features,) = extractor.extract([picture(width, height)], pooled=False)
    grid = make_grid(width, height, extractor.info)
    assert features.patches.shape[:2] == (grid.height, grid.width)
    assert (grid.width * TINY[kind].cell_px, grid.height * TINY[kind].cell_px) == (grid.input_width, grid.input_height)


def test_load_pretrained__accepts_wrapped_and_prefixed_states(tmp_path: Path) -> None:
    plain = meta_vit_state(dinov3_vit())
    torch.save(plain, tmp_path / "plain.pth")
    torch.save({"teacher": {f"backbone.{k}": v for k, v in plain.items()}, "step": 3}, tmp_path / "teacher.pth")
    torch.save({"model": {f"module.{k}": v.bfloat16().float() for k, v in plain.items()}}, tmp_path / "model.pth")
    image = picture(64, 64)
    expected, teacher, rounded = (
        load(tmp_path / name).extract([image])[0].patches for name in ("plain.pth", "teacher.pth", "model.pth")
    )
    np.testing.assert_array_equal(teacher, expected)
    np.testing.assert_allclose(rounded, expected, atol=0.3)


def test_load_pretrained__unmasked_key_bias_is_kept(tmp_path: Path) -> None:
    state = meta_vit_state(dinov3_vit())
    masked = {name: tensor for name, tensor in state.items() if not name.endswith("bias_mask")}
    torch.save(masked, tmp_path / "meta.pth")
    layer = load(tmp_path / "meta.pth")._network.blocks[0].attention.k_proj
    assert torch.equal(layer.bias, torch.full((64,), 3.0))


def test_info__tells_the_weights_apart(tmp_path: Path) -> None:
    state = meta_vit_state(dinov3_vit())
    torch.save(state, tmp_path / "a.pth")
    torch.save({**state, "norm.bias": state["norm.bias"] + 1}, tmp_path / "b.pth")
    torch.save(state, tmp_path / "vit_sat493m.pth")
    a, b, satellite = (load(tmp_path / name, resize=None).info for name in ("a.pth", "b.pth", "vit_sat493m.pth"))
    assert a.weights_hash != b.weights_hash
    assert a.weights_hash == hashlib.sha256((tmp_path / "a.pth").read_bytes()).hexdigest()[:16]
    assert a.options["mean"] != satellite.options["mean"]
    assert (a.resize, a.patch_size, a.size_multiple, a.dim) == (1536, 16, 16, 64)


def test_load_pretrained__pictures_of_a_folder_are_those_of_its_preprocessor(tmp_path: Path) -> None:
    dinov3_vit().save_pretrained(tmp_path)
    (tmp_path / "preprocessor_config.json").write_text(
        json.dumps({"image_mean": [0.43, 0.411, 0.296], "image_std": [0.213, 0.156, 0.143]})
    )
    assert load(tmp_path).info.options["mean"] == [0.43, 0.411, 0.296]


@pytest.mark.parametrize("kind", ["dinov3", "dinov2", "dinov3 convnext"])
def test_layers__are_options_of_the_identity(tmp_path: Path, kind: str) -> None:
    tiny = TINY[kind]
    tiny.make().save_pretrained(tmp_path)
    default, chosen = load(tmp_path), load(tmp_path, layers=(0, 2))
    assert default.info != chosen.info
    assert chosen.info.options["layers"] == [0, 2]
    assert [group.size for group in chosen.info.groups] == [tiny.dims[0], tiny.dims[2]]
    assert chosen.info.dim == tiny.dims[0] + tiny.dims[2]
    image = picture(96, 64)
    (one,), (other,) = default.extract([image]), chosen.extract([image])
    np.testing.assert_array_equal(one.pooled, other.pooled)


@pytest.mark.parametrize("layers", [(3,), (-1,), (1, 1), ()])
def test_layers__that_are_not_there(tmp_path: Path, layers: tuple[int, ...]) -> None:
    dinov3_vit().save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match=r"layers: found \[.*different numbers from 0 to 2.*take \[2\]"):
        load(tmp_path, layers=layers)


def test_load_pretrained__name_in_the_config_is_checked(tmp_path: Path) -> None:
    dinov3_vit().save_pretrained(tmp_path)
    assert load(tmp_path, extractor="dinov3").info.name == "dinov3_vit64x3"
    assert load(tmp_path / "model.safetensors").info == load(tmp_path).info
    with pytest.raises(WeightsError, match=r"dinov3_vitb16, but .* holds dinov3_vit64x3: write `extractor: dinov3`,"):
        load(tmp_path, extractor="dinov3_vitb16")
    with pytest.raises(WeightsError, match="found dinov2, but"):
        load(tmp_path, extractor="dinov2")
    with pytest.raises(WeightsError, match=r"dinov2_vits14 needs its weights: set weights_path"):
        load_extractor(ExtractorSettings(extractor="dinov2_vits14"))


def test_load_pretrained__old_keys(tmp_path: Path) -> None:
    torch.save(meta_vit_state(dinov3_vit()), tmp_path / "meta.pth")
    assert load_extractor(ExtractorSettings(weights_path=tmp_path / "meta.pth", resize=96)).info.resize == 96
    with pytest.raises(WeightsError, match=r"no folder .*clone: write `dinov3_repo: null`"):
        load(tmp_path / "meta.pth", dinov3_repo=tmp_path / "clone")


def test_name_of__published_sizes() -> None:
    vit = DINOv3ViTConfig(hidden_size=384, num_hidden_layers=12, use_gated_mlp=True)
    assert name_of(vit) == "dinov3_vits16plus"
    assert name_of(DINOv3ConvNextConfig()) == "dinov3_convnext_tiny"
    assert {file.extractor for file in META_FILES.values()} == set(DINOV3_VITS.values()) | {
        name for name in PRETRAINED_NAMES if "convnext" in name
    }
    assert set(GOLDEN) <= set(PRETRAINED_NAMES)


def test_load_pretrained__file_that_tells_its_hash(tmp_path: Path) -> None:
    state = meta_vit_state(dinov3_vit())
    buffer = io.BytesIO()
    torch.save(state, buffer)
    content = buffer.getvalue()
    digits = hashlib.sha256(content).hexdigest()[:8]
    whole, cut = tmp_path / f"vit-{digits}.pth", tmp_path / "cut" / f"vit-{digits}.pth"
    whole.write_bytes(content)
    cut.parent.mkdir()
    cut.write_bytes(content[:-100])
    assert load(whole).info.weights_hash.startswith(digits)
    with pytest.raises(WeightsError, match=rf"damaged or incomplete download: .*expected {digits} by its name .*again"):
        load(cut)


def wrong_weights(folder: Path, kind: str) -> Path:
    path = folder / "weights.pth"
    model = dinov3_vit()
    state = meta_vit_state(model)
    changed: dict[str, Any] = {
        "list": [1, 2],
        "other network": {"conv1.weight": torch.zeros(3, 3)},
        "convnext without blocks": {"downsample_layers.0.0.weight": torch.zeros(96, 3, 4, 4)},
        "convnext in part": {"stages.0.0.dwconv.weight": torch.zeros(8, 1, 7, 7), "stages.0.0.gamma": torch.zeros(8)},
        "vit of another kind": {"pos_embed": torch.zeros(1, 5, 64), "blocks.0.norm1.weight": torch.zeros(64)},
        "positions that form no square": {**state, "pos_embed": torch.zeros(1, 7, 64)},
        "incomplete": {name: tensor for name, tensor in state.items() if name != "blocks.2.norm2.bias"},
        "wrong shape": {**state, "norm.weight": torch.zeros(32)},
        "unknown tensor": {**state, "blocks.0.adapter.weight": torch.zeros(64)},
        "other periods": {**state, "rope_embed.periods": torch.linspace(1, 500, 16)},
    }
    if kind in changed:
        torch.save(changed[kind], path)
    elif kind == "truncated":
        buffer = io.BytesIO()
        torch.save(state, buffer)
        path.write_bytes(buffer.getvalue()[:5000])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("<html>please log in</html>")
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"cls_token": Path("/etc")}, protocol=2))
    elif kind == "folder without weights":
        path.mkdir()
        (path / "config.json").write_text("{}")
    elif kind != "missing":
        model.save_pretrained(path)
        _break_folder(path, kind)
    return path


def _break_folder(path: Path, kind: str) -> None:
    config = json.loads((path / "config.json").read_text())
    if kind == "folder of another model":
        (path / "config.json").write_text(json.dumps({**config, "model_type": "vit"}))
    elif kind == "folder with a damaged config":
        (path / "config.json").write_text("[1")
    elif kind == "folder with damaged weights":
        (path / "model.safetensors").write_bytes((path / "model.safetensors").read_bytes()[:1000])
    elif kind == "folder without a shard":
        index = {"weight_map": {"a": "model.safetensors", "b": "model-00002-of-00002.safetensors"}}
        (path / "model.safetensors.index.json").write_text(json.dumps(index))
    elif kind == "folder of another size":
        (path / "config.json").write_text(json.dumps({**config, "hidden_size": 128}))


@pytest.mark.parametrize(
    "kind",
    [
        "missing", "truncated", "empty", "text", "pickle", "list", "other network", "convnext without blocks",
        "convnext in part", "vit of another kind", "positions that form no square", "incomplete", "wrong shape",
        "unknown tensor", "other periods", "folder without weights", "folder of another model",
        "folder with a damaged config", "folder with damaged weights", "folder without a shard",
        "folder of another size",
    ],
)  # fmt: skip
def test_load_pretrained__wrong_weights_say_what_to_do(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    path = wrong_weights(tmp_path, kind)
    capfd.readouterr()
    with pytest.raises(WeightsError) as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    for part in (
        "https://ai.meta.com/dinov3/",
        "facebook/dinov3-vits16-pretrain-lvd1689m",
        "`weights_path: null` works",
    ):
        assert part in message
    assert capfd.readouterr() == ("", ""), "the message is all that a person sees"
