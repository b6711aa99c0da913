"""Pictures of every view of the page, light and dark, in a real browser on sessions made from images of packages.

`python -m benchmarks.screenshots --out FOLDER` takes all of them, `--only 'gallery*'` some. `--readme` takes the
pictures of docs/images anew, `--animation` makes the short film there.
"""

from __future__ import annotations

import argparse
import fnmatch
import io
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Error, Page, expect, sync_playwright

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.client import Client, ProductError
from benchmarks.product import ROOT, StartError
from benchmarks.screenshot_acts import WAIT_MS, Shown, remembers
from benchmarks.screenshot_animation import film
from benchmarks.screenshot_sessions import clear_sections, label_all, label_sections, make_sessions, serve
from benchmarks.screenshot_views import README_VIEWS, View, every_view
from fewclick.ensure_browser import BrowserNotFoundError, ensure_browser

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
IMAGES = ROOT / "docs" / "images"
SETTLE_MS = 1200
"""Long enough for thumbnails and what fades in."""
THEME_MS = 350
WEBP_QUALITY = 86


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; 1 when a view could not be reached, 2 when the product or the browser does not start."""
    options = _parser().parse_args(arguments)
    if not (options.out or options.readme or options.animation):
        print("screenshots: nothing to do: give --out FOLDER, --readme or --animation", file=sys.stderr)
        return 2
    try:
        with ExitStack() as stack:
            kept = options.sessions or stack.enter_context(tempfile.TemporaryDirectory(prefix="fewclick-screenshots-"))
            root = Path(kept)
            root.mkdir(parents=True, exist_ok=True)
            url = stack.enter_context(serve(make_sessions(root), root / "others", root / "up.log"))
            label_all(url, root)
            playwright = stack.enter_context(sync_playwright())
            arguments_of_browser = ["--no-sandbox", "--disable-gpu"]
            browser = playwright.chromium.launch(executable_path=ensure_browser(), args=arguments_of_browser)
            failed = take_all(browser, url, options.out, options.only) if options.out else []
            if options.animation or options.readme:
                take_for_readme(browser, url, root, with_film=options.animation, with_pictures=options.readme)
            browser.close()
    except (StartError, ProductError, BrowserNotFoundError) as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 2
    for line in failed:
        print(f"screenshots: {line}", file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Take pictures of every view of the page.")
    parser.add_argument("--out", type=Path, help="folder for the pictures of every view")
    parser.add_argument("--only", default="*", metavar="NAME", help="of these, those whose name fits, as gallery*")
    parser.add_argument("--readme", action="store_true", help="take the pictures of docs/images anew")
    parser.add_argument("--animation", action="store_true", help="make the short film of docs/images anew")
    parser.add_argument("--sessions", type=Path, help="keep the sessions in this folder, and use them again")
    return parser


def take_all(browser: Browser, url: str, out: Path, only: str) -> list[str]:
    """Pictures of the views whose name fits; what went wrong with those that could not be reached."""
    out.mkdir(parents=True, exist_ok=True)
    failed = []
    for view in every_view():
        if not fnmatch.fnmatch(view.name, only):
            continue
        try:
            for theme, picture in take(browser, url, view):
                path = out / f"{file_name(view.name, theme)}.png"
                path.write_bytes(picture)
                print(path, flush=True)
        except (Error, AssertionError) as error:
            failed.append(f"{view.name}: {str(error).splitlines()[0]}")
    return failed


def take_for_readme(browser: Browser, url: str, root: Path, *, with_film: bool, with_pictures: bool) -> None:
    """The film, which begins with a session that nobody has labelled, then the pictures."""
    images = root / "sections" / "images"
    with Client(f"{url}/s/sections") as client:
        clear_sections(client)
        if with_film:
            made = film(browser, f"{url}/s/sections/", images, IMAGES / "labelling.webp")
            print(IMAGES / "labelling.webp", f"{made.seconds:.1f} s, click to mask {made.latencies}")
        if not with_pictures:
            return
        label_sections(client, images)
    for view in README_VIEWS:
        for theme, picture in take(browser, url, view):
            path = IMAGES / f"{file_name(view.name, theme)}.webp"
            with Image.open(io.BytesIO(picture)) as opened:
                opened.convert("RGB").save(path, quality=WEBP_QUALITY, method=6)
            print(path)


def take(browser: Browser, url: str, view: View) -> Iterator[tuple[Theme, bytes]]:
    """One view, prepared once: its picture in each theme, as PNG."""
    width, height = view.size
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=THEMES[0])
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.add_init_script(remembers(view.hints))
    home = f"{url}/s/{view.session}/"
    try:
        with Client(home) as client:
            _prepare(page, replace(view, address=_address(url, home, view)), client)
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                page.wait_for_timeout(THEME_MS)
                yield theme, page.screenshot(full_page=view.whole)
    finally:
        context.close()


def _prepare(page: Page, view: View, client: Client) -> None:
    shown = Shown(page, client)
    view.before(shown)
    page.goto(view.address)
    if view.waits_for:
        expect(page.get_by_test_id(view.waits_for).first).to_be_visible()
    page.wait_for_timeout(SETTLE_MS)
    view.act(shown)
    page.wait_for_timeout(SETTLE_MS)


def _address(url: str, home: str, view: View) -> str:
    return f"{url}{view.address}" if view.address.startswith("/") else f"{home}{view.address}"


def file_name(name: str, theme: Theme) -> str:
    """`name` in the light, `name_dark` in the dark."""
    return name if theme == "light" else f"{name}_{theme}"


if __name__ == "__main__":
    sys.exit(main())
