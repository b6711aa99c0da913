"""Regions over HTTP: kept exactly, changed one by one, undone, accepted from the prediction, shown as a mask."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as PillowImage
from sqlalchemy import event
from starlette.testclient import TestClient

from backend.services import region_edits
from models.region_checks import checked_shape
from models.region_shapes import Polygon, compose
from models.run_lengths import decode_runs

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


def test_regions__are_kept_as_they_are_sent(seg: TestClient) -> None:
    sent = [STROKE, BOX, POLYGON, MASK, ERASER]
    state = seg.put(PUT, json={"revision": 0, "regions": sent}).json()
    assert said(state) == [(r["kind"], r["class_id"], "human", r["geometry"]) for r in sent]
    assert seg.get(PUT).json() == state
    assert seg.get(IMAGE).json()["status"] == "labeled"
    # What came back may be sent again as it is, and is no change.
    assert seg.put(PUT, json={"regions": state["regions"]}).json() == state
    assert seg.put(PUT, json={"regions": sent}).json() == state


def test_put_annotations__of_points_keeps_regions_and_the_other_way_round(seg: TestClient) -> None:
    regions = add(seg, STROKE, BOX)["regions"]
    state = seg.put(PUT, json={"revision": 1, "points": [POINT]}).json()
    assert state["regions"] == regions
    assert len(state["points"]) == 1
    state = seg.put(PUT, json={"revision": 2, "regions": [regions[1]]}).json()
    assert state["regions"] == regions[1:]
    assert len(state["points"]) == 1
    both = seg.put(PUT, json={"points": [], "regions": []}).json()
    assert (both["points"], both["regions"], both["revision"]) == ([], [], 4)
    assert seg.get(IMAGE).json()["status"] == "unlabeled"


def test_edit_regions__one_action_is_one_step(seg: TestClient) -> None:
    first = add(seg, STROKE, BOX, POLYGON)
    stroke, box, polygon = first["regions"]
    state = add(
        seg, ERASER, change=[{"id": box["id"], "dx": 4, "dy": 2, "class_id": 1}], remove=[stroke["id"]], revision=1
    )
    assert [r["id"] for r in state["regions"]][:2] == [box["id"], polygon["id"]]
    assert state["regions"][0]["geometry"] == {"x0": 14.0, "y0": 2.0, "x1": 34.0, "y1": 22.0}
    assert state["regions"][0]["class_id"] == 1
    assert state["revision"] == 2
    assert seg.post(f"{PUT}/undo").json()["regions"] == first["regions"]
    assert seg.post(f"{PUT}/redo").json()["regions"] == state["regions"]


def test_change_and_remove_region(seg: TestClient) -> None:
    region = add(seg, MASK)["regions"][0]
    moved = seg.patch(f"{REGIONS}/{region['id']}", json={"dx": 2.4, "dy": -1, "revision": 1}).json()
    assert moved["regions"][0]["geometry"] == {"x": 5, "y": 3, "size": [2, 2], "counts": "04"}
    eraser = seg.patch(f"{REGIONS}/{region['id']}", json={"class_id": None}).json()
    assert eraser["regions"][0]["class_id"] is None
    assert seg.get(IMAGE).json()["status"] == "unlabeled", "an eraser alone says nothing"
    assert seg.delete(f"{REGIONS}/{region['id']}", params={"revision": 1}).status_code == 409
    assert seg.delete(f"{REGIONS}/{region['id']}", params={"revision": 3}).json()["regions"] == []
    assert seg.delete(f"{REGIONS}/{region['id']}").status_code == 400
    for _ in range(4):
        state = seg.post(f"{PUT}/undo").json()
    assert (state["regions"], state["can_undo"]) == ([], False)


def test_regions__a_stale_revision_gets_the_current_state(seg: TestClient) -> None:
    current = add(seg, STROKE)
    for response in (
        seg.post(REGIONS, json={"revision": 0, "add": [BOX]}),
        seg.put(PUT, json={"revision": 0, "regions": []}),
        seg.put(PUT, json={"revision": 0, "points": []}),
    ):
        assert response.status_code == 409
        assert response.json()["current"] == current


def test_regions__geometry_of_what_changed_alone(seg: TestClient) -> None:
    add(seg, STROKE, BOX)
    only_new = {"geometry": "changed"}
    state = seg.post(REGIONS, json={"add": [POLYGON]}, params=only_new).json()
    assert [r["geometry"] is None for r in state["regions"]] == [True, True, False]
    state = seg.put(PUT, json={"points": [POINT]}, params=only_new).json()
    assert [r["geometry"] for r in state["regions"]] == [None] * 3
    seg.put(PUT, json={"regions": []}, params=only_new)
    state = seg.post(f"{PUT}/undo", params=only_new).json()
    assert all(r["geometry"] for r in state["regions"])


@pytest.mark.parametrize(
    ("region", "status", "part"),
    [
        ({**STROKE, "geometry": {"points": [[900.0, 5.0]], "radius": 3}}, 400, "covers no pixel"),
        ({**STROKE, "geometry": {"points": [], "radius": 3}}, 422, "points"),
        ({**STROKE, "geometry": {"points": [[1, 2]], "radius": 0}}, 422, "radius"),
        ({**STROKE, "geometry": {"points": [[1, 2]] * 10_001, "radius": 1}}, 422, "10000"),
        ({**STROKE, "geometry": BOX["geometry"]}, 422, "points"),
        ({**STROKE, "kind": "heap"}, 422, "kind"),
        ({"kind": "stroke", "class_id": 1}, 422, "needs a geometry"),
        ({**STROKE, "class_id": 77}, 400, "there is no class 77"),
        ({**MASK, "geometry": {"x": 0, "y": 0, "size": [500, 500], "counts": "04"}}, 400, "does not fit"),
        ({**MASK, "geometry": {"x": 0, "y": 0, "size": [3, 3], "counts": "04"}}, 400, "do not tell of the 3 x 3"),
        ({**POLYGON, "geometry": {"rings": [[[1, 1], [2, 2], [1, 1]]]}}, 400, "2 corners"),
    ],
)
def test_regions__refused(seg: TestClient, region: dict[str, Any], status: int, part: str) -> None:
    response = seg.post(REGIONS, json={"add": [BOX, region]})
    assert response.status_code == status
    assert part in response.text
    assert seg.get(PUT).json()["revision"] == 0


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_regions__numbers_that_are_none(seg: TestClient, number: str) -> None:
    body = '{"add": [{"kind": "stroke", "class_id": 1, "geometry": {"points": [[NUMBER, 2]], "radius": 3}}]}'
    response = seg.post(REGIONS, content=body.replace("NUMBER", number), headers={"content-type": "application/json"})
    assert response.status_code == 422


def test_regions__of_another_task(cla: TestClient) -> None:
    assert cla.post(REGIONS, json={"add": [STROKE]}).status_code == 400
    assert cla.put(PUT, json={"regions": []}).status_code == 400
    assert cla.get(f"{IMAGE}/mask").status_code == 400
    assert cla.get(PUT).json()["regions"] == []


def test_regions__a_client_cannot_choose_the_origin(seg: TestClient) -> None:
    assert add(seg, {**STROKE, "origin": "accepted"})["regions"][0]["origin"] == "human"


def test_get_mask__the_last_wins_and_the_eraser_removes(seg: TestClient) -> None:
    assert not mask(seg).any()
    add(seg, {**BOX, "class_id": 1}, {**BOX, "class_id": 2, "geometry": {**BOX["geometry"], "x0": 20.0}}, ERASER)
    found = mask(seg)
    expected = np.zeros_like(found)
    expected[:20, 10:20], expected[:20, 20:30] = 1, 2
    expected[:12, :12] = 0
    assert (found == expected).all()
    assert (mask(seg, "merged") == expected).all()
    assert seg.get(f"{IMAGE}/mask", params={"source": "predicted"}).status_code == 404


def test_regions__survive_a_restart_with_their_history(seg: TestClient, segmentation_session: Any, serve: Any) -> None:
    first = add(seg, STROKE)
    second = add(seg, BOX)
    again = serve(segmentation_session)
    assert again.get(PUT).json() == second
    assert again.post(f"{PUT}/undo").json()["regions"] == first["regions"]
    assert again.post(f"{PUT}/redo").json()["regions"] == second["regions"]


def test_regions__go_and_come_back_with_their_class(seg: TestClient) -> None:
    state = add(seg, STROKE, BOX)
    hidden = seg.delete("/api/classes/2").json()
    assert hidden["annotations_removed"] == 1
    assert [r["class_id"] for r in seg.get(PUT).json()["regions"]] == [1]
    assert set(np.unique(mask(seg))) == {0, 1}
    seg.put(PUT, json={"regions": []})
    assert seg.get(IMAGE).json()["status"] == "unlabeled"
    seg.post("/api/classes/2/restore")
    assert [r["id"] for r in seg.get(PUT).json()["regions"]] == [state["regions"][1]["id"]]
    assert seg.get(IMAGE).json()["status"] == "labeled"


def test_regions__follow_a_merge_of_classes_in_their_history_too(seg: TestClient) -> None:
    add(seg, STROKE, BOX)
    seg.put(PUT, json={"regions": []})
    seg.patch("/api/classes/2", json={"merge_into": 1})
    assert [r["class_id"] for r in seg.post(f"{PUT}/undo").json()["regions"]] == [1, 1]


def test_regions__count_in_stats_and_in_the_list(seg: TestClient) -> None:
    add(seg, STROKE, BOX, BOX)
    by_class = {row["class_id"]: row for row in seg.get("/api/stats").json()["by_class"]}
    assert [by_class[c]["images"] for c in (1, 2)] == [1, 1]
    assert [by_class[c]["regions"] for c in (1, 2)] == [1, 2]
    assert seg.get("/api/images", params={"class_id": 2}).json()["total"] == 1


def test_accept_prediction__the_whole_becomes_masks_below_what_people_drew(
    seg: TestClient, segmentation_session: Any
) -> None:
    own = add(seg, BOX)["regions"][0]
    segmentation_session.add_prediction(1)
    state = seg.post(f"{IMAGE}/accept-prediction", json={"revision": 1}).json()
    assert [(r["kind"], r["origin"]) for r in state["regions"]] == [("mask", "accepted")] * 2 + [("box", "human")]
    assert state["regions"][-1]["id"] == own["id"]
    found, predicted = mask(seg), mask(seg, "predicted")
    assert (found[:, :10] == predicted[:, :10]).all()
    assert (found[:20, 10:30] == 2).all()
    assert (mask(seg, "merged") == found).all()
    # Once more is no change: what was accepted as a whole is replaced.
    assert seg.post(f"{IMAGE}/accept-prediction").json() == state
    assert seg.post(f"{IMAGE}/accept-prediction", json={"version": 7}).status_code == 409
    assert [r["id"] for r in seg.post(f"{PUT}/undo").json()["regions"]] == [own["id"]]


def test_accept_prediction__one_region_right_or_corrected(seg: TestClient, segmentation_session: Any) -> None:
    width = seg.get(IMAGE).json()["width"]
    segmentation_session.add_prediction(1)
    state = seg.post(f"{IMAGE}/accept-prediction", json={"x": 2.5, "y": 2.5}).json()
    assert [(r["class_id"], r["origin"]) for r in state["regions"]] == [(1, "accepted")]
    assert (mask(seg)[:, : width // 2 - 4] == 1).all()
    assert not mask(seg)[:, width // 2 + 4 :].any()
    state = seg.post(f"{IMAGE}/accept-prediction", json={"x": 2.5, "y": 2.5, "class_id": 2}).json()
    assert [(r["class_id"], r["origin"]) for r in state["regions"]] == [(1, "accepted"), (2, "corrected")]
    assert (mask(seg)[:, : width // 2 - 4] == 2).all()
    assert seg.post(f"{IMAGE}/accept-prediction", json={"x": 9999, "y": 1}).status_code == 400
    assert seg.post(f"{IMAGE}/accept-prediction", json={"x": 1}).status_code == 422
    # A person who changes what was accepted has corrected it.
    moved = seg.patch(f"{REGIONS}/{state['regions'][0]['id']}", json={"dx": 1}).json()
    assert moved["regions"][0]["origin"] == "corrected"


def test_accept_prediction__the_whole_keeps_what_was_accepted_one_by_one(
    seg: TestClient, segmentation_session: Any
) -> None:
    segmentation_session.add_prediction(1)
    alone = seg.post(f"{IMAGE}/accept-prediction", json={"x": 2.5, "y": 2.5}).json()["regions"]
    state = seg.post(f"{IMAGE}/accept-prediction").json()
    assert len(state["regions"]) == 3
    assert state["regions"][-1:] == alone, "on top of the whole"
    # The whole goes with the next whole.
    assert seg.post(f"{IMAGE}/accept-prediction").json() == state
    segmentation_session.add_prediction(1, version=2, logits=np.stack([np.full((6, 8), v) for v in (-8.0, 8.0, -8.0)]))
    state = seg.post(f"{IMAGE}/accept-prediction").json()
    assert state["regions"][-1:] == alone
    assert len(state["regions"]) == 2
    # A whole of one region goes with the next whole as well.
    segmentation_session.add_prediction(1, version=3)
    state = seg.post(f"{IMAGE}/accept-prediction").json()
    assert state["regions"][-1:] == alone
    assert len(state["regions"]) == 3


def test_accept_prediction__holes_are_filled(seg: TestClient, segmentation_session: Any) -> None:
    ring = np.full((3, 6, 8), -8.0)
    ring[0] = 8.0
    ring[:2, 2:4, 3:5] = [[[-8.0]], [[8.0]]]
    segmentation_session.add_prediction(1, logits=ring)
    assert (mask(seg, "predicted") == 2).any()
    open_one = seg.post(f"{IMAGE}/accept-prediction", json={"x": 0.5, "y": 0.5}).json()["regions"][0]
    assert open_one["origin"] == "accepted"
    assert not mask(seg).all()
    seg.post(f"{IMAGE}/accept-prediction", json={"x": 0.5, "y": 0.5, "fill_holes": True})
    assert mask(seg).all()


def test_put_annotations__of_points_runs_no_statement_about_regions(seg: TestClient) -> None:
    seg.put(PUT, json={"points": [POINT]})
    statements: list[str] = []
    engine = seg.app.state.context.database.engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    seg.put(PUT, json={"points": [POINT, {**POINT, "x": 9.0}]})
    assert statements
    assert not [statement for statement in statements if "region_shapes" in statement or "regions" in statement]


def painted(client: TestClient) -> np.ndarray:
    add(client, {**BOX, "class_id": 1}, {**BOX, "geometry": {**BOX["geometry"], "x0": 20.0}}, ERASER)
    return mask(client)


def test_export__indexed_masks_are_what_the_regions_say(seg: TestClient, segmentation_session: Any) -> None:
    expected = painted(seg)
    segmentation_session.add_prediction(1)
    segmentation_session.add_prediction(2)
    seg.put("/api/images/2/annotations", json={"points": [POINT]})

    def exported(**params: str) -> dict[str, np.ndarray]:
        response = seg.get("/api/export", params={"format": "png-masks", **params})
        archive = zipfile.ZipFile(io.BytesIO(response.content))
        names = [name for name in archive.namelist() if name.endswith(".png")]
        # As values of GET mask: 0 for no class.
        return {
            name: np.asarray(PillowImage.open(io.BytesIO(archive.read(name)))) + np.uint8(1) for name in sorted(names)
        }

    assert list(exported()) == ["masks/image_0.png", "masks/image_1.png"]
    assert (exported()["masks/image_0.png"] == expected).all()
    assert list(exported(masks="annotated")) == ["masks/image_0.png"]
    predicted = mask(seg, "predicted")
    assert (exported(masks="predicted")["masks/image_0.png"] == predicted).all()
    merged = exported(masks="merged")["masks/image_0.png"]
    assert (merged == np.where(expected > 0, expected, predicted)).all()
    assert (exported(masks="merged")["masks/image_1.png"] > 0).all()


@pytest.mark.parametrize("outlines", ["rle", "polygons"])
def test_export__coco_of_regions(seg: TestClient, outlines: str) -> None:
    expected = painted(seg)
    document = seg.get("/api/export", params={"format": "coco", "outlines": outlines}).json()
    found = np.zeros_like(expected)
    for annotation in document["annotations"]:
        told = annotation["segmentation"]
        if outlines == "rle":
            pixels = decode_runs(told["counts"], *told["size"])
        else:
            corners = np.array(told[0]).reshape(-1, 2)
            pixels = compose([(Polygon((corners,)), 1)], *expected.shape[::-1]) == 1
            assert annotation["area"] == pytest.approx(pixels.sum(), rel=0.2)
        found[pixels] = annotation["category_id"]
    assert (found == expected).all()


def test_export__yolo_of_regions(seg: TestClient) -> None:
    expected = painted(seg)
    archive = zipfile.ZipFile(io.BytesIO(seg.get("/api/export", params={"format": "yolo-segment"}).content))
    assert sorted(archive.namelist()) == ["data.yaml", "labels/image_0.txt", "train.txt", "val.txt"]
    assert archive.read("train.txt").decode() == "./images/image_0.png\n"
    assert archive.read("data.yaml").decode().endswith('names:\n  0: "foreground"\n  1: "background"\n')
    found = np.zeros_like(expected)
    height, width = expected.shape
    for line in archive.read("labels/image_0.txt").decode().splitlines():
        number, *values = line.split()
        corners = np.array(values, dtype=float).reshape(-1, 2) * (width, height)
        found[compose([(Polygon((corners,)), 1)], width, height) == 1] = int(number) + 1
    assert (found == expected).all()


def test_export__json_has_regions_and_the_shapes_of_earlier_ones(seg: TestClient) -> None:
    add(seg, STROKE)
    state = seg.put(PUT, json={"regions": [BOX]}).json()
    image = seg.get("/api/export", params={"history": True}).json()["images"][0]
    assert [(r["kind"], r["class_id"], r["geometry"]) for r in image["regions"]] == [("box", 2, BOX["geometry"])]
    earlier = image["history"][0]["regions"][0]
    assert image["shapes"][str(earlier["shape_id"])] == {"kind": "stroke", "geometry": STROKE["geometry"]}
    assert image["history"][1]["regions"][0]["id"] == state["regions"][0]["id"]
    assert "shapes" not in seg.get("/api/export").json()["images"][0]


ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from([STROKE, BOX, POLYGON, MASK, ERASER])),
        st.tuples(st.just("remove"), st.integers(0, 5)),
        st.tuples(st.just("move"), st.integers(0, 5)),
        st.tuples(st.just("points"), st.integers(0, 3)),
        st.tuples(st.sampled_from(["undo", "redo", "clear"]), st.none()),
    ),
    max_size=12,
)


@given(ACTIONS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_regions__undo_and_redo_are_exact_whatever_was_done(seg: TestClient, actions: list[tuple[str, Any]]) -> None:
    seg.delete(PUT)
    start = seg.get(PUT).json()
    past: list[Region] = [start]
    future: list[Region] = []

    def content(state: dict[str, Any]) -> tuple[Any, ...]:
        return state["regions"], [(p["x"], p["y"], p["class_id"]) for p in state["points"]]

    for kind, value in actions:
        now = past[-1]
        regions = now["regions"]
        if kind in {"undo", "redo"}:
            possible = len(past) > 1 if kind == "undo" else bool(future)
            if not possible:
                continue
            state = seg.post(f"{PUT}/{kind}").json()
            if kind == "undo":
                future.append(past.pop())
            else:
                past.append(future.pop())
            assert content(state) == content(past[-1])
            continue
        if kind == "add":
            state = add(seg, value)
        elif kind == "points":
            state = seg.put(PUT, json={"points": [{**POINT, "x": float(n)} for n in range(value)]}).json()
        elif kind == "clear":
            state = seg.delete(PUT).json()
        elif not regions:
            continue
        elif kind == "remove":
            state = seg.delete(f"{REGIONS}/{regions[value % len(regions)]['id']}").json()
        else:
            state = seg.patch(f"{REGIONS}/{regions[value % len(regions)]['id']}", json={"dx": 1, "dy": 1}).json()
        if state["revision"] != now["revision"] and content(state) != content(now):
            past.append(state)
            future = []
        past[-1] = state
        assert content(seg.get(PUT).json()) == content(state)


def test_post_regions__shapes_are_looked_at_while_others_write(
    seg: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    region_id = add(seg, STROKE)["regions"][0]["id"]
    other = {"add": [BOX]}
    written: list[int] = []

    def check_while_another_writes(kind: str, geometry: Any, width: int, height: int) -> Any:
        if not written:
            written.append(0)
            written[0] = seg.post("/api/images/2/regions", json=other).status_code
        return checked_shape(kind, geometry, width, height)

    monkeypatch.setattr(region_edits, "checked_shape", check_while_another_writes)
    for change in ({"add": [MASK]}, {"change": [{"id": region_id, "dx": 2.0}]}):
        written.clear()
        assert seg.post(REGIONS, json=change).status_code == 200
        assert written == [200]
    written.clear()
    assert seg.put(PUT, json={"regions": [BOX]}).status_code == 200
    assert written == [200]


def test_post_regions__a_move_starts_from_what_another_left(seg: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    region_id = add(seg, BOX)["regions"][0]["id"]
    moved: list[int] = []

    def check_while_another_moves(kind: str, geometry: Any, width: int, height: int) -> Any:
        if not moved:
            moved.append(0)
            moved[0] = seg.post(REGIONS, json={"change": [{"id": region_id, "dx": -5.0}]}).status_code
        return checked_shape(kind, geometry, width, height)

    monkeypatch.setattr(region_edits, "checked_shape", check_while_another_moves)
    state = seg.post(REGIONS, json={"change": [{"id": region_id, "dy": 3.0}]}).json()
    assert moved == [200]
    assert state["regions"][0]["geometry"] == {"x0": 5.0, "y0": 3.0, "x1": 25.0, "y1": 23.0}


def test_post_regions__that_take_too_much_computing_are_refused(
    seg: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region_edits, "MOST_PIXELS", 800)
    add(seg, POLYGON, BOX, MASK)
    response = seg.post(REGIONS, json={"add": [POLYGON, POLYGON]})
    assert response.status_code == 400
    assert "several requests" in response.json()["detail"]
