"""A short run of what measures the page: real server, real ML service, real browser; whether it works, not how fast."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.page_clicks import kind_of, steps_of
from benchmarks.page_weight import bundle
from benchmarks.tables import marks
from fewclick.ensure_browser import find_browser

DIST = page.page_weight.DIST
ROWS = {
    "clicks": ("a person's", "as fast as they can be sent", "PUT annotations", "napari-convpaint"),
    "next": ("fetched ahead", "as soon as", "jump to an image"),
    "gallery": ("scrolled slowly", "scrolled fast", "scrolled very fast", "2 jumps", "and all pictures"),
    "points": ("whole image in sight", "moved, enlarged", "zoomed by the wheel"),
    "weight": ("loaded at once", "in all", "| 1 |", "| 5 |", "by itself", "within 0.5 s"),
}
"""Of each part, what its tables name."""


@pytest.mark.skipif(
    find_browser() is None or not (DIST / "index.html").is_file(), reason="no Chromium, or the page is not built"
)
def test_main__a_short_run_writes_all_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "benchmarks.md"
    # The gallery last: the others share a session.
    parts = sorted(page.PARTS, key=lambda name: name == "gallery")
    # In a thread of its own: a browser that other tests have open keeps this one's event loop running.
    with ThreadPoolExecutor(1) as pool:
        status = pool.submit(page.main, [*parts, "--quick", "--out", str(out)]).result()
    assert status == 0, capsys.readouterr().err
    document = out.read_text(encoding="utf-8")
    for part, rows in ROWS.items():
        start, end = marks(f"page: {part}")
        text = document.partition(start)[2].partition(end)[0]
        assert f"`python -m benchmarks.page {part} --quick`" in text
        assert [row for row in rows if row not in text] == []
    assert "nan" not in document
    assert "nothing was shown" not in document


def test_main__unknown_part(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        page.main(["colour"])
    assert "found part colour, expected some of clicks" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("request_", "kind"),
    [
        ({"method": "PUT", "path": "/api/images/12/annotations", "size": None}, "PUT annotations"),
        ({"method": "GET", "path": "/api/images/12/prediction/map", "size": "grid"}, "GET map (grid)"),
        ({"method": "GET", "path": "/api/map", "size": None}, "GET map"),
        ({"method": "GET", "path": "/api/images/12", "size": None}, "GET images"),
    ],
)
def test_kind_of__names_without_ids(request_: dict[str, str | None], kind: str) -> None:
    assert kind_of(request_) == kind


def test_steps_of__of_the_clicked_image_only() -> None:
    record = {
        "began": 100.0,
        "overlay": {"set": 140.0, "shown": 150.0},
        "requests": [
            {"method": "PUT", "path": "/api/images/7/annotations", "size": None, "sent": 101.0, "answered": 110.0},
            {"method": "GET", "path": "/api/images/7/prediction", "size": None, "sent": 121.0, "answered": 130.0},
            {"method": "GET", "path": "/api/images/7/prediction", "size": None, "sent": 139.0, "answered": 160.0},
        ],
        "events": [{"at": 105.0, "image_ids": [8, 9]}, {"at": 120.0, "image_id": 7}, {"at": 135.0, "image_ids": [70]}],
    }
    assert steps_of(record) == {
        "put_sent": 1.0, "put_answered": 10.0, "announced": 20.0, "overlay_set": 40.0,
    }  # fmt: skip


def test_bundle__what_the_page_names_is_loaded_at_once(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text('<script src="./assets/index-1.js"></script>', encoding="utf-8")
    (tmp_path / "assets" / "index-1.js").write_bytes(b"a" * 4096)
    (tmp_path / "assets" / "Lazy-2.js").write_bytes(bytes(range(256)) * 16)
    (tmp_path / "assets" / "picture.svg").write_bytes(b"not counted")
    at_once, in_all = bundle(tmp_path)
    assert (at_once.files, in_all.files) == (1, 3)
    assert 0 < at_once.kb < in_all.kb < 1
    assert in_all.verdict == "reached"


def test_percentiles__of_nothing() -> None:
    assert all(math.isnan(value) for value in page.page_clicks.percentiles([]))
