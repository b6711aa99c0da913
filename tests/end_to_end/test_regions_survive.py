"""Regions in the real product: they survive kill -9 of every process, and the prediction follows a brush stroke."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.client import Client
from benchmarks.product import Product
from tests.end_to_end.test_survival import class_ids_of, learned

UPPER = {"points": [[20.0, 20.0], [170.0, 30.0]], "radius": 8.0}
LOWER = {"points": [[20.0, 130.0], [170.0, 140.0]], "radius": 8.0}


def test_strokes__killed_right_after__are_there_and_learned(start_product: Callable[[str], Product]) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        first, second = class_ids_of(client)[:2]
        image_id = client.images()[0]["id"]
        path = f"images/{image_id}/regions"
        client.json("POST", path, json={"add": [{"kind": "stroke", "class_id": first, "geometry": UPPER}]})
        saved = client.json("POST", path, json={"add": [{"kind": "stroke", "class_id": second, "geometry": LOWER}]})
        product.kill("ml_service")
        product.kill("backend")
    product.start_backend()
    product.start_ml_service()
    with Client(product.url) as client:
        found = client.annotations(image_id)
        assert found["regions"] == saved["regions"]
        learned(client, image_id, found["revision"])
        p = client.probability_map(image_id, first, "image")
        assert p[16:36, 20:170].mean() > 0.6
        assert p[126:146, 20:170].mean() < 0.4

        # The same places painted over with the other class: the prediction follows the brush.
        over = client.json("POST", path, json={"add": [{"kind": "stroke", "class_id": second, "geometry": UPPER}]})
        state = client.json("POST", path, json={"add": [{"kind": "stroke", "class_id": first, "geometry": LOWER}]})
        assert over["revision"] < state["revision"]
        learned(client, image_id, state["revision"])
        p = client.probability_map(image_id, first, "image")
        assert p[126:146, 20:170].mean() > 0.6
        assert p[16:36, 20:170].mean() < 0.4

        accepted = client.json("POST", f"images/{image_id}/accept-prediction", json={})
        assert {region["origin"] for region in accepted["regions"]} == {"accepted", "human"}
        for _ in range(3):
            back = client.json("POST", f"images/{image_id}/annotations/undo")
        assert back["regions"] == saved["regions"]
