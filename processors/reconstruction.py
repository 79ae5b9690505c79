"""From objects to selected events with their inputs: the part of the chain that every variation repeats."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from znought.processors.chunk import Chunk
from znought.processors.features import FinalState, features
from znought.processors.kinematics import Momentum
from znought.processors.objects import Jets, Leptons, Missing, check_units, event_of
from znought.processors.selection import (
    Dijet,
    Dilepton,
    VHWWSelection,
    clean_jets,
    leading_jets,
    select_dilepton,
    tagged,
    take,
    veto_weight,
)

__all__ = ["Hadronic", "Selected", "pairs_of", "read_hadronic", "read_leptons", "reconstruct"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Hadronic:
    """Jets and missing transverse momentum of the events that hold an e±μ∓ pair.

    Attributes:
        jets: all jets of these events.
        missing: their missing transverse momentum.
    """

    jets: Jets
    missing: Missing


@dataclass(frozen=True)
class Selected:
    """Events that pass everything.

    Attributes:
        event: index in the chunk, shape (n_selected,).
        veto_weight: probability to hold no b-tagged jet, 1 where the veto is a cut, shape (n_selected,).
        passed: consecutive cuts passed before the b-veto, for every event of the chunk, shape (n_events,).
        columns: the 17 inputs, then `met` and `n_jets`.
    """

    event: NDArray[np.int64]
    veto_weight: Floats
    passed: NDArray[np.int8]
    columns: dict[str, NDArray[np.generic]]


def read_leptons(chunk: Chunk) -> tuple[Leptons, Leptons]:
    """Electrons and muons of the chunk, in GeV or refused."""
    electrons = chunk.dialect.leptons(chunk.view, "electron")
    muons = chunk.dialect.leptons(chunk.view, "muon")
    together = np.concatenate([electrons.pt, muons.pt])
    check_units(together, what="leptons", dialect=chunk.dialect.name, path=chunk.path)
    return electrons, muons


def read_hadronic(chunk: Chunk, events: NDArray[np.bool_]) -> Hadronic:
    """Jets and missing transverse momentum of the events in the mask, in GeV or refused."""
    jets = chunk.dialect.jets(chunk.view, events)
    check_units(jets.pt, what="jets", dialect=chunk.dialect.name, path=chunk.path)
    return Hadronic(jets, chunk.dialect.missing(chunk.view, events))


def reconstruct(chunk: Chunk, pairs: Dilepton, hadronic: Hadronic, selection: VHWWSelection) -> Selected:
    """Selected events and their inputs, from the pairs and what belongs to their events."""
    jets = clean_jets(hadronic.jets, pairs, dr_min=selection.dr_jet_lepton_min)
    dijet = leading_jets(jets, selection)
    passed = pairs.passed.copy()
    passed[pairs.event[dijet.event]] += 1
    keep, veto = _b_veto(chunk, jets, dijet, selection)
    state, n_jets = _final_state(pairs, jets, hadronic.missing, dijet, selection)
    columns: dict[str, NDArray[np.generic]] = {**features(state)}
    columns["met"] = np.hypot(*state.met).astype(np.float32)
    columns["n_jets"] = n_jets.astype(np.uint8)
    return Selected(
        pairs.event[dijet.event[keep]],
        veto[keep],
        passed,
        {name: values[keep] for name, values in columns.items()},
    )


def _b_veto(
    chunk: Chunk, jets: Jets, dijet: Dijet, selection: VHWWSelection
) -> tuple[NDArray[np.bool_], Floats]:
    """Which dijet events survive the b-veto and with which weight."""
    if selection.btag_mode == "weight" and not chunk.is_data and jets.veto_probability is not None:
        weight = veto_weight(jets, selection, jets.veto_probability)[dijet.event]
        return np.ones(len(dijet.event), np.bool_), weight
    name = chunk.dialect.name
    working_point = selection.btag_working_points.get(name, chunk.dialect.btag_working_point)
    keep = ~tagged(jets, selection, working_point=working_point)[dijet.event]
    return keep, np.ones(len(dijet.event))


def _final_state(
    pairs: Dilepton, jets: Jets, missing: Missing, dijet: Dijet, selection: VHWWSelection
) -> tuple[FinalState, NDArray[np.int64]]:
    """Everything the inputs derive from, for the dijet events, and the number of jets."""
    good = (jets.pt > selection.pt_jet_min_gev) & (np.abs(jets.eta) < selection.abs_eta_jet_max)
    n_jets, ht_jets, jets_px, jets_py = _jet_sums(jets, good)
    leptons = (take(pairs.leading, dijet.event), take(pairs.subleading, dijet.event))
    met_x, met_y = missing.px, missing.py
    if missing.soft_only:
        _, _, all_px, all_py = _jet_sums(jets, jets.pt > selection.pt_btag_min_gev)
        met_x = met_x - all_px - pairs.leading.px - pairs.subleading.px
        met_y = met_y - all_py - pairs.leading.py - pairs.subleading.py
    track_x = met_x if missing.track_px is None else missing.track_px
    track_y = met_y if missing.track_py is None else missing.track_py
    rows = dijet.event
    significance = None if missing.significance is None else missing.significance[rows]
    state = FinalState(
        leptons,
        (dijet.leading, dijet.subleading),
        (met_x[rows], met_y[rows]),
        (track_x[rows], track_y[rows]),
        leptons[0].pt + leptons[1].pt + ht_jets[rows],
        missing.soft_ht[rows],
        significance,
        (jets_px[rows], jets_py[rows]),
    )
    return state, n_jets[rows]


def _jet_sums(jets: Jets, keep: NDArray[np.bool_]) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Number, scalar sum of pT, and vector sum of the kept jets of each event."""
    n_events = len(jets.counts)
    event = event_of(jets.counts)[keep]
    momenta = Momentum.of(jets.pt[keep], jets.eta[keep], jets.phi[keep])
    count = np.bincount(event, minlength=n_events)
    ht, px, py = (
        np.bincount(event, weights=values, minlength=n_events).astype(np.float64)
        for values in (momenta.pt, momenta.px, momenta.py)
    )
    return count, ht, px, py


def pairs_of(chunk: Chunk, leptons: tuple[Leptons, Leptons], selection: VHWWSelection) -> Dilepton:
    """The e±μ∓ pairs of the chunk."""
    return select_dilepton(*leptons, selection, gap=chunk.dialect.electron_gap)
