"""Images whose features come while people label already."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from sqlalchemy import update

from benchmarks.client import Client
from benchmarks.product import Product
from db.database import Database
from db.enums import FeatureState
from db.tables.images import Image
from tests.end_to_end.labeling_page import LabelingPage

WAIT_MS = 60_000
FAILED_ID = 3


def forget_features(session_dir: Path) -> None:
    """As after `init --background`, with one image that cannot be used."""
    for file in (session_dir / "features").rglob("*.npy"):
        file.unlink()
    database = Database.of_session(session_dir)
    with database.write() as db_session:
        db_session.execute(update(Image).values(features=FeatureState.PENDING, pooled_ready=False))
        failed = {"features": FeatureState.FAILED, "failure": "tile.png needs more memory than there is"}
        db_session.execute(update(Image).where(Image.id == FAILED_ID).values(failed))
    database.close()


def test_label__points_set_before_the_features_are_there(
    start_product: Callable[[str], Product], labeling: LabelingPage
) -> None:
    product = start_product("segmentation")
    forget_features(product.session_dir)
    with Client(product.url) as client:
        total = client.json("GET", "health")["extraction"]["total"]
        classes = client.json("GET", "config")["classes"]
        labeling.open(product.url)
        expect(labeling.part("features-pending")).to_contain_text("Labels are kept")
        expect(labeling.part("extraction")).to_contain_text(f"Features 0 of {total - 1}")
        for number, entry in enumerate(classes[:2]):
            labeling.part(f"class-{entry['id']}").click()
            labeling.click_image(0.35 + 0.3 * number, 0.5)
        expect(labeling.canvas).to_have_attribute("data-annotation-revision", "2")
        product.start_extraction_service()
        expect(labeling.canvas).to_have_attribute("data-prediction-revision", "2", timeout=WAIT_MS)
        expect(labeling.part("features-pending")).to_be_hidden()
        assert labeling.overlay_ink()[0] > 0
        expect(labeling.part("extraction")).to_be_hidden(timeout=WAIT_MS)
        assert client.json("GET", "health")["extraction"]["done"] == total - 1


def test_gallery__images_that_cannot_be_used(start_product: Callable[[str], Product], labeling: LabelingPage) -> None:
    product = start_product("segmentation")
    forget_features(product.session_dir)
    with Client(product.url) as client:
        class_id = client.json("GET", "config")["classes"][0]["id"]
    labeling.open(product.url)
    labeling.part("gallery").click()
    labeling.part("filter-failed").click()
    tiles = labeling.page.locator(".tile")
    expect(tiles).to_have_count(1)
    tiles.click()
    expect(labeling.canvas).to_have_attribute("data-image-id", str(FAILED_ID))
    expect(labeling.part("features-failed")).to_contain_text("needs more memory than there is")
    expect(labeling.part(f"class-{class_id}")).to_be_disabled()
    labeling.click_image(0.5, 0.5)
    expect(labeling.canvas).to_have_attribute("data-annotation-revision", "0")
