from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from db.queries.session_info import HeadKind
from ml_service.heads.base import soften
from ml_service.heads.classification_head import make_classification_module
from ml_service.heads.segmentation_head import make_segmentation_module

MakeModule = Callable[[HeadKind, int, int, torch.Generator], nn.Module]


@pytest.mark.parametrize(
    ("make", "kind", "shape"),
    [
        (make_classification_module, HeadKind.LINEAR, (5, 6)),
        (make_classification_module, HeadKind.MLP, (5, 6)),
        (make_segmentation_module, HeadKind.CONV, (5, 9, 6)),
    ],
)
def test_soften__divides_the_logits(make: MakeModule, kind: HeadKind, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(1)
    module = make(kind, 6, 3, generator)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    inputs = torch.randn(shape, generator=generator)
    with torch.no_grad():
        before = module(inputs)
        soften(module, 2.5)
        after = module(inputs)
    assert torch.allclose(after, before / 2.5, atol=1e-6)
