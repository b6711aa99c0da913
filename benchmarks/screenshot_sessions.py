"""The sessions of the screenshots: made from images of packages, labelled by scripted clicks, served together."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import yaml
from PIL import Image

from benchmarks.client import Client, ProductError
from benchmarks.product import ROOT, StartError, environment, free_port, init_session
from benchmarks.screenshot_clicks import click_classes, wait_until_predicted
from db.database import DATABASE_FILE_NAME
from fewclick.demo import CLASSIFICATION, DemoSession, make_demo, write_images

TISSUE = DemoSession(
    name="tissue",
    config={
        "task": "segmentation",
        "classes": [
            {"name": "stained", "color": "#E69F00"},
            {"name": "nucleus", "color": "#0072B2"},
            {"name": "background", "color": "#CC79A7"},
        ],
    },
    pictures=(("ihc.png", (128, 128)),),
)
LARGE_TISSUE = replace(TISSUE, name="sections", pictures=(("ihc.png", (256, 256)),))
# Many small ones, for a gallery that is full.
TEXTURES = replace(CLASSIFICATION, name="textures", pictures=tuple((n, (128, 128)) for n, _ in CLASSIFICATION.pictures))
SERVED = ("tissue", "textures", "scenes", "sections", "archive")
"""Names of the sessions, which are parts of their addresses as well."""
SCENE_CLASSES: list[dict[str, str]] = [
    {"name": "ground", "color": "#7A5C2E"},
    {"name": "grass", "color": "#009E73", "parent": "ground"},
    {"name": "gravel", "color": "#56B4E9", "parent": "ground"},
    {"name": "wall", "color": "#D55E00"},
    {"name": "bright", "color": "#F0E442", "group": "light"},
    {"name": "dark", "color": "#4C4F69", "group": "light"},
]
SCENE_SIDE_PX = 160
TILES_TO_CLICK = 8
SHOWN_TILE = 3
"""Index of a tile with all three classes."""
LABELS = 34
ANSWERED_SCENES = 9
START_LIMIT_S = 120.0
RUN_LIMIT_S = 180.0
STOP_LIMIT_S = 15.0
POLL_INTERVAL_S = 0.2


def make_sessions(root: Path) -> list[Path]:
    """The sessions of `SERVED`, in their order; beside them a folder of others that nobody serves."""
    tissue, textures, sections = make_demo(root, (TISSUE, TEXTURES, LARGE_TISSUE))
    scenes = _make_scenes(root / "scenes")
    archive = _copy(textures, root / "archive" / "session", "archive")
    others = root / "others"
    if not others.is_dir():
        _copy(tissue, others / "next-month" / "session", "next month")
        shutil.move(others / "next-month" / "session", others / "biopsies")
        shutil.rmtree(others / "next-month")
        unreadable = others / "unreadable"
        unreadable.mkdir(parents=True)
        (unreadable / DATABASE_FILE_NAME).write_bytes(b"no database")
    return [tissue, textures, scenes, sections, archive]


def _copy(session_dir: Path, target: Path, name: str) -> Path:
    """A session of the same images under another name."""
    if not target.is_dir():
        target.parent.mkdir(parents=True)
        values = yaml.safe_load((session_dir.parent / "config.yaml").read_text())
        values |= {"name": name, "image_dir": str(session_dir.parent / "images"), "session_dir": target.name}
        config = target.parent / "config.yaml"
        config.write_text(yaml.safe_dump(values, sort_keys=False))
        init_session(config)
    return target


def _make_scenes(folder: Path) -> Path:
    """Two textures side by side, bright or dark, for labels of several classes; and a file that is no image."""
    if not (folder / "session" / DATABASE_FILE_NAME).is_file():
        write_images(folder / "tiles", TEXTURES)
        (folder / "images").mkdir(exist_ok=True)
        tiles = sorted((folder / "tiles").iterdir())
        for index in range(24):
            _scene(tiles, index).save(folder / "images" / f"scene_{index + 1:02}.png")
        (folder / "images" / "scene_25.png").write_bytes(b"half of a file")
        values: dict[str, Any] = {
            "name": "scenes",
            "task": "multilabel",
            "image_dir": "images",
            "session_dir": "session",
        }
        config = folder / "config.yaml"
        config.write_text(yaml.safe_dump(values | {"classes": SCENE_CLASSES, "resize": 256}, sort_keys=False))
        init_session(config)
    return folder / "session"


def _scene(tiles: Sequence[Path], index: int) -> Image.Image:
    left, right = (
        np.asarray(Image.open(tiles[place]).convert("L").resize((SCENE_SIDE_PX,) * 2)) for place in _parts(index)
    )
    scene = left.copy()
    scene[:, SCENE_SIDE_PX // 2 :] = right[:, SCENE_SIDE_PX // 2 :]
    return Image.fromarray((scene * (0.35 if _is_dark(index) else 1.0)).astype(np.uint8))


def _parts(index: int) -> tuple[int, int]:
    """Indices of the tiles at its left and right; the demo mixes brick, grass and gravel in turns."""
    return index, index + (index // 3) % 3


def _is_dark(index: int) -> bool:
    return index % 4 == 1


def scene_class_ids(index: int, ids: dict[str, int]) -> list[int]:
    """What a scene shows."""
    names = {("wall", "grass", "gravel")[place % 3] for place in _parts(index)} | {
        "dark" if _is_dark(index) else "bright"
    }
    return [ids[name] for name in sorted(names)]


@contextmanager
def serve(sessions: Sequence[Path], others: Path, log: Path) -> Iterator[str]:
    """Address of `fewclick up` with these sessions.

    Raises:
        StartError: it did not come up.
    """
    port = free_port()
    named = [part for folder in sessions for part in ("--session", str(folder))]
    command = [sys.executable, "-m", "fewclick.cli", "up", *named, "--sessions-root", str(others), "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment({}), stdout=output, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"
    try:
        for name in SERVED:
            _wait_for(f"{url}/s/{name}/api/health", process, log)
        yield url
    finally:
        process.terminate()
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(health_url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = httpx.get(health_url, timeout=5, trust_env=False)
            if answer.is_success and answer.json()["ml_service"]["alive"]:
                return
        except httpx.TransportError:
            pass  # not listening yet
        time.sleep(POLL_INTERVAL_S)
    raise StartError(f"{health_url} did not become ready:\n{log.read_text(errors='replace')[-3000:]}")


def label_all(url: str, root: Path) -> None:
    """What people would have done in the sessions before the pictures are taken."""
    with Client(f"{url}/s/tissue") as client:
        if not client.json("GET", "runs")["items"]:
            label_tissue(client, root / "tissue" / "images")
    with Client(f"{url}/s/textures") as client:
        if not client.json("GET", "runs")["items"]:
            label_textures(client)
    with Client(f"{url}/s/scenes") as client:
        label_scenes(client)
    with Client(f"{url}/s/sections") as client:
        clear_sections(client)
    with Client(f"{url}/s/archive") as client:
        for index, image in enumerate(client.images()):
            client.put_annotations(image["id"], {"class_id": index % 3 + 1})


def label_tissue(client: Client, image_dir: Path) -> None:
    """Points in the first tiles, regions in one, runs of both heads."""
    images = client.images()
    click_classes(client, images[:TILES_TO_CLICK], image_dir)
    train(client, "linear")
    client.json(
        "POST", f"images/{images[1]['id']}/regions", json={"add": example_regions(), "change": [], "remove": []}
    )
    client.json("PUT", f"images/{images[2]['id']}/comment", json={"text": "Torn at the lower edge: ask the laboratory"})
    client.json("POST", f"images/{images[13]['id']}/annotations/skip", json={})
    wait_until_predicted(client, images[1]["id"])
    train(client, "conv")
    # The live head is newer than the runs again.
    click_classes(client, images[TILES_TO_CLICK : TILES_TO_CLICK + 2], image_dir)


def clear_sections(client: Client) -> None:
    """As if nobody had labelled the larger tiles."""
    for image in client.images():
        client.clear_annotations(image["id"])


def label_sections(client: Client, image_dir: Path) -> None:
    """Points in the first of the larger tiles."""
    click_classes(client, client.images()[:2], image_dir)


def example_regions() -> list[dict[str, Any]]:
    """One of each kind, in pixels of a tile of the demo."""
    arc = [[18 + 3 * step, 96 + 14 * float(np.sin(step / 4))] for step in range(14)]
    return [
        {"kind": "stroke", "class_id": 1, "geometry": {"points": arc, "radius": 5}},
        {
            "kind": "polygon",
            "class_id": 2,
            "geometry": {"rings": [[[70, 20], [96, 16], [104, 34], [88, 48], [72, 40]]]},
        },
        {"kind": "box", "class_id": 3, "geometry": {"x0": 84, "y0": 80, "x1": 116, "y1": 112}},
        {"kind": "stroke", "class_id": None, "geometry": {"points": [[80, 96], [120, 96]], "radius": 3}},
    ]


def label_textures(client: Client) -> None:
    """The true class of most tiles, a few accepted, skipped or undetermined; two runs."""
    images = client.images()
    # The demo mixes its tiles in turns, one of each class.
    for index, image in enumerate(images[:LABELS]):
        client.put_annotations(image["id"], {"class_id": index % 3 + 1})
        if index == LABELS // 2:
            train(client, "linear")
    wait_until_predicted(client, images[-1]["id"])
    for image in images[LABELS : LABELS + 4]:
        wait_until_predicted(client, image["id"])
        client.json("POST", f"images/{image['id']}/accept-prediction", json={})
    client.json("POST", f"images/{images[LABELS + 4]['id']}/annotations/skip", json={})
    client.json("POST", f"images/{images[LABELS + 5]['id']}/annotations/undetermined", json={})
    client.json("PUT", f"images/{images[1]['id']}/comment", json={"text": "Sharper than the others"})
    train(client, "linear")
    wait_until_predicted(client, images[-1]["id"])


def label_scenes(client: Client) -> None:
    """Several classes for each of the first scenes."""
    ids = {entry["name"]: entry["id"] for entry in client.json("GET", "config")["classes"]}
    images = client.images()
    for index, image in enumerate(images[:ANSWERED_SCENES]):
        client.put_annotations(image["id"], {"class_ids": scene_class_ids(index, ids)})
    wait_until_predicted(client, images[ANSWERED_SCENES]["id"])


def train(client: Client, head: str) -> None:
    """A full run.

    Raises:
        ProductError: it failed or took too long.
    """
    client.json("PATCH", "config", json={"training": {"head": head}})
    before = client.json("GET", "training").get("run_id")
    client.json("POST", "training/start")
    deadline = time.monotonic() + RUN_LIMIT_S
    while (training := client.json("GET", "training"))["state"] != "FINISHED" or training["run_id"] == before:
        if training["state"] == "FAILED" or time.monotonic() > deadline:
            raise ProductError(f"the training run did not finish: {training}")
        time.sleep(POLL_INTERVAL_S)
