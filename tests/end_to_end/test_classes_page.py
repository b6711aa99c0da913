"""Classes in a real browser: everything that can be done with them, by mouse and by keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from benchmarks.client import Client
from db.tables.session import LabelClass
from tests.conftest import ReadySession
from tests.end_to_end.labeling_page import LabelingPage

CAT, DOG, BIRD = 1, 2, 3
Serve = Callable[[ReadySession], str]


@pytest.fixture
def editor(page: Page, serve_page: Serve, classification_session: ReadySession, labeling: LabelingPage) -> Locator:
    """The class editor, open."""
    labeling.open(serve_page(classification_session))
    page.keyboard.press("l")
    dialog = page.locator("dialog.class-editor[open]")
    expect(dialog.get_by_role("row")).to_have_count(3)
    return dialog


def names(editor: Locator) -> list[str]:
    return editor.locator(".class-item").evaluate_all("rows => rows.map(row => row.getAttribute('aria-label'))")  # type: ignore[no-any-return]


def wait_for_names(labeling: LabelingPage, editor: Locator, expected: list[str]) -> None:
    labeling.wait_until(lambda: names(editor) == expected, f"the classes {expected}")


def level(editor: Locator, class_id: int) -> Locator:
    return editor.get_by_test_id(f"class-row-{class_id}")


def test_editor__keyboard_alone(page: Page, editor: Locator, labeling: LabelingPage) -> None:
    press = page.keyboard.press
    expect(editor.get_by_test_id(f"class-row-{CAT}")).to_be_focused()
    press("Alt+ArrowDown")
    wait_for_names(labeling, editor, ["dog", "cat", "bird"])
    expect(editor.get_by_test_id(f"class-row-{CAT}")).to_be_focused()
    press("Alt+ArrowRight")
    expect(level(editor, CAT)).to_have_attribute("aria-level", "2")
    press("Enter")
    page.keyboard.type("kitten")
    press("Enter")
    wait_for_names(labeling, editor, ["dog", "kitten", "bird"])
    expect(editor.get_by_test_id(f"class-row-{CAT}")).to_be_focused()
    press("Enter")
    page.keyboard.type("DOG")
    press("Enter")
    expect(page.get_by_test_id("toast")).to_contain_text("There is a class “dog” already.")
    press("Alt+ArrowLeft")
    expect(level(editor, CAT)).to_have_attribute("aria-level", "1")
    press("ArrowDown")
    press("Delete")
    expect(editor.get_by_test_id("removal-count")).to_contain_text("nothing")
    press("Escape")
    expect(editor.get_by_test_id(f"class-row-{BIRD}")).to_be_focused()
    press("Escape")
    expect(page.locator("dialog[open]")).to_have_count(0)


def test_editor__a_question_by_keys_has_the_focus_and_escape_closes_it(page: Page, editor: Locator) -> None:
    row = editor.get_by_test_id(f"class-row-{CAT}")
    for close in ("Enter", "Escape"):
        page.keyboard.press("Delete")
        expect(editor.get_by_test_id("keep-class")).to_be_focused()
        page.keyboard.press(close)
        expect(editor.get_by_test_id("removal-count")).to_have_count(0)
        expect(editor.locator(".class-rename")).to_have_count(0)
        expect(row).to_be_focused()
    page.keyboard.press("Delete")
    editor.locator("h2").click()
    page.keyboard.press("Escape")
    expect(editor.get_by_test_id("removal-count")).to_have_count(0)
    expect(editor).to_be_visible()


def test_editor__no_row_above_moves_when_something_opens(editor: Locator) -> None:
    row = editor.get_by_test_id(f"class-row-{CAT}")
    before = row.bounding_box()
    assert before is not None
    for opener in (f"color-{DOG}", f"merge-class-{DOG}", f"remove-class-{DOG}"):
        editor.get_by_test_id(opener).click()
        expect(editor.locator(".class-panel")).to_have_count(1)
        box = row.bounding_box()
        assert box is not None
        assert box["y"] == before["y"]


def test_editor__mouse_alone_and_undo_after_a_reload(page: Page, editor: Locator, labeling: LabelingPage) -> None:
    url = page.url.split("#")[0]
    with Client(url) as client:
        client.json("PUT", "images/1/annotations", json={"class_id": DOG})
        handle = editor.get_by_role("button", name="Move bird", exact=True).bounding_box()
        target = editor.get_by_test_id(f"class-row-{CAT}").bounding_box()
        assert handle is not None
        assert target is not None
        page.mouse.move(handle["x"] + 8, handle["y"] + 14)
        page.mouse.down()
        page.mouse.move(target["x"] + 80, target["y"] + 10, steps=4)
        page.mouse.move(target["x"] + 80, target["y"] + 18, steps=2)
        page.mouse.up()
        expect(level(editor, BIRD)).to_have_attribute("aria-level", "2")
        wait_for_names(labeling, editor, ["cat", "bird", "dog"])

        editor.get_by_test_id("new-class-name").fill("  Cat ")
        editor.get_by_test_id("add-class").click()
        expect(editor.get_by_test_id("class-problem")).to_contain_text("There is a class “cat” already.")
        editor.get_by_test_id("new-class-name").fill("fish")
        editor.get_by_test_id("add-class").click()
        wait_for_names(labeling, editor, ["cat", "bird", "dog", "fish"])

        editor.get_by_test_id(f"color-{DOG}").click()
        editor.locator("[data-color='#C2255C']").click()
        labeling.wait_until(lambda: color_of(client, DOG) == "#C2255C", "the new colour")

        editor.get_by_test_id(f"remove-class-{DOG}").click()
        expect(editor.get_by_test_id("removal-count")).to_have_text("1 image")
        editor.get_by_test_id("confirm-remove-class").click()
        expect(page.get_by_test_id("toast")).to_contain_text("Class “dog” removed, with 1 image.")
        wait_for_names(labeling, editor, ["cat", "bird", "fish"])
        assert client.annotations(1)["label"] is None
        page.get_by_test_id("toast").get_by_role("button", name="Undo").click()
        wait_for_names(labeling, editor, ["cat", "bird", "dog", "fish"])
        expect(editor).to_be_visible()
        editor.get_by_test_id(f"remove-class-{DOG}").click()
        editor.get_by_test_id("confirm-remove-class").click()
        wait_for_names(labeling, editor, ["cat", "bird", "fish"])

        labeling.open(url)
        page.get_by_test_id("edit-classes").click()
        editor.get_by_test_id("removed-classes").locator("summary").click()
        editor.get_by_test_id(f"restore-class-{DOG}").click()
        wait_for_names(labeling, editor, ["cat", "bird", "dog", "fish"])
        assert client.annotations(1)["label"]["class_id"] == DOG

        editor.get_by_test_id(f"merge-class-{DOG}").click()
        editor.get_by_test_id("merge-into").select_option(label="fish")
        expect(editor.get_by_test_id("merge-warning")).to_contain_text("brings “dog” back with them")
        expect(editor.get_by_text("Give its 1 image to")).to_be_visible()
        editor.get_by_test_id("confirm-merge").click()
        wait_for_names(labeling, editor, ["cat", "bird", "fish"])
        assert client.annotations(1)["label"]["class_id"] != DOG


def test_merge__undone_from_its_message_and_after_a_reload(page: Page, editor: Locator, labeling: LabelingPage) -> None:
    url = page.url.split("#")[0]
    with Client(url) as client:
        client.json("PATCH", f"classes/{BIRD}", json={"parent_id": DOG})
        before = client.json("GET", "classes")
        for image_id in (1, 2):
            client.json("PUT", f"images/{image_id}/annotations", json={"class_id": DOG})

        def merge_dog_into_cat() -> None:
            editor.get_by_test_id(f"merge-class-{DOG}").click()
            editor.get_by_test_id("merge-into").select_option(label="cat")
            editor.get_by_test_id("confirm-merge").click()
            wait_for_names(labeling, editor, ["cat", "bird"])

        wait_for_names(labeling, editor, ["cat", "dog", "bird"])
        merge_dog_into_cat()
        toast = page.get_by_test_id("toast")
        expect(toast).to_contain_text("“dog” is “cat” now: 2 annotations moved.")
        assert client.annotations(1)["label"]["class_id"] == CAT
        toast.get_by_role("button", name="Undo").click()
        expect(page.get_by_test_id("toast").last).to_contain_text("Class “dog” is back, with all that it had.")
        wait_for_names(labeling, editor, ["cat", "dog", "bird"])
        assert client.json("GET", "classes") == before
        page.keyboard.press("End")
        expect(editor.locator("[data-class-row]").last).to_be_focused()

        merge_dog_into_cat()
        client.json("PUT", "images/2/annotations", json={"class_id": BIRD})
        labeling.open(url)
        page.get_by_test_id("edit-classes").click()
        removed = editor.get_by_test_id("removed-classes")
        removed.locator("summary").click()
        expect(removed).to_contain_text("2 images · in “cat”")
        editor.get_by_test_id(f"restore-class-{DOG}").click()
        text = "Class “dog” is back, with 1 annotation; 1 that was changed since stays as it is."
        expect(page.get_by_test_id("toast").last).to_contain_text(text)
        wait_for_names(labeling, editor, ["cat", "dog", "bird"])
        assert client.json("GET", "classes") == before
        assert [client.annotations(n)["label"]["class_id"] for n in (1, 2)] == [DOG, BIRD]


def color_of(client: Client, class_id: int) -> Any:
    return next(entry["color"] for entry in client.json("GET", "classes") if entry["id"] == class_id)


def test_editor__many_classes_are_found_and_stay_quick_to_draw(
    page: Page, serve_page: Serve, classification_session: ReadySession, labeling: LabelingPage
) -> None:
    with classification_session.database.write() as db_session:
        db_session.add_all(
            LabelClass(name=f"kind {number}", color="#808080", position=3 + number) for number in range(197)
        )
    labeling.open(serve_page(classification_session))
    page.keyboard.press("l")
    rows = page.locator("dialog.class-editor[open]").get_by_role("row")
    expect(rows).to_have_count(200)
    page.get_by_test_id("search-classes").fill("kind 19")
    expect(rows).to_have_count(8)


def test_undetermined__is_an_answer_that_a_key_gives_and_undo_takes_back(
    page: Page, serve_page: Serve, classification_session: ReadySession, labeling: LabelingPage
) -> None:
    url = serve_page(classification_session)
    labeling.open(url)
    image_id = labeling.image_id
    with Client(url) as client:

        def status() -> str:
            return str(client.json("GET", f"images/{image_id}")["status"])

        page.keyboard.press("u")
        labeling.wait_until(lambda: labeling.image_id != image_id, "the next image")
        # The page does not wait for the server.
        labeling.wait_until(lambda: status() == "undetermined", "the answer on the server")
        page.keyboard.press("Shift+ArrowLeft")
        labeling.wait_until(lambda: labeling.image_id == image_id, "the image again")
        expect(labeling.part("undetermined-badge")).to_be_visible()
        page.keyboard.press("Control+z")
        expect(labeling.part("undetermined-badge")).to_have_count(0)
        assert status() == "unlabeled"
