"""Variables in data and simulation, where there is little signal, before anything is trained."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.analysis import Variable
from znought.facility.cards.standard import StandardCard
from znought.facility.events.sample import directions, region
from znought.facility.events.store import EventTable, read_events
from znought.facility.ntuples.account import data_lumi_ifb
from znought.facility.regions.axes import comparison_edges, limits
from znought.facility.regions.validation import Correlated, InputComparison, Validation
from znought.facility.workspace import Workspace, read_json
from znought.stats.agreement import (
    Chi2,
    Correlations,
    Spectrum,
    chi2,
    correlations,
    kolmogorov_smirnov,
    spectrum,
)
from znought.stats.validation import Finding, judged, largest_difference

__all__ = ["input_correlations", "validated"]

Floats = NDArray[np.float64]
Vector = tuple[float, ...]


@dataclass(frozen=True)
class _Side:
    """The compared events of data or of simulation.

    Attributes:
        columns: inputs and identity.
        weight: expected events per row; 1 for data.
        process: of every row.
        units: integer of the generated event behind every row.
    """

    columns: EventTable
    weight: Floats
    process: NDArray[np.str_]
    units: NDArray[np.int64]


def validated(card: StandardCard, workspace: Workspace, *, unblind: bool) -> Validation | None:
    """The comparison of all inputs; None if no data event is selected, or no variable has bins.

    Args:
        card: with region, limits and systematics.
        workspace: with columns.
        unblind: compare in the signal region too, which is left out otherwise.
    """
    data = _side(card, workspace, "data", scale=1.0, unblind=unblind)
    if len(data.columns) == 0 or not card.binned:
        return None
    lumi = data_lumi_ifb(workspace) or card.lumi_ifb
    scale = lumi / card.lumi_ifb
    simulation = _side(card, workspace, "simulation", scale=scale, unblind=unblind)
    shifts = _shifts(card, workspace, simulation, scale=scale, unblind=unblind)
    compared = {name: _compared(card, name, data, simulation, shifts[name]) for name in card.binned}
    inputs = {name: found for name, (found, _) in compared.items()}
    ratio = _ratio(len(data.columns), *_total(next(iter(compared.values()))[1]))
    correlated = (
        input_correlations(simulation.columns, simulation.weight, card.binned),
        input_correlations(data.columns, data.weight, card.binned),
    )
    findings = _findings(card, inputs, ratio, correlated)
    return Validation(
        where=_where(card, unblind=unblind),
        comparison=card.validation.comparison,
        lumi_ifb=lumi,
        events=(len(data.columns), float(simulation.weight.sum())),
        ratio=ratio,
        systematics=(*card.varied, *card.likelihood.workspace.norms, "luminosity"),
        inputs=inputs,
        correlations=_both(*correlated, tuple(card.binned)),
        findings=tuple(finding.text for finding in findings),
        suspects=tuple(dict.fromkeys(name for finding in findings for name in finding.variables)),
    )


def _findings(
    card: StandardCard,
    inputs: Mapping[str, InputComparison],
    ratio: tuple[float, float],
    correlated: tuple[Correlations, Correlations],
) -> tuple[Finding, ...]:
    """Limits that are broken, by inputs that the card trains on."""
    names = tuple(name for name in card.binned if name in card.features)
    chosen = {name: inputs[name] for name in names}
    difference, error = _difference(*correlated, tuple(card.binned), names)
    return judged(
        card.validation,
        inputs={name: Chi2(one.chi2, one.n_dof, one.p_value, 1.0) for name, one in chosen.items()},
        yield_ratio=ratio,
        difference=difference,
        error=error,
    )


def _both(simulation: Correlations, data: Correlations, names: tuple[str, ...]) -> Correlated:
    """Both matrices, with the largest difference named."""
    difference, error = _difference(simulation, data, names, names)
    largest = largest_difference(difference, error, names)
    return Correlated(
        inputs=names,
        simulation=_rows(simulation.matrix),
        data=_rows(data.matrix),
        error=_rows(error),
        largest=(*largest.variables, largest.value, largest.error),
    )


def _where(card: StandardCard, *, unblind: bool) -> str:
    """The events compared, in words."""
    place = "after the preselection" if card.validation.region is None else f"in {card.validation.region}"
    return place if unblind or card.signal_region is None else f"{place}, outside the signal region"


def _kept(card: StandardCard, columns: EventTable, *, unblind: bool) -> NDArray[np.bool_]:
    """Events that are compared: those of the card's region, the signal region left out."""
    kept = np.ones(len(columns), np.bool_)
    if card.validation.region is not None:
        kept &= region(card, card.validation.region).mask(columns.columns)
    if unblind or card.signal_region is None:
        return kept
    return kept & ~region(card, card.signal_region).mask(columns.columns)


