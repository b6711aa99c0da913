"""Version of the installed package."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("fewclick")
except PackageNotFoundError:
    VERSION = "0.1.0+source"
