"""The YAML file: every key, every default, and every error as one line with file, key, value and remedy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from db.palette import PALETTE
from db.queries.head_trail import TRAIL_KEY
from db.queries.session_info import HeadKind, TrainingSettings
from db.tasks import Task
from initialization.config import DEFAULT_FORMATS, SessionConfig, session_dir_of
from initialization.config_file import load_config
from initialization.create import restored_config, stored_config
from initialization.errors import ConfigError
from models.extractor_settings import ExtractorSettings
from tests.initialization.fakes import write_config

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _images(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()


def test_load_config__defaults(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, session_dir=...))
    assert config.task is Task.SEGMENTATION
    assert config.formats == DEFAULT_FORMATS
    assert (config.labels_dir, config.weights_path, config.dinov3_repo) == (None,) * 3
    assert (config.resize, config.session_dir) == (None, None)
    assert config.training_settings() == TrainingSettings()
    assert config.session_name == "images"


def test_load_config__all_keys_of_the_seed(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    path = write_config(
        tmp_path, formats="jpg, .PNG", labels_dir="labels", session_dir="../s", dinov3_repo="repo",
        weights_path="w.pth",
        resize=1536, prediction_interval=30, early_stop_patience=7, early_stop_threshold=0.01, max_points=100,
        confidence_threshold=0.2, min_distance=5.0, gradient_weight=1.5,
    )  # fmt: skip
    config = load_config(path)
    assert config.formats == ("jpg", "png")
    assert config.labels_dir == tmp_path / "labels"
    assert config.session_dir == tmp_path / "../s"
    assert (config.dinov3_repo, config.weights_path) == (tmp_path / "repo", tmp_path / "w.pth")
    assert config.resize == 1536
    training = config.training_settings()
    assert (training.prediction_interval, training.early_stop_patience, training.max_points) == (30, 7, 100)
    assert (training.confidence_threshold, training.gradient_weight) == (0.2, 1.5)


def test_load_config__extractor(tmp_path: Path) -> None:
    path = write_config(tmp_path, weights_path="w.pth", extractor="dinov3_vits16", layers=[3, 7, 11], resize=768)
    assert load_config(path).extractor_settings() == ExtractorSettings(
        weights_path=tmp_path / "w.pth", extractor="dinov3_vits16", layers=(3, 7, 11), resize=768
    )
    assert load_config(write_config(tmp_path, layers=5)).layers == (5,)
    assert load_config(write_config(tmp_path)).extractor_settings() == ExtractorSettings()


@pytest.mark.parametrize("head", list(HeadKind))
def test_load_config__head(tmp_path: Path, head: HeadKind) -> None:
    assert load_config(write_config(tmp_path, head=head.value)).training_settings().head is head


def test_doc__explains_every_key() -> None:
    text = (ROOT / "docs" / "init.md").read_text(encoding="utf-8")
    assert [key for key in SessionConfig.model_fields if f"| `{key}` |" not in text] == []


def test_load_config__classes_in_short_get_colors(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path, classes=["cat", {"name": " dog "}, {"name": "fish", "color": "#abc"},
                                                         {"name": "bird", "color": "orange"}]))  # fmt: skip
    assert [(entry.name, entry.color) for entry in config.classes] == [
        ("cat", PALETTE[0]), ("dog", PALETTE[1]), ("fish", "#AABBCC"), ("bird", "#FFA500"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["dip_picking_config.yaml", "classification_config.yaml", "multilabel_config.yaml"])
def test_load_config__shipped_files_need_only_an_image_dir(tmp_path: Path, name: str) -> None:
    text = (ROOT / "initialization" / name).read_text()
    path = tmp_path / name
    path.write_text(text.replace('"../images"', '"images"'))
    config = load_config(path)
    assert config.weights_path is None
    assert config.training_settings() == TrainingSettings()


CONFIG_ERRORS: list[tuple[dict[str, Any], list[str]]] = [
    ({"imagedir": "x"}, ["unknown key 'imagedir'", "did you mean 'image_dir'?"]),
    ({"early_stop_patiance": 3}, ["unknown key 'early_stop_patiance'", "did you mean 'early_stop_patience'?"]),
    ({"zzz": 3}, ["unknown key 'zzz'", "known are"]),
    ({"classes": [{"name": "a", "parent": "x"}, "b"]}, ["the parent 'x' of 'a'", "the name of another class"]),
    ({"classes": [{"name": "a", "parent": "b"}, {"name": "b", "parent": "a"}]}, ["'a' stands below itself"]),
    ({"task": ...}, ["'task' is missing", "task: segmentation"]),
    ({"task": "detection"}, ["task: found 'detection'", "'segmentation' or 'classification'"]),
    ({"image_dir": ...}, ["'image_dir' is missing"]),
    ({"image_dir": None}, ["image_dir: found None"]),
    ({"image_dir": "nowhere"}, ["image_dir", "nowhere", "does not exist"]),
    ({"image_dir": "config.yaml"}, ["image_dir", "expected a folder, a pattern"]),
    ({"labels_dir": "nowhere"}, ["labels_dir", "nowhere", "labels_dir: null"]),
    ({"session_dir": "images"}, ["session_dir", "image folder itself"]),
    ({"formats": ""}, ["formats: found ''", "jpg,jpeg,png"]),
    ({"formats": 3}, ["formats: found 3"]),
    ({"classes": ...}, ["'classes' is missing"]),
    ({"classes": []}, ["classes: found an empty list", "at least one class"]),
    ({"classes": "cat"}, ["classes: found 'cat'", "a list of classes"]),
    ({"classes": ["cat", "cat"]}, ["the name 'cat' twice"]),
    ({"classes": [{"name": "  "}]}, ["classes, entry 1, name: found '  '", "1 to 200 printable"]),
    ({"classes": [{"name": False}]}, ["found False", "in quotes"]),
    ({"classes": [{"name": 7}]}, ["found 7", "in quotes"]),
    ({"classes": [{"color": "red"}]}, ["'classes, entry 1, name' is missing"]),
    ({"classes": [{"name": "a", "color": "greenish"}]}, ["entry 1, color: found 'greenish'", "#RRGGBB"]),
    ({"classes": [{"name": "a", "color": "#12345"}]}, ["found '#12345'", "#RRGGBB"]),
    ({"classes": [{"name": "a", "color": None}]}, ["found None", "in quotes"]),
    ({"classes": [{"name": "a", "colour": "red"}]}, ["unknown key 'classes, entry 1, colour'", "'color'?"]),
    ({"resize": 5}, ["resize: found 5", "greater than or equal to 32"]),
    ({"resize": "big"}, ["resize: found 'big'", "valid integer"]),
    ({"extractor": "dinov3_vits15"}, ["extractor: found 'dinov3_vits15'", "did you mean 'dinov3_vits16'?"]),
    ({"extractor": 3}, ["extractor: found 3", "valid string"]),
    ({"layers": "last"}, ["layers: found 'last'", "counted from 0"]),
    ({"layers": [1, 2.5]}, ["layers: found [1, 2.5]", "such as [3, 7, 11]"]),
    ({"layers": []}, ["layers: found []"]),
    ({"head": "deep"}, ["head: found 'deep'", "'linear', 'conv' or 'mlp'"]),
    ({"head": "conv", "task": "classification"}, ["head is 'conv', a classification session has 'linear' or 'mlp'"]),
    ({"prediction_interval": 0}, ["prediction_interval: found 0", "greater than or equal to 1"]),
    ({"confidence_threshold": 0.7}, ["confidence_threshold: found 0.7", "less than 0.5"]),
    ({"min_distance": -1}, ["min_distance: found -1"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "parts"), CONFIG_ERRORS, ids=[str(changes) for changes, _ in CONFIG_ERRORS])
def test_load_config__one_clear_line(tmp_path: Path, changes: dict[str, Any], parts: list[str]) -> None:
    path = write_config(tmp_path, **changes)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("task: segmentation\nclasses: [\n", ["line 3", "not valid YAML"]),
        ("task: segmentation\n\timage_dir: x\n", ["line 2", "not valid YAML"]),
        ("task: segmentation\nresize: 3\ntask: classification\n", ["line 3", "'task' twice"]),
        ("- task\n", ["found a list", "task: segmentation"]),
        ("", ["found nothing"]),
    ],
)
def test_load_config__broken_yaml_names_the_line(tmp_path: Path, text: str, parts: list[str]) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert "\n" not in str(caught.value)
    for part in (str(path), *parts):
        assert part in str(caught.value)


def test_load_config__not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load_config(tmp_path / "missing.yaml")
    (tmp_path / "latin.yaml").write_bytes("task: Bäume".encode("latin-1"))
    with pytest.raises(ConfigError, match="UTF-8"):
        load_config(tmp_path / "latin.yaml")


def test_load_config__several_problems_are_all_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^(?=.*resize)(?=.*max_points)(?=.*task).* found 'x'"):
        load_config(write_config(tmp_path, resize=1, max_points=0, task="x"))


def test_session_dir_of__environment_then_config_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with_dir, without = (load_config(write_config(tmp_path, session_dir=value)) for value in ("s", ...))
    assert session_dir_of(with_dir, {"FEWCLICK_SESSION": str(tmp_path / "e")}) == tmp_path / "e"
    assert session_dir_of(with_dir, {}) == tmp_path / "s"
    assert session_dir_of(without, {}) == tmp_path / "session"


@pytest.mark.parametrize(("task", "head"), [("segmentation", HeadKind.CONV), ("classification", HeadKind.MLP)])
def test_load_config__head_of_older_files(tmp_path: Path, task: str, head: HeadKind) -> None:
    assert load_config(write_config(tmp_path, task=task, head="nonlinear")).head is head


def test_restored_config__of_a_session_in_which_heads_were_switched(tmp_path: Path) -> None:
    config = load_config(write_config(tmp_path))
    assert restored_config({**stored_config(config), TRAIL_KEY: [1, None, 2]}) == config
