"""Extractors from outside: the worked example of docs/extractors.md, as a module and as an entry point."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models.conformance import contract_faults
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.registry import check_name, load_extractor
from tests.models.tiny_networks import picture

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "extractors.md"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder on the import path with the document's example as my_package/my_module.py."""
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").touch()
    example = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert example is not None
    (tmp_path / "my_package" / "my_module.py").write_text(
        example[1] + "\nNUMBER = 3\n\n\ndef half(_settings):\n    return ColourExtractor.extract\n"
        "\n\ndef bare(settings):\n    made = ColourExtractor(settings)\n    made.info = {}\n    return made\n"
        "\n\nclass HubError(Exception):\n    pass\n"
        "\n\ndef fails(settings):\n    raise HubError('no such\\nmodel')\n"
        "\n\ndef greedy(settings, more):\n    return None\n"
        "\n\ndef tells(settings):\n    from models.errors import WeightsError\n"
        "    raise WeightsError('weights_path: none given')\n"
    )
    (tmp_path / "my_package" / "typo.py").write_text("def half(:\n")
    (tmp_path / "my_package" / "broken.py").write_text("raise ValueError('no GPU')\n")
    (tmp_path / "my_package" / "lacking.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in ("my_package.my_module", "my_package"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("site")
def test_load_plugin__example_of_the_document() -> None:
    name = "my_package.my_module:ColourExtractor"
    assert f"extractor: {name}" in DOCUMENT.read_text(encoding="utf-8")
    extractor = load_extractor(ExtractorSettings(extractor=name, resize=64))
    assert extractor.info.resize == 64
    assert contract_faults(extractor) == []
    image = picture(64, 48)
    image[:8, :8] = 255
    (features,) = extractor.extract([image])
    np.testing.assert_allclose(features.patches[0, 0], [2, 0, 0], atol=1e-2)


def test_load_plugin__entry_point(site: Path) -> None:
    declared = re.search(r"```toml\n\[project.entry-points.\"(\S+)\"\]\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert declared is not None
    package = site / "my_package-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(f"[{declared[1]}]\n{declared[2].replace(chr(34), '')}")
    assert load_extractor(ExtractorSettings(extractor="colour")).info.name == "colour"
    with pytest.raises(WeightsError, match=r"found 'color', .* did you mean 'colour'"):
        check_name("color")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_package.module:Mine", "cannot be imported .*no_such_package.*PYTHONPATH"),
        ("my_package.my_module:Missing", "found nothing called Missing in my_package.my_module"),
        ("my_package.my_module:NUMBER", "found a int called NUMBER"),
        ("my_package.my_module:half", "returned a function without info, expected a FeatureExtractor"),
        ("my_package.typo:Mine", "my_package.typo:Mine failed on import .SyntaxError: "),
        ("my_package.broken:Mine", "my_package.broken:Mine failed on import .ValueError: no GPU"),
        ("my_package.lacking:Mine", "cannot be imported .ModuleNotFoundError: .*no_such_library"),
        ("my_package.my_module:fails", "my_module:fails failed when it was made .HubError: no such model"),
        ("my_package.my_module:greedy", "greedy failed when it was made .TypeError: .*more"),
        ("my_package.my_module:tells", "^weights_path: none given$"),
        ("my_package.my_module:bare", "has an info of type dict, expected ExtractorInfo"),
    ],
)
@pytest.mark.usefixtures("site")
def test_load_plugin__says_what_is_wrong(name: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        load_extractor(ExtractorSettings(extractor=name))
    assert "\n" not in str(caught.value)
