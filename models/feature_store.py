"""Cached features as files: written atomically, addressed by image content and extractor, checked on opening.

Layout under session/features/: one folder per extractor identity with `manifest.json`, and per image
`<first two hex digits>/<content hash>.npy` (float16, (Hp, Wp, D): one point is one contiguous read) and
`<...>.pooled.npy` (float32, (P,)). A session whose task reads no patch features holds the latter only.
"""

from __future__ import annotations

import errno
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.atomic_file import open_atomically
from models.base import ExtractorInfo, Features
from models.errors import FeatureMismatchError

MANIFEST_NAME = "manifest.json"
LAYOUT_VERSION = 1
PASSING_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of the machine at the moment: they say nothing about the file that was to be read."""


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """All of a file at once; see `open_atomically`."""
    with open_atomically(path, durable=durable) as stream:
        stream.write(data)


def npy_bytes(array: npt.NDArray[Any]) -> bytes:
    """The array as the content of an .npy file, never pickled."""
    header_and_data = _Buffer()
    np.lib.format.write_array(header_and_data, np.ascontiguousarray(array), allow_pickle=False)
    return bytes(header_and_data.data)


class _Buffer:
    """The least that NumPy's writer needs of a file."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, chunk: bytes) -> int:
        self.data += chunk
        return len(chunk)


class FeatureStore:
    """The features that one extractor made for the images of one session.

    Raises:
        FeatureMismatchError: on opening, when the folder's manifest tells of another extractor or layout.
    """

    def __init__(self, session_dir: Path, info: ExtractorInfo) -> None:
        self.info = info
        identity = json.dumps(info.to_json(), sort_keys=True).encode()
        self.folder = session_dir / "features" / f"{info.name}-{hashlib.sha256(identity).hexdigest()[:12]}"
        self._session_dir = session_dir
        self._check_manifest()

    def patches_path(self, content_hash: str) -> Path:
        """Where the (Hp, Wp, D) features of an image lie."""
        return self.folder / content_hash[:2] / f"{content_hash}.npy"

    def pooled_path(self, content_hash: str) -> Path:
        """Where the (P,) vector of an image lies."""
        return self.folder / content_hash[:2] / f"{content_hash}.pooled.npy"

    def has(self, content_hash: str, *, patches: bool = True, pooled: bool = True) -> bool:
        """Whether what is asked for is there (a file that exists is complete)."""
        return (not pooled or self.pooled_path(content_hash).is_file()) and (
            not patches or self.patches_path(content_hash).is_file()
        )

    def write(self, content_hash: str, features: Features) -> None:
        """Store what there is of the features of one image, durably.

        Raises:
            ValueError: a value is not finite, or beyond what the stored type can hold.
        """
        with np.errstate(over="ignore"):
            patches = None if features.patches is None else features.patches.astype(np.float16)
            pooled = None if features.pooled is None else features.pooled.astype(np.float32)
        for array in (patches, pooled):
            if array is not None and not np.isfinite(array).all():
                raise ValueError(f"features of {content_hash} are not finite as {array.dtype}")
        if patches is not None:
            write_atomically(self.patches_path(content_hash), npy_bytes(patches))
        if pooled is not None:
            write_atomically(self.pooled_path(content_hash), npy_bytes(pooled))

    def read_patches(self, content_hash: str, *, mapped: bool = False) -> npt.NDArray[np.float16]:
        """(Hp, Wp, D) float16; `mapped` reads only the pages touched, for a few points of an image.

        Raises:
            FeatureMismatchError: the file is missing, damaged, or of another width than the manifest says.
        """
        return self._load(self.patches_path(content_hash), (self.info.dim,), 3, mapped=mapped)

    def read_pooled(self, content_hash: str) -> npt.NDArray[np.float32]:
        """(P,) float32.

        Raises:
            FeatureMismatchError: as for `read_patches`.
        """
        return self._load(self.pooled_path(content_hash), (self.info.pooled_dim,), 1, mapped=False)

    def _load(self, path: Path, last: tuple[int, ...], ndim: int, *, mapped: bool) -> npt.NDArray[Any]:
        name = self._name(path)
        try:
            array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
        except FileNotFoundError as error:
            raise FeatureMismatchError(
                f"{name} is missing: run init_session.py again with --append to compute it"
            ) from error
        except (ValueError, EOFError, OSError) as error:
            if isinstance(error, OSError) and error.errno in PASSING_ERRORS:
                raise
            # NumPy's text may name the file in full.
            reason = (error.strerror if isinstance(error, OSError) else None) or "it is cut off, or no .npy file"
            raise FeatureMismatchError(
                f"{name} is damaged ({reason}): run init_session.py again with --append to compute it anew"
            ) from error
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            raise FeatureMismatchError(
                f"{name} holds no floating-point array: run init_session.py again with --append to compute it anew"
            )
        if array.ndim != ndim or array.shape[-1:] != last or array.size == 0:
            raise FeatureMismatchError(
                f"{name} has shape {array.shape}, expected {ndim} axes with {last[0]} channels ({self.info.name}): "
                "run init_session.py again with --append to compute it anew"
            )
        return array

    def _name(self, path: Path) -> str:
        """As a person is told of a file: within the session folder, wherever that lies."""
        return path.relative_to(self._session_dir).as_posix()

    def _check_manifest(self) -> None:
        path = self.folder / MANIFEST_NAME
        wanted = {"layout_version": LAYOUT_VERSION, "dtype": "float16", "extractor": self.info.to_json()}
        # One round through JSON, so that tuples compare equal to the lists that are read back.
        wanted = json.loads(json.dumps(wanted))
        if not path.exists():
            write_atomically(path, json.dumps(wanted, indent=2, sort_keys=True).encode())
            return
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != wanted:
            keys = sorted(key for key in wanted if found.get(key) != wanted[key])
            raise FeatureMismatchError(
                f"{self._name(path)} differs from this session in {', '.join(keys)}: "
                f"found {[found.get(key) for key in keys]}, "
                f"expected {[wanted[key] for key in keys]}. Move {self.folder.name} aside and run init_session.py "
                "again with --append."
            )
