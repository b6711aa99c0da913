"""What `make` needs on a fresh machine: virtual environment, Python packages, the built page.

Runs with the system's Python before anything is installed: standard library only. Each step leaves a stamp in .setup/
with a hash of its inputs, so that a second start does nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from enum import Enum
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = ROOT / ".setup"
FRONTEND = ROOT / "frontend"
CONSTRAINTS = ROOT / "constraints.txt"
NATIVE = ROOT / "models" / "native"
"""What is compiled along with the installation."""

MIN_PYTHON = (3, 11)
MIN_NODE = (20, 19)
CPU_TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's own index of builds without CUDA (https://pytorch.org/get-started/locally)."""


class SetupError(Exception):
    """A step cannot go on; the message says what to do."""


class TorchSource(Enum):
    """Where the build of PyTorch comes from."""

    CONFIGURED = "from where pip is configured to look"
    CPU_INDEX = "from PyTorch's CPU builds"


def choose_torch_source(platform: str, *, has_gpu: bool, has_local_wheel: bool) -> TorchSource:
    """The smallest build that uses the machine.

    Only on Linux does the package index hold builds with several GB of CUDA libraries; those are wanted only where
    there is a GPU. A wheel that pip finds in a local folder was put there on purpose: it wins.
    """
    if has_gpu or has_local_wheel or not platform.startswith("linux"):
        return TorchSource.CONFIGURED
    return TorchSource.CPU_INDEX


def inputs_hash(paths: Iterable[Path], *extra: str) -> str:
    """One hash over file names, file contents and `extra`; folders count with all files below them."""
    digest = hashlib.sha256()
    for path in sorted(paths):
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            digest.update(str(file.relative_to(ROOT) if file.is_relative_to(ROOT) else file).encode())
            digest.update(file.read_bytes())
    for text in extra:
        digest.update(b"\0" + text.encode())
    return digest.hexdigest()


class Stamp:
    """Remembers for which inputs a step was done."""

    def __init__(self, name: str, value: str, *needs: Path) -> None:
        self._path = STAMPS / f"{name}.json"
        self._value = value
        self._needs = needs

    def is_fresh(self) -> bool:
        """Was the step done for these inputs, and is what it made still there?"""
        if not self._path.is_file() or not all(path.exists() for path in self._needs):
            return False
        return bool(json.loads(self._path.read_text()).get("inputs") == self._value)

    def write(self) -> None:
        """Note that the step is done."""
        STAMPS.mkdir(exist_ok=True)
        partial = self._path.with_suffix(".partial")
        partial.write_text(json.dumps({"inputs": self._value}))
        partial.replace(self._path)