def _cut_variables(card: StandardCard) -> list[str]:
    names = [name for name in (card.signal_region, card.validation.region) if name is not None]
    return [cut.variable for name in names for cut in region(card, name).cuts]


def _side(card: StandardCard, workspace: Workspace, kind: Any, *, scale: float, unblind: bool) -> _Side:
    """Nominal events of one kind, with every weight that simulation carries beside the nominal one."""
    weights = ["gen_weight"]
    if kind == "simulation":
        weights += [f"gen_weight_{name}" for name in _weight_only(card, workspace)]
    columns = _table(card, workspace, kind, "nominal", weights, unblind=unblind)
    units = np.unique(columns.identity, return_inverse=True)[1].astype(np.int64)
    process = columns.per_dataset({name: card.datasets[name].process for name in columns.datasets})
    weight = columns["gen_weight"] * _scales(workspace, columns) * scale
    return _Side(columns, np.asarray(weight, np.float64), process, units)


def _table(
    card: StandardCard, workspace: Workspace, kind: Any, variation: str, weights: list[str], *, unblind: bool
) -> EventTable:
    names = [*weights, *card.binned, *_cut_variables(card)]
    columns = read_events(workspace.columns, card.of_kind(kind), names, variation=variation)
    return columns.select(_kept(card, columns, unblind=unblind)) if len(columns) else columns


def _scales(workspace: Workspace, columns: EventTable) -> NDArray[Any]:
    """Expected events per unit of generator weight, for every row."""
    entries = read_json(workspace.normalisation)
    return columns.per_dataset({name: entries[name]["scale"] for name in columns.datasets})


def _weight_only(card: StandardCard, workspace: Workspace) -> list[str]:
    """Variations that stand as weights beside the nominal columns."""
    return [
        f"{name}_{direction}"
        for name in card.varied
        for direction in directions(workspace, name)
        if not any(workspace.columns.glob(f"*/{name}_{direction}/*.parquet"))
    ]


def _shifts(
    card: StandardCard, workspace: Workspace, nominal: _Side, *, scale: float, unblind: bool
) -> dict[str, list[Floats]]:
    """Input → shift of the expectation per bin by one standard deviation of each systematic."""
    shifts: dict[str, list[Floats]] = {name: [] for name in card.binned}
    in_nominal = set(_weight_only(card, workspace))
    central = _sums(card, nominal.columns, nominal.weight)
    for systematic in card.varied:
        sums = []
        ways = directions(workspace, systematic)
        for name in (f"{systematic}_{way}" for way in ways):
            if name in in_nominal:
                weight = nominal.columns[f"gen_weight_{name}"]
                columns = nominal.columns
            else:
                columns = _table(card, workspace, "simulation", name, ["gen_weight"], unblind=unblind)
                weight = columns["gen_weight"]
            sums.append(_sums(card, columns, weight * _scales(workspace, columns) * scale))
        for name in card.binned:
            other = sums[1][name] if len(ways) > 1 else 2.0 * central[name] - sums[0][name]
            shifts[name].append(0.5 * (sums[0][name] - other))
    for relative, weight in _norms(card, nominal):
        for name, total in _sums(card, nominal.columns, weight).items():
            shifts[name].append(relative * total)
    return shifts


