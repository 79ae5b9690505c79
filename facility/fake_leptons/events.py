"""Events with tight and with loose leptons, as fake factors are measured in them and applied to them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.fake_leptons import FakeLeptons
from znought.facility.cards.standard import StandardCard
from znought.facility.events.sample import region
from znought.facility.events.store import EventTable, read_events
from znought.facility.ntuples.scales import scale_of
from znought.facility.workspace import Workspace
from znought.processors.evaluated import NOMINAL
from znought.processors.loose import FLAVOURS, LOOSE, MOST_LOOSE, loose_columns
from znought.stats.fake_factors import NO_LEPTON, FactorBins, LeptonCounts, counted_leptons
from znought.stats.yields import count_yields

__all__ = ["Leptons", "factor_bins", "read_leptons"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_PROBE = ("probe_pt", "probe_abs_eta", "probe_flavour")


def factor_bins(section: FakeLeptons) -> FactorBins:
    """Bins of the card's fake factor."""
    return FactorBins(tuple(section.leptons), section.abs_eta_edges, section.pt_edges_gev)


@dataclass(frozen=True)
class Leptons:
    """Events of some datasets with the leptons that a fake factor is of.

    Attributes:
        bins: of the factor.
        table: variables that regions cut on, and leptons.
        weight: expected events at the luminosity of the data, shape (n_events,).
        is_loose: whether its events have loose leptons; none of them else.
    """

    bins: FactorBins
    table: EventTable
    weight: Floats
    is_loose: bool

    def select(self, rows: Mask) -> "Leptons":
        """Some of the events."""
        return Leptons(self.bins, self.table.select(rows), self.weight[rows], self.is_loose)

    def scaled(self, factor: float) -> "Leptons":
        """The same events with another weight."""
        return Leptons(self.bins, self.table, self.weight * factor, self.is_loose)

    def counted(self, inside: Mask) -> LeptonCounts:
        """The softest leptons of some events, of which all others are tight, in the bins of the factor."""
        rows = inside & (self.table["probe_flavour"] >= 0)
        if self.is_loose:
            rows &= (self.table["n_loose"] == 1) & self.table["probe_is_loose"].astype(np.bool_)
        pt, abs_eta, flavour = (self.table[name][rows] for name in _PROBE)
        return counted_leptons(self.bins, self._index(flavour, abs_eta, pt), self.weight[rows])

    def index(self) -> NDArray[np.int64]:
        """Bins of the loose leptons of every event, −1 for none, shape (n_events, most leptons)."""
        found = np.full((len(self.table), MOST_LOOSE), NO_LEPTON)
        for place in range(MOST_LOOSE):
            pt, abs_eta, flavour = (self.table[name] for name in loose_columns(place))
            rows = flavour >= 0
            found[rows, place] = self._index(flavour[rows], abs_eta[rows], pt[rows])
        return found

    def yields(self, weight: Floats, inside: Mask) -> tuple[Floats, Floats]:
        """Σw and Σw² of some events in bins of the softest lepton's pT."""
        edges = np.asarray(self.bins.pt_edges_gev)
        pt = np.clip(self.table["probe_pt"][inside], edges[0], np.nextafter(edges[-1], 0.0))
        one = np.full(int(inside.sum()), "all")
        found = count_yields(
            pt, weight[inside], one, edges, processes=("all",), identity=self.table.identity[inside]
        )
        return found.sumw[0], found.sumw2[0]

    def _index(self, flavour: NDArray[np.integer], abs_eta: Floats, pt: Floats) -> NDArray[np.int64]:
        places = np.array([self.bins.flavours.index(f) if f in self.bins.flavours else -1 for f in FLAVOURS])
        return self.bins.index(places[flavour], abs_eta.astype(np.float64), pt.astype(np.float64))


def read_leptons(
    card: StandardCard, workspace: Workspace, datasets: Sequence[str], *, is_loose: bool, lumi_share: float
) -> Leptons:
    """Events of some datasets, all with loose leptons or none.

    Args:
        card: with regions and the section.
        workspace: with columns.
        datasets: names.
        is_loose: which events.
        lumi_share: luminosity of the data in units of the card's, that simulation is taken at.
    """
    assert card.fake_leptons is not None, "only a card with the section has the stage"
    variables = [cut.variable for name in card.regions for cut in region(card, name).cuts]
    names = ["gen_weight", *_PROBE, *variables]
    if is_loose:
        names += ["n_loose", "probe_is_loose"]
        names += [name for place in range(MOST_LOOSE) for name in loose_columns(place)]
    variation = LOOSE if is_loose else NOMINAL
    table = read_events(workspace.columns, datasets, names, variation=variation)
    recorded, scales = card.of_kind("data"), scale_of(workspace)
    factors = {name: 1.0 if name in recorded else scales[name] * lumi_share for name in table.datasets}
    weight = np.asarray(table["gen_weight"] * table.per_dataset(factors), np.float64)
    return Leptons(factor_bins(card.fake_leptons), table, weight, is_loose)
