from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import features_storage
from benchmarks.features_forms import FormRow, form_section
from models.feature_forms import FormName
from models.feature_storage import StorageKind


def test_form_section__each_set_and_the_mean() -> None:
    rows = [
        FormRow(name, form, 0.5, 0.25 + number / 2, 1.0, 2_000_000, 3.0, 0.1)
        for number, name in enumerate(("a", "b"))
        for form in FormName
    ]
    section = form_section(rows)
    assert len(section.rows) == 3 * len(FormName)
    assert section.rows[-1] == ("mean", "pca_int8", "0.500", "0.500", "+1.00", "2.00", "3.0 ms", "0.10 ms")


@pytest.mark.parametrize("kind", list(StorageKind))
def test_storage_rows__measures_what_was_written(tmp_path: Path, kind: StorageKind) -> None:
    rows = {row.storage: row for row in features_storage.storage_rows(20, tmp_path)}
    assert rows[kind].images == 20
    assert rows[kind].files == {"files": 21, "shards": 2}[kind]
    assert len(features_storage.storage_section(list(rows.values())).rows) == 2
