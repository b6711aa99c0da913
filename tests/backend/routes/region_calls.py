"""Regions as a client sends and receives them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image as PillowImage
from starlette.testclient import TestClient

Region = dict[str, Any]
IMAGE = "/api/images/1"
PUT = f"{IMAGE}/annotations"
REGIONS = f"{IMAGE}/regions"
STROKE: Region = {"kind": "stroke", "class_id": 1, "geometry": {"points": [[5.0, 5.0], [20.0, 9.5]], "radius": 3.0}}
BOX: Region = {"kind": "box", "class_id": 2, "geometry": {"x0": 10.0, "y0": 0.0, "x1": 30.0, "y1": 20.0}}
POLYGON: Region = {"kind": "polygon", "class_id": 1, "geometry": {"rings": [[[1.0, 1.0], [30.0, 2.0], [4.0, 25.0]]]}}
MASK: Region = {"kind": "mask", "class_id": 2, "geometry": {"x": 3, "y": 4, "size": [2, 2], "counts": "04"}}
ERASER: Region = {"kind": "box", "class_id": None, "geometry": {"x0": 0.0, "y0": 0.0, "x1": 12.0, "y1": 12.0}}
POINT = {"x": 1.0, "y": 1.0, "class_id": 1}


def add(client: TestClient, *regions: dict[str, Any], **rest: Any) -> dict[str, Any]:
    response = client.post(REGIONS, json={"add": list(regions), **rest})
    assert response.status_code == 200, response.text
    state: dict[str, Any] = response.json()
    return state


def mask(client: TestClient, source: str = "annotated") -> np.ndarray:
    response = client.get(f"{IMAGE}/mask", params={"source": source})
    assert response.status_code == 200, response.text
    return np.asarray(PillowImage.open(io.BytesIO(response.content)))


def said(state: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [(r["kind"], r["class_id"], r["origin"], r["geometry"]) for r in state["regions"]]
