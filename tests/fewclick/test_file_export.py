import re
from pathlib import Path
from typing import Any

import pytest

from backend.schemas.export import ExportFormat, ExportOptions, ExportScope
from db.errors import InvalidInputError
from fewclick.file_export import format_of, left_out


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


def test_left_out__images_without_labels(segmentation_session: Any) -> None:
    folder = segmentation_session.folder
    found = left_out(folder, ExportFormat.PNG_MASKS, ExportOptions())
    assert re.fullmatch(r": 0 of [1-9]\d* images \(labelled only; --scope all for all\)", found)
    assert left_out(folder, ExportFormat.PNG_MASKS, ExportOptions(scope=ExportScope.ALL)) == ""
    assert left_out(folder, ExportFormat.JSON, ExportOptions()) == ""


def test_left_out__whole_images_have_no_masks(classification_session: Any) -> None:
    assert left_out(classification_session.folder, ExportFormat.COCO, ExportOptions()) == ""
