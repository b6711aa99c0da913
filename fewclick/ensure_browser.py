"""Find a Chromium for the tests and the screenshots, or install one. Prints its path.

Standard library only; Playwright is asked in a process of its own.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

BROWSER_VARIABLE = "FEWCLICK_BROWSER"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
MAC_PROGRAMS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
DOWNLOAD_LIMIT_S = 300
PACKAGE_LIMIT_S = 600

_ASK_PLAYWRIGHT = """
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    print(playwright.chromium.executable_path)
"""


class BrowserNotFoundError(Exception):
    """No Chromium is here and none could be installed; the message says what to do."""


def find_browser() -> Path | None:
    """A Chromium that is here: FEWCLICK_BROWSER, then PATH, then the usual places, then Playwright's own.

    Raises:
        BrowserNotFoundError: FEWCLICK_BROWSER names a file that does not exist.
    """
    named = os.environ.get(BROWSER_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise BrowserNotFoundError(
                f"{BROWSER_VARIABLE}={named} is no file: set it to the program of a Chromium, or unset it"
            )
        return Path(named)
    for program in PROGRAMS:
        found = shutil.which(program)
        if found is not None:
            return Path(found)
    for path in map(Path, MAC_PROGRAMS):
        if path.is_file():
            return path
    return _browser_of_playwright()


def ensure_browser() -> Path:
    """`find_browser`, else Debian's package (as root on Debian), else a download by Playwright.

    Raises:
        BrowserNotFoundError: none of them worked.
    """
    found = find_browser()
    if found is not None:
        return found
    download = [sys.executable, "-m", "playwright", "install", "--no-shell", "chromium"]
    package = ["sh", "-c", "apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium"]
    tries = [(download, DOWNLOAD_LIMIT_S)]
    if _can_install_packages():
        tries.insert(0, (package, PACKAGE_LIMIT_S))
    for command, limit_s in tries:
        if _succeeds(command, limit_s):
            found = find_browser()
            if found is not None:
                return found
    raise BrowserNotFoundError(
        "no Chromium found and none could be installed: install Chromium or Chrome so that `chromium` or "
        f"`google-chrome` is on PATH, or set {BROWSER_VARIABLE} to its program"
    )


def _browser_of_playwright() -> Path | None:
    asked = subprocess.run([sys.executable, "-c", _ASK_PLAYWRIGHT], capture_output=True, text=True, timeout=60)
    path = Path(asked.stdout.strip() or "/nonexistent")
    return path if asked.returncode == 0 and path.is_file() else None


def _can_install_packages() -> bool:
    """Root on Debian. Not Ubuntu: its package `chromium` only points to a snap."""
    is_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return is_root and shutil.which("apt-get") is not None and _distribution() == "debian"


def _distribution() -> str | None:
    try:
        return platform.freedesktop_os_release().get("ID")
    except OSError:
        return None


def _succeeds(command: list[str], limit_s: int) -> bool:
    print(f"fewclick setup: {' '.join(command)}", file=sys.stderr, flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=sys.stderr, env=environment, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        print(f"fewclick setup: gave up after {limit_s} s", file=sys.stderr)
        return False
    return done.returncode == 0


def main() -> int:
    """Print the browser's path; 2 with one line if there is none."""
    try:
        print(ensure_browser())
    except BrowserNotFoundError as error:
        print(f"fewclick setup: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
