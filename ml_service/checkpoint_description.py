"""The JSON of a checkpoint: what the head is, and where it comes from. Imports no torch.

Format 2. Format 1, which earlier versions wrote, is read: what it did not say is None or empty.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ml_service.errors import CheckpointError
from models.adapter_files import FOLDER as ADAPTER_FOLDER

FORMAT_VERSION = 2
READABLE_VERSIONS = (1, 2)
FOLDER = "checkpoints"
MAX_JSON_BYTES = 64 << 20
SHA256 = r"^[0-9a-f]{64}$"


class Code(BaseModel):
    """The program that made it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fewclick: str
    commit: str | None = None
    """Of the checkout that it ran from; with `+` where files differed from it. None for an installed package."""
    libraries: dict[str, str] = Field(default_factory=dict)
    """Versions of those that change numbers: python, numpy, scipy, torch."""


class Description(BaseModel):
    """What the JSON says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    head_kind: str = Field(max_length=80)
    """live, or the kind that a run trained."""
    class_ids: tuple[int, ...]
    class_names: tuple[str, ...]
    extractor: dict[str, Any]
    """`ExtractorInfo.to_json()`: name, hash of the weights, sizes, options."""
    dataset_hash: str = Field(max_length=64)
    """Identity of the labels it was trained on; names the data snapshot."""
    revisions: dict[int, int]
    """By image id, the annotation revision it has learned from."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    run_id: int | None = None
    parent_id: int | None = None
    """The newest checkpoint when this one was made."""
    class_colors: tuple[str, ...] = ()
    task: str | None = None
    label_sequence: int | None = None
    """`SessionInfo.label_sequence` that it has learned from."""
    n_labels: int | None = None
    config: dict[str, Any] = Field(default_factory=dict)
    """Training parameters of the session, and those of the live head, as they were."""
    seed: int | None = None
    code: Code | None = None
    created_at: dt.datetime | None = None
    created_by: Literal["live", "run"] | None = None

    @model_validator(mode="after")
    def _check_classes(self) -> Description:
        if len(self.class_ids) != len(self.class_names) or len(set(self.class_ids)) != len(self.class_ids):
            raise ValueError(
                f"found {len(self.class_ids)} class ids and {len(self.class_names)} names, expected one name each and "
                "no id twice"
            )
        if self.class_colors and len(self.class_colors) != len(self.class_ids):
            raise ValueError(f"found {len(self.class_colors)} colours for {len(self.class_ids)} classes")
        return self


class Written(BaseModel):
    """A description as it lies in the file, with what ties it to the arrays."""

    model_config = ConfigDict(frozen=True)

    description: Description
    sha256: str
    format_version: int


def checkpoint_path(stem: str) -> str:
    """Path of the safetensors file relative to the session folder."""
    return f"{FOLDER}/{stem}.safetensors"


def new_checkpoint_path(stem: str) -> str:
    """As `checkpoint_path`, with an ending that no other save has: two services never write the same file."""
    return checkpoint_path(f"{stem}-{secrets.token_hex(4)}")


def locate(session_dir: Path, path: str) -> Path:
    """The safetensors file that a row names.

    Raises:
        CheckpointError: the path leads out of the folder of checkpoints.
    """
    target = session_dir / path
    parts = Path(path).parts
    is_in_place = len(parts) == 2 and parts[0] in (FOLDER, ADAPTER_FOLDER)
    if not is_in_place or target.suffix != ".safetensors" or target.is_symlink():
        raise CheckpointError(f"found the checkpoint path {path!r}, expected {FOLDER}/NAME.safetensors: not read")
    return target


def to_text(description: Description, sha256: str) -> str:
    """The JSON."""
    head = {"format_version": FORMAT_VERSION, "sha256": sha256}
    return json.dumps(head | description.model_dump(mode="json"), indent=2, allow_nan=False)


def read_description(session_dir: Path, path: str) -> Description:
    """What a checkpoint is, without its arrays.

    Raises:
        CheckpointError: the JSON is missing or not of this program.
    """
    return read_json_file(locate(session_dir, path).with_suffix(".json")).description


def read_json_file(source: Path) -> Written:
    """The description in one file, checked.

    Raises:
        CheckpointError: it is missing or not of this program.
    """
    try:
        if source.stat().st_size > MAX_JSON_BYTES:
            raise ValueError(f"it has {source.stat().st_size:,} bytes, at most {MAX_JSON_BYTES:,} are read")
        return _parse(source.read_bytes())
    except FileNotFoundError as error:
        raise missing(source) from error
    except OSError as error:
        raise CheckpointError(f"{source} cannot be read ({error.strerror}): activate another checkpoint") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"{source} does not describe a checkpoint of this program ({_reason(error)}): activate another checkpoint"
        ) from error


def missing(path: Path) -> CheckpointError:
    """The error of a file that is not there."""
    return CheckpointError(f"{path} is missing: activate another checkpoint, or put the file back")


def _parse(data: bytes) -> Written:
    content = json.loads(data, parse_constant=_refuse_constant)
    version = content.pop("format_version")
    if version not in READABLE_VERSIONS:
        known = " and ".join(map(str, READABLE_VERSIONS))
        raise ValueError(f"format_version is {version!r}, this version reads {known}")
    sha256 = content.pop("sha256")
    if not isinstance(sha256, str) or len(sha256) != 64:
        raise ValueError(f"sha256 is {str(sha256)[:80]!r}, expected 64 hex digits")
    # In JSON mode lists become tuples and text keys numbers, and nothing else is converted.
    description = Description.model_validate_json(json.dumps(content))
    return Written(description=description, sha256=sha256, format_version=version)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"it holds {name}, which is no JSON number")


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        return f"{place}: {first['msg']}" if place else str(first["msg"])
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error).splitlines()[0][:200] if str(error) else type(error).__name__
