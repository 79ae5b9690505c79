"""Canonical objects of a chunk, in GeV and radians, whatever dialect they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.kinematics import Momentum

__all__ = ["Floats", "Jets", "Leptons", "Missing", "check_units", "event_of", "pairs_of_events"]

Floats = NDArray[np.floating]
Indices = NDArray[np.int64]

# No collider delivers a median beyond these: what lies outside is MeV read as GeV, or the reverse.
_MEDIAN_PT_GEV = (1.0, 1500.0)
_FEWEST_OBJECTS = 10
_MOST_OBJECTS = 5000  # more say nothing new


@dataclass(frozen=True)
class Leptons:
    """Leptons of one flavour, event by event.

    Attributes:
        counts: leptons per event, shape (n_events,).
        pt, eta, phi: in GeV and radians, shape (n_leptons,).
        charge: in units of e, shape (n_leptons,).
        isolation: relative isolation, smaller is more isolated, shape (n_leptons,).
        identified: passes the dialect's identification, shape (n_leptons,).
        loose: fails the identification, of those that count; None where no such lepton does.
        of_met: transverse momenta that the missing one was built from; None where they are `pt`.
        moved: variation → transverse momenta under it, of those that move some.
    """

    counts: NDArray[np.int64]
    pt: Floats
    eta: Floats
    phi: Floats
    charge: NDArray[np.integer]
    isolation: Floats
    identified: NDArray[np.bool_]
    loose: NDArray[np.bool_] | None = None
    of_met: Floats | None = None
    moved: Mapping[str, Floats] = field(default_factory=dict)

    @cached_property
    def event(self) -> NDArray[np.int64]:
        """Index of the event of each lepton, shape (n_leptons,)."""
        return event_of(self.counts)

    def only(self, index: NDArray[np.int64]) -> "Leptons":
        """The leptons with these indices, in order."""
        event = self.event[index]
        leptons = Leptons(
            np.bincount(event, minlength=len(self.counts)),
            self.pt[index],
            self.eta[index],
            self.phi[index],
            self.charge[index],
            self.isolation[index],
            self.identified[index],
            None if self.loose is None else self.loose[index],
            None if self.of_met is None else self.of_met[index],
            {name: pt[index] for name, pt in self.moved.items()},
        )
        vars(leptons).update(event=event)
        return leptons

    def under(self, variation: str) -> "Leptons":
        """The leptons under a variation; the very same ones where it moves none of them."""
        if variation not in self.moved:
            return self
        of_met = self.pt if self.of_met is None else self.of_met
        leptons = replace(self, pt=self.moved[variation], of_met=of_met)
        vars(leptons).update(event=self.event)
        return leptons

    def gained(
        self, which: NDArray[np.int64] | NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """px and py that some have gained since the missing transverse momentum was built, GeV."""
        phi = self.phi[which].astype(np.float64)
        if self.of_met is None:
            return np.zeros(len(phi)), np.zeros(len(phi))
        change = self.pt[which].astype(np.float64) - self.of_met[which]
        return np.asarray(change * np.cos(phi)), np.asarray(change * np.sin(phi))


@dataclass(frozen=True)
class Jets:
    """Jets of the events that can still pass, event by event.

    Attributes:
        counts: jets per event, shape (n_events,).
        pt, eta, phi, mass: in GeV and radians, shape (n_jets,).
        usable: passes the dialect's jet identification, shape (n_jets,).
        btag: b-tag discriminant, higher is more b-like, shape (n_jets,).
        index: place among all jets of the chunk, shape (n_jets,).
        btag_is_probability: `btag` is the probability of passing the b-tag working point instead.
        tag_weight: under a variation of the tagging, what each jet multiplies a b-veto's weight by if it is
            tagged, shape (n_jets,); None for nominal jets, with which an event is cut.
    """

    counts: NDArray[np.int64]
    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats
    usable: NDArray[np.bool_]
    btag: Floats
    index: NDArray[np.int64]
    btag_is_probability: bool = False
    tag_weight: NDArray[np.float64] | None = None

    @cached_property
    def event(self) -> NDArray[np.int64]:
        """Index of the event of each jet, shape (n_jets,)."""
        return event_of(self.counts)

    @cached_property
    def direction(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """cos φ and sin φ of each jet."""
        phi = self.phi.astype(np.float64)
        return np.asarray(np.cos(phi)), np.asarray(np.sin(phi))

    def momenta(self, which: NDArray[np.int64] | NDArray[np.bool_]) -> Momentum:
        """Momenta of the jets with the given indices or mask."""
        parts = (values[which] for values in (self.pt, self.eta, self.phi, self.mass))
        cos, sin = (values[which] for values in self.direction)
        return Momentum.of(*parts).knowing({"cos": cos, "sin": sin})

    def scaled(self, factor: NDArray[np.float64] | float) -> "Jets":
        """The jets with momenta and masses times a factor; where they point, they stay."""
        return self.of_momenta(self.pt * factor, self.mass * factor)

    def of_momenta(self, pt: Floats, mass: Floats) -> "Jets":
        """The jets with other transverse momenta and masses; where they point, they stay."""
        jets = replace(self, pt=pt, mass=mass)
        vars(jets).update(event=self.event, direction=self.direction)
        return jets

    def only(self, keep: NDArray[np.bool_]) -> "Jets":
        """The jets where `keep`, shape (n_jets,), is true."""
        index = np.flatnonzero(keep)
        return self.of(index, self.event[index], len(self.counts))

    def places(self, events: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Indices of the jets of the events with these indices, in order, and how many each event has."""
        counts = self.counts[events]
        starts, ends = (np.cumsum(self.counts) - self.counts)[events], np.cumsum(counts)
        return np.repeat(starts - ends + counts, counts) + np.arange(counts.sum()), counts

    def of(self, index: NDArray[np.int64], event: NDArray[np.int64], n_events: int) -> "Jets":
        """The jets with these indices, of these events among so many; they point where they did."""
        jets = replace(
            self,
            counts=np.bincount(event, minlength=n_events),
            pt=self.pt[index],
            eta=self.eta[index],
            phi=self.phi[index],
            mass=self.mass[index],
            usable=self.usable[index],
            btag=self.btag[index],
            index=self.index[index],
            tag_weight=None if self.tag_weight is None else self.tag_weight[index],
        )
        vars(jets).update(event=event)
        if "direction" in vars(self):
            vars(jets).update(direction=tuple(along[index] for along in self.direction))
        return jets


