"""The YAML file of a session as frozen settings; docs/init.md explains every key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from db.errors import InvalidInputError
from db.palette import distinct_colors
from db.queries.session_info import TrainingSettings, check_head, head_name
from db.session_dir import DEFAULT_NAME, SESSION_VARIABLE
from db.tasks import TASKS, Annotates, Task
from initialization.class_config import ClassConfig, check_parents, plain_name
from initialization.glob_pattern import split_pattern
from models.errors import WeightsError
from models.extractor_settings import ExtractorSettings
from models.feature_forms import FormName
from models.feature_manifest import StoreSettings
from models.feature_storage import StorageKind
from models.preprocessing import DEFAULT, Preprocessing
from models.registry import check_name

DEFAULT_FORMATS = ("jpg", "jpeg", "png", "tif", "tiff", "webp", "bmp")
MAX_CLASSES = 1000
MIN_RESIZE, MAX_RESIZE = 32, 8192


def _path(value: object, info: ValidationInfo) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ValueError("a path as text")
    base = Path((info.context or {}).get("base_dir", "."))
    return (base / Path(str(value)).expanduser()).absolute()


def _place(value: object, info: ValidationInfo) -> str | None:
    """A URL as it is, a path absolute."""
    if isinstance(value, str) and "://" in value:
        return value.strip().rstrip("/")
    path = _path(value, info)
    return None if path is None else str(path)


def _adapter(value: object, info: ValidationInfo) -> Path | None:
    """As `_path`; that of a session's own adapter, which is stored relative to its folder, stays so."""
    return Path(str(value)) if value is not None and not info.context else _path(value, info)


def _formats(value: object) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if isinstance(parts, list | tuple) and parts and all(isinstance(part, str) for part in parts):
        names = tuple(dict.fromkeys(part.strip().lstrip("*").lstrip(".").lower() for part in parts if part.strip()))
        if names and all(name.isalnum() for name in names):
            return names
    raise ValueError('file name extensions such as "jpg,jpeg,png"')


def _layers(value: object) -> tuple[int, ...] | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        return (value,)
    if isinstance(value, list | tuple) and value and all(type(entry) is int for entry in value):
        return tuple(value)
    raise ValueError("layer numbers, counted from 0, such as [3, 7, 11]")


def _preprocessing(value: object) -> Preprocessing:
    return value if isinstance(value, Preprocessing) else Preprocessing.from_json(value)


ConfigPath = Annotated[Path, BeforeValidator(_path)]


