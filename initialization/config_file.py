"""From a YAML file to the settings of a session. What is wrong is one line: key, found, expected, what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from db.queries.session_info import FinetuneSettings
from initialization.class_config import ClassConfig
from initialization.config import SessionConfig
from initialization.errors import ConfigError
from initialization.glob_pattern import split_pattern
from initialization.yaml_file import read_yaml_mapping

LIST_SUFFIXES = frozenset({".zip", ".json", ".csv"})


def load_config(path: Path) -> SessionConfig:
    """Read and check a YAML file; nothing else is touched.

    Raises:
        ConfigError: one line with file, key, value found, value expected and what to do.
    """
    data = read_yaml_mapping(path)
    try:
        config = SessionConfig.model_validate(data, context={"base_dir": path.absolute().parent})
    except ValidationError as error:
        problems = error.errors()
        # An unknown key first: it is often the reason that another one is missing.
        problems.sort(key=lambda problem: problem["type"] != "extra_forbidden")
        raise ConfigError(f"{path}: {'; and '.join(map(_explain, problems))}") from error
    _check_paths(path, config)
    return config


def _check_paths(path: Path, config: SessionConfig) -> None:
    source = config.image_dir
    _check_source(path, source)
    if config.labels_dir is not None and not config.labels_dir.exists():
        raise ConfigError(
            f"{path}: labels_dir: found {str(config.labels_dir)!r}, which does not exist: name an existing folder, "
            "or write `labels_dir: null`"
        )
    if config.session_dir is not None and config.session_dir == source:
        raise ConfigError(
            f"{path}: session_dir: found the image folder itself, expected another folder: the session writes there"
        )


def _check_source(path: Path, source: Path) -> None:
    if source.is_dir() or (source.is_file() and source.suffix.lower() in LIST_SUFFIXES):
        return
    if source.exists():
        raise ConfigError(
            f"{path}: image_dir: found {str(source)!r}, expected a folder, a pattern such as data/**/*.tif, a .zip, or "
            "a list as .json or .csv"
        )
    try:
        pattern = split_pattern(source)
    except ValueError as error:
        raise ConfigError(
            f"{path}: image_dir: found the pattern {error}, expected one such as data/**/*.tif"
        ) from error
    missing = source if pattern is None else pattern[0]
    if pattern is None or not missing.is_dir():
        raise ConfigError(
            f"{path}: image_dir: found {str(missing)!r}, which does not exist: name an existing folder, .zip, or .json "
            "or .csv list (relative paths start at the YAML file)"
        )


def _explain(problem: ErrorDetails) -> str:
    """One pydantic error as `key: found ..., expected ...: what to do`."""
    location = [part for part in problem["loc"] if not str(part).startswith("function-")]
    key = ", ".join(f"entry {part + 1}" if isinstance(part, int) else str(part) for part in location)
    match problem["type"]:
        case "extra_forbidden":
            known = _known_keys(str(location[0]))
            near = difflib.get_close_matches(str(location[-1]).lower(), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}"
            return f"unknown key {key!r}: {hint}"
        case "unknown_extractor":
            return problem["msg"]
        case "missing":
            return f"key {key!r} is missing: add it{_example(str(location[-1]))}"
        case "value_error":
            reason = str(problem["ctx"]["error"])
            if location[:1] == ["preprocessing"]:
                return reason  # names the key and what was found itself
            return f"{key}: found {problem['input']!r}, expected {reason}" if key else reason
        case "too_short":
            return f"{key}: found an empty list, expected at least one class with a name and a color"
        case _:
            wanted = problem["msg"].removeprefix("Input should be ")
            return f"{key}: found {problem['input']!r}, expected {wanted}"


def _known_keys(section: str) -> Iterable[str]:
    match section:
        case "classes":
            return ClassConfig.model_fields
        case "finetune":
            return FinetuneSettings.model_fields
        case _:
            return SessionConfig.model_fields


def _example(key: str) -> str:
    examples = {
        "task": "task: segmentation`, `task: classification` or `task: multilabel",
        "image_dir": "image_dir: path/to/images",
        "classes": "classes: [{name: cat, color: orange}]",
        "name": "name: cat",
    }
    return f", for example `{examples[key]}`" if key in examples else ""
