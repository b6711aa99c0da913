"""Files of pretrained weights: read without running code from them, hashed, and every fault told in one line."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.errors import WeightsError

WHERE_TO_GET = (
    "Download Meta's .pth from https://ai.meta.com/dinov3/, or the folder from "
    "https://huggingface.co/facebook/dinov3-vits16-pretrain-lvd1689m (each after accepting the licence), and name it "
    "in weights_path. `weights_path: null` works at once, with the embedded extractor"
)
NAMED_DIGITS = 8
"""Hex digits of the SHA-256 that end the names of Meta's files."""
KEPT_DIGITS = 16
"""Hex digits of the SHA-256 that are part of an extractor's identity."""
NESTED_UNDER = ("teacher", "model", "state_dict", "student")
PREFIXES = ("module.", "backbone.")

_DIGITS_IN_NAME = re.compile(rf"-([0-9a-f]{{{NAMED_DIGITS}}})\.pth?$", re.IGNORECASE)
# What torch raises on a damaged archive, a pickle of more than tensors, and a file that is no archive at all.
_READ_ERRORS = (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError)


def read_meta_state(path: Path) -> tuple[dict[str, Tensor], str]:
    """The tensors of a .pth file by Meta's names, unwrapped, and the SHA-256 of the file.

    Raises:
        WeightsError: damaged, an incomplete download, or no state dictionary.
    """
    digest = hash_files([path])
    _check_digits(path, digest)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _READ_ERRORS as error:
        raise damaged(path, error) from error
    while isinstance(content, Mapping):
        inner = next((content[key] for key in NESTED_UNDER if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        raise foreign(path, f"a {type(content).__name__} without tensors")
    state = {str(name): value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in PREFIXES:
        if any(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    return state, digest


def folder_files(folder: Path) -> list[Path]:
    """The weights of a Hugging Face folder, which also holds a config.json.

    Raises:
        WeightsError: one of them is not there.
    """
    files = sorted(folder.glob("*.safetensors"))
    index = folder / "model.safetensors.index.json"
    named = sorted(set(read_json(index).get("weight_map", {}).values())) if index.is_file() else ["*.safetensors"]
    lacking = [] if (folder / "config.json").is_file() else ["config.json"]
    lacking += [name for name in named if not any(file.match(name) for file in files)]
    if lacking:
        raise WeightsError(
            f"weights_path: {folder} is no complete Hugging Face folder, it lacks {lacking[0]}. {WHERE_TO_GET}"
        )
    return files


def hash_files(files: list[Path]) -> str:
    """SHA-256 of the contents one after the other, 64 hex digits.

    Raises:
        WeightsError: one of them cannot be read.
    """
    digest = hashlib.sha256()
    for file in files:
        try:
            with file.open("rb") as stream:
                while chunk := stream.read(1 << 20):
                    digest.update(chunk)
        except OSError as error:
            raise damaged(file, error) from error
    return digest.hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A mapping from a JSON file.

    Raises:
        WeightsError: it holds something else.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise damaged(path, error) from error
    if not isinstance(data, dict):
        raise foreign(path, f"a {type(data).__name__} instead of a mapping")
    return data


def _check_digits(path: Path, digest: str) -> None:
    """Meta's files tell their own hash: a download that broke off is found before anything is made of it."""
    named = _DIGITS_IN_NAME.search(path.name)
    if named and not digest.startswith(named[1].lower()):
        raise WeightsError(
            f"weights_path: {path} is a damaged or incomplete download: its SHA-256 begins with "
            f"{digest[:NAMED_DIGITS]}, expected {named[1].lower()} by its name ({path.stat().st_size:,} bytes found): "
            "download it again"
        )


def damaged(path: Path, error: Exception) -> WeightsError:
    """The error for what cannot be read."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return WeightsError(f"weights_path: {path} is damaged or no weights file ({reason}). {WHERE_TO_GET}")


def incomplete(path: Path, count: int, first: str, kind: str) -> WeightsError:
    """The error for weights of which a part is missing."""
    return WeightsError(f"weights_path: {path} lacks {count} tensors of a {kind}, the first is {first}. {WHERE_TO_GET}")


def foreign(path: Path, found: str, kind: str = "DINOv3 or DINOv2") -> WeightsError:
    """The error for weights of another network."""
    return WeightsError(f"weights_path: {path} is not a {kind}, found {found}. {WHERE_TO_GET}")
