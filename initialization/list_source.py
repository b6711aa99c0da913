"""A list of addresses with metadata, downloaded or copied into the session: JSON, or what other files list."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from initialization.downloads import Download, download_all
from initialization.errors import SourceError
from initialization.sources import FETCHED_FOLDER, Plan, PlannedImage, Refusal, clear_leftovers, leaves
from initialization.web_files import Limits


class ListSource:
    """The images that entries `{"url": ..., other metadata}` name, in their order.

    An address is http(s)://, file://, or a path relative to the list's folder that stays in it.

    Args:
        list_file: Where the entries come from.
        entries: What it says; None reads it as JSON when it is needed.
    """

    def __init__(self, list_file: Path, entries: list[Any] | None = None, *, limits: Limits | None = None) -> None:
        self._list_file = list_file.resolve()
        self._given = entries
        self._limits = limits or Limits()

    @property
    def identity(self) -> str:
        """See `Source`."""
        return str(self._list_file)

    @property
    def is_in_place(self) -> bool:
        """See `Source`."""
        return False

    def root(self, session_dir: Path) -> Path:
        """The session's folder for what was downloaded."""
        return session_dir / FETCHED_FOLDER

    def plan(self, session_dir: Path) -> Plan:  # noqa: ARG002
        """One image for each entry with an address; entries without one, and repeated ones, are refused."""
        images: dict[str, PlannedImage] = {}
        refusals = []
        for number, entry in enumerate(self._entries(), start=1):
            if isinstance(entry, str):
                entry = {"url": entry}
            url = entry.get("url") if isinstance(entry, dict) else None
            if not isinstance(url, str) or not url.strip():
                refusals.append(Refusal(f"entry {number}", 'has no "url" with text'))
                continue
            name = file_name(url)
            reason = self._refusal(url)
            if name in images:
                refusals.append(Refusal(f"entry {number}", f"the same url stands before: {url}"))
            elif reason is not None:
                refusals.append(Refusal(f"entry {number}", f"{url} {reason}"))
            else:
                images[name] = PlannedImage(name, dict(entry))
        return Plan(tuple(images.values()), tuple(refusals))

    def sample(self, images: Iterable[PlannedImage], folder: Path) -> list[Path]:
        """A few entries, fetched into `folder`."""
        chosen = list(images)
        refused = {refusal.path for refusal in self._fetch_into(folder, chosen, lambda: None)}
        return [folder / image.path for image in chosen if image.path not in refused]

    def fetch(self, images: Iterable[PlannedImage], session_dir: Path, advance: Callable[[], None]) -> list[Refusal]:
        """Download what is not there yet, several at a time, each with retries and limits."""
        clear_leftovers(self.root(session_dir))
        return self._fetch_into(self.root(session_dir), images, advance)

    def _fetch_into(self, folder: Path, images: Iterable[PlannedImage], advance: Callable[[], None]) -> list[Refusal]:
        downloads = (
            Download(image.path, self._where(str(image.extra["url"])), folder / image.path) for image in images
        )
        return download_all(downloads, advance, self._limits)

    def _where(self, url: str) -> str | Path:
        """The web address, or the file of this machine."""
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"}:
            return url
        return Path(unquote(parts.path)) if parts.scheme == "file" else self._list_file.parent / url

    def _refusal(self, url: str) -> str | None:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            return f"is no address: {error}"
        if parts.scheme in {"http", "https"}:
            return None if parts.hostname else "names no host"
        if parts.scheme == "file":
            return None
        if len(parts.scheme) > 1:
            return f"has the scheme {parts.scheme}, expected http, https, file or a path"
        try:
            outside = leaves(self._list_file.parent / url, self._list_file.parent)
        except (OSError, ValueError) as error:
            return f"cannot be read: {getattr(error, 'strerror', None) or error}"
        return "leaves the folder of the list: move the file there, or write file:// and its path" if outside else None

    def _entries(self) -> list[Any]:
        return _read_json(self._list_file) if self._given is None else self._given


def _read_json(list_file: Path) -> list[Any]:
    try:
        entries = json.loads(list_file.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SourceError(f"image_dir: {list_file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise SourceError(f"image_dir: {list_file} is not valid JSON: {error}") from error
    if not isinstance(entries, list):
        raise SourceError(f'image_dir: {list_file} holds a {type(entries).__name__}, expected a list of {{"url": ...}}')
    return entries


def file_name(url: str) -> str:
    """A safe name for what an address names: readable, and different for different addresses."""
    name = PurePosixPath(unquote(url.partition("?")[0].partition("#")[0])).name
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePosixPath(name).stem).strip("-")[:80] or "image"
    suffix = re.sub(r"[^a-z0-9.]", "", PurePosixPath(name).suffix.lower())[:6]
    return f"{stem}-{hashlib.sha256(url.encode('utf-8', 'surrogatepass')).hexdigest()[:10]}{suffix}"
