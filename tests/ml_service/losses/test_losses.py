from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from ml_service.losses.classification import classification_loss
from ml_service.losses.multilabel import multilabel_loss
from ml_service.losses.segmentation import segmentation_loss
from ml_service.task_factory import Loss


@pytest.mark.parametrize("loss", [segmentation_loss, classification_loss])
@pytest.mark.parametrize("n_classes", [2, 4])
def test_loss__is_the_weighted_cross_entropy_of_the_softmax(loss: Loss, n_classes: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(9, n_classes, generator=generator)
    targets = functional.softmax(torch.randn(9, n_classes, generator=generator), dim=1)
    weights = torch.rand(9, generator=generator)
    each = -(targets * functional.log_softmax(logits, dim=1)).sum(dim=1)
    expected = float((each * weights).sum() / weights.sum())
    assert float(loss(logits, targets, weights)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("loss", [segmentation_loss, classification_loss])
def test_loss__far_from_the_truth_is_finite_with_a_full_gradient(loss: Loss) -> None:
    logits = torch.tensor([[0.0, 500.0]], requires_grad=True)
    value: Tensor = loss(logits, torch.tensor([[1.0, 0.0]]), torch.ones(1))
    value.backward()  # type: ignore[no-untyped-call]
    assert float(value.detach()) == pytest.approx(500)
    assert logits.grad is not None
    assert logits.grad[0].tolist() == pytest.approx([-1, 1])


def test_multilabel_loss__every_class_counts_on_its_own() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(7, 3, generator=generator), torch.rand(7, 3, generator=generator)
    weights = torch.rand(7, generator=generator)
    p = torch.sigmoid(logits)
    each = -(targets * p.log() + (1 - targets) * (1 - p).log()).sum(dim=1)
    expected = float((each * weights).sum() / weights.sum())
    assert float(multilabel_loss(logits, targets, weights)) == pytest.approx(expected, rel=1e-5)
    assert torch.isfinite(multilabel_loss(torch.full((1, 3), 900.0), torch.zeros(1, 3), torch.ones(1)))
