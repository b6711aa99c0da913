from __future__ import annotations

import pytest

from benchmarks import learning_figures


def test_tables__one_row_for_each_number_of_labels_and_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning_figures, "LABELS", (20,))
    figures, outlook, cost = learning_figures.tables(trials=2)
    assert [row[:2] for row in figures.rows] == [("20", "held_out"), ("20", "estimate")]
    assert sum(int(row[2]) for row in outlook.rows) == 2
    assert len(cost.rows) == 1
