"""Pretrained networks of Meta from either of the two forms in which they are given out.

A Hugging Face folder is loaded as it is. Meta's .pth holds the same tensors under other names, so a key map suffices
and no clone of Meta's repository is needed; architecture and sizes are read off the tensors' shapes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    Dinov2Model,
    Dinov2WithRegistersModel,
    DINOv3ConvNextModel,
    DINOv3ViTModel,
    PreTrainedConfig,
    PreTrainedModel,
)
from transformers.utils import logging as transformers_logging

from models.adapter_files import SUFFIX, adapted_hash
from models.backbone import BackboneExtractor, Pretrained
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.lora import load_adapter, merge_factors
from models.meta_names import translate
from models.networks import ConvNeXt, FrozenNetwork, VisionTransformer
from models.published import (
    DINOV2_VITS,
    DINOV3_CONVNEXTS,
    DINOV3_VITS,
    META_FILES,
    PRETRAINED_NAMES,
    SATELLITE,
    WITH_REGISTERS,
)
from models.runtime import Runtime
from models.weights_file import (
    KEPT_DIGITS,
    NAMED_DIGITS,
    WHERE_TO_GET,
    damaged,
    folder_files,
    foreign,
    hash_files,
    incomplete,
    read_json,
    read_meta_state,
)

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SATELLITE_MEAN, SATELLITE_STD = (0.430, 0.411, 0.296), (0.213, 0.156, 0.143)


class Family(NamedTuple):
    """What the networks of one kind have in common."""

    kind: str
    """As errors call it."""
    model: type[PreTrainedModel]
    network: type[VisionTransformer] | type[ConvNeXt]
    resize: int
    pooled_size_px: int


# DINOv2 has positions for 37 x 37 cells, which are interpolated: 1036 px are twice as many. DINOv3 turns its keys by
# the position and takes any size. The pooled vector sees 16 x 16 cells.
FAMILIES = {
    "dinov3_vit": Family("DINOv3 ViT", DINOv3ViTModel, VisionTransformer, 1536, 256),
    "dinov3_convnext": Family("DINOv3 ConvNeXt", DINOv3ConvNextModel, ConvNeXt, 1536, 256),
    "dinov2": Family("DINOv2 ViT", Dinov2Model, VisionTransformer, 1036, 224),
    "dinov2_with_registers": Family(
        "DINOv2 ViT with registers", Dinov2WithRegistersModel, VisionTransformer, 1036, 224
    ),
}
"""By what config.json calls `model_type`."""


class _Loaded(NamedTuple):
    model: PreTrainedModel
    sha256: str
    mean: tuple[float, ...]
    std: tuple[float, ...]


def load_pretrained(settings: ExtractorSettings, *, runtime: Runtime | None = None) -> BackboneExtractor:
    """DINOv3 or DINOv2 from Meta's .pth or a Hugging Face folder.

    Args:
        runtime: How the network is run; None leaves the choice to `BackboneExtractor`.

    Raises:
        WeightsError: as `load_network`.
    """
    pretrained = load_network(settings)
    return BackboneExtractor(pretrained, resize=settings.resize, precision=settings.precision, runtime=runtime)


def load_network(settings: ExtractorSettings) -> Pretrained:
    """The network alone, in float32, with the adapter merged into its weights if there is one.

    Raises:
        WeightsError: missing, damaged, not one of these, or not the one that `extractor` names; says what to get from
            where.
    """
    if settings.dinov3_repo is not None and not settings.dinov3_repo.is_dir():
        raise WeightsError(
            f"dinov3_repo: no folder {settings.dinov3_repo}: write `dinov3_repo: null`, as no clone of Meta's "
            "repository is needed"
        )
    path = settings.weights_path
    if path is None:
        raise WeightsError(f"extractor: {settings.extractor} needs its weights: set weights_path. {WHERE_TO_GET}")
    if not path.exists():
        raise WeightsError(f"weights_path: no file or folder {path}. {WHERE_TO_GET}")
    if path.suffix == ".safetensors":  # what it holds stands in the config.json beside it
        path = path.parent
    loaded = _load_folder(path) if path.is_dir() else _load_meta_file(path)
    name = name_of(loaded.model.config)
    _check_wanted(settings.extractor, name, path)
    pretrained = _pretrained(name, loaded, settings.layers)
    return pretrained if settings.adapter_path is None else _adapted(pretrained, settings.adapter_path)


def name_of(config: PreTrainedConfig) -> str:
    """Name of the network, made from its sizes where it is none of the published ones."""
    if config.model_type == "dinov3_convnext":
        widths, depths = tuple(config.hidden_sizes), tuple(config.depths)
        return DINOV3_CONVNEXTS.get((widths, depths), f"dinov3_convnext{widths[-1]}x{sum(depths)}")
    width, depth = config.hidden_size, config.num_hidden_layers
    if config.model_type == "dinov3_vit":
        return DINOV3_VITS.get((width, depth, bool(config.use_gated_mlp)), f"dinov3_vit{width}x{depth}")
    suffix = WITH_REGISTERS if config.model_type == "dinov2_with_registers" else ""
    return DINOV2_VITS.get((width, depth), f"dinov2_vit{width}x{depth}") + suffix


def _check_wanted(wanted: str | None, name: str, path: Path) -> None:
    family = name.split("_", 1)[0]
    if wanted not in (None, name, family):
        raise WeightsError(
            f"extractor: found {wanted}, but {path} holds {name}: write "
            f"`extractor: {name if name in PRETRAINED_NAMES else family}`, leave the key out, or name other weights in "
            "weights_path"
        )


def _pretrained(name: str, loaded: _Loaded, layers: tuple[int, ...] | None) -> Pretrained:
    family = FAMILIES[loaded.model.config.model_type]
    network: FrozenNetwork = family.network(loaded.model, layers)
    return Pretrained(
        name=name,
        network=network,
        weights_hash=loaded.sha256[:KEPT_DIGITS],
        mean=loaded.mean,
        std=loaded.std,
        resize=family.resize,
        pooled_size_px=family.pooled_size_px,
    )


def _adapted(pretrained: Pretrained, path: Path) -> Pretrained:
    adapter, factors = load_adapter(path, pretrained.weights_hash)
    merge_factors(pretrained.network, factors, adapter.description.scale)
    return replace(
        pretrained,
        name=pretrained.name + SUFFIX,
        weights_hash=adapted_hash(pretrained.weights_hash, adapter.sha256),
    )


def _load_folder(folder: Path) -> _Loaded:
    """config.json and *.safetensors, preprocessor_config.json if it is there."""
    files = folder_files(folder)
    kind = read_json(folder / "config.json").get("model_type")
    if kind not in FAMILIES:
        raise WeightsError(
            f"weights_path: {folder} holds a model of type {kind!r}, expected one of {', '.join(FAMILIES)}. "
            f"{WHERE_TO_GET}"
        )
    preprocessor = folder / "preprocessor_config.json"
    picture = read_json(preprocessor) if preprocessor.is_file() else {}
    return _Loaded(
        model=_make_model(folder, FAMILIES[kind], local_files_only=True, use_safetensors=True),
        sha256=hash_files(files),
        mean=tuple(picture.get("image_mean", IMAGENET_MEAN)),
        std=tuple(picture.get("image_std", IMAGENET_STD)),
    )


def _load_meta_file(path: Path) -> _Loaded:
    """Mean and deviation of the pictures follow from the hash, or from `sat493m` in the name; else ImageNet's."""
    state, sha256 = read_meta_state(path)
    config, renamed = translate(path, state)
    model = _make_model(path, FAMILIES[config.model_type], config=config, state=renamed)
    published = META_FILES.get(sha256[:NAMED_DIGITS])
    is_satellite = published.pictures == SATELLITE if published else SATELLITE in path.name.lower()
    return _Loaded(
        model=model,
        sha256=sha256,
        mean=SATELLITE_MEAN if is_satellite else IMAGENET_MEAN,
        std=SATELLITE_STD if is_satellite else IMAGENET_STD,
    )


