"""DINOv3 without its gated weights: small random networks, saved in both of the forms that Meta gives."""

from __future__ import annotations

import io
import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from transformers import DINOv3ViTConfig, DINOv3ViTModel

from models.base import FeatureExtractor
from models.errors import WeightsError
from models.geometry import make_grid
from models.registry import ExtractorSettings, load_extractor

RESIZE = 64


def load(path: Path, *, resize: int | None = None) -> FeatureExtractor:
    return load_extractor(ExtractorSettings(weights_path=path, resize=resize))


def small_model(*, gated: bool = False, dim: int = 128, heads: int = 2, registers: int = 4) -> DINOv3ViTModel:
    torch.manual_seed(7)
    model = DINOv3ViTModel(
        DINOv3ViTConfig(
            hidden_size=dim,
            intermediate_size=192,
            num_hidden_layers=3,
            num_attention_heads=heads,
            num_register_tokens=registers,
            use_gated_mlp=gated,
            hidden_act="silu" if gated else "gelu",
        )
    )
    # The initial zeros and ones (biases, layer scales, norms) would hide a swapped or forgotten tensor.
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.15)
    return model.eval()


def meta_state(model: DINOv3ViTModel) -> dict[str, Tensor]:
    """The network as Meta's file holds it, built from its modules and not from any list of names."""
    layers = model.model.layer if hasattr(model, "model") else model.layer
    embeddings = model.embeddings
    head_dim = model.config.hidden_size // model.config.num_attention_heads
    state = {
        "cls_token": embeddings.cls_token,
        "storage_tokens": embeddings.register_tokens,
        "mask_token": embeddings.mask_token[0],
        "patch_embed.proj.weight": embeddings.patch_embeddings.weight,
        "patch_embed.proj.bias": embeddings.patch_embeddings.bias,
        "rope_embed.periods": (100.0 ** (torch.arange(head_dim // 4) / (head_dim // 4))).bfloat16(),
        "norm.weight": model.norm.weight,
        "norm.bias": model.norm.bias,
    }
    for number, layer in enumerate(layers):
        attention = layer.attention
        dim = model.config.hidden_size
        # Meta masks the key's bias; what stands below the mask must not matter.
        nonsense = torch.full((dim,), 3.0)
        mask = torch.cat([torch.ones(dim), torch.zeros(dim), torch.ones(dim)])
        block = {
            "norm1.weight": layer.norm1.weight,
            "norm1.bias": layer.norm1.bias,
            "attn.qkv.weight": torch.cat([attention.q_proj.weight, attention.k_proj.weight, attention.v_proj.weight]),
            "attn.qkv.bias": torch.cat([attention.q_proj.bias, nonsense, attention.v_proj.bias]),
            "attn.qkv.bias_mask": mask,
            "attn.proj.weight": attention.o_proj.weight,
            "attn.proj.bias": attention.o_proj.bias,
            "ls1.gamma": layer.layer_scale1.lambda1,
            "norm2.weight": layer.norm2.weight,
            "norm2.bias": layer.norm2.bias,
            "ls2.gamma": layer.layer_scale2.lambda1,
        }
        if model.config.use_gated_mlp:
            parts = {"mlp.w1": layer.mlp.gate_proj, "mlp.w2": layer.mlp.up_proj, "mlp.w3": layer.mlp.down_proj}
        else:
            parts = {"mlp.fc1": layer.mlp.up_proj, "mlp.fc2": layer.mlp.down_proj}
        for name, linear in parts.items():
            block |= {f"{name}.weight": linear.weight, f"{name}.bias": linear.bias}
        state |= {f"blocks.{number}.{name}": tensor for name, tensor in block.items()}
    return {name: tensor.detach().clone() for name, tensor in state.items()}


@pytest.fixture(scope="module", autouse=True)
def _few_threads() -> None:
    torch.set_num_threads(1)


@pytest.fixture(params=["plain", "gated", "wide heads"])
def both_forms(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Path, Path]:
    """The same network as a Hugging Face folder and as Meta's file."""
    model = small_model(gated=request.param == "gated", heads=1 if request.param == "wide heads" else 2)
    model.save_pretrained(tmp_path / "folder")
    torch.save(meta_state(model), tmp_path / "meta.pth")
    return tmp_path / "folder", tmp_path / "meta.pth"


def picture(width: int, height: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(width * 1000 + height).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (100, 40), (33, 90)])
def test_load__both_forms_give_the_same_features(both_forms: tuple[Path, Path], width: int, height: int) -> None:
    folder, meta = (load(path, resize=RESIZE) for path in both_forms)
    image = picture(width, height)
    (a,), (b,) = folder.extract([image]), meta.extract([image])
    grid = make_grid(width, height, meta.info)
    assert a.patches.shape == b.patches.shape == (grid.height, grid.width, 128)
    assert a.pooled.shape == b.pooled.shape == (256,)
    assert np.abs(a.patches).mean() > 0.01, "features that are all but zero would prove nothing"
    np.testing.assert_allclose(a.patches, b.patches, atol=1e-5)
    np.testing.assert_allclose(a.pooled, b.pooled, atol=1e-5)


def plain_tokens(model: DINOv3ViTModel, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """What plain transformers gives for an image at its own size, (1 + registers + Hp * Wp, D)."""
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    pixels = torch.from_numpy(((image / 255 - mean) / std).transpose(2, 0, 1)[None]).float()
    with torch.inference_mode():
        tokens: npt.NDArray[np.float32] = model(pixel_values=pixels).last_hidden_state[0].numpy()
    return tokens


def test_extract__patch_tokens_follow_the_grid_and_leave_out_prefix_tokens(tmp_path: Path) -> None:
    model = small_model()
    model.save_pretrained(tmp_path / "folder")
    extractor = load(tmp_path / "folder", resize=RESIZE)
    image = picture(64, 32)  # exactly the input size: nothing is resampled
    (features,) = extractor.extract([image])
    tokens = plain_tokens(model, image)
    assert features.patches.shape == (2, 4, 128)
    np.testing.assert_allclose(features.patches[1, 3], tokens[1 + 4 + 1 * 4 + 3], atol=1e-5)


def test_extract__pooled_vector_sees_the_image_at_256_px(tmp_path: Path) -> None:
    model = small_model()
    model.save_pretrained(tmp_path / "folder")
    extractor = load(tmp_path / "folder", resize=RESIZE)
    image = picture(256, 128)
    (features,) = extractor.extract([image])
    tokens = plain_tokens(model, image)
    np.testing.assert_allclose(features.pooled, np.concatenate([tokens[0], tokens[5:].mean(axis=0)]), atol=1e-5)
    (alone,) = extractor.extract([image], patches=False)
    assert alone.patches is None
    np.testing.assert_array_equal(alone.pooled, features.pooled)


@pytest.mark.parametrize(("width", "height"), [(640, 480), (333, 500), (31, 64)])
def test_extract__no_padding_and_no_neighbour_reaches_the_pooled_vector(
    tmp_path: Path, width: int, height: int
) -> None:
    small_model().save_pretrained(tmp_path)
    extractor = load(tmp_path, resize=RESIZE)
    seen: list[Tensor] = []
    hook = extractor._network.register_forward_pre_hook(lambda _module, arguments: seen.append(arguments[0]))
    image = np.full((height, width, 3), 90, dtype=np.uint8)
    [alone] = extractor.extract([image], patches=False)
    hook.remove()
    (pixels,) = seen
    grid = make_grid(width, height, replace(extractor.info, resize=256))
    assert pixels.shape == (1, 3, grid.input_height, grid.input_width)
    assert all(side % extractor.info.size_multiple == 0 for side in pixels.shape[2:])
    assert (pixels == pixels[:, :, :1, :1]).all(), "every pixel that the network sees is one of the image"
    neighbours = [picture(500, 300), image, picture(64, 90)]
    np.testing.assert_array_equal(extractor.extract(neighbours, patches=False)[1].pooled, alone.pooled)


def test_load__accepts_wrapped_and_prefixed_states(tmp_path: Path) -> None:
    model = small_model()
    plain = meta_state(model)
    torch.save(plain, tmp_path / "plain.pth")
    torch.save({"teacher": {f"backbone.{k}": v for k, v in plain.items()}, "step": 3}, tmp_path / "teacher.pth")
    torch.save({"model": {f"module.{k}": v.bfloat16().float() for k, v in plain.items()}}, tmp_path / "model.pth")
    image = picture(64, 64)
    expected = load(tmp_path / "plain.pth", resize=RESIZE).extract([image])[0].patches
    teacher = load(tmp_path / "teacher.pth", resize=RESIZE).extract([image])[0].patches
    rounded = load(tmp_path / "model.pth", resize=RESIZE).extract([image])[0].patches
    np.testing.assert_array_equal(teacher, expected)
    np.testing.assert_allclose(rounded, expected, atol=0.3)


def test_load__unmasked_key_bias_is_kept(tmp_path: Path) -> None:
    state = meta_state(small_model())
    masked = {name: tensor for name, tensor in state.items() if not name.endswith("bias_mask")}
    torch.save(masked, tmp_path / "meta.pth")
    extractor = load(tmp_path / "meta.pth", resize=RESIZE)
    layer = extractor._network.blocks[0].attention.k_proj
    assert torch.equal(layer.bias, torch.full((128,), 3.0))


def test_info__tells_the_weights_apart(tmp_path: Path) -> None:
    state = meta_state(small_model())
    torch.save(state, tmp_path / "a.pth")
    torch.save({**state, "norm.bias": state["norm.bias"] + 1}, tmp_path / "b.pth")
    torch.save(state, tmp_path / "vit_sat493m.pth")
    a, b, satellite = (load(tmp_path / name).info for name in ("a.pth", "b.pth", "vit_sat493m.pth"))
    assert a.weights_hash != b.weights_hash
    assert a.options["mean"] != satellite.options["mean"]
    assert (a.resize, a.patch_size, a.size_multiple, a.dim) == (1536, 16, 16, 128)


def test_load_extractor__passes_weights_on(tmp_path: Path) -> None:
    torch.save(meta_state(small_model()), tmp_path / "meta.pth")
    assert load_extractor(ExtractorSettings(weights_path=tmp_path / "meta.pth", resize=96)).info.resize == 96
    with pytest.raises(WeightsError, match=r"no folder .*clone: write `dinov3_repo: null`"):
        load_extractor(ExtractorSettings(weights_path=tmp_path / "meta.pth", dinov3_repo=tmp_path / "clone"))


def wrong_weights(folder: Path, kind: str) -> Path:
    path = folder / "weights.pth"
    state = meta_state(small_model())
    if kind == "truncated":
        buffer = io.BytesIO()
        torch.save(state, buffer)
        path.write_bytes(buffer.getvalue()[:5000])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("<html>please log in</html>")
    elif kind == "pickle":
        path.write_bytes(pickle.dumps({"cls_token": Path("/etc")}, protocol=2))
    elif kind == "list":
        torch.save([1, 2], path)
    elif kind == "other network":
        torch.save({"conv1.weight": torch.zeros(3, 3)}, path)
    elif kind == "convnext":
        torch.save({"stages.0.0.gamma": torch.zeros(96)}, path)
    elif kind == "incomplete":
        torch.save({name: tensor for name, tensor in state.items() if name != "blocks.2.norm2.bias"}, path)
    elif kind == "wrong shape":
        torch.save({**state, "norm.weight": torch.zeros(64)}, path)
    elif kind == "unknown tensor":
        torch.save({**state, "blocks.0.adapter.weight": torch.zeros(64)}, path)
    elif kind == "other periods":
        torch.save({**state, "rope_embed.periods": torch.linspace(1, 500, 16)}, path)
    elif kind == "folder without weights":
        path.mkdir()
        (path / "config.json").write_text("{}")
    elif kind == "folder of another model":
        small_model().save_pretrained(path)
        config = json.loads((path / "config.json").read_text())
        (path / "config.json").write_text(json.dumps({**config, "model_type": "vit"}))
    elif kind == "folder with damaged weights":
        small_model().save_pretrained(path)
        (path / "model.safetensors").write_bytes((path / "model.safetensors").read_bytes()[:1000])
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "missing", "truncated", "empty", "text", "pickle", "list", "other network", "convnext", "incomplete",
        "wrong shape", "unknown tensor", "other periods", "folder without weights", "folder of another model",
        "folder with damaged weights",
    ],
)  # fmt: skip
def test_load__wrong_weights_say_what_to_do(tmp_path: Path, kind: str) -> None:
    path = wrong_weights(tmp_path, kind)
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
