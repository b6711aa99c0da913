"""Several classes of an image over HTTP: day (1) and night (2) exclude each other, car (3) stands alone."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from starlette.testclient import TestClient

DAY, NIGHT, CAR = 1, 2, 3
PUT = "/api/images/1/annotations"


def put(client: TestClient, *class_ids: int, image_id: int = 1) -> dict[str, Any]:
    response = client.put(f"/api/images/{image_id}/annotations", json={"class_ids": class_ids})
    assert response.status_code == 200, response.text
    return response.json()


def ids(state: dict[str, Any]) -> list[int] | None:
    return None if state["labels"] is None else [mark["class_id"] for mark in state["labels"]]


def status(client: TestClient, image_id: int = 1) -> tuple[str, list[int] | None]:
    image = client.get(f"/api/images/{image_id}").json()
    return image["status"], image["class_ids"]


def test_put__classes_replace_those_before(mul: TestClient) -> None:
    assert mul.get(PUT).json()["labels"] is None
    state = put(mul, CAR, DAY)
    assert state["labels"] == [{"class_id": DAY, "origin": "human"}, {"class_id": CAR, "origin": "human"}]
    assert (state["label"], state["points"], state["revision"]) == (None, [], 1)
    assert mul.get(PUT).json() == state
    assert put(mul, DAY, CAR) == state
    assert ids(put(mul, NIGHT)) == [NIGHT]
    assert status(mul) == ("labeled", [NIGHT])


def test_put__none_of_the_classes_is_an_answer(mul: TestClient) -> None:
    assert status(mul) == ("unlabeled", None)
    state = put(mul)
    assert (state["labels"], state["revision"]) == ([], 1)
    assert put(mul) == state
    assert status(mul) == ("labeled", [])
    assert mul.get("/api/stats").json()["by_status"]["labeled"] == 1
    assert mul.post("/api/training/start").status_code == 202
    assert mul.post(f"{PUT}/undo").json()["labels"] is None
    assert status(mul) == ("unlabeled", None)
    assert mul.post(f"{PUT}/redo").json()["labels"] == []
    assert mul.post(f"{PUT}/skip").json()["labels"] is None
    assert status(mul) == ("skipped", None)
    put(mul)
    assert mul.delete(PUT).json()["labels"] is None
    assert status(mul) == ("unlabeled", None)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"class_ids": [DAY, NIGHT]}, "classes 1 (day) and 2 (night) exclude each other"),
        ({"class_ids": [CAR, CAR]}, "class 3 (car) is named twice"),
        ({"class_ids": [9]}, "there is no class 9: the classes are 1 (day), 2 (night), 3 (car)"),
        ({"class_id": DAY}, "found class_id"),
        ({"points": []}, "found points"),
        ({"class_ids": [DAY], "class_id": DAY}, "give either"),
        ({"class_ids": ["1"]}, "class_ids"),
        ({"class_ids": None}, "give either"),
    ],
)
def test_put__refuses(mul: TestClient, body: dict[str, Any], told: str) -> None:
    response = mul.put(PUT, json=body)
    assert response.status_code in {400, 422}
    assert told in response.json()["detail"]
    assert mul.get(PUT).json()["revision"] == 0


def test_put__other_tasks_refuse_class_ids(cla: TestClient) -> None:
    response = cla.put(PUT, json={"class_ids": [1]})
    assert (response.status_code, "found class_ids" in response.json()["detail"]) == (400, True)
    state = cla.put(PUT, json={"class_id": 1}).json()
    assert (state["label"]["class_id"], state["labels"]) == (1, None)
    assert cla.get("/api/images/1").json()["class_ids"] is None


def test_accept__takes_what_is_more_likely_than_not(mul: TestClient, multilabel_session: Any) -> None:
    multilabel_session.add_prediction(1, probabilities=[0.3, 0.6, 0.8])
    multilabel_session.add_prediction(2, probabilities=[0.1, 0.2, 0.5])
    # Of a checkpoint made before the two were put into one group.
    multilabel_session.add_prediction(3, probabilities=[0.7, 0.6, 0.1])
    shown = mul.get("/api/images/1/prediction").json()["probabilities"]
    assert [(entry["class_id"], entry["p"]) for entry in shown] == [(CAR, 0.8), (NIGHT, 0.6), (DAY, 0.3)]
    accepted = mul.post("/api/images/1/accept-prediction", json={}).json()["labels"]
    assert accepted == [{"class_id": NIGHT, "origin": "accepted"}, {"class_id": CAR, "origin": "accepted"}]
    assert mul.post("/api/images/2/accept-prediction", json={}).json()["labels"] == []
    assert ids(mul.post("/api/images/3/accept-prediction", json={}).json()) == [DAY]
    # A correction leaves the rest as it was accepted.
    assert put(mul, CAR)["labels"] == [{"class_id": CAR, "origin": "accepted"}]
    assert "multilabel session" in mul.post("/api/images/1/extract-points", json={}).json()["detail"]


def test_classes__groups_are_told_and_can_be_changed(mul: TestClient) -> None:
    assert [c["group"] for c in mul.get("/api/config").json()["classes"]] == ["light", "light", None]
    put(mul, DAY, CAR)
    refused = mul.patch(f"/api/classes/{CAR}", json={"group": "Light"})
    assert (refused.status_code, "1 image has car together with another class" in refused.text) == (409, True)
    put(mul, CAR)
    assert mul.patch(f"/api/classes/{CAR}", json={"group": "LIGHT", "name": "bus"}).json()["group"] == "light"
    assert mul.put(PUT, json={"class_ids": [DAY, CAR]}).status_code == 400
    assert mul.patch(f"/api/classes/{DAY}", json={"group": None}).json()["group"] is None
    assert mul.patch(f"/api/classes/{NIGHT}", json={"name": "dusk"}).json()["group"] == "light"
    assert ids(put(mul, DAY, CAR)) == [DAY, CAR]
    added = mul.post("/api/classes", json={"name": "dawn", "group": "light"}).json()
    assert mul.get("/api/classes").json()[-1] == added
    assert added["group"] == "light"


def test_classes__no_group_where_an_image_has_one_class(cla: TestClient) -> None:
    assert cla.patch("/api/classes/1", json={"group": "light"}).status_code == 400
    assert cla.post("/api/classes", json={"name": "fish", "group": "light"}).status_code == 400
    assert cla.patch("/api/classes/1", json={"group": None}).status_code == 200


def test_classes__removal_hides_and_leaves_the_answer(mul: TestClient) -> None:
    put(mul, DAY, CAR)
    put(mul, DAY, image_id=2)
    assert mul.delete(f"/api/classes/{DAY}").json()["annotations_removed"] == 2
    assert (status(mul, 1), status(mul, 2)) == (("labeled", [CAR]), ("labeled", []))
    assert mul.get("/api/images/2/annotations").json()["labels"] == []
    # The newer answer excludes what is hidden, elsewhere it comes back.
    put(mul, NIGHT, CAR)
    assert mul.post(f"/api/classes/{DAY}/restore").json()["annotations_restored"] == 1
    assert (status(mul, 1), status(mul, 2)) == (("labeled", [NIGHT, CAR]), ("labeled", [DAY]))


def test_classes__merge_joins_the_images(mul: TestClient) -> None:
    put(mul, DAY, CAR)
    put(mul, DAY, image_id=2)
    put(mul, CAR, image_id=3)
    put(mul, NIGHT, CAR, image_id=4)
    refused = mul.patch(f"/api/classes/{CAR}", json={"merge_into": DAY})
    assert (refused.status_code, "excludes day" in refused.json()["detail"]) == (409, True)
    assert mul.patch(f"/api/classes/{DAY}", json={"merge_into": CAR}).json()["annotations_moved"] == 2
    assert [status(mul, image_id)[1] for image_id in (1, 2, 3, 4)] == [[CAR], [CAR], [CAR], [NIGHT, CAR]]
    put(mul, image_id=1)
    assert ids(mul.post(f"{PUT}/undo").json()) == [CAR]
    counts = {entry["class_id"]: entry["images"] for entry in mul.get("/api/stats").json()["by_class"]}
    assert counts == {NIGHT: 1, CAR: 4}


def test_images__filter_and_next_by_class(mul: TestClient, multilabel_session: Any) -> None:
    put(mul, DAY, CAR)
    put(mul, CAR, image_id=2)
    found = mul.get(f"/api/images?class_id={CAR}").json()
    assert ([image["id"] for image in found["items"]], found["total"]) == ([1, 2], 2)
    assert [image["class_ids"] for image in found["items"]] == [[DAY, CAR], [CAR]]
    multilabel_session.add_prediction(5, probabilities=[0.1, 0.6, 0.2])
    assert mul.get(f"/api/images/next?strategy=random&class_id={NIGHT}").json()["id"] == 5
    # night has no image yet: the rarest.
    assert mul.get("/api/images/next?strategy=least_confident_minority").json()["id"] == 5


def test_export__csv_json_and_coco(mul: TestClient) -> None:
    put(mul, NIGHT, CAR)
    put(mul, image_id=2)
    rows = list(csv.reader(io.StringIO(mul.get("/api/export?format=csv").text)))
    assert rows[0] == ["image_id", "path", "class_ids", "origin", "day", "night", "car"]
    assert rows[1:] == [
        ["1", "image_0.png", "2;3", "human", "0", "1", "1"],
        ["2", "image_1.png", "", "", "0", "0", "0"],
    ]
    everything = list(csv.DictReader(io.StringIO(mul.get("/api/export?format=csv&scope=all").text)))
    assert len(everything) == mul.get("/api/images").json()["total"]
    assert [row["status"] for row in everything][:3] == ["labeled", "labeled", "unlabeled"]
    assert [everything[2][name] for name in ("class_ids", "origin", "day")] == ["", "", ""]
    document = mul.get("/api/export?format=json&history=true").json()
    assert [entry["group"] for entry in document["classes"]] == ["light", "light", None]
    labels = [image["labels"] for image in document["images"]]
    assert ([mark["class_id"] for mark in labels[0]], labels[1], labels[2]) == ([NIGHT, CAR], [], None)
    assert document["images"][1]["history"][0]["classes"] == [{"class_id": None, "origin": "human"}]
    coco = mul.get("/api/export?format=coco").json()
    assert [(a["image_id"], a["category_id"]) for a in coco["annotations"]] == [(1, NIGHT), (1, CAR)]
    assert mul.get("/api/export?format=png-masks").status_code == 400


def test_classes__a_child_implies_its_parents(mul: TestClient) -> None:
    bus = mul.post("/api/classes", json={"name": "bus", "parent_id": CAR}).json()["id"]
    assert ids(put(mul, bus, DAY)) == [DAY, CAR, bus]
    # Said before it was a child, it implies the parent all the same; taken out again, nothing was written.
    van = mul.post("/api/classes", json={"name": "van"}).json()["id"]
    put(mul, van)
    mul.patch(f"/api/classes/{van}", json={"parent_id": CAR})
    assert ids(mul.get(PUT).json()) == [CAR, van]
    assert mul.get("/api/images/1").json()["class_ids"] == [CAR, van]
    assert "1,image_0.png,3;5,human,0,0,1,0,1" in mul.get("/api/export", params={"format": "csv"}).text.replace(
        "\r", ""
    )
    by_class = {c["class_id"]: c["images"] for c in mul.get("/api/stats").json()["by_class"]}
    assert (by_class[CAR], by_class[van]) == (1, 1)
    revision = mul.get(PUT).json()["revision"]
    assert put(mul, van)["revision"] == revision
    mul.patch(f"/api/classes/{van}", json={"parent_id": None})
    assert ids(mul.get(PUT).json()) == [van]


def test_classes__groups_and_parents_do_not_contradict_each_other(mul: TestClient) -> None:
    dusk = mul.post("/api/classes", json={"name": "dusk", "parent_id": NIGHT}).json()["id"]
    refused = mul.patch(f"/api/classes/{dusk}", json={"group": "light"})
    assert (refused.status_code, "one of them stands above" in refused.json()["detail"]) == (409, True)
    assert mul.put(PUT, json={"class_ids": [DAY, dusk]}).status_code == 400
    put(mul, DAY, CAR)
    refused = mul.patch(f"/api/classes/{CAR}", json={"parent_id": NIGHT})
    assert (refused.status_code, "1 image has car together with" in refused.json()["detail"]) == (409, True)


def test_prediction__a_parent_is_as_probable_as_its_child_and_accepted_with_it(
    mul: TestClient, multilabel_session: Any
) -> None:
    mul.patch(f"/api/classes/{CAR}", json={"parent_id": NIGHT})
    multilabel_session.add_prediction(1, probabilities=[0.6, 0.1, 0.9])
    shown = mul.get("/api/images/1/prediction").json()["probabilities"]
    assert {entry["class_id"]: entry["p"] for entry in shown} == {CAR: 0.9, NIGHT: 0.9, DAY: 0.6}
    # Night comes with car, and day, which it excludes, does not.
    assert ids(mul.post("/api/images/1/accept-prediction", json={}).json()) == [NIGHT, CAR]


@pytest.mark.parametrize(
    ("answers", "steps", "expected"),
    [
        ([[DAY]], ["undo", "redo"], [DAY]),
        ([[DAY], [CAR]], ["undo"], [DAY]),
        ([[DAY, CAR]], ["undo", "redo"], [DAY, CAR]),
        ([[DAY, CAR], [CAR]], ["undo", "redo"], [CAR]),
        ([[CAR], [DAY]], ["undo"], [CAR]),
        ([[DAY, CAR]], ["skip", "undo"], [DAY, CAR]),
    ],
)
def test_undo__while_a_class_is_removed_keeps_what_the_answer_said_of_it(
    mul: TestClient, answers: list[list[int]], steps: list[str], expected: list[int]
) -> None:
    for answer in answers:
        put(mul, *answer)
    assert mul.delete(f"/api/classes/{DAY}").status_code == 200
    for name in steps:
        assert mul.post(f"{PUT}/{name}").status_code == 200
    assert ids(mul.get(PUT).json()) == [class_id for class_id in expected if class_id != DAY]
    assert mul.post(f"/api/classes/{DAY}/restore").status_code == 200
    assert ids(mul.get(PUT).json()) == expected
    assert status(mul) == ("labeled", expected)
    listed = mul.get("/api/images", params={"class_id": DAY}).json()["items"]
    assert [image["id"] for image in listed] == [1] * (DAY in expected)
    # What undo and redo lead to from there says the same.
    mul.post(f"{PUT}/undo")
    mul.post(f"{PUT}/redo")
    assert ids(mul.get(PUT).json()) == expected
