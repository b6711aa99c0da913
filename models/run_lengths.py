"""Masks as run lengths in the compressed text of COCO, read and written without trust in what comes in.

The text is that of `pycocotools.mask`: runs of 0 and 1 in turn, beginning with 0, down the columns (Fortran order);
from the third run on, each is written as the difference to the one two before it, in groups of five bits, lowest first.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from models.errors import ShapeError

FIRST_CHARACTER = 48
LAST_CHARACTER = FIRST_CHARACTER + 63
MORE, NEGATIVE, BITS = 0x20, 0x10, 5
MAX_GROUPS = 7
"""Groups of one number: 35 bits, far more than the pixels of any image."""

Bools = npt.NDArray[np.bool_]


def encode_runs(pixels: Bools) -> str:
    """The text of a mask (H, W)."""
    flat = np.asarray(pixels, dtype=bool).ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    runs = np.diff(edges)
    if flat.size and flat[0]:
        runs = np.concatenate([[0], runs])
    return _text(runs)


def cut_runs(text: str, height: int, width: int) -> tuple[int, int, int, int, str] | None:
    """What is set of a mask as (top, left, height, width, text), from its runs alone; None where nothing is.

    Raises:
        ShapeError: as `decode_runs`.
    """
    runs = _checked_runs(text, height, width)
    ends = np.cumsum(runs)
    is_set = np.arange(len(runs)) % 2 == 1
    is_set &= runs > 0
    if not is_set.any():
        return None
    first, last = (ends - runs)[is_set], ends[is_set] - 1
    left, right = int(first[0]) // height, int(last[-1]) // height
    top, bottom = 0, height - 1
    if (first // height == last // height).all():
        top, bottom = int((first % height).min()), int((last % height).max())
    # Runs that go on in the next column need all rows; the others move, each in its column.
    rows = bottom - top + 1
    first, last = ((at // height - left) * rows + at % height - top for at in (first, last))
    starts_anew = np.concatenate([[True], first[1:] > last[:-1] + 1])
    ends_here = np.concatenate([starts_anew[1:], [True]])
    edges = np.stack([first[starts_anew], last[ends_here] + 1], axis=1).ravel()
    total = rows * (right - left + 1)
    if edges[-1] < total:
        edges = np.append(edges, total)
    return top, left, rows, right - left + 1, _text(np.diff(edges, prepend=0))


def _text(runs: npt.NDArray[np.int64]) -> str:
    values = runs.astype(np.int64)
    values[3:] -= runs[1:-2]
    groups = np.zeros((len(values), MAX_GROUPS), dtype=np.uint8)
    used = np.zeros((len(values), MAX_GROUPS), dtype=bool)
    is_open = np.ones(len(values), dtype=bool)
    for place in range(MAX_GROUPS):
        group = values & 0x1F
        values >>= BITS
        goes_on = np.where(group & NEGATIVE, values != -1, values != 0)
        groups[:, place] = group | np.where(goes_on, MORE, 0)
        used[:, place] = is_open
        is_open &= goes_on
        if not is_open.any():
            break
    return bytes((groups[used] + FIRST_CHARACTER).astype(np.uint8)).decode("ascii")


def decode_runs(text: str, height: int, width: int) -> Bools:
    """The mask (H, W) of a text.

    Raises:
        ShapeError: it is no such text, or one of another number of pixels.
    """
    return pixels_of_runs(_runs(text), height, width)


def pixels_of_runs(runs: npt.NDArray[np.int64], height: int, width: int) -> Bools:
    """The mask (H, W) of runs of 0 and 1 in turn, beginning with 0, down the columns.

    Raises:
        ShapeError: they make another number of pixels.
    """
    _require_fit(runs, height, width)
    values = np.zeros(len(runs), dtype=bool)
    values[1::2] = True
    return np.repeat(values, runs).reshape((height, width), order="F")


def _checked_runs(text: str, height: int, width: int) -> npt.NDArray[np.int64]:
    runs = _runs(text)
    _require_fit(runs, height, width)
    return runs


def _require_fit(runs: npt.NDArray[np.int64], height: int, width: int) -> None:
    is_possible = bool(((runs >= 0) & (runs <= height * width)).all())
    if not is_possible or int(runs.sum()) != height * width:
        raise ShapeError(f"counts do not tell of the {height} x {width} pixels that size names: expected as many")


def _runs(text: str) -> npt.NDArray[np.int64]:
    try:
        codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8).astype(np.int64)
    except UnicodeEncodeError as error:
        raise ShapeError("counts hold characters that are not ASCII: expected COCO's compressed run lengths") from error
    if len(codes) and (codes.min() < FIRST_CHARACTER or codes.max() > LAST_CHARACTER):
        raise ShapeError("counts hold characters outside 0 to o: expected COCO's compressed run lengths")
    codes -= FIRST_CHARACTER
    ends = np.flatnonzero((codes & MORE) == 0)
    if len(codes) and (not len(ends) or ends[-1] != len(codes) - 1):
        raise ShapeError("counts end in the middle of a number: expected COCO's compressed run lengths")
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    lengths = ends - starts + 1
    if len(lengths) and lengths.max() > MAX_GROUPS:
        raise ShapeError("counts hold a number of more than 35 bits: expected COCO's compressed run lengths")
    if not len(ends):
        return np.zeros(0, dtype=np.int64)
    places = np.arange(len(codes)) - np.repeat(starts, lengths)
    values = np.add.reduceat((codes & 0x1F) << (BITS * places), starts)
    is_negative = (codes[ends] & NEGATIVE) != 0
    values[is_negative] -= np.int64(1) << (BITS * lengths[is_negative])
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    return values
