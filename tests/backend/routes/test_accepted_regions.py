"""Predictions that are accepted as regions: whole, or one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
from starlette.testclient import TestClient

from tests.backend.routes.region_calls import BOX, IMAGE, PUT, REGIONS, add, mask


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


def test_accept_prediction__one_region_goes_below_what_people_drew(seg: TestClient, segmentation_session: Any) -> None:
    own = add(seg, BOX)["regions"][0]
    segmentation_session.add_prediction(1)
    state = seg.post(f"{IMAGE}/accept-prediction", json={"x": 2.5, "y": 2.5}).json()
    assert [r["origin"] for r in state["regions"]] == ["accepted", "human"]
    assert (mask(seg)[:20, 10:30] == 2).all()
    # Without what was drawn the whole region is there.
    seg.delete(f"{REGIONS}/{own['id']}")
    assert (mask(seg)[:20, 10:30] == 1).all()


def test_accept_prediction__an_eraser_of_before_cuts_no_hole(seg: TestClient, segmentation_session: Any) -> None:
    eraser = {"kind": "box", "class_id": None, "geometry": {"x0": 0, "y0": 0, "x1": 20, "y1": 10}}
    add(seg, BOX)
    add(seg, eraser)
    segmentation_session.add_prediction(1)
    predicted = mask(seg, "predicted")
    for body in ({"x": 2.5, "y": 30.5}, {}):
        state = seg.post(f"{IMAGE}/accept-prediction", json=body).json()
        found = mask(seg)
        assert (found[:10, :20] == predicted[:10, :20]).all(), "where it was erased"
        assert (found[10:20, 10:30] == 2).all(), "what was drawn, and not erased, stays"
        assert (found[:20, 20:30] == 2).all()
        assert [r["class_id"] for r in state["regions"][:2]] == [2, None], "nothing else changed its place"
    # A stroke of the eraser from now on does cut.
    add(seg, eraser)
    assert not mask(seg)[:10, :20].any()


def test_accept_prediction__a_region_that_is_drawn_over_lies_below_all(
    seg: TestClient, segmentation_session: Any
) -> None:
    image = seg.get(IMAGE).json()
    everything = {"x0": 0, "y0": 0, "x1": image["width"], "y1": image["height"]}
    corner = {"kind": "box", "class_id": None, "geometry": {"x0": 0, "y0": 0, "x1": 1, "y1": 1}}
    add(seg, corner, {"kind": "box", "class_id": 2, "geometry": everything}, corner)
    add(seg, {"kind": "box", "class_id": 2, "geometry": {"x0": 0, "y0": 0, "x1": 2, "y1": 2}}, corner)
    segmentation_session.add_prediction(1)
    found = seg.post(f"{IMAGE}/accept-prediction", json={"x": image["width"] - 2.5, "y": 30.5}).json()["regions"]
    assert found[0]["origin"] == "accepted"
    assert (mask(seg)[5:] == 2).all()


def test_accept_prediction__a_whole_above_an_eraser_is_replaced_by_the_next(
    seg: TestClient, segmentation_session: Any
) -> None:
    add(seg, BOX)
    add(seg, {"kind": "box", "class_id": None, "geometry": {"x0": 0, "y0": 0, "x1": 20, "y1": 10}})
    segmentation_session.add_prediction(1)
    state = seg.post(f"{IMAGE}/accept-prediction").json()
    assert seg.post(f"{IMAGE}/accept-prediction").json() == state
    alone = seg.post(f"{IMAGE}/accept-prediction", json={"x": 2.5, "y": 30.5}).json()["regions"][-1]
    after = seg.post(f"{IMAGE}/accept-prediction").json()
    assert after["regions"][-1] == alone
    assert len(after["regions"]) == 5
