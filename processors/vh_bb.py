"""The processor of VH(→bb) in the SMEFT: ntuples in; cutflow and parquet columns of one channel out."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from coffea.processor import ProcessorABC
from numpy.typing import NDArray

from znought.errors import CardError, unknown_name
from znought.processors.chunk import Chunk, open_chunk
from znought.processors.columns import ColumnFile, write_columns
from znought.processors.cutflow import Cutflow
from znought.processors.kinematics import Momentum, delta_phi, invariant_mass
from znought.processors.objects import Missing, check_units
from znought.processors.result import DatasetResult
from znought.processors.vh_bb_features import VHState, features
from znought.processors.vh_bb_selection import (
    CHANNELS,
    BJets,
    Channel,
    LeptonTable,
    VHBBSelection,
    lepton_table,
    select_b_jets,
)

__all__ = ["CUTS", "N_SMEFT_WEIGHTS", "VHBBProcessor", "smeft_columns"]

NOMINAL: Final = "nominal"
N_SMEFT_WEIGHTS: Final = 6
CUTS: Final = ("all", "leptons", "n_jets", "two_b_jets", "pt_b1", "met", "angles", "pt_v")

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def smeft_columns() -> tuple[str, ...]:
    """Names of the columns that hold the weights at the reference points."""
    return tuple(f"smeft_{i}" for i in range(N_SMEFT_WEIGHTS))


@dataclass(frozen=True)
class VHBBProcessor(ProcessorABC):  # type: ignore[misc]  # coffea has no type information
    """Preselection, inputs, cutflow and columns of one channel of one chunk.

    Columns beside the channel's inputs: `pt_v`, `m_bb`, `met`, `n_jets`, and the stored SMEFT weights
    `smeft_0` … `smeft_5`, NaN for events without them (backgrounds, data).

    Attributes:
        channel: 0L, 1L or 2L.
        selection: the preselection.
        columns_directory: where parquet columns go; None writes none.
    """

    channel: Channel = "0L"
    selection: VHBBSelection = field(default_factory=VHBBSelection)
    columns_directory: str | None = None

    def __post_init__(self) -> None:
        if self.channel not in CHANNELS:
            raise CardError(unknown_name("channel", self.channel, CHANNELS))

    def process(self, events: Any) -> dict[str, DatasetResult]:
        """Result of one chunk, under the name of its dataset."""
        chunk = open_chunk(events, refuse_substitutes=self.selection.substitutes == "refuse")
        weight = chunk.weight()
        leptons = self._leptons(chunk)
        found = self._lepton_cuts(leptons)
        rows = np.flatnonzero(found)
        state, b_jets = self._state(chunk, leptons, found)
        passed = np.ones(len(found), np.int64)
        alive = np.ones(len(rows), np.bool_)
        passed[rows] += 1
        for mask in self._cuts(state, b_jets):
            alive &= mask
            passed[rows] += alive
        columns = self._columns(chunk, state, b_jets, rows, alive)
        result = DatasetResult(
            cutflows={NOMINAL: Cutflow.filled(CUTS, passed, weight)},
            columns=self._written(chunk, {"gen_weight": weight[rows[alive]], **columns}, rows[alive]),
            substitutes=dict(chunk.view.layout.substitutes),
            dialects=(chunk.dialect.name,),
        )
        return {chunk.dataset: result}

    def postprocess(self, accumulator: Any) -> Any:
        """Nothing: normalisation happens once, when the ledger is closed."""
        return accumulator

    def _leptons(self, chunk: Chunk) -> LeptonTable:
        electrons = chunk.dialect.leptons(chunk.view, "electron")
        muons = chunk.dialect.leptons(chunk.view, "muon")
        for name, leptons in (("electrons", electrons), ("muons", muons)):
            check_units(leptons.pt, what=name, dialect=chunk.dialect.name, path=chunk.path)
        return lepton_table(electrons, muons, self.selection, gap=chunk.dialect.electron_gap)

    def _lepton_cuts(self, leptons: LeptonTable) -> Mask:
        """Events with the channel's leptons."""
        n = CHANNELS.index(self.channel)
        good = leptons.count == n
        if n > 0:
            good &= leptons.pt[:, 0] > self.selection.pt_lepton_min_gev
        if n == 2:
            first, second = _momentum(leptons, 0), _momentum(leptons, 1)
            mass = invariant_mass(first, second)
            low, high = self.selection.m_ll_gev
            good &= (leptons.is_muon[:, 0] == leptons.is_muon[:, 1]) & (mass > low) & (mass < high)
            good &= leptons.charge[:, 0] * leptons.charge[:, 1] < 0
        return np.asarray(good)

    def _state(self, chunk: Chunk, leptons: LeptonTable, found: Mask) -> tuple[VHState, BJets]:
        """b-jets and missing momentum of the events with the channel's leptons."""
        view = chunk.view.only(np.flatnonzero(found))
        jets = chunk.dialect.jets(view, chunk.dialect.btag(view))
        check_units(jets.pt, what="jets", dialect=chunk.dialect.name, path=chunk.path)
        mine = LeptonTable(**{name: values[found] for name, values in vars(leptons).items()})
        working_point = chunk.working_point(self.selection.btag_working_points)
        b_jets = select_b_jets(jets, mine, self.selection, working_point=working_point)
        selected = tuple(_momentum(mine, i) for i in range(CHANNELS.index(self.channel)))
        b1, b2 = (
            Momentum(b_jets.pt[:, i], b_jets.eta[:, i], b_jets.phi[:, i], b_jets.mass[:, i]) for i in (0, 1)
        )
        missing = chunk.dialect.missing(view)
        met = _calibrated(missing, b_jets, selected)
        return VHState(b1, b2, selected, met, (b_jets.sum_px, b_jets.sum_py)), b_jets

    def _cuts(self, state: VHState, b_jets: BJets) -> tuple[Mask, ...]:
        """Masks of the cuts after the leptons, in the order of `CUTS`."""
        cuts = self.selection
        met, met_phi = np.hypot(*state.met), np.arctan2(state.met[1], state.met[0])
        angles = np.ones(len(met), np.bool_)
        if self.channel == "0L":
            h_phi = np.arctan2(state.b1.py + state.b2.py, state.b1.px + state.b2.px)
            angles = delta_phi(met_phi, h_phi) > cuts.dphi_met_h_min
            near = delta_phi(b_jets.jet_phi, met_phi[b_jets.jet_event]) < cuts.dphi_met_jet_min
            angles &= np.bincount(b_jets.jet_event[near], minlength=len(met)) == 0
        most = cuts.n_jets_max.get(self.channel)
        return (
            (b_jets.n_jets >= 2) & (most is None or b_jets.n_jets <= most),
            b_jets.n_b == 2,
            state.b1.pt > cuts.pt_b1_min_gev,
            met > cuts.met_min_gev.get(self.channel, 0.0),
            angles,
            state.pt_v > cuts.pt_v_min_gev.get(self.channel, 0.0),
        )

    def _columns(
        self, chunk: Chunk, state: VHState, b_jets: BJets, rows: NDArray[np.int64], alive: Mask
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

    def _written(
        self, chunk: Chunk, columns: dict[str, NDArray[Any]], events: NDArray[np.int64]
    ) -> tuple[ColumnFile, ...]:
        """The chunk's column file, or nothing if no columns are asked for."""
        if self.columns_directory is None:
            return ()
        path = Path(self.columns_directory, chunk.dataset, NOMINAL, f"{chunk.name}.parquet")
        return (write_columns({**chunk.identity(events), **columns}, path, variation=NOMINAL),)


def _momentum(leptons: LeptonTable, i: int) -> Momentum:
    return Momentum.of(leptons.pt[:, i], leptons.eta[:, i], leptons.phi[:, i])


def _calibrated(missing: Missing, b_jets: BJets, leptons: tuple[Momentum, ...]) -> tuple[Floats, Floats]:
    """Missing momentum; leptons and jets are added where the dialect gives the soft term alone."""
    if not missing.soft_only:
        return missing.px, missing.py
    px = missing.px - b_jets.sum_px - sum((lepton.px for lepton in leptons), np.zeros_like(missing.px))
    py = missing.py - b_jets.sum_py - sum((lepton.py for lepton in leptons), np.zeros_like(missing.py))
    return px, py
