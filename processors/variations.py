"""Object variations: energies and momenta shifted before the selection, everything after recomputed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from znought.errors import CardError, unknown_name
from znought.identity import uniform
from znought.processors.objects import Jets, event_of

__all__ = [
    "NO_TAG",
    "SCALE",
    "Name",
    "Variation",
    "VariationsConfig",
    "jet_numbers",
    "object_numbers",
    "resolution_noise",
    "shift_tagging",
    "without_tags",
]

Name = Literal[
    "jes",
    "jer",
    "lepton_scale",
    "electron_scale",
    "muon_scale",
    "electron_resolution",
    "muon_resolution",
    "met_soft",
    "btag",
    "btag_heavy",
    "btag_light",
]
SCALE = "jes"
Direction = Literal["up", "down"]
Floats = NDArray[np.float64]

NO_TAG = -1.0
"""Discriminant below every working point."""
_TAGGING: Mapping[str, tuple[int, ...]] = {"btag": (), "btag_heavy": (4, 5), "btag_light": (0,)}
"""Hadron flavours of the jets whose tagging is varied; none are named where all are."""
_PARTS: Mapping[str, tuple[str, ...]] = {
    "btag": ("btag_heavy", "btag_light"),
    "lepton_scale": ("electron_scale", "muon_scale"),
}
"""What moves the same as several others together."""
_OF_LEPTONS: Mapping[str, tuple[str, ...]] = {
    "lepton_scale": ("electron", "muon"),
    "electron_scale": ("electron",),
    "muon_scale": ("muon",),
    "electron_resolution": ("electron",),
    "muon_resolution": ("muon",),
}
"""Flavours whose momenta are varied."""
_MEASURED_ONLY = ("electron_resolution", "muon_resolution")
"""What only a calibration knows the size of."""


@dataclass(frozen=True)
class VariationsConfig:
    """Which quantities are shifted, and by how much (card section `variations`).

    Attributes:
        enabled: names out of jes, jer, met_soft, lepton_scale or electron_scale, muon_scale, and btag or
            btag_heavy, btag_light; where jets are measured also `jes_<source>`, by the name of the source in
            the calibration; where leptons are, electron_resolution and muon_resolution.
        jets: "relative" moves jets by the sizes below; "measured" by the uncertainties of the era's
            calibration, `jes` being the total.
        leptons: "relative" moves leptons by the sizes below; "measured" by the uncertainties of the era's
            calibration.
        jes_relative: jet energy scale, share of pT and mass.
        jer_relative: additional jet energy resolution, share of pT. Of simulation that was never smeared it
            can only become worse: there is no `jer_down`, and the fit mirrors `jer_up`.
        lepton_scale_relative, electron_scale_relative, muon_scale_relative: momentum scale of all leptons, of
            electrons, of muons, share of pT.
        met_soft_relative: soft term of the missing transverse momentum and of the soft activity.
        copies: systematics that the ntuples have copies of columns for, by name without the side, with
            wildcards; one that begins with "!" takes names out again.
        one_sided: those of them, with wildcards, that have one side alone: the fit mirrors it.
        btag_relative, btag_heavy_relative, btag_light_relative: probability of jets to be b-tagged, of all,
            of those with b and c hadrons, of the others; with a cut on the working point as well.
    """

    enabled: tuple[str, ...] = ()
    jets: Literal["relative", "measured"] = "relative"
    leptons: Literal["relative", "measured"] = "relative"
    copies: tuple[str, ...] = ()
    one_sided: tuple[str, ...] = ()
    jes_relative: float = 0.02
    jer_relative: float = 0.05
    lepton_scale_relative: float = 0.002
    electron_scale_relative: float = 0.002
    muon_scale_relative: float = 0.002
    met_soft_relative: float = 0.10
    btag_relative: float = 0.05
    btag_heavy_relative: float = 0.05
    btag_light_relative: float = 0.05

    def __post_init__(self) -> None:
        for name in self.enabled:
            if self._kind(name) not in get_args(Name):
                raise CardError(f"variations.enabled: {unknown_name('variation', name, get_args(Name))}")
        if SCALE in self.enabled and any(name.startswith(f"{SCALE}_") for name in self.enabled):
            raise CardError("variations.enabled: jes holds all of its sources; name it or them.")
        if len(set(self.enabled)) != len(self.enabled):
            message = f"variations.enabled names a variation twice: {', '.join(self.enabled)}."
            raise CardError(message)
        for whole, parts in _PARTS.items():
            if whole in self.enabled and set(parts) & set(self.enabled):
                raise CardError(f"variations.enabled: {whole} holds {' and '.join(parts)}; name it or them.")
        for name in _MEASURED_ONLY if self.leptons == "relative" else ():
            if name in self.enabled:
                raise CardError(f"variations.enabled: {name} has no relative size: give leptons: measured.")
        for name in get_args(Name):
            size = self._size(name)
            if not 0.0 < size < 1.0:
                message = f"variations.{name}_relative must lie between 0 and 1; received {size}."
                raise CardError(message)

    def all(self) -> tuple["Variation", ...]:
        """Up and down of everything enabled, in the order of the card."""
        return tuple(
            Variation(name, direction, self._size(self._kind(name)))
            for name in self.enabled
            for direction in self.directions(name)
        )

    def directions(self, name: str) -> tuple[Direction, ...]:
        """Directions in which a quantity is varied: `up` alone where down is its mirror image."""
        return ("up",) if name == "jer" and self.jets == "relative" else ("up", "down")

    def _size(self, kind: str) -> float:
        """The card's relative size of a quantity; what only a calibration knows has that of its scale."""
        return float(getattr(self, f"{kind.replace('_resolution', '_scale')}_relative"))

    def _kind(self, name: str) -> str:
        """The quantity that a name is of: a source of the energy scale is one of it, where it is measured."""
        return SCALE if self.jets == "measured" and name.startswith(f"{SCALE}_") else name

    def of_events(self) -> tuple["Variation", ...]:
        """The same for functions that see tags and no weights: tagging in the direction `down` alone.

        Jets lose their tag; which ones would gain one, only their efficiency could say. The fit mirrors it.
        """
        return tuple(one for one in self.all() if not one.is_tagging or one.direction == "down")


