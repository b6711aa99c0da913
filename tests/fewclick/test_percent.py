from __future__ import annotations

import re
from pathlib import Path

import pytest

from fewclick.percent import is_telling, percent, share_in_words


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.625, "63%"), (0.125, "13%"), (0.624, "62%"), (0.0, "0%"), (1.0, "100%")],
)
def test_percent__halves_are_rounded_up_as_on_the_page(share: float, text: str) -> None:
    assert percent(share) == text


def test_share_in_words__no_share_whose_interval_says_next_to_nothing() -> None:
    assert share_in_words(0.88, 0.742, 0.951) == "88% right (74% to 95%)"
    assert share_in_words(0.83, 0.36, 0.98) == "not known yet: 36% to 98% right is possible,"


def test_is_telling__the_bound_of_the_page() -> None:
    page = (Path(__file__).parents[2] / "frontend/src/state/quality.ts").read_text(encoding="utf-8")
    found = re.search(r"WIDEST_TOLD = ([\d.]+);", page)
    assert found is not None
    bound = float(found[1])
    assert is_telling(0.0, bound - 0.001)
    assert not is_telling(0.0, bound)
