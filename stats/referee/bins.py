"""On how many generated events the bins rest that carry the significance."""

from collections.abc import Collection, Sequence

import numpy as np

from znought.stats.referee.record import Check, below
from znought.stats.yields import Yields

__all__ = ["events_behind_bins"]

FEW = 3
_ENOUGH = 10
_SHARE = 0.02
"""Bins that carry less of Z₀² than this need no events."""


def events_behind_bins(yields: Yields, signal: Collection[str], z_per_bin: Sequence[float]) -> Check:
    """Effective generated background events of the bins that carry the significance.

    Args:
        yields: of every process, detector responses of one generated event being one unit.
        signal: processes that are no background.
        z_per_bin: significance of each bin.
    """
    background = [name for name in yields.processes if name not in signal]
    sumw, sumw2 = yields.total(background)
    effective = np.divide(sumw**2, sumw2, out=np.zeros_like(sumw), where=sumw2 > 0)
    rows = [yields.processes.index(name) for name in background]
    generated = yields.events[rows].sum(axis=0)
    square = np.square(np.asarray(z_per_bin, np.float64))
    share = square / square.sum() if square.sum() > 0 else np.ones_like(square)
    carrying = np.flatnonzero(share >= _SHARE)
    events = np.minimum(effective, generated)
    lowest = int(carrying[np.argmin(events[carrying])])
    top = int(np.argmax(share))
    low, high = yields.edges[lowest], yields.edges[lowest + 1]
    return Check(
        name="events behind the bins",
        tested=f"background of {carrying.size} bins that carry Z₀, responses of one event being one",
        verdict=below(float(events[lowest]), warn=_ENOUGH, fail=FEW),
        measured=(
            f"{effective[lowest]:.1f} effective, {generated[lowest]} generated in [{low:.3g}, {high:.3g}]; "
            f"{generated[top]} in the bin with {share[top]:.0%} of Z₀²"
        ),
        value=float(events[lowest]),
        limit=float(FEW),
        advice="Widen the bins (`binning.constraints`), or generate more background there.",
        parts={
            f"[{yields.edges[i]:.3g}, {yields.edges[i + 1]:.3g}]": (float(events[i]), float(share[i]))
            for i in range(share.size)
        },
    )
