"""From objects to selected events with their inputs: the part of the chain that every variation repeats."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from znought.processors.chunk import Chunk
from znought.processors.dialects.view import View
from znought.processors.features import FinalState, features
from znought.processors.kinematics import Momentum
from znought.processors.objects import Jets, Leptons, check_units, event_of
from znought.processors.selection import (
    Dijet,
    VHWWSelection,
    clean_jets,
    leading_jets,
    select_dilepton,
    tagged,
    take,
    veto_weight,
)
from znought.processors.variations import Objects

__all__ = ["Selected", "b_veto", "read_leptons", "read_objects", "reconstruct"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Selected:
    """Events that pass everything.

    Attributes:
        event: index in the chunk, shape (n_selected,).
        row: index among the pairs, shape (n_selected,).
        veto_weight: probability to hold no b-tagged jet, 1 where the veto is a cut, shape (n_selected,).
        passed: consecutive cuts passed before the b-veto, for every event of the chunk, shape (n_events,).
        columns: the 17 inputs, then `met` and `n_jets`.
    """

    event: NDArray[np.int64]
    row: NDArray[np.int64]
    veto_weight: Floats
    passed: NDArray[np.int8]
    columns: dict[str, NDArray[np.generic]]


def read_leptons(chunk: Chunk) -> tuple[Leptons, Leptons]:
    """Electrons and muons of the chunk, in GeV or refused."""
    electrons = chunk.dialect.leptons(chunk.view, "electron")
    muons = chunk.dialect.leptons(chunk.view, "muon")
    for name, leptons in (("electrons", electrons), ("muons", muons)):
        check_units(leptons.pt, what=name, dialect=chunk.dialect.name, path=chunk.path)
    return electrons, muons


def read_objects(chunk: Chunk, leptons: tuple[Leptons, Leptons], selection: VHWWSelection) -> Objects:
    """Pairs of the chunk, then jets and missing transverse momentum of the events that hold one."""
    pairs = select_dilepton(*leptons, selection, gap=chunk.dialect.electron_gap)
    view = chunk.view.only(pairs.event)
    jets = _read_jets(chunk, view, selection)
    check_units(jets.pt, what="jets", dialect=chunk.dialect.name, path=chunk.path)
    jets = clean_jets(jets, pairs, dr_min=selection.dr_jet_lepton_min)
    return Objects(pairs, jets, chunk.dialect.missing(view))


def _read_jets(chunk: Chunk, view: View, selection: VHWWSelection) -> Jets:
    """Jets with what the b-veto needs: their probability to be tagged, or else the discriminant."""
    by_weight = selection.btag_mode == "weight" and not chunk.is_data and view.has("jet_btag_probability")
    btag = view.flat("jet_btag_probability") if by_weight else chunk.dialect.btag(view)
    return replace(chunk.dialect.jets(view, btag), btag_is_probability=by_weight)


def reconstruct(chunk: Chunk, objects: Objects, selection: VHWWSelection) -> Selected:
    """Selected events and their inputs."""
    pairs, jets = objects.pairs, objects.jets
    dijet = leading_jets(jets, selection)
    passed = pairs.passed.copy()
    passed[pairs.event[dijet.event]] += 1
    keep, veto = b_veto(chunk, jets, dijet.event, selection)
    state, n_jets = _final_state(objects, dijet, selection)
    columns: dict[str, NDArray[np.generic]] = {**features(state)}
    columns["met"] = np.hypot(*state.met).astype(np.float32)
    columns["n_jets"] = n_jets.astype(np.uint8)
    rows = dijet.event[keep]
    return Selected(
        pairs.event[rows],
        rows,
        veto[keep],
        passed,
        {name: values[keep] for name, values in columns.items()},
    )


def b_veto(
    chunk: Chunk, jets: Jets, rows: NDArray[np.int64], selection: VHWWSelection
) -> tuple[NDArray[np.bool_], Floats]:
    """Which of the events with index `rows` survive the b-veto, and with which weight."""
    if jets.btag_is_probability:
        return np.ones(len(rows), np.bool_), veto_weight(jets, selection)[rows]
    name = chunk.dialect.name
    working_point = selection.btag_working_points.get(name, chunk.dialect.btag_working_point)
    keep = ~tagged(jets, selection, working_point=working_point)[rows]
    return keep, np.ones(len(rows))


def _final_state(
    objects: Objects, dijet: Dijet, selection: VHWWSelection
) -> tuple[FinalState, NDArray[np.int64]]:
    """Everything the inputs derive from, for the dijet events, and the number of jets."""
    pairs, jets, missing = objects.pairs, objects.jets, objects.missing
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
