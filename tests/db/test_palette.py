"""Colours of classes that name none."""

from __future__ import annotations

import pytest

from db.palette import PALETTE, distinct_color, distinct_colors


def test_distinct_colors__given_ones_stay_and_the_others_are_unlike_all() -> None:
    colors = distinct_colors(["#2F9E44", None, "#E03131", *[None] * 60])
    assert (colors[0], colors[2]) == ("#2F9E44", "#E03131")
    assert len(set(colors)) == len(colors)
    assert colors[1] == "#1971C2"


def test_distinct_color__one_that_looks_the_same_is_taken_too() -> None:
    assert distinct_color(["#2FA045"]) == PALETTE[1]
    assert distinct_color([]) == PALETTE[0]


@pytest.mark.parametrize(
    ("used", "new"),
    [(["#00FF00"], "#E03131"), (["#00FF00", "#FF0000"], "#1971C2"), (["#66A80F"], "#E03131"), (["#C2255C"], "#2F9E44")],
)
def test_distinct_color__no_second_green_beside_a_green_of_another_lightness(used: list[str], new: str) -> None:
    assert distinct_color(used) == new
