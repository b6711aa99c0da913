"""Adapters as files: what fine-tuning changed in a network, as safetensors with a JSON beside it. Imports no torch.

The tensors are pairs of factors: the weight of the linear layer `NAME` becomes W + scale x B A, with `NAME.lora_B`
(out, r) and `NAME.lora_A` (r, in). The JSON is written last and holds the hash of the tensors, so a pair is either
whole or refused; no file is ever changed, nothing is unpickled.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.atomic_file import write_atomically
from models.base import ExtractorInfo
from models.errors import WeightsError

FORMAT = "fewclick-adapter"
FORMAT_VERSION = 1
FOLDER = "adapters"
"""In the session folder."""
SUFFIX = "-lora"
"""Ends the name of an extractor with an adapter."""
KEPT_DIGITS = 16
MAX_JSON_BYTES = 64 << 20
REMEDY = "adopt another one, or go back to the extractor without it (`fewclick adopt --base`)"


@dataclass(frozen=True)
class AdapterDescription:
    """What the JSON says."""

    base: dict[str, Any]
    """`ExtractorInfo.to_json()` of the extractor without any adapter, as the session had it."""
    scale: float
    """Of the products of the factors."""
    provenance: dict[str, Any] = field(default_factory=dict)
    """What it was made from and how good it is, for people and for comparison: see docs/finetuning.md."""


@dataclass(frozen=True)
class AdapterFile:
    """A described adapter; its tensors are checked where they are read."""

    path: Path
    description: AdapterDescription
    sha256: str
    """Of the tensors' file, 64 hex digits."""

    @property
    def base(self) -> ExtractorInfo:
        """The extractor without it."""
        return ExtractorInfo.from_json(self.description.base)

    @property
    def adapted(self) -> ExtractorInfo:
        """The extractor with it."""
        return adapted_info(self.base, self.sha256)

    def read_tensors(self) -> bytes:
        """The bytes of the safetensors file.

        Raises:
            WeightsError: missing, or not those that the JSON describes.
        """
        data = _read(self.path)
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise WeightsError(
                f"adapter {self.path} has SHA-256 {found[:12]}..., its JSON expects {self.sha256[:12]}...: it is "
                f"damaged, {REMEDY}"
            )
        return data


def adapted_info(base: ExtractorInfo, sha256: str) -> ExtractorInfo:
    """Identity of the features of `base` with the adapter of that hash."""
    return dataclasses.replace(base, name=base.name + SUFFIX, weights_hash=adapted_hash(base.weights_hash, sha256))


def adapted_hash(base_hash: str, sha256: str) -> str:
    """Weights' hash of a network with an adapter, from those of both."""
    return hashlib.sha256(f"{base_hash} {sha256}".encode()).hexdigest()[:KEPT_DIGITS]


def write_adapter(path: Path, tensors: bytes, description: AdapterDescription) -> AdapterFile:
    """Write both files, durably.

    Args:
        path: Of the safetensors file.
        tensors: Its bytes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, tensors)
    sha256 = hashlib.sha256(tensors).hexdigest()
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, "sha256": sha256}
    content |= dataclasses.asdict(description)
    write_atomically(path.with_suffix(".json"), json.dumps(content, indent=2).encode())
    return AdapterFile(path, description, sha256)


def read_adapter(path: Path) -> AdapterFile:
    """What an adapter is, without its tensors.

    Raises:
        WeightsError: the JSON is missing or not of this program.
    """
    source = path.with_suffix(".json")
    try:
        content = json.loads(_read(source, MAX_JSON_BYTES))
        if (content.pop("format"), content.pop("format_version")) != (FORMAT, FORMAT_VERSION):
            raise ValueError(f"it is not {FORMAT} {FORMAT_VERSION}")
        sha256 = str(content.pop("sha256"))
        description = AdapterDescription(**content)
        ExtractorInfo.from_json(description.base)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{source} does not describe an adapter of this program ({error}): {REMEDY}") from error
    return AdapterFile(path, description, sha256)


def _read(path: Path, limit: int | None = None) -> bytes:
    try:
        size = path.stat().st_size
        if limit is not None and size > limit:
            raise ValueError(f"it has {size:,} bytes, at most {limit:,} are read")
        return path.read_bytes()
    except FileNotFoundError as error:
        raise WeightsError(f"adapter_path: {path} is missing: put the file back, or {REMEDY}") from error
    except OSError as error:
        raise WeightsError(f"adapter_path: {path} cannot be read ({error.strerror}): {REMEDY}") from error