class SessionConfig(TrainingSettings):
    """A validated YAML file: paths absolute, defaults filled in. The training parameters are inherited."""

    task: Task
    image_dir: ConfigPath
    """A folder, a pattern such as data/**/*.tif, a .zip, or a .json or .csv list of images."""
    classes: tuple[ClassConfig, ...] = Field(min_length=1, max_length=MAX_CLASSES)
    name: Annotated[str, BeforeValidator(plain_name)] | None = None
    formats: Annotated[tuple[str, ...], BeforeValidator(_formats)] = DEFAULT_FORMATS
    labels_dir: Annotated[Path | None, BeforeValidator(_path)] = None
    import_masks: Literal["regions", "points"] = "regions"
    """What masks in `labels_dir` become: regions, which say all that the masks do, or a few points inside of each."""
    session_dir: Annotated[Path | None, BeforeValidator(_path)] = None
    dinov3_repo: Annotated[Path | None, BeforeValidator(_path)] = None
    weights_path: Annotated[Path | None, BeforeValidator(_path)] = None
    adapter_path: Annotated[Path | None, BeforeValidator(_adapter)] = None
    """What fine-tuning changed in the weights; from a stored configuration relative to the session folder."""
    resize: int | None = Field(default=None, ge=MIN_RESIZE, le=MAX_RESIZE)
    """Longest side that the extractor sees, pixels; None leaves it to the extractor."""
    preprocessing: Annotated[
        Preprocessing,
        BeforeValidator(_preprocessing),
        PlainSerializer(Preprocessing.to_json, return_type=dict[str, Any]),
    ] = DEFAULT
    """What is done to every image before anything sees it."""
    extractor: str | None = None
    """Its name; None takes what `weights_path` holds, or the embedded one."""
    layers: Annotated[tuple[int, ...] | None, BeforeValidator(_layers)] = None
    """Layers whose outputs make the patch features; None leaves it to the extractor."""

    features_form: FormName | None = None
    """How patch features are kept; None takes the default, or what the session has."""
    features_storage: StorageKind | None = None
    """A file for each image, or shards; None as above."""
    features_dir: Annotated[str | None, BeforeValidator(_place)] = None
    """Folder or URL of features; None keeps them in the session folder."""

    @field_validator("classes", mode="before")
    @classmethod
    def _fill_in_classes(cls, value: object) -> object:
        """Plain names become classes, and classes without a colour get one."""
        if not isinstance(value, list):
            raise ValueError("a list of classes, each with a name and a color")
        whole = [{"name": entry} if not isinstance(entry, dict) else entry for entry in value]
        colors = iter(distinct_colors([None] * len(whole)))
        return [{"color": next(colors), **entry} for entry in whole]

    @field_validator("extractor")
    @classmethod
    def _check_extractor_name(cls, value: str | None) -> str | None:
        try:
            check_name(value)
        except WeightsError as error:
            raise PydanticCustomError("unknown_extractor", "{reason}", {"reason": str(error)}) from error
        return value

    @model_validator(mode="before")
    @classmethod
    def _read_old_head(cls, data: Any) -> Any:
        """`head: nonlinear` of files for older versions."""
        if isinstance(data, dict) and data.get("task") in TASKS and "head" in data:
            return {**data, "head": head_name(data["head"], TASKS[data["task"]])}
        return data

    @model_validator(mode="after")
    def _check_head(self) -> Self:
        try:
            check_head(self.head, self.task)
        except InvalidInputError as error:
            raise ValueError(str(error)) from error
        return self

    @model_validator(mode="after")
    def _check_class_names(self) -> Self:
        names = [entry.name for entry in self.classes]
        folded = [name.casefold() for name in names]
        twice = sorted({name for name in names if folded.count(name.casefold()) > 1})
        if twice:
            raise ValueError(f"classes: found the name {twice[0]!r} twice, expected a different name for each class")
        return self

    @model_validator(mode="after")
    def _check_parents(self) -> Self:
        check_parents(self.classes)
        return self

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        grouped = next((entry for entry in self.classes if entry.group is not None), None)
        if grouped is not None and self.task.annotates is not Annotates.CLASSES:
            raise ValueError(
                f"classes: found the group {grouped.group!r} of {grouped.name!r} in a {self.task.name} session, where "
                "an image or point has one class anyway: leave it out, or write `task: multilabel`"
            )
        return self

    @property
    def session_name(self) -> str:
        """`name`, or else what the images are called."""
        if self.name:
            return self.name
        pattern = None if self.image_dir.exists() else split_pattern(self.image_dir)
        return (pattern[0] if pattern else self.image_dir).stem or "session"

    def extractor_settings(self, session_dir: Path = Path()) -> ExtractorSettings:
        """What the registry needs to make the extractor.

        Args:
            session_dir: Where an adapter of the session itself lies.
        """
        return ExtractorSettings(
            weights_path=self.weights_path,
            dinov3_repo=self.dinov3_repo,
            resize=self.resize,
            extractor=self.extractor,
            layers=self.layers,
            # An absolute path replaces session_dir here.
            adapter_path=None if self.adapter_path is None else session_dir / self.adapter_path,
        )

    def store_settings(self) -> StoreSettings:
        """How and where features are kept."""
        return StoreSettings(form=self.features_form, storage=self.features_storage, place=self.features_dir)

    def training_settings(self) -> TrainingSettings:
        """The inherited part: what PATCH /api/config can change later."""
        return TrainingSettings(**{key: getattr(self, key) for key in TrainingSettings.model_fields})


def session_dir_of(config: SessionConfig, environment: Mapping[str, str]) -> Path:
    """Where the session lives: FEWCLICK_SESSION, else `session_dir`, else ./session."""
    from_environment = environment.get(SESSION_VARIABLE)
    if from_environment:
        return Path(from_environment).absolute()
    return config.session_dir or Path(DEFAULT_NAME).absolute()
