"""Held-out significances of c̄ ≠ 0 on resampled events."""

import numpy as np
from numpy.typing import NDArray

from znought.stats.bootstrap import Multiplicity
from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.counting import smeft_z
from znought.stats.eft.measurement import Significance, SmeftConfig, tried_cuts

__all__ = ["replicated_z"]

Floats = NDArray[np.float64]
_SALT = "held_out_z"


def replicated_z(
    channel: ScoredChannel, found: Significance, config: SmeftConfig, *, n_bootstrap: int
) -> Floats:
    """Held-out Z_A of every replicate, shape (n_bootstrap,); of shape (0,) where one leaves no cut at all.

    Each generated event counts Poisson(1) times. The number follows from its identity and the replicate
    alone: replicate k draws the same events in every region, for every classifier, and in another result.
    Cuts stay those of the events as they are; where one leaves less than the minimum background, the
    tightest looser one that does not takes its place.

    Args:
        channel: the scored events.
        found: their significance.
        config: with which it was found.
        n_bootstrap: number of replicates.
    """
    events, score = channel.events, channel.scores[found.value]
    sides = events.sides(found.value, with_backgrounds=found.with_backgrounds)
    cuts = tried_cuts(score, config)
    place = np.searchsorted(cuts, score, side="right") - 1
    units, unit = np.unique(events.identity, return_inverse=True)
    draws, codes = Multiplicity(units, _SALT), np.arange(units.size)
    half = events.identity % np.uint64(2) == 0
    values = np.zeros(n_bootstrap)
    for replicate in range(n_bootstrap):
        times = draws.of(codes, replicate)[unit]
        for rows, cut in ((~half, found.held_cuts[0]), (half, found.held_cuts[1])):
            above = [
                2.0 * np.bincount(place[rows], (w * times)[rows], cuts.size)[::-1].cumsum()[::-1]
                for w in sides
            ]
            kept = np.flatnonzero(above[1] + above[2] >= config.min_background)
            if not kept.size:
                return np.empty(0)
            i = max(int(np.searchsorted(cuts[kept], cut, side="right")) - 1, 0)
            vh, vh_sm, other = (one[kept[i]] for one in above)
            z = smeft_z(
                vh, vh_sm, other, sigma_rel=config.sigma_rel, signal_definition=found.signal_definition
            )
            values[replicate] += 0.5 * float(z)
    return values
