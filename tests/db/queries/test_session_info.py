from __future__ import annotations

import pytest

from db.errors import InvalidInputError
from db.queries.session_info import HeadKind, read_training
from db.tasks import Task


@pytest.mark.parametrize(
    ("task", "stored", "kind"),
    [
        (Task.SEGMENTATION, "nonlinear", HeadKind.CONV),
        (Task.CLASSIFICATION, "nonlinear", HeadKind.MLP),
        (Task.SEGMENTATION, "conv", HeadKind.CONV),
        (Task.SEGMENTATION, "linear", HeadKind.LINEAR),
    ],
)
def test_read_training__head_by_its_name_of_today(task: Task, stored: str, kind: HeadKind) -> None:
    assert read_training({"head": stored}, task).head is kind


def test_read_training__without_a_head_is_linear() -> None:
    assert read_training({}, Task.SEGMENTATION).head is HeadKind.LINEAR


def test_read_training__a_whole_image_has_nothing_to_convolve() -> None:
    with pytest.raises(InvalidInputError, match="head is 'conv', a classification session has 'linear' or 'mlp'"):
        read_training({"head": "conv"}, Task.CLASSIFICATION)