def _make_model(
    path: Path,
    family: Family,
    *,
    config: PreTrainedConfig | None = None,
    state: dict[str, Tensor] | None = None,
    **options: bool,
) -> PreTrainedModel:
    """The model with all its tensors from the folder, or from `state`.

    transformers translates the names of the files on its hub into those of its own version either way.
    """
    # Any: parts of transformers have no annotations, and with output_loading_info the result is a pair.
    load: Any = family.model.from_pretrained
    log: Any = transformers_logging
    log.disable_progress_bar()  # it would run into the one of the caller
    verbosity = log.get_verbosity()
    log.set_verbosity_error()  # its report of missing tensors is many lines long
    try:
        model, loading = load(
            path if state is None else None,
            config=config,
            state_dict=state,
            attn_implementation="sdpa" if family.network is VisionTransformer else None,
            dtype=torch.float32,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
            **options,
        )
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        raise damaged(path, error) from error
    finally:
        log.set_verbosity(verbosity)
    if state is None:  # of a folder, a head that comes along does no harm
        loading["unexpected_keys"] = set()
    _check_loading(path, family, loading)
    result: PreTrainedModel = model
    return result


def _check_loading(path: Path, family: Family, loading: dict[str, Any]) -> None:
    if loading["mismatched_keys"]:
        name, found, expected = sorted(loading["mismatched_keys"])[0]
        raise foreign(path, f"{name} of shape {tuple(found)}, expected {tuple(expected)}", family.kind)
    if loading["missing_keys"]:
        raise incomplete(path, len(loading["missing_keys"]), sorted(loading["missing_keys"])[0], family.kind)
    if loading["unexpected_keys"]:
        unknown = sorted(loading["unexpected_keys"])
        raise foreign(path, f"{len(unknown)} unknown tensors, the first is {unknown[0]}", family.kind)
