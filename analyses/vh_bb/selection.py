"""The VH(→bb) preselection in three channels: no, one or two leptons, and exactly two b-jets."""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from znought.analysis import Cuts
from znought.errors import CardError
from znought.processors.dialects.working_points import check_working_points
from znought.processors.kinematics import delta_r
from znought.processors.objects import Jets, Leptons, event_of

__all__ = [
    "CHANNELS",
    "BJets",
    "Channel",
    "LeptonTable",
    "VHBBSelection",
    "clean_jets",
    "lepton_table",
    "select_b_jets",
    "taggable",
]

Channel = Literal["0L", "1L", "2L"]
CHANNELS: Final[tuple[Channel, ...]] = ("0L", "1L", "2L")

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_N_LEPTONS: Final = 3  # kept per event: one more than any channel asks for


class VHBBSelection(Cuts):
    """Preselection of VH(bb) (card section `selection`).

    Attributes:
        pt_lepton_veto_gev: isolated leptons above it count for "exactly none, one or two".
        pt_lepton_min_gev: the lepton of 1L and the leading one of 2L.
        abs_eta_lepton_max: acceptance of leptons.
        isolation_max: largest relative isolation of leptons.
        exclude_electron_gap: leave out the transition region of the calorimeter.
        m_ll_gev: dilepton mass window of 2L.
        pt_jet_min_gev: central jets that count (|η| < abs_eta_central_max).
        pt_forward_jet_min_gev: forward jets that count.
        abs_eta_jet_max, abs_eta_central_max: acceptance of jets and of b-tagging.
        dr_jet_lepton_min: jets closer to a selected lepton are dropped.
        pt_b1_min_gev: the harder of the two b-jets.
        n_jets_max: most jets, by channel; a channel that is not named has no limit.
        met_min_gev: least missing transverse momentum, by channel.
        pt_v_min_gev: least transverse momentum of the vector boson, by channel.
        dphi_met_h_min: least azimuth between missing momentum and Higgs candidate in 0L.
        dphi_met_jet_min: least azimuth between missing momentum and any jet in 0L.
        btag_working_points: branch of the b-tag, or dialect that has only one → smallest discriminant of a
            b-jet, where it is not the one of the branch and the dataset's era.
    """

    pt_lepton_veto_gev: float = 7.0
    pt_lepton_min_gev: float = 27.0
    abs_eta_lepton_max: float = 2.5
    isolation_max: float = 0.15
    exclude_electron_gap: bool = True
    m_ll_gev: tuple[float, float] = (81.0, 101.0)
    pt_jet_min_gev: float = 20.0
    pt_forward_jet_min_gev: float = 30.0
    abs_eta_jet_max: float = 4.5
    abs_eta_central_max: float = 2.5
    dr_jet_lepton_min: float = 0.4
    pt_b1_min_gev: float = 45.0
    n_jets_max: dict[str, int] = Field(default_factory=lambda: {"0L": 3, "1L": 3})
    met_min_gev: dict[str, float] = Field(default_factory=lambda: {"0L": 150.0, "1L": 30.0})
    pt_v_min_gev: dict[str, float] = Field(default_factory=lambda: {"0L": 150.0, "1L": 150.0, "2L": 150.0})
    dphi_met_h_min: float = 2.0
    dphi_met_jet_min: float = 0.35
    btag_working_points: dict[str, float] = Field(default_factory=lambda: {"simulation": 0.30})

    def model_post_init(self, context: object, /) -> None:
        """Refuses cuts that contradict one another."""
        check_working_points(self.btag_working_points)
        for name in ("n_jets_max", "met_min_gev", "pt_v_min_gev"):
            unknown = set(getattr(self, name)) - set(CHANNELS)
            if unknown:
                raise CardError(
                    f"selection.{name}: expected channels {', '.join(CHANNELS)}; received {unknown}."
                )
        if self.pt_lepton_min_gev < self.pt_lepton_veto_gev:
            raise CardError("selection.pt_lepton_min_gev must not be below pt_lepton_veto_gev.")
        if not 0.0 <= self.m_ll_gev[0] < self.m_ll_gev[1]:
            raise CardError(f"selection.m_ll_gev must be an increasing pair; received {self.m_ll_gev}.")


@dataclass(frozen=True)
class LeptonTable:
    """The hardest isolated leptons of every event, rectangular, by decreasing pT; pt = 0 pads.

    All but `count` have shape (n_events, 3).
    """

    count: NDArray[np.int64]
    """Isolated leptons per event, shape (n_events,)."""
    pt: Floats
    eta: Floats
    phi: Floats
    charge: NDArray[np.int64]
    is_muon: Mask
    gained_px: Floats
    """That it has gained since the missing transverse momentum was built, GeV."""
    gained_py: Floats

    def of(self, events: Mask) -> "LeptonTable":
        """The leptons of some events."""
        return LeptonTable(**{name: values[events] for name, values in vars(self).items()})

    @property
    def vector_sum(self) -> tuple[Floats, Floats]:
        """px and py of all leptons of each event together in GeV."""
        px, py = self.pt * np.cos(self.phi), self.pt * np.sin(self.phi)
        return px.sum(axis=1), py.sum(axis=1)


