from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmarks import screenshot_animation
from benchmarks.client import ProductError
from benchmarks.screenshot_animation import FILM_SIZE, Film
from benchmarks.screenshot_sessions import SERVED, scene_class_ids
from benchmarks.screenshot_views import README_VIEWS, every_view
from benchmarks.screenshots import file_name, main

IDS = {"ground": 1, "grass": 2, "gravel": 3, "wall": 4, "bright": 5, "dark": 6}


def film_of(colors: list[str]) -> Film:
    frames = [Image.new("RGB", FILM_SIZE, color) for color in colors]
    return Film(page=None, frames=frames, durations_ms=[100 * (place + 1) for place in range(len(frames))])  # type: ignore[arg-type]


def test_every_view__has_a_name_of_its_own_and_a_session_that_is_served() -> None:
    views = every_view()
    assert len({view.name for view in views}) == len(views)
    assert {view.session for view in [*views, *README_VIEWS]} <= set(SERVED)
    assert {view.size for view in views} >= {(1280, 720), (1024, 640), (390, 844)}


def test_file_name__tells_the_theme() -> None:
    assert [file_name("start", theme) for theme in ("light", "dark")] == ["start", "start_dark"]


def test_scene_class_ids__are_what_the_scene_is_made_of() -> None:
    assert scene_class_ids(0, IDS) == [IDS["bright"], IDS["wall"]]
    assert scene_class_ids(1, IDS) == [IDS["dark"], IDS["grass"]]
    assert scene_class_ids(4, IDS) == [IDS["bright"], IDS["grass"], IDS["gravel"]]


def test_film__is_kept_frame_by_frame(tmp_path: Path) -> None:
    film = film_of(["red", "green", "blue"])
    film.save(tmp_path / "film.webp")
    with Image.open(tmp_path / "film.webp") as kept:
        assert (kept.size, kept.n_frames, kept.info["loop"]) == (FILM_SIZE, 3, 0)  # type: ignore[attr-defined]
    assert film.seconds == pytest.approx(0.6)


def test_film__refuses_to_be_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screenshot_animation, "MOST_BYTES", 10)
    with pytest.raises(ProductError, match="at most 10 are wanted"):
        film_of(["red", "green"]).save(tmp_path / "film.webp")


def test_main__asks_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "give --out FOLDER, --readme or --animation" in capsys.readouterr().err
