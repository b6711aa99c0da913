"""What was acknowledged survives kill -9 of any process; what was asked for is done in the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.client import Client
from benchmarks.product import Product
from tests.end_to_end.sample_images import texture_of
from tests.waiting import wait_until

POINTS = [(40.5, 30.5), (120.25, 90.75), (10.0, 150.0), (180.0, 20.0)]


def label_points(client: Client, image_id: int, class_ids: list[int]) -> dict[str, Any]:
    points = [{"x": x, "y": y, "class_id": class_ids[i % len(class_ids)]} for i, (x, y) in enumerate(POINTS)]
    return client.put_annotations(image_id, {"points": points})


def without_ids(state: dict[str, Any]) -> list[tuple[float, float, int, str]]:
    return [(point["x"], point["y"], point["class_id"], point["origin"]) for point in state["points"]]


def class_ids_of(client: Client) -> list[int]:
    return [entry["id"] for entry in client.json("GET", "config")["classes"]]


def learned(client: Client, image_id: int, revision: int, limit_s: float = 30) -> dict[str, Any]:
    prediction = client.wait_for_prediction(
        image_id,
        lambda found: found is not None and found["annotation_revision"] >= revision,
        poll_interval_s=0.02,
        limit_s=limit_s,
    )
    assert prediction is not None
    return prediction


def test_backend_killed_right_after_put__annotation_is_there(start_product: Callable[[str], Product]) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        image_id = client.images()[0]["id"]
        saved = label_points(client, image_id, class_ids_of(client))
        product.kill("backend")
    product.start_backend()
    with Client(product.url) as client:
        found = client.annotations(image_id)
        assert without_ids(found) == without_ids(saved)
        assert found["revision"] == saved["revision"]
        assert client.json("GET", f"images/{image_id}")["status"] == "labeled"
        learned(client, image_id, saved["revision"])


def test_both_killed_right_after_put__prediction_comes_after_restart(start_product: Callable[[str], Product]) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        image_id = client.images()[0]["id"]
        saved = label_points(client, image_id, class_ids_of(client))
        product.kill("ml_service")
        product.kill("backend")
    product.start_backend()
    product.start_ml_service()
    with Client(product.url) as client:
        assert without_ids(client.annotations(image_id)) == without_ids(saved)
        learned(client, image_id, saved["revision"])


def test_clicks_while_ml_service_is_dead__learned_after_restart(start_product: Callable[[str], Product]) -> None:
    product = start_product("classification")
    with Client(product.url) as client:
        classes = {entry["name"]: entry["id"] for entry in client.json("GET", "config")["classes"]}
        images = client.images()
        product.kill("ml_service")
        for image in images[::2]:
            client.put_annotations(image["id"], {"class_id": classes[texture_of(image["path"])]})
        product.start_ml_service()
        last = images[::2][-1]["id"]
        learned(client, last, client.annotations(last)["revision"])
        right = 0
        for image in images[1::2]:
            prediction = client.wait_for_prediction(
                image["id"], lambda p: p is not None and not p["stale"], poll_interval_s=0.02, limit_s=30
            )
            assert prediction is not None
            best = max(prediction["probabilities"], key=lambda entry: entry["p"])
            assert (
                sum(entry["p"] for entry in prediction["probabilities"]) == 1
                or abs(sum(entry["p"] for entry in prediction["probabilities"]) - 1) < 1e-3
            )
            right += best["class_id"] == classes[texture_of(image["path"])]
        assert right >= 0.8 * len(images[1::2])


def test_ml_service_killed_in_a_run__run_ends_and_labels_stay(start_product: Callable[[str], Product]) -> None:
    product = start_product("segmentation")
    with Client(product.url) as client:
        class_ids = class_ids_of(client)
        images = client.images()
        saved = {image["id"]: label_points(client, image["id"], class_ids) for image in images}
        client.json("PATCH", "config", json={"training": {"early_stop_patience": 10_000, "max_epochs": 400}})
        client.json("POST", "training/start")
        wait_until(lambda: client.json("GET", "training")["epoch"] > 0, "the first epoch", 60)
        product.kill("ml_service")
        product.start_ml_service()
        wait_until(lambda: client.json("GET", "training")["state"] in {"FINISHED", "FAILED"}, "the end of the run", 120)
        training = client.json("GET", "training")
        assert training["state"] == "FINISHED", training
        assert training["train_loss"]
        for image_id, state in saved.items():
            assert without_ids(client.annotations(image_id)) == without_ids(state)
        revised = label_points(client, images[0]["id"], class_ids[::-1])
        learned(client, images[0]["id"], revised["revision"])
