"""Tables of what `benchmarks.learning_quality` measured, and what the default has to reach beside the other rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from benchmarks.learning_peers import (
    CATBOOST,
    COLOUR,
    COLOUR_SHOWN,
    DEEP_FOREST,
    DEFAULT,
    DEFAULT_SHOWN,
    FILTER_FOREST,
    SHOWN,
)
from benchmarks.tables import Section

FloatArray = npt.NDArray[np.float64]
Row = tuple[str, str, str]

CHECKPOINTS = (4, 8, 16, 32)
"""Numbers of clicks or labels; in classification there is one more score, after some labels a class."""
LEAD_OVER_FILTERS = 0.15
"""In mean IoU at the last checkpoint."""
NOT_BELOW_COLOUR = 0.02
"""What the default may lose against plain colour on a set."""


@dataclass(frozen=True)
class Outcome:
    """All scores of one row on one set."""

    dataset: str
    peer: str
    scores: FloatArray
    """(seeds, checkpoints)"""


@dataclass(frozen=True)
class Means:
    """Means over seeds, of every row on every set."""

    peers: tuple[str, ...]
    sets: tuple[str, ...]
    scores: FloatArray
    """(peers, sets, checkpoints)"""

    @classmethod
    def of(cls, found: Sequence[Outcome]) -> Means:
        peers, sets = (tuple(dict.fromkeys(getattr(one, field) for one in found)) for field in ("peer", "dataset"))
        by_key = {(one.peer, one.dataset): one.scores.mean(axis=0) for one in found}
        return cls(peers, sets, np.array([[by_key[peer, dataset] for dataset in sets] for peer in peers]))

    def last(self, peer: str) -> FloatArray:
        """On each set, at the last checkpoint."""
        return np.asarray(self.scores[self.peers.index(peer), :, -1])

    def ranks(self) -> dict[str, float]:
        """Mean rank over sets at the last checkpoint, of the rows that see plain masks.

        A refined row is one of these heads again, with another way to enlarge: it would take a rank from the others.
        """
        plain = [peer for peer in self.peers if peer not in SHOWN]
        if not plain:
            return {}
        ranks = rankdata(-np.stack([self.last(peer) for peer in plain]).round(4), axis=0).mean(axis=1)
        return dict(zip(plain, ranks.tolist(), strict=True))


def section_of_outcomes(title: str, found: Sequence[Outcome], headings: Sequence[str]) -> Section:
    """Rows: each set at the last checkpoint, the mean over sets at every checkpoint, area under that, mean rank."""
    means = Means.of(found)
    ranks = means.ranks()
    rows = []
    for peer, scores in zip(means.peers, means.scores, strict=True):
        cells = [*scores[:, -1], *scores.mean(axis=0), scores[:, : len(CHECKPOINTS)].mean()]
        rank = f"{ranks[peer]:.1f}" if peer in ranks else "-"
        rows.append((peer, *(f"{value:.3f}" for value in cells), rank))
    columns = ("head", *means.sets, *(f"mean, {text}" for text in headings), "area", "mean rank")
    return Section(title, columns, tuple(rows))


def target_section(title: str, found: Sequence[Outcome], lead_over_filters: float) -> Section:
    """What the default has to reach at the last checkpoint, as far as the rows tell."""
    means = Means.of(found)
    leads = {FILTER_FOREST: lead_over_filters, DEEP_FOREST: 0.0, CATBOOST: 0.0}
    rows = [
        *_rank_target(means),
        *(row for peer, least in leads.items() for row in _lead_target(means, peer, least)),
        *_worst_target(means, DEFAULT, COLOUR),
        *_worst_target(means, DEFAULT_SHOWN, COLOUR_SHOWN),
    ]
    return Section(title, ("target", "found", "verdict"), tuple(rows))


def _rank_target(means: Means) -> Iterator[Row]:
    ranks = means.ranks()
    own = ranks.pop(DEFAULT, None)
    if own is not None and ranks:
        best = min(ranks, key=ranks.__getitem__)
        yield "best mean rank", f"{own:.1f}; next {ranks[best]:.1f} ({best})", _verdict(ranks[best] - own, 0)


def _lead_target(means: Means, peer: str, least: float) -> Iterator[Row]:
    if DEFAULT in means.peers and peer in means.peers:
        lead = float((means.last(DEFAULT) - means.last(peer)).mean())
        yield (
            f"mean at least {least:g} above {peer}" if least else f"mean above {peer}",
            f"{lead:+.3f}",
            _verdict(lead, least),
        )


def _worst_target(means: Means, peer: str, colour: str) -> Iterator[Row]:
    if peer in means.peers and colour in means.peers:
        leads = means.last(peer) - means.last(colour)
        worst = int(leads.argmin())
        name = f"{peer}: on no set more than {NOT_BELOW_COLOUR:g} below {colour}"
        yield name, f"{leads[worst]:+.3f} ({means.sets[worst]})", _verdict(float(leads[worst]), -NOT_BELOW_COLOUR)


def _verdict(value: float, least: float) -> str:
    """With no lead asked for, a draw is not enough."""
    missing = round(least - value, 4)
    return "reached" if missing < 0 or (missing == 0 and least) else f"short by {missing:.3f}"
