"""Points from a map: sure, spread out, reproducible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ml_service.sampling.point_extraction import ExtractionSettings, extract_points

NOTHING = np.empty((0, 2))


def make_settings(**changes: float) -> ExtractionSettings:
    values = {"max_points": 40, "confidence_threshold": 0.15, "min_distance": 3.0, "gradient_weight": 2.0} | changes
    return ExtractionSettings(**values)


def two_halves(height: int = 40, width: int = 60) -> np.ndarray:
    ramp = np.clip((np.arange(width) - width / 2) / 4, -1, 1) * 0.49 + 0.5
    right = np.broadcast_to(ramp, (height, width)).astype(np.float32)
    return np.stack([1 - right, right])


@given(
    seed=st.integers(0, 1000),
    min_distance=st.floats(0, 12),
    max_points=st.integers(2, 60),
    threshold=st.floats(0.02, 0.45),
)
@settings(max_examples=30, deadline=None)
def test_extract_points__keeps_every_promise(seed: int, min_distance: float, max_points: int, threshold: float) -> None:
    probabilities = two_halves()
    occupied = np.array([(10.5, 10.5), (60.0, 40.0)])
    wanted = make_settings(max_points=max_points, min_distance=min_distance, confidence_threshold=threshold)
    points = extract_points(probabilities, wanted, occupied=occupied, seed=seed)
    assert points == extract_points(probabilities, wanted, occupied=occupied, seed=seed)
    for class_index in (0, 1):
        assert sum(point.class_index == class_index for point in points) <= max_points // 2
    places = np.array([(point.x, point.y) for point in points]).reshape(-1, 2)
    for point in points:
        assert probabilities[point.class_index, int(point.y), int(point.x)] > 1 - threshold
        assert (point.x % 1, point.y % 1) == (0.5, 0.5)
    centres = np.floor(np.minimum(occupied, [59, 39])) + 0.5
    together = np.concatenate([places, centres])
    distance = np.hypot(*(together[:, None] - together[None]).transpose(2, 0, 1))
    np.fill_diagonal(distance, np.inf)
    if len(places):
        assert distance[: len(places)].min() >= max(min_distance, 1.0)


def test_extract_points__fills_the_share_of_each_class() -> None:
    points = extract_points(two_halves(), make_settings(), occupied=NOTHING, seed=0)
    assert [sum(p.class_index == k for p in points) for k in (0, 1)] == [20, 20]


def test_extract_points__any_number_of_classes() -> None:
    probabilities = np.full((3, 30, 30), 0.01, np.float32)
    for k in range(3):
        probabilities[k, 10 * k : 10 * k + 10] = 0.98
    points = extract_points(probabilities, make_settings(max_points=12), occupied=NOTHING, seed=0)
    assert [p.class_index for p in points] == [0] * 4 + [1] * 4 + [2] * 4
    assert all(int(p.y) // 10 == p.class_index for p in points)


def test_extract_points__gradient_draws_them_to_the_edges() -> None:
    probabilities = two_halves(60, 120)

    def mean_distance_to_edge(gradient_weight: float) -> float:
        wanted = make_settings(gradient_weight=gradient_weight, confidence_threshold=0.45, max_points=60)
        points = extract_points(probabilities, wanted, occupied=NOTHING, seed=1)
        return float(np.mean([abs(point.x - 60) for point in points]))

    assert mean_distance_to_edge(200.0) < mean_distance_to_edge(0.0)


@pytest.mark.parametrize("value", [0.5, 0.0])
def test_extract_points__nothing_sure_gives_nothing(value: float) -> None:
    probabilities = np.full((2, 8, 8), value, np.float32)
    assert extract_points(probabilities, make_settings(), occupied=NOTHING, seed=0) == []


def test_extract_points__one_pixel() -> None:
    probabilities = np.array([[[1.0]], [[0.0]]], np.float32)
    (point,) = extract_points(probabilities, make_settings(min_distance=1e9), occupied=NOTHING, seed=0)
    assert (point.x, point.y, point.class_index) == (0.5, 0.5, 0)


def test_extract_points__nothing_where_it_is_covered() -> None:
    probabilities = two_halves()
    covered = np.zeros(probabilities.shape[1:], dtype=bool)
    covered[:, 40:] = True
    before = covered.copy()
    points = extract_points(probabilities, make_settings(), occupied=NOTHING, covered=covered, seed=0)
    assert points
    assert all(point.x < 40 for point in points)
    assert (covered == before).all()