@dataclass(frozen=True)
class Missing:
    """Missing transverse momentum and soft activity of the events that can still pass.

    Attributes:
        px, py: missing transverse momentum in GeV, shape (n_events,); of the soft term alone if
            `soft_only`.
        track_px, track_py: the track-based one, or None where the calibrated one stands in.
        significance: or None where E_T^miss / √H_T stands in.
        soft_ht: scalar sum of the soft terms in GeV.
        soft_only: px, py hold the soft term, to which leptons and jets must be added.
    """

    px: NDArray[np.float64]
    py: NDArray[np.float64]
    track_px: NDArray[np.float64] | None
    track_py: NDArray[np.float64] | None
    significance: NDArray[np.float64] | None
    soft_ht: NDArray[np.float64]
    soft_only: bool = False

    def of(self, events: NDArray[np.int64]) -> "Missing":
        """That of the events with these indices."""
        columns = {name: values[events] for name, values in vars(self).items() if np.ndim(values)}
        return replace(self, **columns)

    def shifted(self, dx: NDArray[np.float64], dy: NDArray[np.float64]) -> "Missing":
        """The calibrated one moved by a vector; its significance grows with it."""
        px, py = self.px + dx, self.py + dy
        if self.significance is None:
            return replace(self, px=px, py=py)
        before = np.hypot(self.px, self.py)
        ratio = np.divide(np.hypot(px, py), before, out=np.ones(len(before)), where=before > 0.0)
        return replace(self, px=px, py=py, significance=self.significance * ratio)

    def after_leptons(self, px: NDArray[np.float64], py: NDArray[np.float64]) -> "Missing":
        """That of events whose leptons gained px and py, GeV: both missing momenta see them.

        Where the calibrated one is of the soft term alone, leptons are added to it later.
        """
        found = self
        if self.track_px is not None and self.track_py is not None:
            found = replace(self, track_px=self.track_px - px, track_py=self.track_py - py)
        return found if self.soft_only else found.shifted(-px, -py)


def event_of(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Index of the event of each object, shape (n_objects,).

    >>> event_of(np.array([2, 0, 1])).tolist()
    [0, 0, 2]
    """
    return np.repeat(np.arange(len(counts)), counts)


def pairs_of_events(event: NDArray[np.int64], counts: NDArray[np.int64]) -> tuple[Indices, Indices]:
    """Every pair of an object and one of another collection in the same event, by their places.

    Args:
        event: of each object, shape (n,).
        counts: objects of the other collection per event, shape (n_events,).

    >>> pairs_of_events(np.array([0, 1, 1]), np.array([2, 1]))
    (array([0, 0, 1, 2]), array([0, 1, 2, 2]))
    """
    others, first = counts[event], np.cumsum(counts) - counts
    one = np.repeat(np.arange(len(event)), others)
    return one, np.arange(len(one)) - np.repeat(np.cumsum(others) - others - first[event], others)


def check_units(pt_gev: Floats, *, what: str, dialect: str, path: str) -> None:
    """Refuse momenta whose median says that MeV were taken for GeV or the reverse.

    Raises:
        DataError: the median pT of at least ten objects lies outside 1 GeV to 1500 GeV.
    """
    if len(pt_gev) < _FEWEST_OBJECTS:
        return
    median = float(np.median(pt_gev[:_MOST_OBJECTS]))
    low, high = _MEDIAN_PT_GEV
    if low <= median <= high:
        return
    guess = "MeV taken for GeV" if median > high else "GeV taken for MeV"
    message = (
        f"{path}: the median pT of the {what} is {median:.4g} GeV, expected {low:g} to {high:g}; "
        f"it looks like {guess} (dialect {dialect})."
    )
    raise DataError(message)
