from pathlib import Path

import pytest

from backend.schemas.export import ExportFormat
from db.errors import InvalidInputError
from fewclick.file_export import format_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [("a.json", ExportFormat.JSON), ("a.CSV", ExportFormat.CSV), ("a.zip", ExportFormat.PNG_MASKS), ("-", "json")],
)
def test_format_of__ending(name: str, kind: str) -> None:
    assert format_of(Path(name)) == kind


@pytest.mark.parametrize("name", ["labels.png", "labels"])
def test_format_of__ending_that_names_none(name: str) -> None:
    with pytest.raises(InvalidInputError, match=r"expected \.json, \.csv, \.zip: name the file so, or give --format"):
        format_of(Path(name))
