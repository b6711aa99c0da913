"""What can be wrong with images, weights and features: each message says what was found, expected, and what to do."""

from __future__ import annotations


class ModelsError(Exception):
    """Base of the errors of this package that a person is meant to read."""


class FeatureMismatchError(ModelsError):
    """Features, head or checkpoint were made by another extractor, size or options than the session's."""


class WeightsError(ModelsError):
    """The weights of an extractor are missing, or are not what they should be."""


class ShapeError(ModelsError):
    """What should be the shape of a region is none, or lies outside of its image."""


class ImageReadError(ModelsError):
    """An image file cannot be decoded, or is refused (too large, a bomb)."""
