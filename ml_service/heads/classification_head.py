"""Heads over the pooled vector of an image."""

from __future__ import annotations

import torch
from torch import nn

from db.queries.session_info import HeadKind
from ml_service.heads.base import make_linear, make_mlp

HIDDEN_WIDTH = 64


def make_classification_module(kind: HeadKind, dim: int, n_classes: int, generator: torch.Generator) -> nn.Module:
    """The module to train for classification: (N, P) -> (N, K)."""
    if kind is HeadKind.LINEAR:
        return make_linear(dim, n_classes)
    return make_mlp(dim, HIDDEN_WIDTH, n_classes, generator)
