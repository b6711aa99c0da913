"""Only models/geometry.py and its mirror on the page compute factors between rasters; everything else asks them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
GEOMETRY = Path("models/geometry.py")
LAYERS = ("backend", "db", "fewclick", "initialization", "ml_service", "models")
RESAMPLING = {"resize", "interpolate", "thumbnail", "zoom", "upsample"}
SIZES = {"width", "height", "shape", "size"}
PAGE_GEOMETRY = {Path("frontend/src/state/geometry.ts"), Path("frontend/src/state/viewport.ts")}
"""Image to feature cells, and image to screen."""
DIVISION_BY_A_SIZE = re.compile(r"[\w)\]] / [\w.#()]*\b(width|height)\b(?! \*)")


def python_files() -> list[Path]:
    return sorted(path.relative_to(ROOT) for layer in LAYERS for path in (ROOT / layer).rglob("*.py"))


def is_size(node: ast.expr) -> bool:
    """image.width, pixels.shape[0], width, out_height."""
    if isinstance(node, ast.Subscript):
        return is_size(node.value)
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in SIZES or name.endswith(("_width", "_height"))


def divisions_by_sizes(tree: ast.Module) -> Iterator[int]:
    """Lines that divide one size by another: a factor between two rasters."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and is_size(node.left) and is_size(node.right):
            yield node.lineno


def resamplings(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in RESAMPLING:
            yield node.lineno


def imports_geometry(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.module == "models.geometry" for node in ast.walk(tree))


@pytest.mark.parametrize("path", python_files(), ids=str)
def test_python__scale_factors_and_sizes_come_from_the_geometry_module(path: Path) -> None:
    if path == GEOMETRY:
        return
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert list(divisions_by_sizes(tree)) == [], f"{path}: take the factor from models.geometry.scale_between"
    # The networks in models/ bring maps to the size that the geometry gave for their input; their tests look at that.
    if path.parts[0] != "models" and not imports_geometry(tree):
        assert list(resamplings(tree)) == [], f"{path}: sizes to resample to come from models.geometry"
    assert "INTER_NEAREST" not in ast.dump(tree), f"{path}: cv2.INTER_NEAREST is off by up to half a pixel"


def test_page__scale_factors_come_from_the_geometry_module() -> None:
    found = {
        str(path.relative_to(ROOT)): line.strip()
        for path in sorted((ROOT / "frontend" / "src").rglob("*.ts"))
        if path.relative_to(ROOT) not in PAGE_GEOMETRY
        for line in path.read_text(encoding="utf-8").splitlines()
        if DIVISION_BY_A_SIZE.search(line)
    }
    assert found == {}
