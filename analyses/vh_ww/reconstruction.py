"""From objects to selected events with their inputs: the part of the chain that every variation repeats."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_ww.final_state import FinalState, Visible
from znought.analyses.vh_ww.selection import (
    Dilepton,
    VHWWSelection,
    candidates,
    clean_jets,
    counted,
    cut_weight,
    leading_jets,
    tagged,
    veto_weight,
)
from znought.analyses.vh_ww.variables import columns_of
from znought.analyses.vh_ww.variations import Objects
from znought.processors.chunk import Chunk
from znought.processors.dialects.view import View
from znought.processors.evaluated import Request
from znought.processors.loose import FLAVOURS, LeptonDefinition, with_loose
from znought.processors.measured import Measured, measured, measured_leptons
from znought.processors.objects import Jets, Leptons, Missing, check_units

__all__ = ["Contents", "Selected", "b_veto", "left_tagged", "read_contents", "read_leptons", "reconstruct"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Selected:
    """Events that pass everything.

    Attributes:
        event: index in the chunk, shape (n_selected,).
        row: index among the pairs, shape (n_selected,).
        veto_weight: probability to hold no b-tagged jet, 1 where the veto is a cut, shape (n_selected,).
        passed: consecutive cuts passed before the b-veto, for every event of the chunk, shape (n_events,).
        columns: every variable.
        hadronic: what the jets determine, for variations that leave them alone.
    """

    event: NDArray[np.int64]
    row: NDArray[np.int64]
    veto_weight: Floats
    passed: NDArray[np.int8]
    columns: dict[str, NDArray[np.generic]]
    hadronic: "Hadronic"

    @property
    def all_columns(self) -> dict[str, NDArray[Any]]:
        """Every variable, and what fake factors need to know of the leptons where they are measured."""
        loose = self.hadronic.objects.pairs.loose
        return {**self.columns, **{name: values[self.row] for name, values in loose.items()}}


@dataclass(frozen=True)
class Hadronic:
    """What leptons and jets of the selected events determine, without missing transverse momentum.

    Attributes:
        objects: leptons and jets.
        row: index of the selected events among the pairs, shape (n_selected,).
        veto_weight: as in `Selected`.
        passed: as in `Selected`.
        visible: leptons and jets of the selected events.
    """

    objects: Objects
    row: NDArray[np.int64]
    veto_weight: Floats
    passed: NDArray[np.int8]
    visible: Visible

    def is_of(self, objects: Objects) -> bool:
        """Whether the leptons and jets are these very ones."""
        return objects.pairs is self.objects.pairs and objects.jets is self.objects.jets


def read_leptons(chunk: Chunk, selection: VHWWSelection, request: Request) -> tuple[Leptons, Leptons]:
    """Electrons and muons of the chunk that can make a pair, in GeV or refused, calibrated as asked.

    Args:
        chunk: the chunk.
        selection: the cuts.
        request: calibrations, variations, and which leptons are tight or loose; both can make a pair.
    """
    electrons, muons = (measured_leptons(chunk, flavour, request) for flavour in FLAVOURS)
    loose: Mapping[str, LeptonDefinition] = request.loose
    if loose:
        electrons = with_loose(electrons, loose["electron"])
        muons = with_loose(muons, loose["muon"])
    return candidates(electrons, muons, selection, gap=chunk.dialect.electron_gap)


@dataclass(frozen=True)
class Contents:
    """What some events of a chunk hold beside leptons.

    Attributes:
        event: indices in the chunk, in order, shape (n_events,).
        jets: all of their jets.
        missing: their missing transverse momentum and soft activity.
        measured: how a calibration moves them; None where nothing is calibrated.
    """

    event: NDArray[np.int64]
    jets: Jets
    missing: Missing
    measured: Measured | None

    def objects(self, pairs: Dilepton, selection: VHWWSelection) -> Objects:
        """Objects of the events that hold a pair, without the jets at its leptons."""
        missing, found, rows = self.missing, self.measured, None
        if len(pairs.event) < len(self.event):
            rows = np.searchsorted(self.event, pairs.event)
            missing = missing.of(rows)
            found = None if found is None else found.of(rows)
            _ = self.jets.direction  # worked out once for all pairs
        if pairs.gained is not None:
            missing = missing.after_leptons(*pairs.gained)
        jets = clean_jets(self.jets, pairs, dr_min=selection.dr_jet_lepton_min, events=rows)
        return Objects(pairs, jets, missing, found)


def read_contents(
    chunk: Chunk, event: NDArray[np.int64], selection: VHWWSelection, request: Request
) -> Contents:
    """Jets, in GeV or refused, and missing transverse momentum of events by their indices in the chunk.

    Both are calibrated where the card says how.
    """
    view = chunk.view.only(event)
    jets, missing = _read_jets(chunk, view, selection), chunk.dialect.missing(view)
    check_units(jets.pt, what="jets", dialect=chunk.dialect.name, path=chunk.path)
    found = measured(chunk, event, request)
    if found is not None:
        jets, missing = found.calibrated(jets, missing)
    return Contents(event, jets, missing, found)


def _read_jets(chunk: Chunk, view: View, selection: VHWWSelection) -> Jets:
    """Jets with what the b-veto needs: their probability to be tagged, or else the discriminant."""
    by_weight = selection.btag_mode == "weight" and not chunk.is_data and view.has("jet_btag_probability")
    btag = view.flat("jet_btag_probability") if by_weight else chunk.dialect.btag(view)
    return replace(chunk.dialect.jets(view, btag), btag_is_probability=by_weight)


def reconstruct(
    chunk: Chunk, objects: Objects, selection: VHWWSelection, *, nominal: Selected | None = None
) -> Selected:
    """Selected events and their inputs.

    Args:
        chunk: the chunk.
        objects: of the events that hold a pair.
        selection: the cuts.
        nominal: what nominal objects came to: taken over where leptons and jets are the same.
    """
    if nominal is not None and nominal.hadronic.is_of(objects):
        hadronic = nominal.hadronic
    else:
        hadronic = _hadronic(chunk, objects, selection)
    state = _final_state(objects, hadronic, selection)
    rows, event = hadronic.row, objects.pairs.event[hadronic.row]
    return Selected(event, rows, hadronic.veto_weight, hadronic.passed, columns_of(state), hadronic)


def _hadronic(chunk: Chunk, objects: Objects, selection: VHWWSelection) -> Hadronic:
    """Events with enough jets that survive the b-veto."""
    pairs, jets = objects.pairs, objects.jets
    counting = counted(jets, selection)
    dijet = leading_jets(jets, counting, selection)
    passed = pairs.passed.copy()
    passed[pairs.event[dijet.event]] += 1
    keep, veto = b_veto(chunk, jets, dijet.event, selection)
    rows, two = dijet.event, (dijet.leading, dijet.subleading)
    if not keep.all():
        rows, veto, two = rows[keep], veto[keep], (two[0].at(keep), two[1].at(keep))
    leptons = (pairs.leading.at(rows), pairs.subleading.at(rows))
    n_jets, ht, px, py = _jet_sums(jets, counting)
    all_ht = leptons[0].pt + leptons[1].pt + ht[rows]
    counts = n_jets[rows], _n_tagged(chunk, jets, selection)[rows]
    sums, third = (px[rows], py[rows]), None if pairs.third is None else pairs.third.at(rows)
    visible = Visible(leptons, two, *counts, pairs.same_sign[rows], all_ht, sums, third)
    return Hadronic(objects, rows, veto, passed, visible)


def b_veto(
    chunk: Chunk, jets: Jets, rows: NDArray[np.int64], selection: VHWWSelection
) -> tuple[NDArray[np.bool_], Floats]:
    """Which of the events with index `rows` survive the b-veto, and with which weight; all without one."""
    if selection.btag_mode == "regions":
        return np.ones(len(rows), np.bool_), np.ones(len(rows))
    if jets.btag_is_probability:
        return np.ones(len(rows), np.bool_), veto_weight(jets, selection)[rows]
    working_point = chunk.working_point(selection.btag_working_points)
    weight = cut_weight(jets, selection, working_point=working_point)[rows]
    return weight != 0.0, weight


def _n_tagged(chunk: Chunk, jets: Jets, selection: VHWWSelection) -> NDArray[np.int64]:
    """Number of b-tagged jets that the preselection leaves in each event."""
    if selection.btag_mode != "regions":
        return np.zeros(len(jets.counts), np.int64)
    return np.bincount(jets.event[left_tagged(chunk, jets, selection)], minlength=len(jets.counts))


def left_tagged(chunk: Chunk, jets: Jets, selection: VHWWSelection) -> NDArray[np.bool_]:
    """b-tagged jets that the preselection leaves; none where it vetoes them, shape (n_jets,)."""
    if selection.btag_mode != "regions":
        return np.zeros(len(jets.pt), np.bool_)
    return tagged(jets, selection, working_point=chunk.working_point(selection.btag_working_points))


def _final_state(objects: Objects, hadronic: Hadronic, selection: VHWWSelection) -> FinalState:
    """Everything the variables derive from, for the selected events."""
    pairs, missing, rows = objects.pairs, objects.missing, hadronic.row
    met_x, met_y = missing.px, missing.py
    if missing.soft_only:
        _, _, all_px, all_py = _jet_sums(
            objects.jets, np.flatnonzero(objects.jets.pt > selection.pt_btag_min_gev)
        )
        lepton_x, lepton_y = pairs.vector
        met_x, met_y = met_x - all_px - lepton_x, met_y - all_py - lepton_y
    track_x = met_x if missing.track_px is None else missing.track_px
    track_y = met_y if missing.track_py is None else missing.track_py
    significance = None if missing.significance is None else missing.significance[rows]
    return FinalState(
        hadronic.visible,
        (met_x[rows], met_y[rows]),
        (track_x[rows], track_y[rows]),
        missing.soft_ht[rows],
        significance,
    )


def _jet_sums(jets: Jets, which: NDArray[np.int64]) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Number, scalar sum of pT, and vector sum of some jets of each event."""
    n_events, event, pt = len(jets.counts), jets.event[which], jets.pt[which].astype(np.float64)
    parts = (pt, *(pt * along[which] for along in jets.direction))
    ht, px, py = (
        np.bincount(event, weights=part, minlength=n_events).astype(np.float64, copy=False) for part in parts
    )
    return np.bincount(event, minlength=n_events), ht, px, py
