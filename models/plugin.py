"""Extractors that are not part of the product: `extractor: package.module:Name`, or an entry point's name.

What is named is called with one `ExtractorSettings` and returns a `FeatureExtractor`. An entry point is declared by an
installed package, in its pyproject.toml:

    [project.entry-points."fewclick.extractors"]
    my_extractor = "my_package.my_module:MyExtractor"
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from models.base import ExtractorInfo, FeatureExtractor
from models.errors import ModelsError, WeightsError

if TYPE_CHECKING:
    from models.extractor_settings import ExtractorSettings

GROUP = "fewclick.extractors"
OBJECT_PATTERN = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")
"""package.module:Name"""
REQUIRED = ("info", "batch_size", "extract")


def entry_point_names() -> tuple[str, ...]:
    """Extractors that installed packages offer; nothing of them is imported."""
    return tuple(sorted(entry.name for entry in entry_points(group=GROUP)))


def load_plugin(settings: ExtractorSettings) -> FeatureExtractor:
    """Import and call what `settings.extractor` names.

    Raises:
        WeightsError: it cannot be imported or made, or what it returns is no feature extractor.
    """
    name = settings.extractor or ""
    factory = _factory(name)
    try:
        extractor = factory(settings)
    except ModelsError:
        raise  # written for a person already
    except Exception as error:  # The boundary to foreign code, which may raise anything.
        raise WeightsError(f"extractor: {name} failed when it was made ({_described(error)}): mend it") from error
    lacking = [attribute for attribute in REQUIRED if not hasattr(extractor, attribute)]
    if lacking:
        raise WeightsError(
            f"extractor: {name} returned a {type(extractor).__name__} without {lacking[0]}, expected a "
            "FeatureExtractor (models/base.py): see docs/extractors.md"
        )
    if not isinstance(extractor.info, ExtractorInfo):
        raise WeightsError(
            f"extractor: {name} has an info of type {type(extractor.info).__name__}, expected ExtractorInfo "
            "(models/base.py): see docs/extractors.md"
        )
    return extractor


def _factory(name: str) -> Callable[[ExtractorSettings], FeatureExtractor]:
    found = [entry for entry in entry_points(group=GROUP) if entry.name == name]
    target = found[0] if found else EntryPoint(name, name, GROUP)
    module, _, attribute = target.value.partition(":")
    try:
        loaded = importlib.import_module(module)
    except ImportError as error:
        raise WeightsError(
            f"extractor: {name} cannot be imported ({_described(error)}): install its package in this environment, "
            "or put its folder on PYTHONPATH"
        ) from error
    except Exception as error:  # The boundary to foreign code, which may raise anything.
        raise WeightsError(f"extractor: {name} failed on import ({_described(error)}): mend the module") from error
    factory = getattr(loaded, attribute, None)
    if not callable(factory):
        state = "nothing" if factory is None else f"a {type(factory).__name__}"
        raise WeightsError(
            f"extractor: {name}: found {state} called {attribute} in {module}, expected a class or function that takes "
            "ExtractorSettings"
        )
    result: Callable[[ExtractorSettings], FeatureExtractor] = factory
    return result


def _described(error: Exception) -> str:
    """Kind and message, in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
