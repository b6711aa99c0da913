"""YAML as it was meant: a mapping, no key twice, errors with their line."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from initialization.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """The safe loader; of a key that stands twice, YAML libraries keep the last in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Hashable] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable) or key in seen:
                raise yaml.constructor.ConstructorError(problem=f"key {key!r} twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_BARE_COLOR = re.compile(r"^[^#]*\bcolor\s*:\s+(#(?:[0-9A-Fa-f]{3}|[0-9A-Fa-f]{6}))\b")


def read_yaml_mapping(path: Path) -> dict[str, Any]:
    """The top-level mapping of a YAML file.

    Raises:
        ConfigError: the file is missing, is not text, is not YAML, holds a key twice, or holds no mapping.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}): give --config an existing YAML file") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is no UTF-8 text (byte {error.start}): save it as UTF-8") from error
    _check_colors(path, text)
    try:
        data = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise ConfigError(f"{path}, line {line}: not valid YAML, {error.problem}: correct that line") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        found = "nothing" if data is None else f"a {type(data).__name__}"
        raise ConfigError(f"{path}: found {found}, expected keys such as `task: segmentation`, one a line")
    return {str(key): value for key, value in data.items()}


def _check_colors(path: Path, text: str) -> None:
    """Name a colour without quotes: to YAML it is a comment, and may hide the bracket that ends a list."""
    for number, line in enumerate(text.splitlines(), start=1):
        found = _BARE_COLOR.search(_QUOTED.sub('""', line))
        if found:
            raise ConfigError(
                f"{path}, line {number}: found color: {found[1]} without quotes, which YAML takes for a comment: write "
                f'color: "{found[1]}"'
            )
