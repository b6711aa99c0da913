"""Which tasks there are: the register that every layer looks them up in."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from db.errors import InvalidInputError


class Annotates(StrEnum):
    """What an annotation says something about."""

    POINTS = "points"
    """Places in the image, each with a class: table `points`."""
    IMAGE = "image"
    """The whole image, one class: table `labels`."""
    CLASSES = "classes"
    """The whole image, any number of classes, none included: table `image_classes`."""


@dataclass(frozen=True)
class Task:
    """What a session asks of people, and what a head learns from it. docs/adding_a_task.md tells how to add one."""

    name: str
    """As it stands in the YAML file, in the database and in HTTP."""
    annotates: Annotates
    reads_patches: bool = True
    """Whether learning reads patch features. A session of a task that does not makes and stores pooled vectors only."""

    SEGMENTATION: ClassVar[Task]
    CLASSIFICATION: ClassVar[Task]
    MULTILABEL: ClassVar[Task]

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """A name from outside; the register is read when it is validated, not when a schema class is made."""
        return core_schema.no_info_plain_validator_function(
            _validate,
            serialization=core_schema.plain_serializer_function_ser_schema(lambda task: task.name),
            ref=f"{cls.__module__}.{cls.__qualname__}:{id(cls)}",
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """An enumeration of the names."""
        description = "What is labelled: points in images, one class per image, or any number of classes per image."
        return {"type": "string", "enum": list(TASKS), "title": "Task", "description": description}


Task.SEGMENTATION = Task("segmentation", Annotates.POINTS)
Task.CLASSIFICATION = Task("classification", Annotates.IMAGE, reads_patches=False)
Task.MULTILABEL = Task("multilabel", Annotates.CLASSES, reads_patches=False)

TASKS: dict[str, Task] = {task.name: task for task in (Task.SEGMENTATION, Task.CLASSIFICATION, Task.MULTILABEL)}
"""By name."""


def find_task(name: str) -> Task:
    """The task of that name.

    Raises:
        InvalidInputError: there is none.
    """
    if name not in TASKS:
        raise InvalidInputError(f"this is a session for the task {name!r}, this version of Fewclick knows {_known()}")
    return TASKS[name]


def _validate(value: object) -> Task:
    if isinstance(value, Task):
        return value
    if isinstance(value, str) and value in TASKS:
        return TASKS[value]
    raise ValueError(_known())


def _known() -> str:
    return " or ".join(repr(name) for name in TASKS)
