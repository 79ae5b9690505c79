"""Events with their place in the range of the discriminant: slopes of backgrounds, and what data show."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.standard import StandardCard
from znought.facility.fitting.placement import Bins, Placed, placed
from znought.facility.workspace import Workspace
from znought.stats.ordered import bin_contents, binned_sum
from znought.stats.referee.slopes import ControlBins

__all__ = ["TiltedEvents", "control_counts"]

Floats = NDArray[np.float64]
Cells = NDArray[np.int64]
_N_BINS = 10
_EDGES = np.linspace(-1.0, 1.0, _N_BINS + 1)[1:-1]


@dataclass(frozen=True)
class TiltedEvents:
    """Simulated events in the regions of a likelihood.

    Attributes:
        card: with the regions' roles.
        events: placed.
        process: name, shape (n_events,).
        tilt: −1 at the lower end of the discriminant to +1 at its upper end, shape (n_events,).
    """

    card: StandardCard
    events: Placed
    process: NDArray[np.str_]
    tilt: Floats

    @classmethod
    def of(cls, card: StandardCard, workspace: Workspace, bins: Bins) -> "TiltedEvents":
        """The events of all simulated datasets."""
        datasets = card.of_kind("simulation")
        events = placed(card, workspace, datasets, bins)
        process = events.columns.per_dataset({name: card.datasets[name].process for name in datasets})
        return cls(card, events, process, _tilt(card, events, bins))

    @cached_property
    def backgrounds(self) -> dict[str, float]:
        """Background → its share of all backgrounds in the signal regions."""
        inside = np.isin(self.events.where, _regions(self.card, "signal"))
        names = np.unique(self.process[inside]).tolist()
        sums = {
            name: float(self.events.weight[inside & (self.process == name)].sum())
            for name in names
            if name != self.card.signal
        }
        total = sum(sums.values())
        return {name: value / total for name, value in sums.items()} if total > 0 else {}

    def tilted(self, name: str, bins: Bins) -> dict[str, Floats]:
        """Region → Σ w t of one process in its bins."""
        found = {}
        for region, edges in bins.items():
            rows = (self.process == name) & (self.events.where == region)
            weight = self.events.weight[rows] * self.tilt[rows]
            found[region] = np.histogram(self.events.discriminant[rows], edges, weights=weight)[0]
        return found

    def control_bins(self, name: str, counts: Floats, lumi_ifb: float) -> ControlBins:
        """Data and expectation of control regions in bins of the discriminant.

        Args:
            name: process whose slope is asked for.
            counts: of the data, as `control_counts` gives them.
            lumi_ifb: of the data.
        """
        weight = self.events.weight * lumi_ifb / self.card.lumi_ifb
        floating = [one for one in self.card.likelihood.workspace.floating if one != name]
        groups = {other: self.process == other for other in floating}
        groups["rest"] = ~np.isin(self.process, [*floating, name])
        mine = self.process == name
        others = {other: self._filled(rows, weight) for other, rows in groups.items()}
        inside = self._cells >= 0
        units = np.unique(self.events.columns.identity[inside], return_inverse=True)[1]
        return ControlBins(
            data=counts,
            process=self._filled(mine, weight),
            tilted=self._filled(mine, weight * self.tilt),
            others={other: values for other, values in others.items() if values.sum() > 0},
            sumw2=bin_contents(self._cells[inside], weight[inside], counts.size, units).sumw2,
        )

    @cached_property
    def _cells(self) -> Cells:
        return _cells(self.card, self.events, self.tilt)

    def _filled(self, rows: NDArray[np.bool_], weight: Floats) -> Floats:
        chosen = rows & (self._cells >= 0)
        return binned_sum(self._cells[chosen], weight[chosen], _N_BINS * len(_regions(self.card, "control")))


def control_counts(card: StandardCard, workspace: Workspace, bins: Bins) -> Floats | None:
    """Recorded events in bins of control region and discriminant; None where they do not share one.

    Signal bins are left out, whether they may be looked at or not.
    """
    data = card.of_kind("data")
    if not data or card.discriminants or not card.is_scored or not _regions(card, "control"):
        return None
    events = placed(card, workspace, data, bins)
    cells = _cells(card, events, _tilt(card, events, bins))
    return binned_sum(
        cells[cells >= 0], np.ones(int(np.sum(cells >= 0))), _N_BINS * len(_regions(card, "control"))
    )


def _regions(card: StandardCard, role: str) -> list[str]:
    return [name for name, its_role in card.roles.items() if its_role == role]


def _tilt(card: StandardCard, events: Placed, bins: Bins) -> Floats:
    if not card.discriminants and card.is_scored:
        return 2.0 * events.columns[f"score_{card.class_of_signal}"].astype(np.float64) - 1.0
    tilt = np.zeros(len(events.columns))
    for region, edges in bins.items():
        rows = events.where == region
        tilt[rows] = 2.0 * (events.discriminant[rows] - edges[0]) / (edges[-1] - edges[0]) - 1.0
    return np.clip(tilt, -1.0, 1.0)


def _cells(card: StandardCard, events: Placed, tilt: Floats) -> Cells:
    """Bin of control region and discriminant of every event, −1 outside, shape (n_events,)."""
    found = np.full(tilt.size, -1, np.int64)
    for i, region in enumerate(_regions(card, "control")):
        rows = events.where == region
        found[rows] = i * _N_BINS + np.searchsorted(_EDGES, tilt[rows], side="right")
    return found
