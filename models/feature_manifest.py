"""The manifest of stored features: which extractor made them, in which form they are, and where they lie."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.atomic_file import open_atomically
from models.base import ExtractorInfo
from models.errors import FeatureMismatchError
from models.feature_forms import FormName
from models.feature_storage import StorageKind
from models.projection import projection_digest

MANIFEST_NAME = "manifest.json"
LAYOUT_VERSION = 2
DEFAULT_FORM = FormName.INT8
"""Half the bytes of float16, and no IoU lost that could be measured: docs/decisions/0009-forms-of-features.md."""


@dataclass(frozen=True)
class StoreSettings:
    """How a session wants its features kept; None leaves it to what is there, or to the default."""

    form: FormName | None = None
    storage: StorageKind | None = None
    place: str | None = None
    """Folder (absolute) or URL of an object storage, instead of the session's own folder."""


@dataclass(frozen=True)
class Manifest:
    """Form and place of the features of one extractor."""

    form: FormName = FormName.FLOAT16
    storage: StorageKind = StorageKind.FILES
    place: str | None = None
    identity: str = ""
    """Of the extractor; see `identity_name`."""

    def disk(self, session_dir: Path) -> Path | None:
        """A folder on the disk that fills up; None for an object storage."""
        if self.place is None:
            return session_dir
        return None if "://" in self.place else Path(self.place)

    @property
    def is_shared(self) -> bool:
        """Whether other sessions may use the same place."""
        return self.place is not None

    def root(self, folder: Path) -> Path | str:
        """Folder or URL of the arrays, for a manifest in `folder`."""
        if self.place is None:
            return folder
        # Sessions that share a place can differ in form: each has its own folder there.
        name = f"{self.identity}-{self.form}"
        # The same holds for projections: bytes of one are noise in another.
        digest = projection_digest(folder) if self.form is FormName.PCA_INT8 else None
        name = f"{name}-{digest}" if digest else name
        return f"{self.place.rstrip('/')}/{name}" if "://" in self.place else Path(self.place) / name


def identity_name(info: ExtractorInfo) -> str:
    """Name of an extractor with a digest of all that changes its values."""
    identity = json.dumps(info.to_json(), sort_keys=True).encode()
    return f"{info.name}-{hashlib.sha256(identity).hexdigest()[:12]}"


def check_store(session_dir: Path | None, info: ExtractorInfo, settings: StoreSettings) -> Manifest:
    """What `open_store` would open or refuse; writes nothing.

    Args:
        session_dir: None for a session that is still to be made.

    Raises:
        FeatureMismatchError: as there.
    """
    shown = f"features/{identity_name(info)}"
    manifest = new_manifest(info, settings)
    if session_dir is not None:
        manifest = check_manifest(session_dir / shown, info, settings, shown)
    if settings.place is not None and "://" in settings.place:
        from models.feature_objects import open_url

        open_url(settings.place)
    return manifest


def has_store(session_dir: Path, info: ExtractorInfo) -> bool:
    """Whether features of that extractor were ever opened for the session."""
    return (session_dir / "features" / identity_name(info) / MANIFEST_NAME).is_file()


def open_manifest(folder: Path, info: ExtractorInfo, settings: StoreSettings | None, shown: str) -> Manifest:
    """The manifest in `folder`, written now if there is none.

    Args:
        shown: What a person is told the folder is.

    Raises:
        FeatureMismatchError: it tells of another extractor, layout, form or place.
    """
    manifest = check_manifest(folder, info, settings, shown)
    path = folder / MANIFEST_NAME
    if not path.exists():
        data = _to_json(manifest, _plain(info))
        with open_atomically(path) as stream:
            stream.write(json.dumps(data, indent=2, sort_keys=True).encode())
    return manifest


def check_manifest(folder: Path, info: ExtractorInfo, settings: StoreSettings | None, shown: str) -> Manifest:
    """As `open_manifest`, but nothing is written."""
    path = folder / MANIFEST_NAME
    extractor, identity = _plain(info), identity_name(info)
    if not path.exists():
        return new_manifest(info, settings or StoreSettings())
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FeatureMismatchError(f"{shown}/{MANIFEST_NAME} is no JSON file: {_move_aside(folder)}") from error
    manifest = _from_json(found, extractor, identity)
    if manifest is None:
        expected = _to_json(Manifest(), extractor)
        keys = sorted(key for key in expected if found.get(key) != expected[key]) if isinstance(found, dict) else []
        raise FeatureMismatchError(
            f"{shown}/{MANIFEST_NAME} differs from this session in {', '.join(keys)}: "
            f"found {[found.get(key) for key in keys]}, expected {[expected[key] for key in keys]}. "
            f"{_move_aside(folder).capitalize()}"
        )
    _check_settings(manifest, settings, shown, folder)
    return manifest


def _plain(info: ExtractorInfo) -> dict[str, Any]:
    # One round through JSON, so that tuples compare equal to the lists that are read back.
    plain: dict[str, Any] = json.loads(json.dumps(info.to_json()))
    return plain


def new_manifest(info: ExtractorInfo, settings: StoreSettings) -> Manifest:
    """That of features that are still to be made.

    Raises:
        FeatureMismatchError: the settings contradict each other.
    """
    if settings.storage is StorageKind.SHARDS and "://" in (settings.place or ""):
        raise FeatureMismatchError(
            f"features_storage: found shards with features_dir {settings.place}, expected files: an object storage "
            "cannot append"
        )
    return Manifest(
        form=settings.form or DEFAULT_FORM,
        storage=settings.storage or StorageKind.FILES,
        place=settings.place,
        identity=identity_name(info),
    )


def _to_json(manifest: Manifest, extractor: dict[str, Any]) -> dict[str, Any]:
    data = {
        "layout_version": LAYOUT_VERSION,
        "form": manifest.form.value,
        "storage": manifest.storage.value,
        "extractor": extractor,
    }
    return data if manifest.place is None else data | {"place": manifest.place}


def _from_json(found: Any, extractor: dict[str, Any], identity: str) -> Manifest | None:
    """None where the features cannot be used."""
    if not isinstance(found, dict) or found.get("extractor") != extractor:
        return None
    if found.get("layout_version") == 1:  # before there were forms
        return Manifest(identity=identity) if found.get("dtype") == "float16" else None
    if found.get("layout_version") != LAYOUT_VERSION or not isinstance(found.get("place"), str | None):
        return None
    try:
        form, storage = FormName(str(found.get("form"))), StorageKind(str(found.get("storage")))
    except ValueError:
        return None
    return Manifest(form, storage, found.get("place"), identity)


def _check_settings(manifest: Manifest, settings: StoreSettings | None, shown: str, folder: Path) -> None:
    if settings is None:
        return
    for key, wanted, found in (
        ("features_form", settings.form, manifest.form),
        ("features_storage", settings.storage, manifest.storage),
        ("features_dir", settings.place, manifest.place),
    ):
        if wanted is not None and wanted != found:
            raise FeatureMismatchError(
                f"{key}: found {wanted}, but the features of this session ({shown}) have {found or 'none'}: put it "
                f"back, or {_move_aside(folder)}"
            )


def _move_aside(folder: Path) -> str:
    return f"move {folder.name} aside and run init_session.py again with --append."
