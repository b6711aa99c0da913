"""Tables and targets, of invented outcomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.learning_outcomes import CHECKPOINTS, Outcome, section_of_outcomes, target_section
from benchmarks.learning_peers import CATBOOST, COLOUR, COLOUR_SHOWN, DEEP_FOREST, DEFAULT, DEFAULT_SHOWN, FILTER_FOREST

HEADINGS = [str(count) for count in CHECKPOINTS]


def invented(last: Mapping[str, Sequence[float]]) -> list[Outcome]:
    """Scores at the last checkpoint by row, on the sets x and y."""
    return [
        Outcome(dataset, peer, np.array([[0.1, 0.2, 0.3, score]]))
        for peer, scores in last.items()
        for dataset, score in zip("xy", scores, strict=True)
    ]


def test_section_of_outcomes__ranks_over_sets() -> None:
    section = section_of_outcomes("t", invented({"good": (0.9, 0.4), "bad": (0.5, 0.3)}), HEADINGS)
    assert section.columns == ("head", "x", "y", *(f"mean, {count}" for count in CHECKPOINTS), "area", "mean rank")
    assert section.rows[0] == ("good", "0.900", "0.400", "0.100", "0.200", "0.300", "0.650", "0.312", "1.0")
    assert section.rows[1][-1] == "2.0"


def test_section_of_outcomes__refined_rows_take_no_rank() -> None:
    found = invented({DEFAULT: (0.5, 0.5), DEFAULT_SHOWN: (0.9, 0.9), COLOUR: (0.6, 0.4), COLOUR_SHOWN: (0.8, 0.8)})
    ranks = {row[0]: row[-1] for row in section_of_outcomes("t", found, HEADINGS).rows}
    assert ranks == {DEFAULT: "1.5", DEFAULT_SHOWN: "-", COLOUR: "1.5", COLOUR_SHOWN: "-"}


def test_section_of_outcomes__of_refined_rows_alone() -> None:
    found = invented({DEFAULT_SHOWN: (0.9, 0.9)})
    assert section_of_outcomes("t", found, HEADINGS).rows[0][-1] == "-"
    assert target_section("t", found, 0.15).rows == ()


def test_target_section__all_reached() -> None:
    found = invented(
        {
            DEFAULT: (0.7, 0.6),
            DEFAULT_SHOWN: (0.8, 0.8),
            FILTER_FOREST: (0.55, 0.45),
            DEEP_FOREST: (0.71, 0.58),
            CATBOOST: (0.6, 0.59),
            COLOUR: (0.2, 0.62),
            COLOUR_SHOWN: (0.2, 0.7),
        }
    )
    section = target_section("t", found, 0.15)
    assert [row[2] for row in section.rows] == ["reached"] * 6
    assert [row[1] for row in section.rows] == [
        f"2.0; next 2.5 ({DEEP_FOREST})",
        "+0.150",
        "+0.005",
        "+0.055",
        "-0.020 (y)",
        "+0.100 (y)",
    ]


def test_target_section__says_by_how_much_it_falls_short() -> None:
    found = invented(
        {
            DEFAULT: (0.5, 0.5),
            DEFAULT_SHOWN: (0.6, 0.55),
            FILTER_FOREST: (0.4, 0.4),
            DEEP_FOREST: (0.5, 0.5),
            CATBOOST: (0.6, 0.6),
            COLOUR: (0.3, 0.55),
            COLOUR_SHOWN: (0.65, 0.5),
        }
    )
    section = target_section("t", found, 0.15)
    assert [row[2] for row in section.rows] == [
        "short by 2.000",
        "short by 0.050",
        "short by 0.000",
        "short by 0.100",
        "short by 0.030",
        "short by 0.030",
    ]
    assert section.rows[-2][1] == "-0.050 (y)"
    assert section.rows[-1][1] == "-0.050 (x)"
