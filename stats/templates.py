"""Templates: process × region × variation × discriminant, with Σw and Σw²."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import hist
import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import DataError, unknown_name
from znought.stats.labels import Labels
from znought.stats.yields import Yields

__all__ = ["NegativeBin", "RegionTemplates", "filled_up", "orthogonal_regions", "to_hist"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RegionTemplates:
    """All templates of one region."""

    name: str
    nominal: Yields
    variations: dict[str, Yields] = field(default_factory=dict)
    """By variation, ``jes_up``; same processes and edges as the nominal."""
    observed: Floats | None = None
    """Data counts, shape (n_bins,); None while blinded."""
    era: str = ""
    """Of the data that it stands for; empty for all together."""

    def __post_init__(self) -> None:
        for name, varied in self.variations.items():
            if varied.processes != self.nominal.processes or not np.array_equal(
                varied.edges, self.nominal.edges
            ):
                raise DataError(
                    f"variation {name!r} in {self.name!r} has other processes or edges than the nominal."
                )
        if self.observed is not None and self.observed.shape != (self.nominal.edges.size - 1,):
            raise DataError(f"observed in {self.name!r} must have one count per bin.")

    def variation(self, name: str) -> Yields:
        """One variation.

        Raises:
            DataError: an unknown variation.
        """
        if name not in self.variations:
            raise DataError(unknown_name("variation", name, self.variations))
        return self.variations[name]


@dataclass(frozen=True)
class NegativeBin:
    """A bin that came out negative, as generator weights may make it."""

    region: str
    variation: str
    process: str
    bin: int
    sumw: float
    sumw2: float


def filled_up(region: RegionTemplates) -> tuple[RegionTemplates, tuple[NegativeBin, ...]]:
    """Set negative bins to zero, scale the process's others to keep its yield, and report each.

    A likelihood has no negative expectation. Σw² stays in the bins that were negative and scales
    with the square elsewhere. A process whose whole yield is negative becomes zero throughout.
    """
    report: list[NegativeBin] = []
    nominal = _filled_up(region.nominal, region.name, "nominal", report)
    variations = {
        name: _filled_up(varied, region.name, name, report) for name, varied in region.variations.items()
    }
    return replace(region, nominal=nominal, variations=variations), tuple(report)


def orthogonal_regions(
    scores: Mapping[str, ArrayLike], *, signal: str, signal_above: float, names: Iterable[str] | None = None
) -> Labels:
    """The region of every event: ``SR`` from the signal's score, else ``CR_<class>`` by the largest other.

    Args:
        scores: one score per class, shape (n_events,) each.
        signal: class whose score defines the signal region.
        signal_above: events with a score of at least this are in the signal region.
        names: classes that have a control region; events of the others are in no region, ``""``.

    Raises:
        DataError: an unknown class.

    >>> orthogonal_regions({"VH": [0.5, 0.1], "top": [0.3, 0.9]}, signal="VH", signal_above=0.2).tolist()
    ['SR', 'CR_top']
    """
    if signal not in scores:
        raise DataError(unknown_name("class", signal, scores))
    others = [name for name in scores if name != signal]
    wanted = others if names is None else list(names)
    for name in wanted:
        if name not in others:
            raise DataError(unknown_name("class", name, others))
    largest = np.argmax(np.stack([np.asarray(scores[name]) for name in others]), axis=0)
    names = ["", "SR", *(f"CR_{name}" for name in wanted)]
    number = np.array([names.index(f"CR_{name}") if name in wanted else 0 for name in others])
    is_signal = np.asarray(scores[signal]) >= signal_above
    return Labels.numbered(names, np.where(is_signal, 1, number[largest]))


def to_hist(region: RegionTemplates) -> hist.Hist[hist.storage.Weight]:
    """Process × variation × discriminant with weighted storage."""
    yields = {"nominal": region.nominal, **region.variations}
    filled = hist.Hist(
        hist.axis.StrCategory(region.nominal.processes, name="process"),
        hist.axis.StrCategory(list(yields), name="variation"),
        hist.axis.Variable(region.nominal.edges, name="discriminant"),
        storage=hist.storage.Weight(),
        name=region.name,
    )
    view = filled.view()
    for i, varied in enumerate(yields.values()):
        view["value"][:, i, :] = varied.sumw
        view["variance"][:, i, :] = varied.sumw2
    return filled


def _filled_up(yields: Yields, region: str, variation: str, report: list[NegativeBin]) -> Yields:
    sumw, sumw2 = yields.sumw.copy(), yields.sumw2.copy()
    for i, process in enumerate(yields.processes):
        negative = np.flatnonzero(sumw[i] < 0)
        if not negative.size:
            continue
        for j in negative:
            bad = (float(sumw[i, j]), float(sumw2[i, j]))
            report.append(NegativeBin(region, variation, process, int(j), *bad))
        positive = sumw[i] > 0
        factor = max(sumw[i].sum(), 0.0) / max(sumw[i, positive].sum(), np.finfo(np.float64).tiny)
        sumw[i, negative] = 0.0
        sumw[i, positive] *= factor
        sumw2[i, positive] *= factor**2
    return replace(yields, sumw=sumw, sumw2=sumw2)
