"""The columns of VH(→bb) in the SMEFT: what the engine is given for each chunk, by channel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.features import VHState, features
from znought.analyses.vh_bb.objects import Objects, lepton_tables, objects_of
from znought.analyses.vh_bb.scale_factors import scale_factors
from znought.analyses.vh_bb.selection import (
    CHANNELS,
    BJets,
    Channel,
    LeptonTable,
    VHBBSelection,
    select_b_jets,
)
from znought.processors.chunk import Chunk
from znought.processors.evaluated import NOMINAL, Evaluation, Request
from znought.processors.kept import Kept
from znought.processors.kinematics import Momentum, delta_phi, invariant_mass
from znought.processors.objects import Missing

__all__ = ["CUTS", "N_SMEFT_WEIGHTS", "columns", "smeft_columns"]

N_SMEFT_WEIGHTS: Final = 6
CUTS: Final = ("all", "leptons", "n_jets", "two_b_jets", "pt_b1", "met", "angles", "pt_v")

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def smeft_columns() -> tuple[str, ...]:
    """Names of the columns that hold the weights at the reference points."""
    return tuple(f"smeft_{i}" for i in range(N_SMEFT_WEIGHTS))


def columns(chunk: Chunk, request: Request) -> Evaluation:
    """Preselection and inputs of one chunk in every channel that is asked for, with every variation.

    Columns beside a channel's inputs: `pt_v`, `m_bb`, `met`, `n_jets`, and the stored SMEFT weights
    `smeft_0` … `smeft_5`, NaN for events without them (backgrounds, data).
    """
    cuts = request.cuts
    assert isinstance(cuts, VHBBSelection)
    leptons, moved = lepton_tables(chunk, cuts, request)
    generated = chunk.weight()
    return {
        name: {
            variation: kept.evaluated(generated)
            for variation, kept in _Evaluator(chunk, request, cuts, channel, generated).kept(leptons, moved)
        }
        for name in request.channels
        for channel in CHANNELS
        if channel == name
    }


@dataclass(frozen=True)
class _Evaluator:
    """One channel of one chunk.

    Attributes:
        generated: generator weight of every event of the chunk.
    """

    chunk: Chunk
    request: Request
    cuts: VHBBSelection
    channel: Channel
    generated: Floats

    def kept(self, leptons: LeptonTable, moved: Mapping[str, LeptonTable]) -> Iterator[tuple[str, Kept]]:
        """What is left of the chunk, nominal and for every variation of simulation."""
        nominal = self._objects(leptons)
        yield NOMINAL, self._selected(nominal)
        for variation in () if self.chunk.is_data else self.request.variations.of_events():
            objects = self._objects(moved[variation.name]) if variation.name in moved else nominal
            varied = self._selected(objects.varied(self.chunk, variation))
            yield variation.name, varied.with_one_weight()

    def _objects(self, leptons: LeptonTable) -> Objects:
        """Objects of the events with the channel's leptons."""
        found = _lepton_cuts(leptons, self.channel, self.cuts)
        return objects_of(self.chunk, leptons, found, self.cuts, self.request)

    def _selected(self, objects: Objects) -> Kept:
        """The events that pass all cuts, with their weights and columns."""
        state, b_jets = _state(self.chunk, objects, self.channel, self.cuts)
        passed = np.ones(len(self.generated), np.int64)
        alive = np.ones(len(objects.event), np.bool_)
        passed[objects.event] += 1
        for mask in _cuts(state, b_jets, self.channel, self.cuts):
            alive &= mask
            passed[objects.event] += alive
        event = objects.event[alive]
        factors = scale_factors(self.chunk, objects, np.flatnonzero(alive), self.request)
        weights = {"gen_weight": factors.nominal} | {
            f"gen_weight_{name}": product for name, product in factors.varied.items()
        }
        return Kept(
            CUTS,
            passed,
            event,
            {name: self.generated[event] * product for name, product in weights.items()},
            _columns(self.chunk, state, b_jets, objects.event, alive),
            bool(self.request.weights or self.request.factors),
        )


