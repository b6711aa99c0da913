"""Fine-tuning of the extractor; its runs are started and stopped as all are."""

from __future__ import annotations

from fastapi import APIRouter

from backend.context import Context
from backend.schemas.finetuning import Adopt, FinetuningOut
from backend.services import finetuning

router = APIRouter(tags=["training"])


@router.get("/training/finetuning")
def get_finetuning(context: Context) -> FinetuningOut:
    """Whether the extractor can be fine-tuned, and what is offered for adoption."""
    return finetuning.describe(context)


@router.post("/training/adopt")
def adopt_extractor(context: Context, wanted: Adopt) -> FinetuningOut:
    """Go on with a fine-tuned extractor, or with the weights as they are: annotations stay, features are made anew.

    409 while a run is at work or waits, and where there is nothing to change.
    """
    return finetuning.adopt(context, wanted)
