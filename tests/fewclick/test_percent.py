from __future__ import annotations

import pytest

from fewclick.percent import percent


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.625, "63%"), (0.125, "13%"), (0.624, "62%"), (0.0, "0%"), (1.0, "100%")],
)
def test_percent__halves_are_rounded_up_as_on_the_page(share: float, text: str) -> None:
    assert percent(share) == text