def _lepton_cuts(leptons: LeptonTable, channel: Channel, cuts: VHBBSelection) -> Mask:
    """Events with the channel's leptons."""
    n = CHANNELS.index(channel)
    good = leptons.count == n
    if n > 0:
        good &= leptons.pt[:, 0] > cuts.pt_lepton_min_gev
    if n == 2:
        first, second = _momentum(leptons, 0), _momentum(leptons, 1)
        mass = invariant_mass(first, second)
        low, high = cuts.m_ll_gev
        good &= (leptons.is_muon[:, 0] == leptons.is_muon[:, 1]) & (mass > low) & (mass < high)
        good &= leptons.charge[:, 0] * leptons.charge[:, 1] < 0
    return np.asarray(good)


def _state(chunk: Chunk, objects: Objects, channel: Channel, cuts: VHBBSelection) -> tuple[VHState, BJets]:
    """b-jets and missing momentum of the events with the channel's leptons."""
    working_point = chunk.working_point(cuts.btag_working_points)
    b_jets = select_b_jets(objects.jets, cuts, working_point=working_point)
    selected = tuple(_momentum(objects.leptons, i) for i in range(CHANNELS.index(channel)))
    b1, b2 = (
        Momentum(b_jets.pt[:, i], b_jets.eta[:, i], b_jets.phi[:, i], b_jets.mass[:, i]) for i in (0, 1)
    )
    met = _calibrated(objects.missing, b_jets, selected)
    return VHState(b1, b2, selected, met, (b_jets.sum_px, b_jets.sum_py)), b_jets


def _cuts(state: VHState, b_jets: BJets, channel: Channel, cuts: VHBBSelection) -> tuple[Mask, ...]:
    """Masks of the cuts after the leptons, in the order of `CUTS`."""
    met, met_phi = np.hypot(*state.met), np.arctan2(state.met[1], state.met[0])
    angles = np.ones(len(met), np.bool_)
    if channel == "0L":
        h_phi = np.arctan2(state.b1.py + state.b2.py, state.b1.px + state.b2.px)
        angles = delta_phi(met_phi, h_phi) > cuts.dphi_met_h_min
        near = delta_phi(b_jets.jet_phi, met_phi[b_jets.jet_event]) < cuts.dphi_met_jet_min
        angles &= np.bincount(b_jets.jet_event[near], minlength=len(met)) == 0
    most = cuts.n_jets_max.get(channel)
    return (
        (b_jets.n_jets >= 2) & (most is None or b_jets.n_jets <= most),
        b_jets.n_b == 2,
        state.b1.pt > cuts.pt_b1_min_gev,
        met > cuts.met_min_gev.get(channel, 0.0),
        angles,
        state.pt_v > cuts.pt_v_min_gev.get(channel, 0.0),
    )


def _columns(
    chunk: Chunk, state: VHState, b_jets: BJets, rows: NDArray[np.int64], alive: Mask
) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {**features(state)}
    columns["pt_v"] = state.pt_v.astype(np.float32)
    columns["m_bb"] = state.m_bb.astype(np.float32)
    columns["met"] = np.hypot(*state.met).astype(np.float32)
    columns["n_jets"] = b_jets.n_jets.astype(np.uint8)
    for name in smeft_columns():
        present = chunk.view.has(name)
        stored = chunk.view.scalar(name)[rows] if present else np.full(len(rows), np.nan)
        columns[name] = stored.astype(np.float64)
    return {name: values[alive] for name, values in columns.items()}


def _momentum(leptons: LeptonTable, i: int) -> Momentum:
    return Momentum.of(leptons.pt[:, i], leptons.eta[:, i], leptons.phi[:, i])


def _calibrated(missing: Missing, b_jets: BJets, leptons: tuple[Momentum, ...]) -> tuple[Floats, Floats]:
    """Missing momentum; leptons and jets are added where the dialect gives the soft term alone."""
    if not missing.soft_only:
        return missing.px, missing.py
    px = missing.px - b_jets.sum_px - sum((lepton.px for lepton in leptons), np.zeros_like(missing.px))
    py = missing.py - b_jets.sum_py - sum((lepton.py for lepton in leptons), np.zeros_like(missing.py))
    return px, py
