"""Edits of regions in any order, beside other writers, at any cost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from backend.services import region_edits
from models.region_checks import checked_shape
from tests.backend.routes.region_calls import BOX, ERASER, MASK, POINT, POLYGON, PUT, REGIONS, STROKE, Region, add

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
