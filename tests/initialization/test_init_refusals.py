"""What the command refuses: one clear line, and nothing written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from db.enums import Origin
from initialization import workflow
from models.base import FeatureExtractor, Features
from models.extractor_settings import ExtractorSettings
from tests.initialization.fakes import (
    FakeExtractor,
    init,
    load_fake,
    make_images,
    rows,
    write_config,
)

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"imagedir": "x"}, "did you mean 'image_dir'?"),
        ({"image_dir": "nowhere"}, "nowhere"),
        ({"classes": []}, "at least one class"),
        ({"classes": [{"name": "a", "color": "nocolor"}]}, "'nocolor'"),
        ({"formats": "gif"}, "no images ending in gif"),
        ({"session_dir": "config.yaml/session"}, "is a file"),
    ],
)
def test_main__bad_input_is_one_line_and_leaves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], changes: dict[str, object], part: str
) -> None:
    make_images(tmp_path, 1)
    before = sorted(tmp_path.rglob("*"))
    config = write_config(tmp_path, **changes)
    assert init(config) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert part in error
    assert sorted(tmp_path.rglob("*")) == sorted([*before, config])


def test_main__missing_weights_are_found_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_images(tmp_path, 1)
    config = write_config(tmp_path, weights_path="weights/dinov3_vits16.pth")
    from initialization.init_session import main

    assert main(["--config", str(config)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    for part in (str(tmp_path / "weights/dinov3_vits16.pth"), "https://ai.meta.com/dinov3/", "`weights_path: null`"):
        assert part in error
    assert not (tmp_path / "session").exists()


def test_main__folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if os.geteuid() == 0:
        target = "/proc/fewclick/session"  # root may write anywhere but there
    else:
        (tmp_path / "locked").mkdir(mode=0o555)
        target = str(tmp_path / "locked/session")
    make_images(tmp_path, 1)
    assert init(write_config(tmp_path, session_dir=target)) == 2
    error = capsys.readouterr().err
    assert "cannot be written" in error
    assert error.count("\n") == 1


class FullDisk(FakeExtractor):
    """Works for the estimate, then meets a full disk."""

    def extract(
        self, images: list[npt.NDArray[np.uint8]], *, patches: bool = True, pooled: bool = True
    ) -> list[Features]:
        if self.extracted >= 4 + 2:
            raise OSError(28, "No space left on device", "session/features/x.npy")
        return super().extract(images, patches=patches, pooled=pooled)


def test_main__full_disk_is_one_line_and_the_rest_is_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_images(tmp_path, 5)
    config = write_config(tmp_path)
    assert init(config, load=lambda *_: FullDisk()) == 1
    error = capsys.readouterr().err
    assert "no space left on the disk" in error
    assert error.count("\n") == 1
    assert init(config) == 0
    assert {row["features"] for row in rows(tmp_path / "session")} == {"ready"}


def test_main__features_that_cannot_fit_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_images(tmp_path, 2)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 100, 0))
    assert init(write_config(tmp_path)) == 2
    assert "the features need about" in capsys.readouterr().err
    assert not (tmp_path / "session").exists()


def test_main__asks_only_where_somebody_can_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_images(tmp_path, 2)
    config = write_config(tmp_path)
    monkeypatch.setattr(workflow.Report, "can_ask", True)
    monkeypatch.setattr(workflow.Report, "ask", lambda _self, _question: False)
    assert init(config) == 0
    assert "nothing was written" in capsys.readouterr().out
    assert not (tmp_path / "session").exists()
    assert init(config, "--yes") == 0
    assert len(rows(tmp_path / "session")) == 2


@pytest.mark.parametrize(
    "arguments",
    [[], ["--config"], ["--config", "x", "--max-files", "0"], ["--config", "x", "--append", "--move-aside"]],
)
def test_main__wrong_arguments_exit_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from initialization.init_session import main

    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("place", ["root", "inside"])
def test_script__runs_from_both_places(tmp_path: Path, place: str) -> None:
    config = write_config(tmp_path, imagedir="x")
    script, folder = (
        ("initialization/init_session.py", ROOT) if place == "root" else ("init_session.py", ROOT / "initialization")
    )
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    if place == "inside":
        environment["PYTHONPATH"] = ".."
    done = subprocess.run(
        [sys.executable, script, "--config", config], cwd=folder, env=environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "did you mean 'image_dir'?" in done.stderr


def load_nothing(*_: object) -> FeatureExtractor:
    raise AssertionError("the extractor is loaded although the config is wrong")


def test_main__config_is_checked_before_the_extractor_is_loaded(tmp_path: Path) -> None:
    loader: Callable[..., FeatureExtractor] = load_nothing
    assert init(write_config(tmp_path, task="x"), load=loader) == 2
    assert load_fake(ExtractorSettings()).info.name == "fake"
    assert Origin.IMPORTED.value == "imported"