def _norms(card: StandardCard, nominal: _Side) -> Iterator[tuple[float, Floats]]:
    """Relative uncertainty of each normalisation, and the weights of the events that it moves."""
    settings = card.likelihood.workspace
    for shifts in card.lumi_shifts.values():
        yield 1.0, nominal.weight * nominal.columns.per_dataset(shifts)
    if not card.lumi_shifts:
        yield settings.luminosity_rel, nominal.weight
    for norm in settings.norms.values():
        yield norm.relative, np.where(np.isin(nominal.process, norm.processes), nominal.weight, 0.0)


def _sums(card: StandardCard, columns: EventTable, weight: Floats) -> dict[str, Floats]:
    """Σw of every input in its bins."""
    return {
        name: spectrum(columns[name], weight, comparison_edges(variable)).sumw
        for name, variable in card.binned.items()
    }


def _compared(
    card: StandardCard, name: str, data: _Side, simulation: _Side, shifts: list[Floats]
) -> tuple[InputComparison, Spectrum]:
    """One input, and its expectation with the covariance of everything."""
    edges = comparison_edges(card.variables[name])
    spectra = {}
    for process, entry in card.processes.items():
        if entry.kind == "simulation":
            rows = simulation.process == process
            weight, units = simulation.weight[rows], simulation.units[rows]
            spectra[process] = spectrum(simulation.columns[name][rows], weight, edges, units=units)
    total = Spectrum(
        edges,
        np.sum([found.sumw for found in spectra.values()], axis=0),
        np.sum([found.covariance for found in spectra.values()], axis=0)
        + np.sum([np.outer(shift, shift) for shift in shifts], axis=0),
    )
    values = data.columns[name]
    counts = spectrum(values, np.ones(values.size), edges).sumw
    found = chi2(
        counts,
        np.maximum(total.sumw, 0.0),
        total.covariance,
        free_normalisation=card.validation.comparison == "shape",
        min_expected=card.validation.min_expected,
    )
    distance, p_value = kolmogorov_smirnov(
        values, simulation.columns[name], simulation.weight, units=simulation.units
    )
    comparison = InputComparison(
        edges=tuple(edges.tolist()),
        data=tuple(counts.tolist()),
        processes={
            process: (tuple(one.sumw.tolist()), tuple(np.diag(one.covariance).tolist()))
            for process, one in spectra.items()
        },
        systematic=tuple(np.sqrt(np.sum(np.square(shifts), axis=0)).tolist()),
        chi2=found.value,
        n_dof=found.n_dof,
        p_value=found.p_value,
        ks_distance=distance,
        ks_p_value=p_value,
    )
    return comparison, total


def _total(found: Spectrum) -> tuple[float, float]:
    """All expected events, and their variance."""
    return float(found.sumw.sum()), float(found.covariance.sum())


def _ratio(n_data: int, expected: float, variance: float) -> tuple[float, float]:
    """Data/simulation, and its error from both."""
    return n_data / expected, float(np.sqrt(expected + variance) / expected)


def input_correlations(
    columns: EventTable, weight: Floats, variables: Mapping[str, Variable]
) -> Correlations:
    """Correlations of variables, of which the rare far tails count with the ends of their histograms.

    Args:
        columns: variables and identity.
        weight: of every event, shape (n_events,).
        variables: which, with their bins.
    """
    values = np.column_stack(
        [np.clip(columns[name].astype(np.float64), *limits(variable)) for name, variable in variables.items()]
    )
    defined = np.ones(values.shape, np.bool_)
    for i, (name, variable) in enumerate(variables.items()):
        if variable.undefined is not None:
            defined[:, i] = columns[name] != variable.undefined
    units = np.unique(columns.identity, return_inverse=True)[1].astype(np.int64)
    return correlations(values, weight, units=units, defined=defined)


def _difference(
    simulation: Correlations, data: Correlations, known: Sequence[str], names: Sequence[str]
) -> tuple[Floats, Floats]:
    """Simulation − data of the correlations of some inputs, and its error."""
    chosen = np.ix_(*2 * [[known.index(name) for name in names]])
    error = np.hypot(simulation.error, data.error)
    return (simulation.matrix - data.matrix)[chosen], error[chosen]


def _rows(matrix: Floats) -> tuple[Vector, ...]:
    return tuple(tuple(row) for row in matrix.tolist())
