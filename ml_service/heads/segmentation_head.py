"""Heads over the cells of a feature map."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from db.queries.session_info import HeadKind
from ml_service.heads.base import make_hidden, make_linear, make_mlp

HIDDEN_WIDTH = 32
NEIGHBOURHOOD = tuple((du, dv) for dv in (-1, 0, 1) for du in (-1, 0, 1))
"""Offsets in cells, row by row: the 3 x 3 cells that the convolutional head sees around a point."""


class NeighbourhoodHead(nn.Module):
    """Each cell through one hidden layer, then a 3 x 3 convolution to the logits."""

    def __init__(self, dim: int, n_classes: int, generator: torch.Generator) -> None:
        super().__init__()
        self.hidden = make_hidden(dim, HIDDEN_WIDTH, generator)
        self.output = make_linear(len(NEIGHBOURHOOD) * HIDDEN_WIDTH, n_classes)

    def forward(self, cells: Tensor) -> Tensor:
        """(N, 9, D) -> (N, K)."""
        result: Tensor = self.output(functional.gelu(self.hidden(cells)).flatten(1))
        return result

    def whole(self, features: Tensor) -> Tensor:
        """(Hp, Wp, D) -> (Hp, Wp, K); beyond the edge the border cell is repeated, as when points are sampled."""
        hidden = functional.gelu(self.hidden(features)).permute(2, 0, 1)[None]
        padded = functional.pad(hidden, (1, 1, 1, 1), mode="replicate")
        # The linear layer's columns are (cell, hidden channel); a convolution wants (hidden channel, row, column).
        kernel = self.output.weight.reshape(-1, 3, 3, HIDDEN_WIDTH).permute(0, 3, 1, 2)
        return functional.conv2d(padded, kernel, self.output.bias)[0].permute(1, 2, 0)


def make_segmentation_module(kind: HeadKind, dim: int, n_classes: int, generator: torch.Generator) -> nn.Module:
    """The module to train for segmentation."""
    if kind is HeadKind.LINEAR:
        return make_linear(dim, n_classes)
    if kind is HeadKind.MLP:
        return make_mlp(dim, HIDDEN_WIDTH, n_classes, generator)
    return NeighbourhoodHead(dim, n_classes, generator)
