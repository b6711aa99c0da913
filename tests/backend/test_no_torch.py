"""The backend answers clicks without torch in its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

PROGRAM = """
import sys
from starlette.testclient import TestClient
from backend.main import app
with TestClient(app, base_url="http://127.0.0.1") as client:
    assert client.post("/api/images/1/extract-points").status_code == 200
    assert client.get("/api/images/1/prediction/map?size=image").status_code == 200
    assert client.get("/api/export?format=coco").status_code == 200
print("torch" in sys.modules)
"""


def test_backend__never_imports_torch(segmentation_session: Any) -> None:
    segmentation_session.add_prediction(1)
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=Path(__file__).resolve().parents[2],
        env={"FEWCLICK_SESSION": str(segmentation_session.folder), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (result.returncode, result.stdout.strip()) == (0, "False"), result.stderr
