from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from ml_service.adamw import AdamW


def _module() -> nn.Linear:
    module = nn.Linear(4, 3)
    nn.init.normal_(module.weight, generator=torch.Generator().manual_seed(0))
    nn.init.zeros_(module.bias)
    return module


def test_step__equals_the_optimizer_of_torch() -> None:
    mine, theirs = _module(), _module()
    optimizers = (
        AdamW(mine.parameters(), 0.03, 0.01),
        torch.optim.AdamW(theirs.parameters(), lr=0.03, weight_decay=0.01),
    )
    inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(1))
    for _ in range(20):
        for module, optimizer in zip((mine, theirs), optimizers, strict=True):
            optimizer.zero_grad()
            module(inputs).square().mean().backward()
            optimizer.step()
    torch.testing.assert_close(mine.weight, theirs.weight, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(mine.bias, theirs.bias, rtol=1e-5, atol=1e-7)


def test_load_state_dict__of_another_shape_is_refused() -> None:
    other = AdamW(nn.Linear(4, 2).parameters(), 0.1, 0)
    with pytest.raises(ValueError, match="do not have the shapes"):
        AdamW(_module().parameters(), 0.1, 0).load_state_dict(other.state_dict())


def test_step__imports_no_compiler() -> None:
    code = (
        "import sys, torch; from torch import nn; from ml_service.adamw import AdamW; m = nn.Linear(2, 1);"
        "o = AdamW(m.parameters(), 0.1, 0.1); m(torch.ones(1, 2)).sum().backward(); o.step();"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
