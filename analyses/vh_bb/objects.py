"""What the events of a VH(bb) channel hold, nominal or with one quantity moved before the selection."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.selection import LeptonTable, VHBBSelection, clean_jets, lepton_table
from znought.processors.chunk import Chunk
from znought.processors.evaluated import Request
from znought.processors.measured import measured
from znought.processors.objects import Jets, Missing, check_units
from znought.processors.recoil import Recoil
from znought.processors.scale_factors import jet_flavours
from znought.processors.variations import (
    Variation,
    VariationsConfig,
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
        """The same with one quantity moved; for `lepton_scale` the leptons are the shifted ones already."""
        jets = self.jets
        if variation.is_tagging:
            numbers = jet_numbers(jets, chunk.identity(self.event), salt="btag")
            changed = without_tags(jets, variation, numbers, partial(jet_flavours, chunk, jets))
            return replace(self, recoil=replace(self.recoil, jets=changed))

        def noise() -> NDArray[np.float64]:
            return resolution_noise(jets, chunk.identity(self.event))

        return replace(self, recoil=self.recoil.varied(variation, noise))


def lepton_tables(
    chunk: Chunk, cuts: VHBBSelection, variations: VariationsConfig
) -> tuple[LeptonTable, dict[str, LeptonTable]]:
    """Leptons of the chunk, in GeV or refused, and by name of the variation those that are moved."""
    electrons = chunk.dialect.leptons(chunk.view, "electron")
    muons = chunk.dialect.leptons(chunk.view, "muon")
    for name, leptons in (("electrons", electrons), ("muons", muons)):
        check_units(leptons.pt, what=name, dialect=chunk.dialect.name, path=chunk.path)

    def table(factor: float) -> LeptonTable:
        return lepton_table(
            electrons.scaled(factor), muons.scaled(factor), cuts, gap=chunk.dialect.electron_gap
        )

    moved = {
        variation.name: table(1.0 + variation.shift)
        for variation in variations.of_events()
        if variation.quantity == "lepton_scale"
    }
    return lepton_table(electrons, muons, cuts, gap=chunk.dialect.electron_gap), moved


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
    recoil = Recoil(mine.vector_sum, clean_jets(jets, mine, cuts), missing, calibration)
    return Objects(event, mine, recoil)
