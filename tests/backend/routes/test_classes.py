"""Classes over HTTP; the cached configuration follows."""

from __future__ import annotations

from starlette.testclient import TestClient


def names(client: TestClient) -> list[str]:
    return [label_class["name"] for label_class in client.get("/api/config").json()["classes"]]


def test_classes__add_change_remove_restore(seg: TestClient) -> None:
    added = seg.post("/api/classes", json={"name": " edge "})
    assert added.status_code == 201
    class_id = added.json()["id"]
    assert names(seg) == ["foreground", "background", "edge"]
    changed = seg.patch(f"/api/classes/{class_id}", json={"name": "border", "color": "#abcdef"}).json()
    assert changed == {"id": class_id, "name": "border", "color": "#ABCDEF", "group": None, "annotations_moved": 0}
    seg.put("/api/images/1/annotations", json={"points": [{"x": 1, "y": 1, "class_id": class_id}]})
    removed = seg.delete(f"/api/classes/{class_id}").json()
    assert removed == {"id": class_id, "annotations_removed": 1, "images_changed": 1}
    assert names(seg) == ["foreground", "background"]
    assert seg.get("/api/images/1/annotations").json()["points"] == []
    assert seg.get("/api/images/1").json()["status"] == "unlabeled"
    assert seg.post(f"/api/classes/{class_id}/restore").json()["annotations_restored"] == 1
    assert names(seg) == ["foreground", "background", "border"]
    assert len(seg.get("/api/images/1/annotations").json()["points"]) == 1


def test_classes__merge(cla: TestClient) -> None:
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    merged = cla.patch("/api/classes/1", json={"merge_into": 2}).json()
    assert (merged["id"], merged["annotations_moved"]) == (2, 1)
    assert names(cla) == ["dog", "bird"]
    assert cla.get("/api/images/1/annotations").json()["label"]["class_id"] == 2
    assert cla.patch("/api/classes/2", json={"merge_into": 3, "name": "x"}).status_code == 400


def test_classes__bad_input(seg: TestClient) -> None:
    for body in ({"name": ""}, {"name": "x", "color": "red"}, {"name": "x", "color": "#12345G"}, {"color": "#000000"}):
        assert seg.post("/api/classes", json=body).status_code == 422
    assert seg.post("/api/classes", json={"name": "background"}).status_code == 409


def test_classes__names_that_differ_in_capitals_only_are_one_name(seg: TestClient) -> None:
    response = seg.post("/api/classes", json={"name": "Background"})
    assert (response.status_code, "there is a class 'background' already" in response.json()["detail"]) == (409, True)
    assert seg.patch("/api/classes/1", json={"name": "BACKGROUND"}).status_code == 409
    assert seg.patch("/api/classes/2", json={"name": "Background"}).json()["name"] == "Background"