def lepton_table(
    electrons: Leptons, muons: Leptons, selection: VHBBSelection, *, gap: tuple[float, float]
) -> LeptonTable:
    """Isolated electrons and muons above the veto threshold, together and ordered."""
    n_events = len(electrons.counts)
    parts = []
    for leptons, is_muon in ((electrons, False), (muons, True)):
        abs_eta = np.abs(leptons.eta)
        good = (leptons.pt > selection.pt_lepton_veto_gev) & (abs_eta < selection.abs_eta_lepton_max)
        good &= leptons.identified & (leptons.isolation < selection.isolation_max)
        if selection.exclude_electron_gap and not is_muon:
            good &= (abs_eta < gap[0]) | (abs_eta > gap[1])
        event = event_of(leptons.counts)[good]
        columns = (leptons.pt[good], leptons.eta[good], leptons.phi[good], leptons.charge[good])
        gained = leptons.gained(good)
        parts.append((event, *columns, *gained, np.full(len(event), is_muon)))
    event, pt, eta, phi, charge, gained_px, gained_py, is_muon_flag = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    order = np.lexsort((-pt, event))
    count = np.bincount(event, minlength=n_events)
    column = np.arange(len(event)) - np.repeat(np.cumsum(count) - count, count)
    kept = column < _N_LEPTONS

    def table(values: NDArray[np.generic], dtype: type[np.generic]) -> NDArray[np.generic]:
        filled = np.zeros((n_events, _N_LEPTONS), dtype)
        filled[event[order][kept], column[kept]] = values[order][kept]
        return filled

    return LeptonTable(
        count,
        np.asarray(table(pt, np.float64), np.float64),
        np.asarray(table(eta, np.float64), np.float64),
        np.asarray(table(phi, np.float64), np.float64),
        np.asarray(table(charge, np.int64), np.int64),
        np.asarray(table(is_muon_flag, np.bool_), np.bool_),
        np.asarray(table(gained_px, np.float64), np.float64),
        np.asarray(table(gained_py, np.float64), np.float64),
    )


@dataclass(frozen=True)
class BJets:
    """Two hardest b-jets and the jet counts of events.

    Attributes:
        n_b, n_jets: b-jets and counted jets, shape (n_events,).
        pt, eta, phi, mass: of the two hardest b-jets, zero where there are fewer, shape (n_events, 2).
        sum_px, sum_py: vector sum of all counted jets.
        jet_event, jet_phi: event index and azimuth of every counted jet, shape (n_jets_total,).
    """

    n_b: NDArray[np.int64]
    n_jets: NDArray[np.int64]
    pt: Floats
    eta: Floats
    phi: Floats
    mass: Floats
    sum_px: Floats
    sum_py: Floats
    jet_event: NDArray[np.int64]
    jet_phi: Floats


def clean_jets(jets: Jets, leptons: LeptonTable, selection: VHBBSelection) -> Jets:
    """Jets that are identified and not closer than `dr_jet_lepton_min` to a lepton of their event.

    Args:
        jets: all jets.
        leptons: of the same events.
        selection: thresholds.
    """
    event, good = jets.event, jets.usable.copy()
    for i in range(_N_LEPTONS):
        near = delta_r(jets.eta, jets.phi, leptons.eta[event, i], leptons.phi[event, i])
        good &= (leptons.pt[event, i] == 0.0) | (near >= selection.dr_jet_lepton_min)
    return jets.only(good)


def taggable(jets: Jets, selection: VHBBSelection) -> Mask:
    """Jets in the acceptance of b-tagging."""
    central = np.abs(jets.eta) < selection.abs_eta_central_max
    return np.asarray(central & (jets.pt > selection.pt_jet_min_gev))


def select_b_jets(jets: Jets, selection: VHBBSelection, *, working_point: float) -> BJets:
    """b-jets of events.

    Args:
        jets: jets away from leptons.
        selection: thresholds.
        working_point: smallest discriminant of a b-jet.
    """
    n_events, event = len(jets.counts), jets.event
    central = taggable(jets, selection)
    forward = (np.abs(jets.eta) < selection.abs_eta_jet_max) & (jets.pt > selection.pt_forward_jet_min_gev)
    counted = central | forward
    tagged = np.flatnonzero(central & (jets.btag >= working_point))
    tagged = tagged[np.lexsort((-jets.pt[tagged], event[tagged]))]
    n_b = np.bincount(event[tagged], minlength=n_events)
    column = np.arange(len(tagged)) - np.repeat(np.cumsum(n_b) - n_b, n_b)
    leading = tagged[column < 2]
    place = (event[leading], column[column < 2])

    def pair(values: NDArray[np.floating]) -> Floats:
        filled = np.zeros((n_events, 2))
        filled[place] = values[leading]
        return filled

    pt, phi = jets.pt[counted].astype(np.float64), jets.phi[counted].astype(np.float64)
    mine = event[counted]
    return BJets(
        n_b=n_b,
        n_jets=np.bincount(mine, minlength=n_events),
        pt=pair(jets.pt),
        eta=pair(jets.eta),
        phi=pair(jets.phi),
        mass=pair(jets.mass),
        sum_px=np.bincount(mine, pt * np.cos(phi), minlength=n_events).astype(np.float64),
        sum_py=np.bincount(mine, pt * np.sin(phi), minlength=n_events).astype(np.float64),
        jet_event=mine,
        jet_phi=phi,
    )
