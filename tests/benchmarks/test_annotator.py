import numpy as np
import pytest

from benchmarks.annotator import (
    Click,
    deepest_point,
    iou,
    largest_region,
    next_click,
    plan_classification,
    plan_segmentation,
)


def square(shape: tuple[int, int], rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[rows, columns] = True
    return mask


def test_deepest_point__centre_of_a_square() -> None:
    assert deepest_point(square((20, 30), slice(4, 9), slice(10, 15))) == (6, 12)


def test_deepest_point__image_border_counts_as_border() -> None:
    assert deepest_point(np.ones((5, 9), dtype=bool)) in {(2, column) for column in range(2, 7)}


def test_deepest_point__empty_region() -> None:
    assert deepest_point(np.zeros((4, 4), dtype=bool)) is None


def test_largest_region__chooses_across_masks_by_area() -> None:
    small = square((20, 20), slice(0, 3), slice(0, 3))
    large = square((20, 20), slice(10, 15), slice(10, 15)) | square((20, 20), slice(0, 2), slice(18, 20))
    region = largest_region(small, large)
    assert region.sum() == 25
    assert region[12, 12]


def test_next_click__first_deepest_foreground_then_background() -> None:
    truth = square((40, 40), slice(0, 10), slice(0, 10))
    first = next_click(truth, None, [])
    assert first is not None
    assert first.foreground
    assert (first.x, first.y) == (4.5, 4.5)
    second = next_click(truth, None, [first])
    assert second is not None
    assert not second.foreground


def test_next_click__no_foreground_in_the_image_gives_background() -> None:
    click = next_click(np.zeros((9, 9), dtype=bool), None, [])
    assert click is not None
    assert not click.foreground


def test_next_click__centre_of_the_largest_error() -> None:
    truth = square((50, 50), slice(10, 21), slice(10, 21))
    predicted = square((50, 50), slice(40, 45), slice(40, 45))
    assert next_click(truth, predicted, []) == Click(x=15.5, y=15.5, foreground=True)


def test_next_click__nothing_to_correct() -> None:
    truth = square((50, 50), slice(10, 21), slice(10, 21))
    assert next_click(truth, truth.copy(), []) is None


def test_next_click__does_not_click_the_same_place_again() -> None:
    truth = square((50, 50), slice(10, 21), slice(10, 21))
    nothing = np.zeros_like(truth)
    first = next_click(truth, nothing, [])
    assert first is not None
    second = next_click(truth, nothing, [first])
    assert second is not None
    assert np.hypot(second.x - first.x, second.y - first.y) > 2


@pytest.mark.parametrize(
    ("truth", "predicted", "value"),
    [([1, 1, 0, 0], [1, 0, 1, 0], 1 / 3), ([0, 0, 0, 0], [0, 0, 0, 0], 1.0), ([0, 0, 0, 0], [1, 0, 0, 0], 0.0)],
)
def test_iou__cases(truth: list[int], predicted: list[int], value: float) -> None:
    assert iou(np.array(truth, dtype=bool), np.array(predicted, dtype=bool)) == pytest.approx(value)


def test_plan_segmentation__held_out_is_never_labelled_and_seeded() -> None:
    names = [f"{index}.png" for index in range(40)]
    plan = plan_segmentation(names, seed=1, images=8, held_out=20)
    assert len(plan.labelled) == 8
    assert len(plan.held_out) == 20
    assert not set(plan.labelled) & set(plan.held_out)
    assert plan == plan_segmentation(list(reversed(names)), seed=1, images=8, held_out=20)
    assert plan != plan_segmentation(names, seed=2, images=8, held_out=20)


def test_plan_classification__every_round_has_each_class_once() -> None:
    class_of = {f"{name}/{index}.jpg": name for name in "abc" for index in range(6)}
    plan = plan_classification(class_of, seed=0, per_class=2)
    assert len(plan.labelled) == 6
    for start in (0, 3):
        assert {class_of[image] for image in plan.labelled[start : start + 3]} == set("abc")
    assert set(plan.held_out) == set(class_of) - set(plan.labelled)
