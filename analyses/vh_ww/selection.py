"""The VH(→WW→ℓνℓν) preselection: e±μ∓, at least two jets, no b-jet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from znought.analyses.vh_ww.leptons import Chosen, ThirdLepton, chosen_leptons
from znought.analysis import Cuts
from znought.errors import CardError
from znought.processors.dialects.working_points import check_working_points
from znought.processors.kinematics import Momentum, delta_phi, invariant_mass
from znought.processors.objects import Jets, Leptons, event_of

__all__ = [
    "CUTS",
    "Dijet",
    "Dilepton",
    "VHWWSelection",
    "candidates",
    "clean_jets",
    "counted",
    "cut_weight",
    "leading_jets",
    "select_dilepton",
    "taggable",
    "tagged",
    "veto_weight",
]

CUTS = (
    "all",
    "two_leptons",
    "different_flavour",
    "opposite_sign",
    "pt_l0",
    "pt_l1",
    "m_ll",
    "two_jets",
    "b_veto",
)


class VHWWSelection(Cuts):
    """Preselection of e±μ∓ events with two jets and no b-jet (card section `selection`).

    Attributes:
        pt_l0_min_gev: leading lepton.
        pt_l1_min_gev: subleading lepton.
        pt_lepton_veto_gev: leptons above it count for "exactly two".
        abs_eta_lepton_max: acceptance of leptons.
        isolation_max: largest relative isolation of leptons.
        exclude_electron_gap: leave out the transition region of the calorimeter.
        m_ll_min_gev: smallest dilepton mass.
        n_jets_min: fewest jets.
        pt_jet_min_gev: jets that count.
        abs_eta_jet_max: acceptance of jets.
        dr_jet_lepton_min: jets closer to a selected lepton are dropped.
        btag_mode: "weight" multiplies simulated events by Π (1 − p) where the ntuple has p, the
            probability of a jet to be b-tagged; "veto" cuts on the working point, as data always do;
            "regions" cuts nothing, for regions that cut on `n_b`.
        n_leptons_max: 3 keeps events with a third lepton of either flavour, for regions that cut on
            `n_leptons`: their pair is that of opposite charges, and of two such the harder one.
        charges: "any" keeps pairs of the same sign too, for regions that cut on `same_sign`.
        pt_btag_min_gev: jets that can be b-tagged.
        abs_eta_btag_max: acceptance of b-tagging.
        btag_working_points: branch of the b-tag, or dialect that has only one → smallest discriminant of a
            b-jet, where it is not the one of the branch and the dataset's era.
    """

    pt_l0_min_gev: float = 22.0
    pt_l1_min_gev: float = 15.0
    pt_lepton_veto_gev: float = 10.0
    abs_eta_lepton_max: float = 2.5
    isolation_max: float = 0.15
    exclude_electron_gap: bool = True
    m_ll_min_gev: float = 10.0
    n_jets_min: int = 2
    pt_jet_min_gev: float = 30.0
    abs_eta_jet_max: float = 4.5
    dr_jet_lepton_min: float = 0.4
    btag_mode: Literal["weight", "veto", "regions"] = "weight"
    n_leptons_max: Literal[2, 3] = 2
    charges: Literal["opposite", "any"] = "opposite"
    pt_btag_min_gev: float = 20.0
    abs_eta_btag_max: float = 2.5
    btag_working_points: dict[str, float] = Field(default_factory=dict)

    def model_post_init(self, context: object, /) -> None:
        """Refuses cuts that contradict one another."""
        check_working_points(self.btag_working_points)
        if self.n_jets_min < 2:
            message = (
                f"selection.n_jets_min must be at least 2, for the dijet inputs; received {self.n_jets_min}."
            )
            raise CardError(message)
        if self.pt_l0_min_gev < self.pt_l1_min_gev:
            message = (
                f"selection.pt_l0_min_gev ({self.pt_l0_min_gev}) must not be below "
                f"pt_l1_min_gev ({self.pt_l1_min_gev})."
            )
            raise CardError(message)
        negative = [name for name, value in vars(self).items() if isinstance(value, float) and value < 0.0]
        if negative:
            message = f"selection.{negative[0]} must not be negative; received {getattr(self, negative[0])}."
            raise CardError(message)


@dataclass(frozen=True)
class Dilepton:
    """The e±μ∓ pairs of a chunk, one per event that can still pass.

    Attributes:
        event: index of the event in the chunk, shape (n_pairs,).
        leading: the lepton of higher pT; the electron if both are equal.
        subleading: the other one.
        m_ll: mass in GeV.
        passed: consecutive cuts passed, for every event of the chunk, shape (n_events,).
        same_sign: whether the charges are alike, shape (n_pairs,).
        third: the lepton beside each pair; None where the selection keeps no event with one.
        loose: columns that fake factors need, shape (n_pairs,); none unless asked for.
        gained: px and py that all leptons of the event have gained since the missing transverse momentum was
            built, GeV, shape (n_pairs,); None where they have not moved.
    """

    event: NDArray[np.int64]
    leading: Momentum
    subleading: Momentum
    m_ll: NDArray[np.float64]
    passed: NDArray[np.int8]
    same_sign: NDArray[np.bool_]
    third: ThirdLepton | None = None
    loose: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    gained: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    @property
    def vector(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """px and py of all leptons of the event together, GeV."""
        px, py = self.leading.px + self.subleading.px, self.leading.py + self.subleading.py
        if self.third is None:
            return px, py
        return px + self.third.momentum.px, py + self.third.momentum.py


@dataclass(frozen=True)
class Dijet:
    """The two leading jets, one pair per event with enough jets.

    Attributes:
        event: index among the events given, shape (n_pairs,).
        leading, subleading: jets by pT.
    """

    event: NDArray[np.int64]
    leading: Momentum
    subleading: Momentum


def candidates(
    electrons: Leptons, muons: Leptons, selection: VHWWSelection, *, gap: tuple[float, float] | None
) -> tuple[Leptons, Leptons]:
    """Leptons that count if their pT does, of the events that hold at least two of them.

    No other lepton can change an event, whatever happens to momenta: variations start from these.

    Args:
        electrons, muons: leptons of the chunk in GeV.
        selection: the cuts.
        gap: |η| limits of the electrons' transition region, or None.
    """
    good_e, good_mu = _good(electrons, selection), _good(muons, selection)
    if gap is not None and selection.exclude_electron_gap:
        abs_eta = np.abs(electrons.eta)
        good_e &= (abs_eta <= gap[0]) | (abs_eta >= gap[1])
    n_events = len(electrons.counts)
    index_e, index_mu = np.flatnonzero(good_e), np.flatnonzero(good_mu)
    event_e, event_mu = electrons.event[index_e], muons.event[index_mu]
    enough = np.bincount(event_e, minlength=n_events) + np.bincount(event_mu, minlength=n_events) >= 2
    return electrons.only(index_e[enough[event_e]]), muons.only(index_mu[enough[event_mu]])


def select_dilepton(electrons: Leptons, muons: Leptons, selection: VHWWSelection) -> Dilepton:
    """Events with exactly two leptons of different flavour, opposite sign and enough pT and mass.

    Args:
        electrons, muons: the candidates of a chunk.
        selection: the cuts; three leptons and charges of any sign may be welcome, too.
    """
    hard_e, hard_mu = (np.flatnonzero(part.pt > selection.pt_lepton_veto_gev) for part in (electrons, muons))
    n_events = len(electrons.counts)
    n_e = np.bincount(electrons.event[hard_e], minlength=n_events)
    n = n_e + np.bincount(muons.event[hard_mu], minlength=n_events)
    most = selection.n_leptons_max
    enough = (n >= 2) & (n <= most)
    mixed = enough & (n_e > 0) & (n_e < n)
    passed = (1 + enough + mixed).astype(np.int8)
    return _paired(chosen_leptons(electrons, muons, (hard_e, hard_mu), mixed, most=most), selection, passed)


def _paired(chosen: Chosen, selection: VHWWSelection, passed: NDArray[np.int8]) -> Dilepton:
    """Pairs that also pass charge, pT and mass; `passed` is filled in place."""
    pt_e, pt_mu = chosen.electrons.pt[chosen.electron], chosen.muons.pt[chosen.muon]
    cuts = (
        ~chosen.same_sign if selection.charges == "opposite" else np.ones(len(chosen.event), np.bool_),
        np.maximum(pt_e, pt_mu) > selection.pt_l0_min_gev,
        np.minimum(pt_e, pt_mu) > selection.pt_l1_min_gev,
    )
    alive = np.ones(len(chosen.event), np.bool_)
    for cut in cuts:
        alive &= cut
        passed[chosen.event] += alive
    chosen = chosen.at(alive)
    leading, subleading = _ordered(*chosen.momenta)
    m_ll = invariant_mass(leading, subleading)
    heavy = m_ll > selection.m_ll_min_gev
    chosen = chosen.at(heavy)
    passed[chosen.event] += 1
    third = chosen.third() if selection.n_leptons_max > 2 else None
    pair = leading.at(heavy), subleading.at(heavy), m_ll[heavy]
    has_moved = any(one.of_met is not None for one in (chosen.electrons, chosen.muons))
    gained = chosen.gained() if has_moved else None
    return Dilepton(chosen.event, *pair, passed, chosen.same_sign, third, chosen.loose(), gained)


def _good(leptons: Leptons, selection: VHWWSelection) -> NDArray[np.bool_]:
    """Leptons that count if their pT does."""
    good = leptons.identified & (np.abs(leptons.eta) < selection.abs_eta_lepton_max)
    good &= leptons.isolation < selection.isolation_max
    return np.asarray(good)


def _ordered(a: Momentum, b: Momentum) -> tuple[Momentum, Momentum]:
    """The two momenta of each event by pT; the first stays first if both are equal."""
    first = a.pt >= b.pt
    return _choose(first, a, b), _choose(first, b, a)


def _choose(first: NDArray[np.bool_], a: Momentum, b: Momentum) -> Momentum:
    return Momentum(
        np.where(first, a.pt, b.pt),
        np.where(first, a.eta, b.eta),
        np.where(first, a.phi, b.phi),
        np.where(first, a.mass, b.mass),
    )


def clean_jets(
    jets: Jets, leptons: Dilepton, *, dr_min: float, events: NDArray[np.int64] | None = None
) -> Jets:
    """Jets that are identified and not closer than `dr_min` to any selected lepton.

    Args:
        jets: of the events of the pairs, and maybe of others.
        leptons: the pairs.
        dr_min: smallest distance that is left.
        events: places of the pairs' events among those of the jets; None where they are the same.
    """
    index: NDArray[np.int64] | slice = slice(None)
    counts = jets.counts
    if events is not None:
        index, counts = jets.places(events)
    jet_eta, jet_phi, keep = jets.eta[index], jets.phi[index], jets.usable[index].copy()
    third = () if leptons.third is None else (leptons.third.momentum,)
    for lepton in (leptons.leading, leptons.subleading, *third):
        eta, phi = (np.repeat(values, counts) for values in (lepton.eta, lepton.phi))
        keep &= (jet_eta - eta) ** 2 + delta_phi(jet_phi, phi) ** 2 >= dr_min**2
    if isinstance(index, slice):
        return jets.only(keep)
    return jets.of(index[keep], event_of(counts)[keep], len(counts))


def leading_jets(jets: Jets, counting: NDArray[np.int64], selection: VHWWSelection) -> Dijet:
    """The two leading jets of every event that has enough of them.

    Args:
        jets: all jets.
        counting: indices of those that count.
        selection: the cuts.
    """
    event = jets.event[counting]
    enough = np.bincount(event, minlength=len(jets.counts)) >= selection.n_jets_min
    index = counting[enough[event]]
    pt, event = jets.pt[index].astype(np.float64), jets.event[index]
    rows = np.flatnonzero(enough)
    first, second = _two_largest(pt, event)
    return Dijet(rows, jets.momenta(index[first]), jets.momenta(index[second]))


def counted(jets: Jets, selection: VHWWSelection) -> NDArray[np.int64]:
    """Indices of the jets that count."""
    return np.flatnonzero(
        (jets.pt > selection.pt_jet_min_gev) & (np.abs(jets.eta) < selection.abs_eta_jet_max)
    )


def _two_largest(
    values: NDArray[np.float64], event: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the two largest values of each event, which has two at least; of equal ones the first."""
    if len(values) == 0:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    is_first = np.concatenate([[True], event[1:] != event[:-1]])
    starts = np.flatnonzero(is_first)
    if np.all((values[1:] <= values[:-1]) | is_first[1:]):  # as ntuples have them
        return starts, starts + 1
    segment = np.cumsum(is_first) - 1
    first = _largest(values, starts, segment)
    rest = values.copy()
    rest[first] = -np.inf
    return first, _largest(rest, starts, segment)


