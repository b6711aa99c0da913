"""What a route sends, as pixels."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image as PillowImage


def decode(content: bytes) -> np.ndarray[Any, Any]:
    """RGB, uint8 (H, W, 3)."""
    return np.asarray(PillowImage.open(io.BytesIO(content)).convert("RGB"))
