"""How many workers of which size."""

from __future__ import annotations

import pytest

from initialization.cluster_pool import ClusterSettings, Machine, Pool, plan_pool
from initialization.cluster_wave import batch_size
from initialization.errors import ClusterError

LAPTOP = [Machine(8)]
GPUS = [Machine(4), Machine(64, 8), Machine(48, 4)]
"""The first one is a head without GPUs."""


@pytest.mark.parametrize(
    ("settings", "machines", "own_threads", "expected"),
    [
        (ClusterSettings(), LAPTOP, 8, Pool(1, 8, 0, 1)),
        (ClusterSettings(), LAPTOP, 4, Pool(2, 4, 0, 1)),
        (ClusterSettings(), LAPTOP, None, Pool(1, 8, 0, 1)),
        (ClusterSettings(workers=3), LAPTOP, 8, Pool(3, 2, 0, 1)),
        (ClusterSettings(cpus=2), LAPTOP, 8, Pool(4, 2, 0, 1)),
        (ClusterSettings(workers=2, cpus=2), LAPTOP, 8, Pool(2, 2, 0, 1)),
        (ClusterSettings(), [Machine(16), Machine(4)], 8, Pool(5, 4, 0, 2)),
        (ClusterSettings(), GPUS, 8, Pool(12, 8, 1, 2)),
        (ClusterSettings(gpus=0.5), GPUS, 8, Pool(24, 4, 0.5, 2)),
        (ClusterSettings(gpus=0, cpus=4), GPUS, 8, Pool(29, 4, 0, 3)),
        (ClusterSettings(workers=4), GPUS, 8, Pool(4, 24, 1, 2)),
    ],
)
def test_plan_pool__fits_the_machines(
    settings: ClusterSettings, machines: list[Machine], own_threads: int | None, expected: Pool
) -> None:
    assert plan_pool(settings, machines, own_threads) == expected


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            ClusterSettings(cpus=9),
            "found room for 0 workers of 9 CPUs each, expected 1; the machines have 8 CPUs and 0",
        ),
        (ClusterSettings(workers=9), "found room for 8 workers of 1 CPUs each, expected 9"),
        (ClusterSettings(gpus=1), "found room for 0 workers of .* CPUs and 1 GPUs each"),
    ],
)
def test_plan_pool__too_much(settings: ClusterSettings, reason: str) -> None:
    with pytest.raises(ClusterError, match=reason):
        plan_pool(settings, LAPTOP, 8)


def test_batch_size__keeps_all_workers_busy() -> None:
    assert batch_size(Pool(2, 1, 0, 1), 24) == 3
    assert batch_size(Pool(2, 1, 0, 1), 1) == 1
    assert batch_size(Pool(2, 1, 0, 1), 1_000_000) == 32
    assert batch_size(Pool(64, 8, 1, 8), 500_000) == 256