def _largest(
    values: NDArray[np.float64], starts: NDArray[np.int64], segment: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Index of the largest value of each segment, the first of equal ones."""
    largest = np.flatnonzero(values == np.maximum.reduceat(values, starts)[segment])
    segment = segment[largest]
    first = np.concatenate([[True], segment[1:] != segment[:-1]])
    return np.asarray(largest[first])


def taggable(jets: Jets, selection: VHWWSelection) -> NDArray[np.bool_]:
    """Jets in the acceptance of b-tagging."""
    return np.asarray((jets.pt > selection.pt_btag_min_gev) & (np.abs(jets.eta) < selection.abs_eta_btag_max))


def tagged(jets: Jets, selection: VHWWSelection, *, working_point: float) -> NDArray[np.bool_]:
    """Jets in the acceptance of b-tagging that have a tag."""
    return np.asarray(taggable(jets, selection) & (jets.btag > working_point))


def cut_weight(jets: Jets, selection: VHWWSelection, *, working_point: float) -> NDArray[np.float64]:
    """Weight of events under a veto of b-tagged jets, shape (n_events,).

    1 without a tagged jet, 0 with one; under a variation of the tagging the product of `tag_weight` over
    the tagged ones.
    """
    btagged = tagged(jets, selection, working_point=working_point)
    weight = np.ones(len(jets.counts))
    np.multiply.at(weight, jets.event[btagged], 0.0 if jets.tag_weight is None else jets.tag_weight[btagged])
    return weight


def veto_weight(jets: Jets, selection: VHWWSelection) -> NDArray[np.float64]:
    """Probability that no jet is b-tagged, Π (1 − p) over jets in acceptance, shape (n_events,)."""
    inside = taggable(jets, selection)
    event = jets.event[inside]
    kept = 1.0 - jets.btag[inside].astype(np.float64)
    weight = np.ones(len(jets.counts))
    # Products in the order of the jets: the same digits for any chunking.
    np.multiply.at(weight, event, kept)
    return weight
