from __future__ import annotations

import pytest

from benchmarks.features_speed import MemoryRow, _interleave, format_rows, gflop


def test_gflop__half_of_it_is_attention_at_768_px() -> None:
    assert gflop("vits16", 768) == pytest.approx(196, rel=0.01)


def test_interleave__in_turns_and_without_the_first_round() -> None:
    calls: list[str] = []
    first, second = _interleave(lambda: calls.append("a"), lambda: calls.append("b"), budget_s=0)
    assert len(first) == len(second) == 2
    assert "".join(calls) == "ababab"


def test_format_rows__is_a_table() -> None:
    assert format_rows([MemoryRow("vits16", 768, 612.25, 498.0)]).splitlines() == [
        "| extractor | size_px | plain_mb | runtime_mb |",
        "| --- | --- | --- | --- |",
        "| vits16 | 768 | 612.25 | 498 |",
    ]
