"""Regions while classes come and go: none changes its place among the others, and none gets lost."""

from __future__ import annotations

from typing import Any

from sqlalchemy import event

from db.enums import RegionKind, RegionOrigin
from db.queries import classes
from db.queries.annotation_state import StoredRegion, with_hidden
from db.queries.annotations import clear, undo
from db.queries.images import get_image
from db.queries.regions import NewRegion, NewShape, RegionEdit, edit_regions, replace_regions
from db.tables.images import Image
from tests.conftest import ReadySession
from tests.db.queries.annotating import change, state

A, B = 1, 2


def write(session: ReadySession, function: Any, *arguments: Any) -> Any:
    with session.database.write() as db_session:
        return function(db_session, get_image(db_session, 1, lock=True), *arguments)


def set_class(session: ReadySession, function: Any, class_id: int) -> None:
    with session.database.write() as db_session:
        function(db_session, class_id)


def box(place: int) -> NewShape:
    return NewShape(RegionKind.BOX, {"x0": place, "y0": 0, "x1": place + 1, "y1": 1})


def order(session: ReadySession) -> list[tuple[int, int]]:
    return [(region["id"], region["class_id"]) for region in state(session, 1)["regions"]]


def painted(session: ReadySession, *class_ids: int) -> list[tuple[int, int]]:
    write(session, replace_regions, [NewRegion(class_id, box(n)) for n, class_id in enumerate(class_ids)])
    return order(session)


def test_replace_regions__hidden_ones_keep_their_places(segmentation_session: ReadySession) -> None:
    before = painted(segmentation_session, A, B, A)
    set_class(segmentation_session, classes.remove_class, B)
    shown = [NewRegion(A, id=before[0][0]), NewRegion(A, id=before[2][0])]
    assert write(segmentation_session, replace_regions, shown)["revision"] == 2
    write(segmentation_session, replace_regions, [*shown, NewRegion(A, box(9))])
    set_class(segmentation_session, classes.restore_class, B)
    assert order(segmentation_session)[:3] == before


def test_replace_regions__only_rows_that_change_are_written(segmentation_session: ReadySession) -> None:
    before = painted(segmentation_session, A, B, A, B, A, B)
    written: list[int] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool) -> None:
        if statement.startswith(("UPDATE regions", "INSERT INTO regions", "DELETE FROM regions")):
            written.append(len(parameters) if executemany else 1)

    event.listen(segmentation_session.database.engine, "before_cursor_execute", note)
    kept = [NewRegion(class_id, id=region_id) for region_id, class_id in before]
    write(segmentation_session, replace_regions, [*kept[:2], NewRegion(B, id=before[2][0]), *kept[3:]])
    assert written == [1]
    # A new one gets its row before its place is known.
    write(
        segmentation_session,
        replace_regions,
        [*kept[:2], NewRegion(B, id=before[2][0]), *kept[3:], NewRegion(A, box(9))],
    )
    assert written[1:] == [1, 1]
    write(segmentation_session, replace_regions, [kept[1], kept[0], *kept[2:]])
    assert sum(written[3:]) == 4
    assert order(segmentation_session) == [before[1], before[0], *before[2:]]


def test_undo__hidden_regions_keep_their_places(segmentation_session: ReadySession) -> None:
    before = painted(segmentation_session, A, B, A)
    set_class(segmentation_session, classes.remove_class, B)
    write(segmentation_session, edit_regions, RegionEdit(add=[NewRegion(A, box(9))]))
    write(segmentation_session, clear)
    write(segmentation_session, undo)
    write(segmentation_session, undo)
    set_class(segmentation_session, classes.restore_class, B)
    assert order(segmentation_session) == before


def test_undo__a_region_whose_later_class_was_removed(segmentation_session: ReadySession) -> None:
    ((region_id, _class_id),) = painted(segmentation_session, A)
    write(segmentation_session, edit_regions, RegionEdit(change=[NewRegion(B, id=region_id)]))
    set_class(segmentation_session, classes.remove_class, B)
    write(segmentation_session, undo)
    assert order(segmentation_session) == [(region_id, A)]
    with segmentation_session.database.read() as db_session:
        assert db_session.get_one(Image, 1).region_count == 1
    assert change(segmentation_session, 1, "redo")["regions"] == []
    set_class(segmentation_session, classes.restore_class, B)
    assert order(segmentation_session) == [(region_id, B)]


def test_redo__brings_the_region_of_a_removed_class_for_when_it_is_restored(segmentation_session: ReadySession) -> None:
    before = painted(segmentation_session, A, B, A)
    write(segmentation_session, undo)
    set_class(segmentation_session, classes.remove_class, B)
    assert len(change(segmentation_session, 1, "redo")["regions"]) == 2
    set_class(segmentation_session, classes.restore_class, B)
    assert order(segmentation_session) == before


def test_with_hidden__right_above_what_lay_below() -> None:
    first, second, third, new = (StoredRegion(n, n, RegionKind.BOX, n, RegionOrigin.HUMAN) for n in range(4))
    assert with_hidden([first, new], [second, third], [first, second, third]) == (first, second, third, new)
    assert with_hidden([new], [second], [first, second]) == (second, new)
    assert with_hidden([new, first], [second], [], [first, second]) == (new, first, second)
    assert with_hidden([first], [first], [first]) == (first,)


def test_merge_class__histories_show_the_other_class(segmentation_session: ReadySession) -> None:
    for count in range(1, 6):
        painted(segmentation_session, *(B for _ in range(count)))
    with segmentation_session.database.write() as db_session:
        classes.merge_class(db_session, B, A)
    for count in range(4, 0, -1):
        found = change(segmentation_session, 1, "undo")["regions"]
        assert [region["class_id"] for region in found] == [A] * count
