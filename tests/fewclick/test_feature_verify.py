from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from fewclick.cli import main
from models.published import GOLDEN, GoldenValues
from tests.initialization.fakes import init, save_picture, write_config
from tests.models.tiny_networks import TINY, picture, plain_forward


@pytest.fixture(autouse=True)
def _plain_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEWCLICK_RUNTIME", "torch")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Exit status, and all that was printed."""
    with pytest.raises(SystemExit) as stopped:
        main(["features", *arguments])
    printed = capsys.readouterr()
    return int(stopped.value.code or 0), printed.out + printed.err


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    model = TINY["dinov3"].make()
    torch.save(TINY["dinov3"].meta_state(model), tmp_path / "meta.pth")
    return tmp_path / "meta.pth"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """As large as the published one."""
    Image.fromarray(picture(640, 480)).save(tmp_path / "golden.png")
    return tmp_path / "golden.png"


def publish(monkeypatch: pytest.MonkeyPatch, *, shift: float = 0.0) -> None:
    """Values of the tiny network by plain transformers, as if they had been published."""
    pixels = torch.from_numpy(picture(640, 480)).permute(2, 0, 1)[None].float()
    small = torch.nn.functional.interpolate(pixels, size=(224, 224), mode="bilinear", antialias=True)
    tokens = plain_forward(TINY["dinov3"].make(), small[0].permute(1, 2, 0).numpy())
    golden = GoldenValues(tuple(tokens[0, :5] + shift), tuple(tokens[5, :5]))
    monkeypatch.setitem(GOLDEN, "dinov3_vit64x3", golden)


def test_verify__pass_and_fail_with_the_largest_difference(
    weights: Path, image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(monkeypatch)
    status, text = run(capsys, "--verify", "--weights", str(weights), "--image", str(image))
    assert status == 0
    assert text.startswith("PASS: dinov3_vit64x3, weights ")
    publish(monkeypatch, shift=0.5)
    status, text = run(capsys, "--verify", "--weights", str(weights), "--image", str(image))
    assert status == 1
    assert text.startswith("FAIL: dinov3_vit64x3")
    assert "published values is 0.5 (CLS, channel " in text


def test_verify__weights_of_the_session(
    weights: Path, image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_picture(tmp_path / "images" / "a.png")
    assert init(write_config(tmp_path, weights_path=str(weights)), "--yes") == 0
    publish(monkeypatch)
    capsys.readouterr()
    status, text = run(capsys, "--verify", "--session", str(tmp_path / "session"), "--image", str(image))
    assert (status, text[:5]) == (0, "PASS:")


def test_verify__runtime_of_this_machine_is_compared_too(
    weights: Path, image: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(monkeypatch)
    monkeypatch.setenv("FEWCLICK_RUNTIME", "bfloat16")
    status, text = run(capsys, "--verify", "--weights", str(weights), "--image", str(image))
    first, second = text.splitlines()
    assert first.startswith("PASS: dinov3_vit64x3"), "the values themselves are looked at in float32"
    assert "run as bfloat16, as this machine does it: cosine similarity 0.9" in second
    assert status == (0 if second.startswith("PASS") else 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no weights: add `--weights PATH`"),
        (["--weights", "nowhere.pth"], "no image: add `--image FILE`, which has to be http"),
        (["--weights", "nowhere.pth", "--image", "nowhere.jpg"], "nowhere.jpg cannot be opened"),
        (["--weights", "nowhere.pth", "--image", "{image}"], "no file or folder nowhere.pth"),
        (["--weights", "{weights}", "--image", "{image}"], "no values are published for dinov3_vit64x3"),
        (["--extractor", "dinov9"], "did you mean 'dinov3'"),
    ],
)
def test_verify__one_line_of_what_is_needed(
    weights: Path,
    image: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    filled = [part.format(weights=weights, image=image) for part in arguments]
    status, text = run(capsys, "--verify", "--session", str(tmp_path / "none"), *filled)
    assert status == 2
    assert message in text
    assert text.count("\n") == 1


def test_verify__contract_of_a_named_extractor(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--verify", "--extractor", "efficientnet_lite0") == (
        0,
        "PASS: efficientnet_lite0 keeps the contract of feature extractors\n",
    )


def test_features__needs_a_command_or_verify(capsys: pytest.CaptureFixture[str]) -> None:
    status, text = run(capsys, "--weights", "a.pth")
    assert status == 2
    assert "name a command, or --verify" in text
