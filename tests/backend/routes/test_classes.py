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
    told = {"id": class_id, "name": "border", "color": "#ABCDEF", "group": None, "parent_id": None}
    assert changed == told | {"annotations_moved": 0}
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


def test_classes__tree_order_and_parents_are_told(cla: TestClient) -> None:
    added = cla.post("/api/classes", json={"name": "puppy", "parent_id": 2}).json()
    assert added["parent_id"] == 2
    assert names(cla) == ["cat", "dog", "puppy", "bird"]
    assert cla.patch("/api/classes/3", json={"before": 1}).json()["parent_id"] is None
    assert names(cla) == ["bird", "cat", "dog", "puppy"]
    assert cla.patch("/api/classes/2", json={"parent_id": 3}).json()["parent_id"] == 3
    assert names(cla) == ["bird", "dog", "puppy", "cat"]
    circle = cla.patch("/api/classes/3", json={"parent_id": added["id"]})
    assert (circle.status_code, "stands below class 3" in circle.json()["detail"]) == (400, True)
    assert cla.patch("/api/classes/1", json={"before": 2}).status_code == 400
    assert cla.patch("/api/classes/1", json={"parent_id": 99}).status_code == 404


def test_classes__a_parent_includes_its_children_in_filters_and_counts(cla: TestClient) -> None:
    cla.patch("/api/classes/2", json={"parent_id": 1})
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    cla.put("/api/images/2/annotations", json={"class_id": 2})
    found = cla.get("/api/images", params={"class_id": 1}).json()
    assert [image["id"] for image in found["items"]] == [1, 2]
    count = cla.get("/api/stats").json()["by_class"][0]
    assert (count["images"], count["images_with_below"]) == (1, 2)
    lines = cla.get("/api/export", params={"format": "csv"}).text.splitlines()
    assert lines[0].endswith("origin,parents")
    assert [line.rsplit(",", 1)[1] for line in lines[1:]] == ["", "cat"]
    categories = cla.get("/api/export", params={"format": "coco"}).json()["categories"]
    assert [category["supercategory"] for category in categories] == ["", "cat", ""]


def test_classes__removed_ones_are_listed_with_what_they_bring_back(seg: TestClient) -> None:
    class_id = seg.post("/api/classes", json={"name": "edge"}).json()["id"]
    seg.put("/api/images/1/annotations", json={"points": [{"x": 1, "y": 1, "class_id": class_id}] * 2})
    usage = {"id": class_id, "points": 2, "regions": 0, "labels": 0, "images": 1}
    assert seg.get(f"/api/classes/{class_id}/usage").json() == usage
    assert seg.get("/api/classes/removed").json() == []
    seg.delete(f"/api/classes/{class_id}")
    removed = seg.get("/api/classes/removed").json()
    assert [(entry["name"], entry["points"], entry["images"]) for entry in removed] == [("edge", 2, 1)]
    assert seg.get(f"/api/classes/{class_id}/usage").status_code == 404
    seg.post(f"/api/classes/{class_id}/restore")
    assert seg.get("/api/classes/removed").json() == []


def test_classes__a_merge_is_undone_with_the_branch(cla: TestClient) -> None:
    cla.patch("/api/classes/2", json={"parent_id": 1})
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    cla.put("/api/images/2/annotations", json={"class_id": 1})
    cla.patch("/api/classes/1", json={"merge_into": 2})
    assert [(c["name"], c["parent_id"]) for c in cla.get("/api/classes").json()] == [("dog", None), ("bird", None)]
    (removed,) = cla.get("/api/classes/removed").json()
    assert (removed["name"], removed["merged_into"], removed["labels"], removed["images"]) == ("cat", 2, 2, 2)
    cla.put("/api/images/2/annotations", json={"class_id": 3})
    restored = cla.post("/api/classes/1/restore").json()
    assert (restored["annotations_restored"], restored["annotations_changed"]) == (1, 1)
    assert [(c["name"], c["parent_id"]) for c in cla.get("/api/classes").json()] == [
        ("cat", None), ("dog", 1), ("bird", None),
    ]  # fmt: skip
    assert [cla.get(f"/api/images/{n}/annotations").json()["label"]["class_id"] for n in (1, 2)] == [1, 3]
    assert cla.get("/api/classes/removed").json() == []


def test_classes__a_removed_parent_leaves_its_children_to_the_next_one_up(cla: TestClient) -> None:
    cla.patch("/api/classes/2", json={"parent_id": 1})
    cla.patch("/api/classes/3", json={"parent_id": 2})
    cla.delete("/api/classes/2")
    assert [(c["name"], c["parent_id"]) for c in cla.get("/api/classes").json()] == [("cat", None), ("bird", 1)]
    cla.post("/api/classes/2/restore")
    assert [c["parent_id"] for c in cla.get("/api/classes").json()] == [None, 1, 2]


def test_classes__many_have_colours_of_their_own(cla: TestClient) -> None:
    for number in range(40):
        cla.post("/api/classes", json={"name": f"class {number}"})
    colors = [label_class["color"] for label_class in cla.get("/api/classes").json()]
    assert len(set(colors)) == len(colors)
