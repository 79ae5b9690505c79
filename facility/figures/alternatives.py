"""Samples of two-point systematics beside the nominal ones: ratios of the shapes of all variables."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.standard import StandardCard
from znought.facility.events.store import EventTable, read_events
from znought.facility.figures.picture import Picture
from znought.facility.ntuples.scales import scale_of
from znought.facility.workspace import Workspace
from znought.plots.alternatives import ShapeRatio, shape_ratios
from znought.plots.labels import printed_name, process_label
from znought.plots.style import FigureLabel
from znought.stats.agreement import spectrum
from znought.stats.paired import chi_square

__all__ = ["alternative_pictures", "ratios_of_shapes"]

SECTION = "Inputs"
_N_BINS = 10
_ENDS = (
    0.01,
    0.99,
)  # of the events in bins of equal content; what lies beyond counts in the first and the last
Floats = NDArray[np.float64]


def alternative_pictures(
    card: StandardCard, workspace: Workspace, *, label: FigureLabel
) -> Iterator[Picture]:
    """One figure for each process that a two-point systematic has another sample of.

    Args:
        card: with systematics.
        workspace: with columns.
        label: what stands above the frame, without the luminosity.
    """
    for name, systematic in card.likelihood.workspace.systematics.items():
        by_process: dict[str, dict[str, str]] = {}
        for nominal, other in systematic.datasets.items():
            by_process.setdefault(card.datasets[nominal].process, {})[nominal] = other
        for process, others in by_process.items():
            ratios = ratios_of_shapes(card, workspace, others)
            figure = shape_ratios(
                list(ratios.values()), title=f"{process_label(process)}: alternative / nominal", label=label
            )
            caption = (
                f"{', '.join(others.values())} over {', '.join(others)}: shares of the selected events, in "
                "bins of equal content. Responses of one generated event count as one."
            )
            title = f"{printed_name(name)}, {process}"
            yield Picture(f"alternative_{name}_{process}", title, SECTION, figure, caption)


def ratios_of_shapes(
    card: StandardCard, workspace: Workspace, others: Mapping[str, str]
) -> dict[str, ShapeRatio]:
    """Variable → shape in the alternative datasets over that in the nominal ones.

    Args:
        card: with variables.
        workspace: with columns.
        others: nominal dataset → the one that stands in its place.
    """
    scales = dict(scale_of(workspace))
    wanted = ["gen_weight", *card.binned]
    samples = [read_events(workspace.columns, list(part), wanted) for part in (others, others.values())]
    found = {}
    for name, variable in card.binned.items():
        first, second = (_defined(one, name, variable.undefined) for one in samples)
        if len(first) and len(second):
            found[name] = _ratio(name, first, second, scales)
    return found


def _defined(events: EventTable, name: str, undefined: float | None) -> EventTable:
    """The events that have a value; most variables are defined in all of them, which are not copied then."""
    return events if undefined is None else events.select(events[name] != undefined)


def _ratio(name: str, first: EventTable, second: EventTable, scales: Mapping[str, float]) -> ShapeRatio:
    both = np.concatenate([np.asarray(one[name], np.float64) for one in (first, second)])
    edges = np.unique(np.quantile(both, np.linspace(*_ENDS, _N_BINS + 1)))
    (a, cov_a), (b, cov_b) = (_shares(one, name, edges, scales) for one in (first, second))
    chi2, ndf = chi_square(b - a, cov_a + cov_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(a > 0.0, b / a, np.nan)
        error = np.abs(ratio) * np.sqrt(np.diag(cov_a) / a**2 + np.diag(cov_b) / b**2)
    return ShapeRatio(name, edges, ratio, error, chi2, ndf)


def _shares(
    events: EventTable, name: str, edges: Floats, scales: Mapping[str, float]
) -> tuple[Floats, Floats]:
    """Shares s = n / Σn of the bins and their covariance J C Jᵀ, J = (1 − s ⊗ 1) / Σn."""
    weight = np.asarray(events["gen_weight"], np.float64) * events.per_dataset(scales)
    found = spectrum(
        np.asarray(events[name], np.float64), weight, edges, units=events.identity.view(np.int64)
    )
    total = float(found.sumw.sum())
    shares = found.sumw / total
    jacobian = (np.eye(shares.size) - np.outer(shares, np.ones(shares.size))) / total
    return shares, jacobian @ found.covariance @ jacobian.T
