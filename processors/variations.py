"""Object variations: energies and momenta shifted before the selection, everything after recomputed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from znought.errors import CardError
from znought.identity import uniform
from znought.processors.objects import Jets, Missing
from znought.processors.selection import Dilepton

__all__ = ["Objects", "Variation", "VariationsConfig", "resolution_noise", "shift_tagging", "vary"]

Name = Literal["jes", "jer", "lepton_scale", "met_soft", "btag"]
Floats = NDArray[np.float64]

_SMALLEST_SMEARING = 0.1  # a jet keeps at least this share of its momentum


@dataclass(frozen=True)
class VariationsConfig:
    """Which quantities are shifted, and by how much (card section `variations`).

    Attributes:
        enabled: names out of jes, jer, lepton_scale, met_soft, btag.
        jes_relative: jet energy scale, share of pT and mass.
        jer_relative: additional jet energy resolution, share of pT.
        lepton_scale_relative: lepton momentum scale, share of pT.
        met_soft_relative: soft term of the missing transverse momentum and of the soft activity.
        btag_relative: b-tagging: share of the tagging probability in mode "weight", of the working point
            in mode "veto".
    """

    enabled: tuple[Name, ...] = ()
    jes_relative: float = 0.02
    jer_relative: float = 0.05
    lepton_scale_relative: float = 0.002
    met_soft_relative: float = 0.10
    btag_relative: float = 0.05

    def __post_init__(self) -> None:
        if len(set(self.enabled)) != len(self.enabled):
            message = f"variations.enabled names a variation twice: {', '.join(self.enabled)}."
            raise CardError(message)
        for name in ("jes", "jer", "lepton_scale", "met_soft", "btag"):
            size = getattr(self, f"{name}_relative")
            if not 0.0 < size < 1.0:
                message = f"variations.{name}_relative must lie between 0 and 1; received {size}."
                raise CardError(message)

    def all(self) -> tuple["Variation", ...]:
        """Up and down of everything enabled, in the order of the card."""
        return tuple(
            Variation(name, direction, getattr(self, f"{name}_relative"))
            for name in self.enabled
            for direction in _DIRECTIONS
        )


@dataclass(frozen=True)
class Variation:
    """One quantity in one direction.

    Attributes:
        quantity: what is shifted.
        direction: "up" or "down".
        relative: by how much, positive.
    """

    quantity: Name
    direction: Literal["up", "down"]
    relative: float

    @property
    def name(self) -> str:
        """Such as `jes_up`: the name of the column partition."""
        return f"{self.quantity}_{self.direction}"

    @property
    def shift(self) -> float:
        """Signed relative shift."""
        return self.relative if self.direction == "up" else -self.relative


_DIRECTIONS: tuple[Literal["up", "down"], ...] = ("up", "down")


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


def vary(objects: Objects, variation: Variation, noise: Callable[[], Floats]) -> Objects:
    """Shifted objects; the missing transverse momentum follows what it was built from.

    Args:
        objects: nominal ones; for `lepton_scale` the pairs are the shifted ones already.
        variation: what to shift.
        noise: gives what `resolution_noise` does, to whom asks for it.
    """
    if variation.quantity == "lepton_scale":
        return replace(objects, missing=_after_leptons(objects, variation))
    if variation.quantity == "met_soft":
        return replace(objects, missing=_soft(objects, variation))
    if variation.quantity == "btag":
        return replace(objects, jets=shift_tagging(objects.jets, variation))
    factor: Floats = np.full(len(objects.jets.pt), 1.0 + variation.shift)
    if variation.quantity == "jer":
        smearing = variation.shift * noise()
        factor = np.maximum(1.0 + smearing, _SMALLEST_SMEARING)
    jets = objects.jets.scaled(factor)
    return replace(objects, jets=jets, missing=_after_jets(objects, jets))


def resolution_noise(jets: Jets, identity: Mapping[str, NDArray[np.integer]]) -> Floats:
    """One Gaussian number per jet, from its event's identity and its place in the event.

    Args:
        jets: the jets.
        identity: run, luminosityBlock, event and response of their events, each of shape (n_events,).
    """
    event = jets.event
    place = np.arange(len(event)) - (np.cumsum(jets.counts) - jets.counts)[event]
    label = identity["response"].astype(np.uint64)[event] << np.uint64(8)
    lumi = identity["luminosityBlock"].astype(np.uint64)[event]
    lumi = lumi | ((label + place.astype(np.uint64)) << np.uint64(32))
    number = uniform(identity["run"][event], lumi, identity["event"][event], salt="jer")
    return np.asarray(ndtri(np.maximum(number, 2.0**-53)), np.float64)


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


def shift_tagging(jets: Jets, variation: Variation) -> Jets:
    """Jets with a shifted discriminant, for the cut, or probability to be b-tagged, for the weight."""
    btag = jets.btag * (1.0 + variation.shift)
    return replace(jets, btag=np.clip(btag, 0.0, 1.0) if jets.btag_is_probability else btag)