def venv_python() -> Path:
    """The interpreter of the virtual environment."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def say(message: str) -> None:
    """One line on what happens now."""
    print(f"fewclick setup: {message}", flush=True)


def run(command: Sequence[str], cwd: Path = ROOT, *, check: bool = True, quiet: bool = False) -> int:
    """Run a command, its output shown unless `quiet`; returns the exit status.

    Raises:
        SetupError: it failed and `check` is set.
    """
    output = subprocess.DEVNULL if quiet else None
    status = subprocess.run(command, cwd=cwd, stdout=output, stderr=output, stdin=subprocess.DEVNULL).returncode
    if check and status != 0:
        raise SetupError(f"`{' '.join(command)}` in {cwd} ended with status {status}; its own words stand above")
    return status


def make_venv() -> None:
    """Create .venv if it is not there."""
    if sys.version_info < MIN_PYTHON:
        raise SetupError(
            f"this is Python {sys.version.split()[0]}, needed is {MIN_PYTHON[0]}.{MIN_PYTHON[1]} or newer: "
            "install one and run `make PYTHON=python3.12 ...` with its name"
        )
    if venv_python().exists():
        return
    say(f"virtual environment in {VENV.name}")
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        reason = (made.stdout + made.stderr).strip()
        raise SetupError(
            f"{sys.executable} cannot make a virtual environment. On Debian or Ubuntu install the package "
            f"python{sys.version_info.major}.{sys.version_info.minor}-venv (apt-get install) and run again. "
            f"Python said: {' '.join(reason.split())}"
        )


def has_gpu() -> bool:
    """Is there an NVIDIA GPU with a working driver?"""
    program = shutil.which("nvidia-smi")
    return program is not None and run([program, "-L"], check=False, quiet=True) == 0


def torch_requirement() -> str:
    """The pin of PyTorch in constraints.txt, such as torch==2.13.0."""
    found = re.search(r"^torch==\S+$", CONSTRAINTS.read_text(), re.MULTILINE)
    if found is None:
        raise SetupError(f"{CONSTRAINTS.name} has no line torch==VERSION: run `git checkout {CONSTRAINTS.name}`")
    return found.group()


def pip_install(*words: str | Path, check: bool = True) -> int:
    """`pip install` in the virtual environment."""
    pip = [str(venv_python()), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    return run([*pip, *map(str, words)], check=check)


def install_torch() -> None:
    """PyTorch first and alone, from where `choose_torch_source` says."""
    torch = torch_requirement()
    local = [str(venv_python()), "-m", "pip", "install", "--dry-run", "--no-index", "--no-deps", torch]
    has_local_wheel = run(local, check=False, quiet=True) == 0
    source = choose_torch_source(sys.platform, has_gpu=has_gpu(), has_local_wheel=has_local_wheel)
    say(f"{torch} {source.value}")
    if source is TorchSource.CPU_INDEX:
        bounded = ["--timeout", "15", "--retries", "1"]
        if pip_install(*bounded, "--no-deps", "--index-url", CPU_TORCH_INDEX, torch, check=False) == 0:
            return
        say(f"{CPU_TORCH_INDEX} did not answer: taking the default build, a download of several GB")
    pip_install("--no-deps", torch)


def install_python(extra: str | None = None) -> None:
    """Fewclick and its packages, as pinned in constraints.txt; `extra` names an optional group of pyproject.toml."""
    make_venv()
    inputs = inputs_hash([ROOT / "pyproject.toml", CONSTRAINTS, *NATIVE.glob("*.c")], str(VENV), sys.version)
    stamps = {name: Stamp(name, inputs, venv_python()) for name in ("python", "python-dev")}
    wanted = stamps["python" if extra is None else f"python-{extra}"]
    # The development packages include all others.
    if wanted.is_fresh() or stamps["python-dev"].is_fresh():
        return
    install_torch()
    target = "." if extra is None else f".[{extra}]"
    say(f"Python packages of {target} (some minutes the first time)")
    pip_install("--constraint", CONSTRAINTS, "--editable", target)
    wanted.write()


def install_benchmark_peers() -> None:
    """What the benchmarks compare with, on top of the development packages."""
    install_python("dev")
    stamp = Stamp("python-bench", inputs_hash([ROOT / "pyproject.toml", CONSTRAINTS], sys.version), venv_python())
    if stamp.is_fresh():
        return
    say("what the benchmarks compare with")
    pip_install("--constraint", CONSTRAINTS, "--editable", ".[bench]")
    stamp.write()


def require_node() -> str:
    """The path of npm.

    Raises:
        SetupError: Node.js is missing or too old.
    """
    node, npm = shutil.which("node"), shutil.which("npm")
    wanted = f"Node.js {MIN_NODE[0]}.{MIN_NODE[1]} or newer with npm is needed to build the page: install it from https://nodejs.org"
    if node is None or npm is None:
        raise SetupError(f"`node` or `npm` was not found on PATH. {wanted}")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < MIN_NODE:
        raise SetupError(f"{node} is {version}. {wanted}")
    return npm


def install_frontend() -> None:
    """`npm ci`, when package-lock.json has changed."""
    stamp = Stamp("node-packages", inputs_hash([FRONTEND / "package-lock.json"]), FRONTEND / "node_modules")
    if stamp.is_fresh():
        return
    npm = require_node()
    say("packages of the page (npm ci)")
    run([npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"], FRONTEND)
    stamp.write()


def frontend_sources() -> list[Path]:
    """All that the build of the page depends on."""
    ignored = {"node_modules", "dist"}
    return [path for path in FRONTEND.iterdir() if path.name not in ignored and not path.name.startswith(".")]


def build_frontend() -> None:
    """Build the page into frontend/dist, when its sources have changed."""
    install_frontend()
    stamp = Stamp("page", inputs_hash(frontend_sources()), FRONTEND / "dist" / "index.html")
    if stamp.is_fresh():
        return
    say("the page (npm run build)")
    run([require_node(), "run", "--silent", "build", "--", "--logLevel", "warn"], FRONTEND)
    stamp.write()


STEPS = {
    "runtime": lambda: install_python(),
    "dev": lambda: install_python("dev"),
    "bench": install_benchmark_peers,
    "node": install_frontend,
    "page": build_frontend,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do the named steps; 0 when all are done, 2 with one line when something is missing."""
    parser = argparse.ArgumentParser(prog="python -m fewclick.setup_environment", description="Prepare this checkout.")
    parser.add_argument("steps", nargs="+", choices=list(STEPS))
    try:
        for step in parser.parse_args(arguments).steps:
            STEPS[step]()
    except SetupError as error:
        print(f"fewclick setup: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
