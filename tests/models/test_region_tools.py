"""Masks taken apart, filled, and turned into outlines."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.region_shapes import Polygon, compose
from models.region_tools import bridged, connected_part, outlines, without_holes


@st.composite
def masks(draw: st.DrawFn) -> np.ndarray:
    height, width = draw(st.integers(1, 25)), draw(st.integers(1, 25))
    density = draw(st.sampled_from([0.1, 0.4, 0.6, 0.9, 1.0]))
    return np.random.default_rng(draw(st.integers(0, 1000))).random((height, width)) < density


@given(masks())
def test_outlines__cover_the_same_pixels(mask: np.ndarray) -> None:
    height, width = mask.shape
    for is_bridged in (False, True):
        painted = []
        for ring, holes in outlines(mask, 3, 2):
            rings = (bridged((ring, holes)),) if is_bridged else (ring, *holes)
            painted.append((Polygon(rings), 1))
        found = compose(painted, width + 3, height + 2)[2:, 3:] == 1
        assert (found == mask).all()


@given(masks())
def test_connected_part__hangs_together_and_has_no_neighbour(mask: np.ndarray) -> None:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return
    part = connected_part(mask, int(columns[0]), int(rows[0]))
    assert part[rows[0], columns[0]]
    assert not (part & ~mask).any()
    grown = part.copy()
    grown[1:] |= part[:-1]
    grown[:-1] |= part[1:]
    grown[:, 1:] |= part[:, :-1]
    grown[:, :-1] |= part[:, 1:]
    assert ((grown & mask) == part).all()
    assert (connected_part(part, int(columns[0]), int(rows[0])) == part).all()


def test_without_holes__fills_what_is_enclosed() -> None:
    ring = np.zeros((7, 7), dtype=bool)
    ring[1:6, 1:6] = True
    ring[3, 3] = False
    ring[1, 3] = ring[2, 3] = False  # open to the top
    assert (without_holes(ring) == ring).all()
    ring[1, 3] = True
    assert without_holes(ring)[1:6, 1:6].all()
    assert without_holes(ring).sum() == 25
