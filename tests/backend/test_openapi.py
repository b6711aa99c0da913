"""The committed OpenAPI document."""

from __future__ import annotations

import json
from pathlib import Path

from backend import openapi


def test_main__check_fails_when_stale(tmp_path: Path) -> None:
    document = tmp_path / "openapi.json"
    assert openapi.main(["--check"], document) == 1
    assert openapi.main([], document) == 0
    assert openapi.main(["--check"], document) == 0
    document.write_text("{}")
    assert openapi.main(["--check"], document) == 1


def test_render__operation_ids_are_unique_methods() -> None:
    paths = json.loads(openapi.render())["paths"]
    ids = [operation["operationId"] for path in paths.values() for operation in path.values()]
    assert len(ids) == len(set(ids))
    assert "getImage" in ids