@dataclass(frozen=True)
class Variation:
    """One quantity in one direction.

    Attributes:
        quantity: what is shifted.
        direction: "up" or "down".
        relative: by how much, positive.
    """

    quantity: str
    direction: Direction
    relative: float

    @property
    def name(self) -> str:
        """Such as `jes_up`: the name of the column partition."""
        return f"{self.quantity}_{self.direction}"

    @property
    def kind(self) -> str:
        """The quantity, of which a source of the jet energy scale is one."""
        return SCALE if self.quantity.startswith(f"{SCALE}_") else self.quantity

    @property
    def shift(self) -> float:
        """Signed relative shift."""
        return self.relative if self.direction == "up" else -self.relative

    @property
    def is_tagging(self) -> bool:
        """Whether it changes how often jets are b-tagged, and nothing else."""
        return self.quantity in _TAGGING

    @property
    def lepton_flavours(self) -> tuple[str, ...]:
        """Flavours of the leptons whose momenta it moves; none for others."""
        return _OF_LEPTONS.get(self.quantity, ())

    @property
    def flavours(self) -> tuple[int, ...]:
        """Hadron flavours of the jets that it changes the tagging of; empty for all."""
        return _TAGGING.get(self.quantity, ())


def resolution_noise(jets: Jets, identity: Mapping[str, NDArray[np.integer]]) -> Floats:
    """One Gaussian number per jet, from its event's identity and its place in the event.

    Args:
        jets: the jets.
        identity: run, luminosityBlock, event and response of their events, each of shape (n_events,).
    """
    number = jet_numbers(jets, identity, salt="jer")
    return np.asarray(ndtri(np.maximum(number, 2.0**-53)), np.float64)


def jet_numbers(jets: Jets, identity: Mapping[str, NDArray[np.integer]], *, salt: str) -> Floats:
    """One uniform number in [0, 1) per jet, from its event's identity and its place in the event.

    Args:
        jets: the jets.
        identity: run, luminosityBlock, event and response of their events, each of shape (n_events,).
        salt: names the purpose; other salts are independent.
    """
    return object_numbers(jets.counts, identity, salt=salt)


def object_numbers(
    counts: NDArray[np.int64], identity: Mapping[str, NDArray[np.integer]], *, salt: str
) -> Floats:
    """The same for objects of any kind, so many of them in each event.

    Args:
        counts: objects per event, shape (n_events,).
        identity, salt: as for `jet_numbers`.
    """
    event = event_of(counts)
    place = np.arange(len(event)) - (np.cumsum(counts) - counts)[event]
    label = identity["response"].astype(np.uint64)[event] << np.uint64(8)
    lumi = identity["luminosityBlock"].astype(np.uint64)[event]
    lumi = lumi | ((label + place.astype(np.uint64)) << np.uint64(32))
    return uniform(identity["run"][event], lumi, identity["event"][event], salt=salt)


def shift_tagging(jets: Jets, variation: Variation, flavour: Callable[[], NDArray[np.integer]]) -> Jets:
    """Jets that are b-tagged more or less often: by their probability, or by a weight of tagged ones.

    With a cut, an event whose k tagged jets are all of the varied flavours survives the veto with weight
    (−s)^k instead of 0, s the relative change of the tagging probability. On average over tags that is
    Π (1 − ε) → Π (1 − (1 + s) ε), exactly, without knowing ε, for any discriminant.

    Args:
        jets: the jets.
        variation: of the tagging.
        flavour: gives the hadron flavour of each jet; asked only if the variation is of some flavours.
    """
    varied = np.ones(len(jets.pt), np.bool_)
    if variation.flavours:
        varied = np.isin(flavour(), variation.flavours)
    if jets.btag_is_probability:
        btag = jets.btag * np.where(varied, 1.0 + variation.shift, 1.0)
        return replace(jets, btag=np.clip(btag, 0.0, 1.0))
    return replace(jets, tag_weight=np.where(varied, -variation.shift, 0.0))


def without_tags(
    jets: Jets, variation: Variation, numbers: Floats, flavour: Callable[[], NDArray[np.integer]]
) -> Jets:
    """Jets of which a share of the varied flavours has no discriminant: each loses its tag, if it had one.

    Efficiencies fall by that share at every working point, whatever the discriminant is.

    Args:
        jets: the jets.
        variation: of the tagging, down.
        numbers: uniform in [0, 1), as `jet_numbers` gives them, shape (n_jets,).
        flavour: gives the hadron flavour of each jet; asked only if the variation is of some flavours.
    """
    lost = numbers < variation.relative
    if variation.flavours:
        lost &= np.isin(flavour(), variation.flavours)
    return replace(jets, btag=np.where(lost, NO_TAG, jets.btag))
