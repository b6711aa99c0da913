from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ml_service.cross_validation import N_FOLDS, Labelled, fold_of, nested_order

labelled = st.lists(
    st.tuples(st.integers(1, 10_000), st.frozensets(st.integers(1, 4), min_size=1), st.booleans()),
    max_size=60,
    unique_by=lambda image: image[0],
).map(lambda images: [Labelled(*image) for image in images])


@given(labelled)
def test_fold_of__each_image_has_one_fold_whatever_the_order(images: list[Labelled]) -> None:
    folds = fold_of(images)
    assert folds == fold_of(reversed(images))
    assert set(folds.values()) <= set(range(N_FOLDS))
    sizes = Counter(folds.values())
    assert max(sizes.values(), default=0) - min((sizes[k] for k in range(N_FOLDS)), default=0) <= 1


@given(labelled)
def test_fold_of__all_but_what_the_model_picked(images: list[Labelled]) -> None:
    assert set(fold_of(images)) == {image.image_id for image in images if not image.picked_by_model}


def test_fold_of__does_not_look_at_the_classes() -> None:
    ids = range(1, 31)
    alike = fold_of(Labelled(image_id, frozenset({1})) for image_id in ids)
    assert alike == fold_of(Labelled(image_id, frozenset({image_id})) for image_id in ids)


@given(labelled)
def test_nested_order__is_a_permutation(images: list[Labelled]) -> None:
    order = nested_order(images)
    assert sorted(order) == sorted(image.image_id for image in images)
    assert order == nested_order(images[::-1])


def test_nested_order__every_beginning_has_the_mixture_of_the_whole() -> None:
    images = [Labelled(number, frozenset({1 if number <= 30 else 2})) for number in range(1, 41)]
    class_of = {image.image_id: min(image.class_ids) for image in images}
    order = nested_order(images)
    for n in (8, 16, 24, 32):
        rare = sum(class_of[image_id] == 2 for image_id in order[:n])
        assert abs(rare - n / 4) <= 1
