"""The words that columns of the database choose from; they are those of HTTP and of the page too."""

from __future__ import annotations

from enum import StrEnum


class ImageStatus(StrEnum):
    """Where an image stands in the labelling."""

    UNLABELED = "unlabeled"
    LABELED = "labeled"
    SKIPPED = "skipped"
    UNDETERMINED = "undetermined"
    """A person has looked and cannot tell: an answer, but none to learn from."""


class FeatureState(StrEnum):
    """Whether the cached features of an image can be used."""

    PENDING = "pending"
    READY = "ready"
    FAILED = "failed"


class Origin(StrEnum):
    """Who made an annotation. Set by the server, never by a client."""

    HUMAN = "human"
    EXTRACTED = "extracted"
    ACCEPTED = "accepted"
    IMPORTED = "imported"


class RegionOrigin(StrEnum):
    """Who made a region. Set by the server, never by a client."""

    HUMAN = "human"
    ACCEPTED = "accepted"
    IMPORTED = "imported"
    CORRECTED = "corrected"
    """A person changed what the head had drawn."""


class RegionKind(StrEnum):
    """The form that a region is kept in; what belongs to each stands in models/region_shapes.py."""

    STROKE = "stroke"
    POLYGON = "polygon"
    BOX = "box"
    MASK = "mask"


class Split(StrEnum):
    """Which part of the labelled images an image belongs to, for good: drawn once, by image."""

    TRAIN = "train"
    VALIDATION = "validation"


class JobKind(StrEnum):
    """Work for the ML service."""

    REFIT = "refit"
    PREDICT = "predict"
    TRAIN = "train"
    COMPARE = "compare"
    """Measure two checkpoints on the same held-out images."""


class JobState(StrEnum):
    """A job's life: queued, claimed by one worker, ended."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RunState(StrEnum):
    """A full training run's life; the transitions stand in db/queries/runs.py."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUSPENDED = "SUSPENDED"
    FINISHED = "FINISHED"
    FAILED = "FAILED"


class RunKind(StrEnum):
    """What a full run trains."""

    HEAD = "head"
    """A head on the session's features."""
    FINETUNE = "finetune"
    """The extractor itself, by an adapter."""


class CheckpointKind(StrEnum):
    """How a head came to be: refitted live after an annotation, or trained by a full run."""

    LIVE = "live"
    RUN = "run"
    ADAPTER = "adapter"
    """No head: what a fine-tuning run changed in the extractor's weights. It is adopted, never activated."""


class WorkerRole(StrEnum):
    """What a worker does."""

    LEARNING = "learning"
    """The ML service: heads and predictions."""
    EXTRACTION = "extraction"
    """Features: an initialization, or the extraction service."""
