"""Objects of an e±μ∓ event under a variation: shifted before the selection, everything after recomputed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_ww.selection import Dilepton
from znought.processors.objects import Jets, Missing
from znought.processors.resolution import worsened
from znought.processors.variations import Variation, shift_tagging

__all__ = ["Objects", "vary"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Objects:
    """What the events with an e±μ∓ pair hold.

    Attributes:
        pairs: the pairs, one per event.
        jets: jets without those at the leptons.
        missing: missing transverse momentum and soft activity.
    """

    pairs: Dilepton
    jets: Jets
    missing: Missing

    @cached_property
    def jet_sum(self) -> tuple[Floats, Floats]:
        """Vector sum of the jets of each event, in GeV; every variation starts from it."""
        return _sums(self.jets)


def vary(
    objects: Objects,
    variation: Variation,
    noise: Callable[[], Floats],
    flavour: Callable[[], NDArray[np.integer]],
) -> Objects:
    """Shifted objects; the missing transverse momentum follows what it was built from.

    Args:
        objects: nominal ones; for `lepton_scale` the pairs are the shifted ones already.
        variation: what to shift.
        noise: gives what `resolution_noise` does, to whom asks for it.
        flavour: gives the hadron flavour of the jets, to whom asks for it.
    """
    if variation.quantity == "lepton_scale":
        return replace(objects, missing=_after_leptons(objects, variation))
    if variation.quantity == "met_soft":
        return replace(objects, missing=_soft(objects, variation))
    if variation.is_tagging:
        return replace(objects, jets=shift_tagging(objects.jets, variation, flavour))
    factor: Floats = np.full(len(objects.jets.pt), 1.0 + variation.shift)
    if variation.quantity == "jer":
        factor = worsened(noise(), variation.relative)
    jets = objects.jets.scaled(factor)
    return replace(objects, jets=jets, missing=_after_jets(objects, jets))


def _sums(jets: Jets) -> tuple[Floats, Floats]:
    """Vector sum of all jets of each event, in GeV."""
    pt, n_events = jets.pt.astype(np.float64), len(jets.counts)
    px, py = (np.bincount(jets.event, weights=pt * along, minlength=n_events) for along in jets.direction)
    return px.astype(np.float64), py.astype(np.float64)


def _after_jets(objects: Objects, after: Jets) -> Missing:
    """Missing transverse momentum after jets moved; the track-based one does not see them."""
    if objects.missing.soft_only:
        return objects.missing
    (px, py), (new_px, new_py) = objects.jet_sum, _sums(after)
    return _moved(objects.missing, px - new_px, py - new_py)


def _after_leptons(objects: Objects, variation: Variation) -> Missing:
    """Missing transverse momenta after the leptons moved; both see them."""
    missing, pairs = objects.missing, objects.pairs
    # The pairs are shifted already: their nominal momenta are smaller by the factor.
    share = variation.shift / (1.0 + variation.shift)
    dx = -share * (pairs.leading.px + pairs.subleading.px)
    dy = -share * (pairs.leading.py + pairs.subleading.py)
    if missing.track_px is not None and missing.track_py is not None:
        missing = replace(missing, track_px=missing.track_px + dx, track_py=missing.track_py + dy)
    return missing if missing.soft_only else _moved(missing, dx, dy)


def _soft(objects: Objects, variation: Variation) -> Missing:
    """Missing transverse momentum and soft activity with a shifted soft term."""
    missing, pairs = objects.missing, objects.pairs
    scaled = replace(missing, soft_ht=missing.soft_ht * (1.0 + variation.shift))
    if missing.soft_only:
        factor = 1.0 + variation.shift
        return replace(scaled, px=missing.px * factor, py=missing.py * factor)
    px, py = objects.jet_sum
    soft_x = missing.px + px + pairs.leading.px + pairs.subleading.px
    soft_y = missing.py + py + pairs.leading.py + pairs.subleading.py
    return _moved(scaled, variation.shift * soft_x, variation.shift * soft_y)


def _moved(missing: Missing, dx: Floats, dy: Floats) -> Missing:
    """Missing transverse momentum shifted by a vector; its significance grows with it."""
    px, py = missing.px + dx, missing.py + dy
    if missing.significance is None:
        return replace(missing, px=px, py=py)
    before = np.hypot(missing.px, missing.py)
    ratio = np.divide(np.hypot(px, py), before, out=np.ones(len(before)), where=before > 0.0)
    return replace(missing, px=px, py=py, significance=missing.significance * ratio)
