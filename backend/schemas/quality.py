"""How good the head is: on images it did not learn from, and in the eyes of the person who labels."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from backend.schemas.base import ResponseModel

Method = Literal["held_out", "cross_validation"]


class Interval(ResponseModel):
    """A share with its 95 % interval, all 0..1."""

    value: float
    low: float
    high: float


class ClassFigures(ResponseModel):
    """One class. null: fewer than 5 samples of it, or, for the precision, predicted as it."""

    class_id: int
    support: int = Field(description="samples of the class")
    predicted: int = Field(description="samples predicted as it")
    right: int = Field(description="samples of the class that were predicted as it")
    precision: float | None
    recall: float | None
    f1: float | None
    iou: float | None = Field(description="of the labelled samples alone, not of whole masks")


class Confusion(ResponseModel):
    """counts[i][j]: samples of class_ids[i] that were predicted as class_ids[j]."""

    class_ids: list[int] = Field(description="those that occur")
    counts: list[list[int]]


class ReliabilityBin(ResponseModel):
    """Samples whose confidence lies in one tenth of 0..1."""

    low: float
    high: float
    count: int
    confidence: float = Field(description="their mean confidence")
    accuracy: float = Field(description="the share of them that is right")


class Calibration(ResponseModel):
    """Whether probabilities mean what they say."""

    bins: list[ReliabilityBin]
    expected_error: float = Field(description="expected calibration error, 0..1")
    brier: float = Field(description="mean squared distance from the truth, summed over classes")
    log_loss: float
    temperature: float = Field(description="logits would have to be divided by it; above 1: too sure. Not applied.")
    log_loss_after: float = Field(description="with the temperature of the other half of the images")
    expected_error_after: float


class Figures(ResponseModel):
    """Of a head on samples that it did not learn from."""

    one_class: bool = Field(description="whether exactly one class holds for each sample")
    n_samples: int = Field(description="points, or labels of whole images")
    n_images: int
    unknown: str | None = Field(description="why there is no accuracy, and what is missing; null where there is")
    accuracy: Interval | None = Field(
        description="samples with the right class, or with exactly the right ones; the interval is one by image"
    )
    majority_share: float | None = Field(description="accuracy of always saying the same")
    mean_iou: float | None = Field(description="over classes, on the labelled samples")
    macro_f1: float | None = Field(description="mean over classes")
    micro_f1: float | None = Field(
        default=None, description="of all decisions together; null also where it was measured by an earlier version"
    )
    classes: list[ClassFigures]
    confusion: Confusion | None = Field(description="null where several classes may hold")
    calibration: Calibration | None
    calibration_unknown: str | None
    selected_on_these: bool = Field(
        default=False,
        description="the best epoch, of a run's head or of the adapter in force, was chosen on images among these: "
        "the figures lean high",
    )


class CurvePoint(ResponseModel):
    """A head of a part of the labels."""

    n_labels: int
    n_images: int
    accuracy: Interval


class Outlook(ResponseModel):
    """What the last doubling of the labels brought."""

    verdict: Literal["rising", "flat", "unclear"] = Field(
        description="rising: more labels would probably still help; unclear: too few images to tell"
    )
    gain: float = Field(description="accuracy with all labels less that with half of them")
    margin: float = Field(description="two standard errors of the gain")
    n_images: int = Field(description="measured on")


class LearningCurve(ResponseModel):
    """Heads of a quarter, a half, three quarters and all of the labels, on the same samples."""

    method: Method
    points: list[CurvePoint]
    outlook: Outlook


class HistoryPoint(ResponseModel):
    """The live head as it was measured once; method and accuracy are null where too few were labelled."""

    at: dt.datetime
    n_labels: int
    n_images: int = Field(description="labelled")
    method: Method | None
    accuracy: Interval | None


class AgreementPoint(ResponseModel):
    """Share over the last 50 statements."""

    at: dt.datetime
    count: int = Field(description="statements in the share, 50 at most")
    share: float


class ClassAgreement(ResponseModel):
    """Of the statements about one class."""

    class_id: int
    count: int
    agreed: int


class Agreement(ResponseModel):
    """How often people's clicks confirmed the prediction in sight. People click on errors: it leans low."""

    count: int = Field(description="statements looked at, the newest 1,000 at most")
    share: float = Field(description="over the last 50")
    over_time: list[AgreementPoint] = Field(description="at most 200, oldest first")
    unprompted: Interval | None = Field(
        description="first statements on images that the model had not picked, the last 200; null below 5"
    )
    unprompted_count: int
    by_class: list[ClassAgreement]


class Quality(ResponseModel):
    """Of the head in force."""

    measured_at: dt.datetime | None
    is_current: bool | None = Field(description="false where labels have changed since; null if nothing was measured")
    n_labels: int | None = Field(description="that the head learned from")
    n_picked_images: int | None = Field(
        default=None,
        description="labelled images that the model picked, or that were accepted by what it said: they train, and "
        "count in no figure; null where nobody counted them",
    )
    leading: Method | None = Field(
        description="the figure to go by: held_out from 10 held-out images on, or without an estimate; null: none"
    )
    held_out: Figures | None = Field(description="on the images held out for good, by a head of all others")
    estimate: Figures | None = Field(
        description="live head by cross-validation over images, until 50 are held out; at first the surer figure"
    )
    unknown: str | None = Field(description="why there are no figures at all, and what to do")
    curve: LearningCurve | None
    curve_unknown: str | None
    history: list[HistoryPoint] = Field(description="the live head over time, at most 200, oldest first")
    agreement: Agreement | None = Field(description="segmentation and multilabel; null before the first")
