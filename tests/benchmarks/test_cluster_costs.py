"""The cost model against numbers that can be worked out by hand."""

from __future__ import annotations

import pytest

from benchmarks.cluster_costs import GPUS, VIT_SMALL, Plan, plan_section, plans
from models.feature_forms import FormName


def test_flops__vit_small_at_224_px() -> None:
    # 4.6 G multiplications with addition are published for ViT-S/16 with 197 tokens (arXiv 2012.12877, table 5);
    # four registers more add 2 %.
    assert VIT_SMALL.flops(224, 224) / 2 == pytest.approx(4.6e9 * 1.02, rel=0.02)


def test_bytes_per_image__forms() -> None:
    assert VIT_SMALL.cells(512, 512) == 1024
    assert VIT_SMALL.bytes_per_image(512, 512, FormName.FLOAT16) == 1024 * 384 * 2 + 4 * 384
    assert VIT_SMALL.bytes_per_image(512, 512, FormName.INT8) == 1024 * 384 + 4 * 384
    assert VIT_SMALL.bytes_per_image(512, 512, FormName.PCA_INT8) == 1024 * 128 + 4 * 384


def test_plan__slowest_part_decides() -> None:
    plan = Plan(
        images=3_600_000,
        workers=2,
        network_per_s=1000,
        decode_per_s=500,
        disk_bytes_per_s=1e9,
        bytes_per_image=500_000,
        driver_per_s=5000,
    )
    assert plan.limits() == {"network": 2000, "decoding": 1000, "storage": 2000, "database": 5000}
    assert (plan.bottleneck, plan.hours) == ("decoding", 1.0)
    assert plan.price(per_worker_hour=3.0) == 6.0
    assert plan.disk_bytes == 1_800_000_000_000


def test_plan_section__one_row_for_each_plan() -> None:
    rows = plans(10_000_000, 512, decode_per_core_s=100, driver_per_s=2000)
    assert len(plan_section(rows, 512).rows) == len(rows) == 2 * len(GPUS)
