"""Fine-tuning of the extractor: whether it can be done, what it has found, and the change to it."""

from __future__ import annotations

from pydantic import Field

from backend.schemas.base import Id, RequestModel, ResponseModel


class Offer(ResponseModel):
    """A fine-tuned extractor that was better than the frozen one on held-out labels, and is not in force."""

    checkpoint_id: int
    run_id: int | None
    held_out_loss: float
    held_out_accuracy: float
    held_out_iou: float
    frozen_loss: float
    frozen_accuracy: float
    frozen_iou: float
    n_samples: int = Field(description="held-out labels that both were measured on")
    n_images: int


class FinetuningOut(ResponseModel):
    """Where fine-tuning stands."""

    available: bool
    reason: str | None = Field(description="why the session's extractor cannot be fine-tuned, and what to do")
    adopted: bool = Field(description="whether the session's extractor is a fine-tuned one")
    adopted_checkpoint_id: int | None = Field(description="null too where the adapter came from elsewhere")
    offer: Offer | None = Field(description="the newest one that can be adopted")


class Adopt(RequestModel):
    """Which extractor the session is to go on with."""

    checkpoint_id: Id | None = Field(description="of kind adapter; null for the weights without any")
    image_id: Id | None = Field(default=None, description="the image that is open: its features come first")
