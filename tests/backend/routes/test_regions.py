"""Regions over HTTP: kept exactly, changed one by one, undone, shown as a mask."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy import event
from starlette.testclient import TestClient

from tests.backend.routes.region_calls import (
    BOX,
    ERASER,
    IMAGE,
    MASK,
    POINT,
    POLYGON,
    PUT,
    REGIONS,
    STROKE,
    add,
    mask,
    said,
)


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


def test_put_annotations__of_points_runs_no_statement_about_regions(seg: TestClient) -> None:
    seg.put(PUT, json={"points": [POINT]})
    statements: list[str] = []
    engine = seg.app.state.context.database.engine  # type: ignore[attr-defined]
    event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    seg.put(PUT, json={"points": [POINT, {**POINT, "x": 9.0}]})
    assert statements
    assert not [statement for statement in statements if "region_shapes" in statement or "regions" in statement]
