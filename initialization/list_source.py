"""A JSON list of `{"url": ..., other metadata}`, downloaded or copied into the session."""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import IO, Any
from urllib.parse import quote, unquote, urlsplit

from initialization.errors import SourceError
from initialization.sources import FETCHED_FOLDER, Plan, PlannedImage, Refusal, is_about_name
from models.atomic_file import open_atomically

MAX_DOWNLOAD_BYTES = 512 * 1024**2
TIMEOUT_S = 30.0
RETRY_WAITS_S = (0.5, 2.0)
THREADS = 8
USER_AGENT = "fewclick"
_NETWORK_ERRORS = (
    urllib.error.URLError,
    http.client.HTTPException,
    TimeoutError,
    ConnectionError,
    ssl.SSLError,
)


class ListSource:
    """The images that a JSON file names, in its order; what else an entry says becomes the image's metadata.

    An address is http(s)://, file://, or a path relative to the JSON file.
    """

    def __init__(self, list_file: Path) -> None:
        self._list_file = list_file.resolve()

    @property
    def identity(self) -> str:
        """See `Source`."""
        return str(self._list_file)

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
            elif file_name(url) in images:
                refusals.append(Refusal(f"entry {number}", f"the same url stands before: {url}"))
            else:
                images[file_name(url)] = PlannedImage(file_name(url), dict(entry))
        return Plan(tuple(images.values()), tuple(refusals))

    def sample(self, images: Iterable[PlannedImage], folder: Path) -> list[Path]:
        """A few entries, fetched into `folder`."""
        chosen = list(images)
        refused = {refusal.path for refusal in self._fetch_all(chosen, folder, lambda: None)}
        return [folder / image.path for image in chosen if image.path not in refused]

    def fetch(self, images: Iterable[PlannedImage], session_dir: Path, advance: Callable[[], None]) -> list[Refusal]:
        """Download what is not there yet, several at a time, each with retries and a limit on its size."""
        return self._fetch_all(images, self.root(session_dir), advance)

    def _fetch_all(self, images: Iterable[PlannedImage], folder: Path, advance: Callable[[], None]) -> list[Refusal]:
        def fetch_one(image: PlannedImage) -> Refusal | None:
            target = folder / image.path
            return None if target.is_file() else self._fetch_one(image, target)

        refusals = []
        with ThreadPoolExecutor(THREADS, thread_name_prefix="download") as pool:
            try:
                for refusal in pool.map(fetch_one, images):
                    refusals += [refusal] if refusal else []
                    advance()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return refusals

    def _fetch_one(self, image: PlannedImage, target: Path) -> Refusal | None:
        url = str(image.extra["url"])
        for wait_s in (*RETRY_WAITS_S, None):
            try:
                with self._open(url) as stream:
                    _save(stream, target)
                return None
            except _TooLargeError as error:
                return Refusal(image.path, str(error))
            except urllib.error.HTTPError as error:
                reason = f"{url} answered {error.code} {error.reason}"
                if error.code < 500 and error.code != 429:
                    break
            except _CutShortError as error:
                reason = f"{url} {error}"
            except _NETWORK_ERRORS as error:
                reason = f"{url} cannot be reached: {getattr(error, 'reason', None) or error!r}"
            except (OSError, ValueError) as error:
                if isinstance(error, OSError) and not (isinstance(error, PermissionError) or is_about_name(error)):
                    raise
                reason = f"{url} cannot be read: {getattr(error, 'strerror', None) or error}"
                break
            if wait_s is not None:
                time.sleep(wait_s)
        return Refusal(image.path, reason)

    def _open(self, url: str) -> IO[bytes]:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"}:
            # Addresses are often written with spaces or umlauts; what is escaped already stays.
            escaped = quote(url, safe="%/:=&?~#+!$,;'@()*[]")
            request = urllib.request.Request(escaped, headers={"User-Agent": USER_AGENT})
            stream: IO[bytes] = urllib.request.urlopen(request, timeout=TIMEOUT_S)
            return stream
        if parts.scheme == "file":
            return Path(unquote(parts.path)).open("rb")
        if parts.scheme and len(parts.scheme) > 1:
            raise ValueError(f"found the scheme {parts.scheme}, expected http, https, file or a path")
        return (self._list_file.parent / url).open("rb")

    def _entries(self) -> list[Any]:
        try:
            entries = json.loads(self._list_file.read_text(encoding="utf-8-sig"))
        except OSError as error:
            raise SourceError(f"image_dir: {self._list_file} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise SourceError(f"image_dir: {self._list_file} is not valid JSON: {error}") from error
        if not isinstance(entries, list):
            raise SourceError(
                f'image_dir: {self._list_file} holds a {type(entries).__name__}, expected a list of {{"url": ...}}'
            )
        return entries


class _TooLargeError(Exception):
    pass


class _CutShortError(Exception):
    pass


def file_name(url: str) -> str:
    """A safe name for what an address names: readable, and different for different addresses."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", PurePosixPath(name).stem).strip("-")[:80] or "image"
    suffix = re.sub(r"[^a-z0-9.]", "", PurePosixPath(name).suffix.lower())[:6]
    return f"{stem}-{hashlib.sha256(url.encode()).hexdigest()[:10]}{suffix}"


def _save(stream: IO[bytes], target: Path) -> None:
    with open_atomically(target, durable=False) as part:
        shutil.copyfileobj(_Limited(stream), part, 1 << 18)
        # Where a server announced a length, this is what is left of it; reading in pieces ends silently before.
        missing = stream.length if isinstance(stream, http.client.HTTPResponse) else None
        if missing:
            raise _CutShortError(f"broke off: {missing} of the announced bytes are missing")


class _Limited:
    """Reads until `MAX_DOWNLOAD_BYTES`, whatever length a server announces."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._left = MAX_DOWNLOAD_BYTES

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise _TooLargeError(f"more than {MAX_DOWNLOAD_BYTES // 1024**2} MB")
        return chunk
