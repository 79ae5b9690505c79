"""What the events of a VH(bb) channel hold, nominal or with one quantity moved before the selection."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.selection import LeptonTable, VHBBSelection, clean_jets, lepton_table
from znought.processors.chunk import Chunk
from znought.processors.evaluated import NOMINAL, Request
from znought.processors.loose import FLAVOURS
from znought.processors.measured import measured, measured_leptons
from znought.processors.objects import Jets, Missing, check_units
from znought.processors.recoil import Recoil
from znought.processors.scale_factors import jet_flavours
from znought.processors.variations import (
    Variation,
    jet_numbers,
    resolution_noise,
    without_tags,
)

__all__ = ["Objects", "lepton_tables", "objects_of"]


@dataclass(frozen=True)
class Objects:
    """Leptons, jets and missing transverse momentum of some events of a chunk.

    Attributes:
        event: index in the chunk, in order, shape (n_events,).
        leptons: of these events.
        recoil: jets without those at the leptons, and missing transverse momentum.
    """

    event: NDArray[np.int64]
    leptons: LeptonTable
    recoil: Recoil

    @property
    def jets(self) -> Jets:
        """Jets without those at the leptons."""
        return self.recoil.jets

    @property
    def missing(self) -> Missing:
        """Missing transverse momentum and soft activity."""
        return self.recoil.missing

    def varied(self, chunk: Chunk, variation: Variation) -> "Objects":
        """The same with one quantity moved; one of leptons has shifted them already."""
        jets = self.jets
        if variation.is_tagging:
            numbers = jet_numbers(jets, chunk.identity(self.event), salt="btag")
            changed = without_tags(jets, variation, numbers, partial(jet_flavours, chunk, jets))
            return replace(self, recoil=replace(self.recoil, jets=changed))

        def noise() -> NDArray[np.float64]:
            return resolution_noise(jets, chunk.identity(self.event))

        return replace(self, recoil=self.recoil.varied(variation, noise))


def lepton_tables(
    chunk: Chunk, cuts: VHBBSelection, request: Request
) -> tuple[LeptonTable, dict[str, LeptonTable]]:
    """Leptons of the chunk, in GeV or refused, and by name of the variation those that are moved."""
    electrons, muons = (measured_leptons(chunk, flavour, request) for flavour in FLAVOURS)

    def table(variation: str) -> LeptonTable:
        moved = electrons.under(variation), muons.under(variation)
        return lepton_table(*moved, cuts, gap=chunk.dialect.electron_gap)

    varied = (one.name for one in request.variations.of_events() if one.lepton_flavours)
    return table(NOMINAL), {name: table(name) for name in varied}


def objects_of(
    chunk: Chunk, leptons: LeptonTable, found: NDArray[np.bool_], cuts: VHBBSelection, request: Request
) -> Objects:
    """Objects of the events `found`, shape (n_chunk,), with jets in GeV or refused, calibrated as asked."""
    event = np.flatnonzero(found)
    view = chunk.view.only(event)
    jets, missing = chunk.dialect.jets(view, chunk.dialect.btag(view)), chunk.dialect.missing(view)
    check_units(jets.pt, what="jets", dialect=chunk.dialect.name, path=chunk.path)
    calibration = measured(chunk, event, request)
    if calibration is not None:
        jets, missing = calibration.calibrated(jets, missing)
    mine = leptons.of(found)
    gained = mine.gained_px.sum(axis=1), mine.gained_py.sum(axis=1)
    if any(along.any() for along in gained):
        missing = missing.after_leptons(*gained)
    recoil = Recoil(mine.vector_sum, clean_jets(jets, mine, cuts), missing, calibration)
    return Objects(event, mine, recoil)
