"""Cached features: addressed by image content and extractor, written whole or not at all, checked on opening.

Layout under session/features/: one folder per extractor identity with `manifest.json`, which says in which form and
where the features lie; by default beside it, as `<first two hex digits>/<content hash>.npy` (patches, (Hp, Wp, D): one
point is one contiguous read) and `<...>.pooled.npy` (float32, (P,)). A session whose task reads no patch features holds
the latter only. docs/features.md describes the forms and the storages.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.atomic_file import write_atomically
from models.base import ExtractorInfo, Features
from models.errors import FeatureMismatchError
from models.feature_forms import PROJECTED_CHANNELS, Form, FormName, PatchMap, make_form
from models.feature_manifest import Manifest, StoreSettings, check_store, has_store, identity_name, open_manifest
from models.feature_storage import Buffer, Entry, FolderStorage, Pruned, Storage, StorageKind, Tier, array_of, npy_bytes
from models.projection import PROJECTION_NAME, Projection, keep_projection, read_projection

__all__ = ["FeatureStore", "StoreSettings", "check_store", "has_store", "npy_bytes", "open_store", "write_atomically"]

CACHE_FOLDER = "cache"
PASSING_ERRORS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
"""Errors of the machine at the moment: they say nothing about the file that was to be read."""
REMEDY = "run init_session.py again with --append to compute it anew"


def open_store(session_dir: Path, info: ExtractorInfo, settings: StoreSettings) -> FeatureStore:
    """The store of a session; one that is there already must be as the settings say, where they say anything.

    Raises:
        FeatureMismatchError: it is not, or it cannot be opened.
    """
    return FeatureStore(session_dir, info, settings)


class FeatureStore:
    """The features that one extractor made for the images of one session.

    Form and place stand in the manifest: only what makes a session has to name them.

    Raises:
        FeatureMismatchError: on opening, when the folder's manifest tells of another extractor or layout.
    """

    def __init__(self, session_dir: Path, info: ExtractorInfo, settings: StoreSettings | None = None) -> None:
        self.info = info
        self.folder = session_dir / "features" / identity_name(info)
        self._session_dir = session_dir
        self.manifest: Manifest = open_manifest(self.folder, info, settings, self._name(self.folder))
        self._form: Form | None = None
        self._storage: Storage | None = None
        self._load_form()

    @property
    def form(self) -> FormName:
        """In which form patch features are kept."""
        return self.manifest.form

    @property
    def lacks_projection(self) -> bool:
        """Whether `fit` has to come before the first patch features."""
        return self._form is None

    def fit(self, maps: Iterable[npt.NDArray[np.floating]]) -> None:
        """Fit what the form needs to know of the features, on the maps (Hp, Wp, D) of some images; once for all.

        Of two processes that do so at a time, the first one's result counts for both.
        """
        if self.lacks_projection:
            projection = Projection.fit(maps, self.info.groups, PROJECTED_CHANNELS)
            if projection is not None:
                self.use_projection(projection)

    def use_projection(self, projection: Projection) -> None:
        """As `fit`, with a projection fitted elsewhere."""
        keep_projection(self.folder, projection)
        self._load_form()

    def close(self) -> None:
        """Finish what is being appended to and free its files; a later use opens them again."""
        if self._storage is not None:
            self._storage.close()
            self._storage = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def patches_path(self, content_hash: str) -> Path:
        """Where the patch features of an image lie, if there is a file for each image."""
        return self._files().path(Tier.PATCHES, content_hash)

    def pooled_path(self, content_hash: str) -> Path:
        """Where the pooled vector of an image lies, if there is a file for each image."""
        return self._files().path(Tier.POOLED, content_hash)

    def has(self, content_hash: str, *, patches: bool = True, pooled: bool = True) -> bool:
        """Whether what is asked for is there (what is there is complete)."""
        wanted = [tier for tier, asked in ((Tier.POOLED, pooled), (Tier.PATCHES, patches)) if asked]
        return all(self.storage.has(tier, content_hash) for tier in wanted)

    def write(self, content_hash: str, features: Features) -> None:
        """Store what there is of the features of one image, durably.

        Raises:
            ValueError: a value is not finite, or beyond what the stored type can hold.
        """
        patches = None if features.patches is None else self._encoder().encode(features.patches)
        pooled = None if features.pooled is None else features.pooled.astype(np.float32)
        if pooled is not None and not np.isfinite(pooled).all():
            raise ValueError(f"features of {content_hash} are not finite as {pooled.dtype}")
        if patches is not None:
            self.storage.write(Tier.PATCHES, content_hash, npy_bytes(patches))
        if pooled is not None:
            self.storage.write(Tier.POOLED, content_hash, npy_bytes(pooled))

    def read_patches(self, content_hash: str) -> npt.NDArray[np.floating]:
        """(Hp, Wp, D), float16 or float32 as the form has it.

        Raises:
            FeatureMismatchError: they are missing, damaged, or of another width than the manifest says.
        """
        return self._open(content_hash, lambda: self.storage.read(Tier.PATCHES, content_hash)).whole()

    def open_patches(self, content_hash: str) -> PatchMap:
        """As `read_patches`, for a few cells of the image: only those asked for are read and decoded."""
        return self._open(content_hash, lambda: self.storage.map(Tier.PATCHES, content_hash))

    def read_pooled(self, content_hash: str) -> npt.NDArray[np.float32]:
        """(P,) float32.

        Raises:
            FeatureMismatchError: as for `read_patches`.
        """
        return np.array(self._vector(content_hash, lambda: self.storage.read(Tier.POOLED, content_hash)))

    def read_pooled_many(self, content_hashes: Sequence[str]) -> npt.NDArray[np.float32]:
        """(N, P) float32, read in the order that is fastest.

        Raises:
            FeatureMismatchError: as for `read_patches`, for the first that is not there.
        """
        rows = np.empty((len(content_hashes), self.info.pooled_dim), dtype=np.float32)
        places: dict[str, list[int]] = {}
        for row, content_hash in enumerate(content_hashes):
            places.setdefault(content_hash, []).append(row)
        for content_hash, buffer in self.storage.read_many(Tier.POOLED, list(places)):
            rows[places[content_hash]] = self._vector(content_hash, partial(_present, buffer))
        return rows

    def check(self, tier: Tier, content_hash: str, grid: tuple[int, int] | None = None) -> None:
        """Read and judge all that is stored of an image.

        Args:
            grid: Height and width in cells that patch features must have.

        Raises:
            FeatureMismatchError: it is missing, damaged, misshapen, or holds values that are not finite.
        """
        if tier is Tier.POOLED:
            values: npt.NDArray[np.floating] = self.read_pooled(content_hash)
        else:
            values = self.read_patches(content_hash)
            if grid is not None and values.shape[:2] != grid:
                raise FeatureMismatchError(
                    f"{self._place(tier, content_hash)} has {values.shape[0]} x {values.shape[1]} cells, the image "
                    f"asks for {grid[0]} x {grid[1]}: {REMEDY}"
                )
        if not np.isfinite(values).all():
            raise FeatureMismatchError(f"{self._place(tier, content_hash)} holds values that are not finite: {REMEDY}")

    def remove(self, content_hash: str, *, patches: bool = True, pooled: bool = True) -> None:
        """Forget the features of an image, so that they are computed anew."""
        if patches:
            self.storage.remove(Tier.PATCHES, content_hash)
        if pooled:
            self.storage.remove(Tier.POOLED, content_hash)

    def entries(self) -> Iterator[Entry]:
        """All that is stored."""
        return self.storage.entries()

    def prune(self, keep: Callable[[Entry], bool], *, dry: bool = False) -> Pruned:
        """Remove what `keep` refuses and what killed processes left; nobody may write meanwhile."""
        return self.storage.prune(keep, dry=dry)

    @property
    def storage(self) -> Storage:
        """Where the arrays are."""
        if self._form is None:
            self._load_form()
        storage = self._storage = self._storage or self._open_storage()
        return storage

    def _open_storage(self) -> Storage:
        root = self.manifest.root(self.folder)
        if "://" in str(root):
            from models.feature_objects import ObjectStorage

            return ObjectStorage(str(root), self.folder / CACHE_FOLDER)
        if self.manifest.storage is StorageKind.SHARDS:
            from models.feature_shards import ShardStorage

            return ShardStorage(Path(root) / StorageKind.SHARDS)
        return FolderStorage(Path(root))

    def _load_form(self) -> None:
        if self.form is not FormName.PCA_INT8:
            self._form = make_form(self.form, self.info.dim)
            return
        try:
            projection = read_projection(self.folder)
        except ValueError as error:
            raise FeatureMismatchError(
                f"{self._name(self.folder / PROJECTION_NAME)} is damaged ({error}): move {self.folder.name} aside and "
                "run init_session.py again with --append"
            ) from error
        if projection is not None:
            self._form = make_form(self.form, self.info.dim, projection)
            # Outside the session, the place is another one from now on.
            self.close()

    def _encoder(self) -> Form:
        if self._form is None:
            self._load_form()
        if self._form is None:
            raise FeatureMismatchError(
                f"{self._name(self.folder)} has no {PROJECTION_NAME} yet: run init_session.py again with --append"
            )
        return self._form

    def _files(self) -> FolderStorage:
        if not isinstance(self.storage, FolderStorage):
            raise FeatureMismatchError(f"features in {self.manifest.storage} have no files of their own")
        return self.storage

    def _open(self, content_hash: str, read: Callable[[], Buffer]) -> PatchMap:
        stored = self._load(Tier.PATCHES, content_hash, read)
        try:
            return self._encoder().open(stored)
        except ValueError as error:
            place = self._place(Tier.PATCHES, content_hash)
            raise FeatureMismatchError(f"{place} {error} ({self.info.name}, {self.form}): {REMEDY}") from error

    def _load(self, tier: Tier, content_hash: str, read: Callable[[], Buffer]) -> npt.NDArray[Any]:
        try:
            return array_of(read())
        except FileNotFoundError as error:
            raise FeatureMismatchError(
                f"{self._place(tier, content_hash)} is missing: run init_session.py again with --append to compute it"
            ) from error
        except (ValueError, OSError) as error:
            if isinstance(error, OSError) and error.errno in PASSING_ERRORS:
                raise
            # The system's text may name the file in full.
            reason = (error.strerror or "it cannot be read") if isinstance(error, OSError) else str(error)
            raise FeatureMismatchError(f"{self._place(tier, content_hash)} is damaged ({reason}): {REMEDY}") from error

    def _vector(self, content_hash: str, read: Callable[[], Buffer]) -> npt.NDArray[np.float32]:
        stored = self._load(Tier.POOLED, content_hash, read)
        if stored.dtype.kind != "f" or stored.shape != (self.info.pooled_dim,):
            raise FeatureMismatchError(
                f"{self._place(Tier.POOLED, content_hash)} has shape {stored.shape} of {stored.dtype}, expected "
                f"({self.info.pooled_dim},) of float32 ({self.info.name}): {REMEDY}"
            )
        return stored

    def _place(self, tier: Tier, content_hash: str) -> str:
        place = self.storage.place(tier, content_hash)
        return place if "://" in place else f"{self._name(self.folder)}/{place}"

    def _name(self, path: Path) -> str:
        """As a person is told of a file: within the session folder, wherever that lies."""
        return path.relative_to(self._session_dir).as_posix()


def _present(buffer: Buffer | None) -> Buffer:
    if buffer is None:
        raise FileNotFoundError
    return buffer
