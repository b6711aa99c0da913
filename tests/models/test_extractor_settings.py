"""What tells two extractors apart, and settings that ask for the one of a session."""

from __future__ import annotations

from dataclasses import replace

from models.base import ChannelGroup, ExtractorInfo
from models.extractor_settings import ExtractorSettings, is_of_earlier_version, tell_differences
from models.registry import load_extractor

INFO = ExtractorInfo("x", "abc", 8, 8, dim=4, pooled_dim=3, resize=64, options={"recipe": 2, "precision": "bfloat16"})


def test_as_in__extractor_of_the_session() -> None:
    assert ExtractorSettings(resize=64).as_in(INFO) == ExtractorSettings(resize=64, precision="bfloat16", recipe=2)
    earlier = load_extractor(ExtractorSettings(resize=64, recipe=2)).info
    assert load_extractor(ExtractorSettings(resize=64).as_in(earlier)).info == earlier


def test_tell_differences__names_keys_and_values() -> None:
    assert tell_differences(INFO, INFO) == ""
    other = replace(INFO, resize=96, groups=(ChannelGroup("a", 4),), options={"recipe": 3, "precision": "bfloat16"})
    assert tell_differences(INFO, other) == "resize: found 96, expected 64; options.recipe: found 3, expected 2"
    assert tell_differences(INFO, replace(INFO, groups=(ChannelGroup("a", 4),))).startswith("groups: found [{'name'")
    assert tell_differences(INFO, replace(INFO, options={"recipe": 2})) == (
        "options.precision: found None, expected 'bfloat16'"
    )


def test_is_of_earlier_version__same_weights_by_another_recipe() -> None:
    newer = replace(INFO, options={"recipe": 3})
    assert is_of_earlier_version(INFO, newer)
    assert not is_of_earlier_version(INFO, INFO)
    assert not is_of_earlier_version(INFO, replace(newer, weights_hash="other"))
