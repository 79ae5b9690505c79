"""Object variations: energies and momenta shifted before the selection, everything after recomputed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from znought.errors import CardError
from znought.identity import uniform
from znought.processors.objects import Jets

__all__ = ["Variation", "VariationsConfig", "resolution_noise", "shift_tagging"]

Name = Literal["jes", "jer", "lepton_scale", "met_soft", "btag"]
Floats = NDArray[np.float64]


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


def shift_tagging(jets: Jets, variation: Variation) -> Jets:
    """Jets with a shifted discriminant, for the cut, or probability to be b-tagged, for the weight."""
    btag = jets.btag * (1.0 + variation.shift)
    return replace(jets, btag=np.clip(btag, 0.0, 1.0) if jets.btag_is_probability else btag)
