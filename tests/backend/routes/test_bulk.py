"""One change of many images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from db.enums import Origin
from db.tables.images import Image
from db.tables.learning import Prediction
from db.tables.processes import Event, Job
from db.tables.session import LabelClass

URL = "/api/annotations/bulk"


def bulk(client: TestClient, action: str, ids: list[int], **more: Any) -> dict[str, Any]:
    response = client.post(URL, json={"action": action, "images": [{"id": i} for i in ids], **more})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def labels(client: TestClient) -> dict[int, tuple[int | None, str | None]]:
    items = client.get("/api/images").json()["items"]
    return {image["id"]: (image["class_id"], image["origin"]) for image in items if image["class_id"]}


def predict(session: Any, by_image: dict[int, list[float]], version: int = 1) -> None:
    with session.database.write() as db_session:
        classes = [c.id for c in db_session.query(LabelClass).order_by(LabelClass.id)]
        for image_id, p in by_image.items():
            best = classes[p.index(max(p))]
            db_session.merge(
                Prediction(
                    image_id=image_id, version=version, annotation_revision=0, class_ids=classes, probabilities=p
                )
            )
            image = db_session.get(Image, image_id)
            image.uncertainty, image.predicted_class_id, image.predicted_version = 1 - max(p), best, version


def test_bulk__labels_as_one_by_one_and_undoes_in_one_step(cla: TestClient, classification_session: Any) -> None:
    first = bulk(cla, "label", [3, 1, 2], class_id=2)
    assert [image["id"] for image in first["changed"]] == [3, 1, 2]
    assert labels(cla) == {1: (2, "human"), 2: (2, "human"), 3: (2, "human")}
    assert cla.get("/api/images/1/annotations").json()["can_undo"]
    with classification_session.database.read() as db_session:
        assert db_session.query(Job).filter_by(key="refit").count() == 1
        events = [e.payload for e in db_session.query(Event).filter_by(kind="annotation")]
        sequences = sorted(i.label_sequence for i in db_session.query(Image) if i.label_sequence)
        splits = {i.split for i in db_session.query(Image) if i.label_sequence}
    assert events == [{"image_id": i, "revision": 1} for i in (3, 1, 2)]
    assert (sequences, None in splits) == ([1, 2, 3], False)
    cla.put("/api/images/2/annotations", json={"class_id": 1})
    undo = cla.post(URL, json={"action": "undo", "images": first["changed"]}).json()
    assert ([image["id"] for image in undo["changed"]], undo["conflicts"]) == ([3, 1], [2])
    assert labels(cla) == {2: (1, "human")}
    assert len(cla.post(URL, json={"action": "redo", "images": undo["changed"]}).json()["changed"]) == 2
    assert labels(cla)[1] == (2, "human")


def test_bulk__same_class_again_changes_nothing(cla: TestClient) -> None:
    bulk(cla, "label", [1], class_id=2)
    again = bulk(cla, "label", [1, 2, 99], class_id=2)
    assert (again["changed"], again["unchanged"], again["refused"]) == ([{"id": 2, "revision": 1}], 1, [99])


def test_bulk__accepts_what_was_in_sight(cla: TestClient, classification_session: Any) -> None:
    predict(classification_session, {1: [0.8, 0.1, 0.1], 2: [0.1, 0.8, 0.1], 3: [0.1, 0.1, 0.8], 4: [0.8, 0.1, 0.1]})
    cla.put("/api/images/4/annotations", json={"class_id": 3})
    images = [
        {"id": 1, "version": 1},
        {"id": 2, "version": 7, "predicted": [2]},
        {"id": 3, "predicted": [1]},
        {"id": 4, "predicted": [1]},
        {"id": 5, "version": 0},
    ]
    found = cla.post(URL, json={"action": "accept", "images": images}).json()
    assert ([image["id"] for image in found["changed"]], found["conflicts"], found["unchanged"]) == ([1, 2], [3], 2)
    assert labels(cla) == {1: (1, "accepted"), 2: (2, "accepted"), 4: (3, "human")}
    # What many accept at once says nothing of how good the head is: it trains, and is not measured on.
    assert cla.get("/api/images/1").json()["split"] == "train"
    assert [i["id"] for i in cla.get("/api/images?reviewed=false").json()["items"]] == [1, 2]
    assert [i["id"] for i in cla.get("/api/images?reviewed=true").json()["items"]] == [4]
    assert len(bulk(cla, "confirm", [1, 4])["changed"]) == 1
    cla.put("/api/images/2/annotations", json={"class_id": 2})
    assert {origin for _class, origin in labels(cla).values()} == {"human"}


def test_bulk__accept_of_what_nobody_saw_must_say_so(cla: TestClient, classification_session: Any) -> None:
    predict(classification_session, {1: [0.8, 0.1, 0.1], 2: [0.1, 0.8, 0.1]})
    refused = cla.post(URL, json={"action": "accept", "images": [{"id": 1, "predicted": [1]}, {"id": 2}]})
    assert (refused.status_code, "unseen: true" in refused.text) == (422, True)
    # The tile had no prediction when it was looked at.
    found = cla.post(URL, json={"action": "accept", "images": [{"id": 1, "version": 0}, {"id": 2, "predicted": []}]})
    assert found.json()["conflicts"] == [1, 2]
    assert labels(cla) == {}
    assert len(bulk(cla, "accept", [1, 2], unseen=True)["changed"]) == 2


def test_bulk__leaves_alone_what_somebody_else_labelled_meanwhile(cla: TestClient) -> None:
    seen = {image["id"]: image["revision"] for image in cla.get("/api/images").json()["items"]}
    cla.put("/api/images/2/annotations", json={"class_id": 1})
    images = [{"id": image_id, "revision": seen[image_id]} for image_id in (1, 2)]
    found = cla.post(URL, json={"action": "label", "images": images, "class_id": 3}).json()
    assert ([image["id"] for image in found["changed"]], found["conflicts"]) == ([1], [2])
    assert labels(cla) == {1: (3, "human"), 2: (1, "human")}


def test_bulk__leaves_alone_what_was_labelled_since_an_unseen_image_was_listed(cla: TestClient) -> None:
    cla.put("/api/images/1/annotations", json={"class_id": 1})
    listed = cla.get("/api/images/ids").json()
    cla.put("/api/images/2/annotations", json={"class_id": 1})
    images = [{"id": image_id, "label_sequence": listed["label_sequence"]} for image_id in listed["ids"]]
    found = cla.post(URL, json={"action": "label", "images": images, "class_id": 3}).json()
    assert ([image["id"] for image in found["changed"]], found["conflicts"]) == ([1, 3, 4, 5, 6], [2])
    # What was seen of an image says more than its list.
    images = [{"id": 2, "label_sequence": 0, "revision": 1}]
    assert cla.post(URL, json={"action": "label", "images": images, "class_id": 3}).json()["changed"]


def test_bulk__only_what_changes_counts_as_picked_by_the_model(cla: TestClient, classification_session: Any) -> None:
    predict(classification_session, {1: [0.8, 0.1, 0.1], 2: [0.1, 0.8, 0.1]})
    images = [{"id": 1, "predicted": [1]}, {"id": 2, "predicted": [1]}, {"id": 3, "version": 0}]
    found = cla.post(URL, json={"action": "accept", "images": images}).json()
    assert ([image["id"] for image in found["changed"]], found["conflicts"], found["unchanged"]) == ([1], [2], 1)
    with classification_session.database.read() as db_session:
        assert [i.id for i in db_session.query(Image) if i.picked_by_model] == [1]


def test_bulk__undo_of_the_first_and_of_a_later_step(cla: TestClient) -> None:
    bulk(cla, "label", [1], class_id=1)
    bulk(cla, "label", [1, 2], class_id=2)
    bulk(cla, "undo", [1, 2, 3])
    assert labels(cla) == {1: (1, "human")}
    bulk(cla, "undo", [1, 2])
    assert labels(cla) == {}
    bulk(cla, "redo", [1, 2])
    assert labels(cla) == {1: (1, "human"), 2: (2, "human")}


def test_bulk__by_filter(cla: TestClient, classification_session: Any) -> None:
    predict(classification_session, {1: [0.95, 0.03, 0.02], 2: [0.6, 0.3, 0.1], 3: [0.1, 0.1, 0.8]})
    body = {"action": "accept", "filter": {"predicted_class_id": 1, "min_confidence": 0.9}}
    assert [image["id"] for image in cla.post(URL, json=body).json()["changed"]] == [1]
    assert len(cla.post(URL, json={"action": "skip", "filter": {"status": "unlabeled"}}).json()["changed"]) == 5


@pytest.mark.parametrize("action", ["skip", "undetermined"])
def test_bulk__says_how_many_lost_their_labels(cla: TestClient, action: str) -> None:
    assert bulk(cla, "label", [1, 2], class_id=2)["emptied"] == 0
    assert bulk(cla, action, [1, 2, 3])["emptied"] == 2
    assert bulk(cla, "undo", [1, 2, 3])["emptied"] == 0
    assert labels(cla) == {1: (2, "human"), 2: (2, "human")}


@pytest.mark.parametrize("action", ["skip", "undetermined"])
def test_bulk__sets_aside_and_clears(cla: TestClient, action: str) -> None:
    status = {"skip": "skipped"}.get(action, action)
    bulk(cla, action, [1, 2])
    assert cla.get(f"/api/images?status={status}").json()["total"] == 2
    bulk(cla, "clear", [1, 2])
    assert cla.get(f"/api/images?status={status}").json()["total"] == 0


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"action": "label", "images": [{"id": 1}]}, "label needs class_id"),
        ({"action": "label", "images": [{"id": 1}], "class_id": 9}, "there is no class 9"),
        ({"action": "label", "images": [{"id": 1}], "class_ids": [1]}, "send label with class_id"),
        ({"action": "add", "images": [{"id": 1}], "class_id": 1}, "multilabel"),
        ({"action": "skip"}, "either images or filter"),
        ({"action": "skip", "images": [{"id": n} for n in range(1, 5002)]}, "5000"),
        ({"action": "skip", "images": [{"id": 1}], "class_id": 1}, "about no class"),
    ],
)
def test_bulk__refusals(cla: TestClient, body: dict[str, Any], words: str) -> None:
    response = cla.post(URL, json=body)
    assert response.status_code in (400, 422), response.text
    assert words in response.text


def test_bulk__segmentation(seg: TestClient) -> None:
    assert "one by one" in seg.post(URL, json={"action": "skip", "images": [{"id": 1}]}).text


def answers(client: TestClient) -> dict[int, list[int]]:
    items = client.get("/api/images").json()["items"]
    return {image["id"]: image["class_ids"] for image in items if image["class_ids"] is not None}


def test_bulk__multilabel_adds_and_removes(mul: TestClient) -> None:
    classes = {c["name"]: c["id"] for c in mul.get("/api/classes").json()}
    day, night, car = classes["day"], classes["night"], classes["car"]
    mul.put("/api/images/1/annotations", json={"class_ids": [day]})
    bulk(mul, "add", [1, 2], class_id=car)
    assert answers(mul) == {1: sorted([day, car]), 2: [car]}
    bulk(mul, "add", [1], class_id=night)
    assert answers(mul)[1] == sorted([night, car])
    bulk(mul, "remove", [1, 2, 3], class_id=car)
    assert answers(mul) == {1: [night], 2: []}
    bulk(mul, "label", [3], class_ids=[day, car])
    assert answers(mul)[3] == sorted([day, car])


def test_bulk__multilabel_accepts_all_that_is_probable(mul: TestClient, multilabel_session: Any) -> None:
    predict(multilabel_session, {1: [0.9, 0.6, 0.7], 2: [0.1, 0.2, 0.3]})
    ids = [c["id"] for c in mul.get("/api/classes").json()]
    shown = {i["id"]: i["predicted_class_ids"] for i in mul.get("/api/images").json()["items"]}
    assert (sorted(shown[1]), shown[2], shown[3]) == (sorted([ids[0], ids[2]]), [], None)
    images = [{"id": 1, "predicted": shown[1]}, {"id": 2, "predicted": [ids[0]]}]
    found = mul.post(URL, json={"action": "accept", "images": images}).json()
    assert ([image["id"] for image in found["changed"]], found["conflicts"]) == ([1], [2])
    assert mul.get("/api/images/1/annotations").json()["labels"][0]["origin"] == Origin.ACCEPTED


def test_bulk__acknowledged_survives(serve: Callable[..., TestClient], classification_session: Any) -> None:
    bulk(serve(classification_session), "label", [1, 2, 3, 4, 5, 6], class_id=1)
    another = serve(classification_session)
    assert len(labels(another)) == 6
    assert another.post("/api/images/6/annotations/undo").json()["label"] is None
