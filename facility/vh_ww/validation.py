"""Inputs of the network in data and simulation, where there is little signal, before anything is trained."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from znought.facility.account import data_lumi_ifb
from znought.facility.store import EventTable, read_events
from znought.facility.vh_ww.card import VHWWCard
from znought.facility.vh_ww.sample import region
from znought.facility.workspace import Workspace, read_json
from znought.processors.features import FEATURES, M_TAUTAU_UNDEFINED
from znought.processors.hists import AXES
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

__all__ = [
    "Correlated",
    "InputComparison",
    "Validation",
    "input_correlations",
    "input_edges",
    "read_validation",
    "summarised",
    "validated",
]

Floats = NDArray[np.float64]
Vector = tuple[float, ...]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputComparison(_Record):
    """One input in data and simulation; the last bin holds everything beyond its lower edge.

    Attributes:
        edges: bin edges; the first bin of m_tautau holds events without a collinear solution.
        data: counts per bin.
        processes: process → (Σw, Σw² with the responses of one event as one) per bin, at the luminosity of
            the data.
        systematic: absolute uncertainty of the sum per bin, from all systematics together.
        chi2, n_dof, p_value: with bins correlated by systematics and repeated responses.
        ks_distance, ks_p_value: Kolmogorov–Smirnov of the shapes, statistical errors alone.
    """

    edges: Vector
    data: Vector
    processes: dict[str, tuple[Vector, Vector]]
    systematic: Vector
    chi2: float
    n_dof: int
    p_value: float
    ks_distance: float
    ks_p_value: float


class Correlated(_Record):
    """Linear correlations of the inputs in simulation and data.

    Attributes:
        inputs: names of rows and columns.
        simulation, data: coefficients.
        error: statistical error of simulation − data.
        largest: the two inputs whose |difference| is largest, with simulation − data and its error.
    """

    inputs: tuple[str, ...]
    simulation: tuple[Vector, ...]
    data: tuple[Vector, ...]
    error: tuple[Vector, ...]
    largest: tuple[str, str, float, float]


class Validation(_Record):
    """Data against simulation, as `validation.json` holds it.

    Attributes:
        where: the events compared, in words.
        comparison: "shape" (the χ² leaves the normalisation free) or "absolute".
        lumi_ifb: luminosity of the data that were read.
        events: selected data events, and what the simulation expects.
        ratio: data/simulation with its error.
        systematics: what the band is made of.
        findings: limits of the card that are broken, one line each.
        suspects: inputs that they name.
    """

    where: str
    comparison: str
    lumi_ifb: float
    events: tuple[int, float]
    ratio: tuple[float, float]
    systematics: tuple[str, ...]
    inputs: dict[str, InputComparison]
    correlations: Correlated
    findings: tuple[str, ...]
    suspects: tuple[str, ...]


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


def input_edges(name: str) -> Floats:
    """Bins of an input: half as many as its histogram has, and one for all that lies beyond."""
    bins, lower, upper, _ = AXES[name]
    n_bins = bins // 2
    return np.linspace(lower, upper + (upper - lower) / n_bins, n_bins + 2)


def validated(card: VHWWCard, workspace: Workspace, *, unblind: bool) -> Validation | None:
    """The comparison of all inputs; None if no data event is selected.

    Args:
        card: with region, limits and systematics.
        workspace: with columns.
        unblind: compare in the signal region too, which is left out otherwise.
    """
    data = _side(card, workspace, "data", scale=1.0, unblind=unblind)
    if len(data.columns) == 0:
        return None
    lumi = data_lumi_ifb(workspace) or card.lumi_ifb
    scale = lumi / card.lumi_ifb
    simulation = _side(card, workspace, "simulation", scale=scale, unblind=unblind)
    shifts = _shifts(card, workspace, simulation, scale=scale, unblind=unblind)
    compared = {name: _compared(card, name, data, simulation, shifts[name]) for name in FEATURES}
    inputs = {name: found for name, (found, _) in compared.items()}
    ratio = _ratio(len(data.columns), *_total(compared[FEATURES[0]][1]))
    correlated = (
        input_correlations(simulation.columns, simulation.weight),
        input_correlations(data.columns, data.weight),
    )
    findings = _findings(card, inputs, ratio, correlated)
    return Validation(
        where=_where(card, unblind=unblind),
        comparison=card.validation.comparison,
        lumi_ifb=lumi,
        events=(len(data.columns), float(simulation.weight.sum())),
        ratio=ratio,
        systematics=(*card.systematics, *card.likelihood.workspace.norms, "luminosity"),
        inputs=inputs,
        correlations=_both(*correlated),
        findings=tuple(finding.text for finding in findings),
        suspects=tuple(dict.fromkeys(name for finding in findings for name in finding.variables)),
    )


def _findings(
    card: VHWWCard,
    inputs: Mapping[str, InputComparison],
    ratio: tuple[float, float],
    correlated: tuple[Correlations, Correlations],
) -> tuple[Finding, ...]:
    """Limits that are broken, by inputs that the card trains on."""
    names = tuple(name for name in FEATURES if name in (card.features or FEATURES))
    chosen = {name: inputs[name] for name in names}
    difference, error = _difference(*correlated, names)
    return judged(
        card.validation,
        inputs={name: Chi2(one.chi2, one.n_dof, one.p_value, 1.0) for name, one in chosen.items()},
        yield_ratio=ratio,
        difference=difference,
        error=error,
    )


def _both(simulation: Correlations, data: Correlations) -> Correlated:
    """Both matrices, with the largest difference named."""
    difference, error = _difference(simulation, data, FEATURES)
    largest = largest_difference(difference, error, FEATURES)
    return Correlated(
        inputs=FEATURES,
        simulation=_rows(simulation.matrix),
        data=_rows(data.matrix),
        error=_rows(error),
        largest=(*largest.variables, largest.value, largest.error),
    )


def _where(card: VHWWCard, *, unblind: bool) -> str:
    """The events compared, in words."""
    place = "after the preselection" if card.validation.region is None else f"in {card.validation.region}"
    return place if unblind else f"{place}, outside the signal region"


def _kept(card: VHWWCard, columns: EventTable, *, unblind: bool) -> NDArray[np.bool_]:
    """Events that are compared: those of the card's region, the signal region left out."""
    kept = np.ones(len(columns), np.bool_)
    if card.validation.region is not None:
        kept &= region(card, card.validation.region).mask(columns.columns)
    return kept if unblind else kept & ~region(card, card.signal_region).mask(columns.columns)


def _cut_variables(card: VHWWCard) -> list[str]:
    names = [name for name in (card.signal_region, card.validation.region) if name is not None]
    return [cut.variable for name in names for cut in region(card, name).cuts]


def _side(card: VHWWCard, workspace: Workspace, kind: Any, *, scale: float, unblind: bool) -> _Side:
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
    card: VHWWCard, workspace: Workspace, kind: Any, variation: str, weights: list[str], *, unblind: bool
) -> EventTable:
    names = [*weights, *FEATURES, *_cut_variables(card)]
    columns = read_events(workspace.columns, card.of_kind(kind), names, variation=variation)
    return columns.select(_kept(card, columns, unblind=unblind)) if len(columns) else columns


def _scales(workspace: Workspace, columns: EventTable) -> NDArray[Any]:
    """Expected events per unit of generator weight, for every row."""
    entries = read_json(workspace.normalisation)
    return columns.per_dataset({name: entries[name]["scale"] for name in columns.datasets})


def _weight_only(card: VHWWCard, workspace: Workspace) -> list[str]:
    """Variations that stand as weights beside the nominal columns."""
    return [
        f"{name}_{direction}"
        for name in card.systematics
        for direction in ("up", "down")
        if not any(workspace.columns.glob(f"*/{name}_{direction}/*.parquet"))
    ]


def _shifts(
    card: VHWWCard, workspace: Workspace, nominal: _Side, *, scale: float, unblind: bool
) -> dict[str, list[Floats]]:
    """Input → shift of the expectation per bin by one standard deviation of each systematic."""
    shifts: dict[str, list[Floats]] = {name: [] for name in FEATURES}
    in_nominal = set(_weight_only(card, workspace))
    for systematic in card.systematics:
        sums = []
        for name in (f"{systematic}_up", f"{systematic}_down"):
            if name in in_nominal:
                weight = nominal.columns[f"gen_weight_{name}"]
                columns = nominal.columns
            else:
                columns = _table(card, workspace, "simulation", name, ["gen_weight"], unblind=unblind)
                weight = columns["gen_weight"]
            sums.append(_sums(columns, weight * _scales(workspace, columns) * scale))
        for name in FEATURES:
            shifts[name].append(0.5 * (sums[0][name] - sums[1][name]))
    for relative, weight in _norms(card, nominal):
        for name, total in _sums(nominal.columns, weight).items():
            shifts[name].append(relative * total)
    return shifts


def _norms(card: VHWWCard, nominal: _Side) -> Iterator[tuple[float, Floats]]:
    """Relative uncertainty of each normalisation, and the weights of the events that it moves."""
    settings = card.likelihood.workspace
    yield settings.luminosity_rel, nominal.weight
    for norm in settings.norms.values():
        yield norm.relative, np.where(np.isin(nominal.process, norm.processes), nominal.weight, 0.0)


def _sums(columns: EventTable, weight: Floats) -> dict[str, Floats]:
    """Σw of every input in its bins."""
    return {name: spectrum(columns[name], weight, input_edges(name)).sumw for name in FEATURES}


def _compared(
    card: VHWWCard, name: str, data: _Side, simulation: _Side, shifts: list[Floats]
) -> tuple[InputComparison, Spectrum]:
    """One input, and its expectation with the covariance of everything."""
    edges = input_edges(name)
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


def input_correlations(columns: EventTable, weight: Floats) -> Correlations:
    """Correlations of all inputs, of which the rare far tails count with the ends of their histograms.

    Args:
        columns: inputs and identity.
        weight: of every event, shape (n_events,).
    """
    values = np.column_stack(
        [np.clip(columns[name].astype(np.float64), *AXES[name][1:3]) for name in FEATURES]
    )
    defined = np.ones(values.shape, np.bool_)
    defined[:, FEATURES.index("m_tautau")] = columns["m_tautau"] != M_TAUTAU_UNDEFINED
    units = np.unique(columns.identity, return_inverse=True)[1].astype(np.int64)
    return correlations(values, weight, units=units, defined=defined)


def _difference(
    simulation: Correlations, data: Correlations, names: tuple[str, ...]
) -> tuple[Floats, Floats]:
    """Simulation − data of the correlations of some inputs, and its error."""
    chosen = np.ix_(*2 * [[FEATURES.index(name) for name in names]])
    error = np.hypot(simulation.error, data.error)
    return (simulation.matrix - data.matrix)[chosen], error[chosen]


def _rows(matrix: Floats) -> tuple[Vector, ...]:
    return tuple(tuple(row) for row in matrix.tolist())


def read_validation(workspace: Workspace) -> Validation | None:
    """The comparison of an earlier stage; None if there was nothing to compare."""
    if not workspace.validation.exists():
        return None
    return Validation.model_validate(read_json(workspace.validation))


def summarised(found: Validation) -> str:
    """The comparison in one sentence, and what breaks a limit."""
    worst = min(found.inputs, key=lambda name: found.inputs[name].p_value)
    one, other, difference, error = found.correlations.largest
    sentence = (
        f"Validation {found.where}, {found.events[0]:,} data events at {found.lumi_ifb:.4g} fb⁻¹: "
        f"data/simulation {found.ratio[0]:.3f} ± {found.ratio[1]:.3f}; least probable input {worst} "
        f"(p = {found.inputs[worst].p_value:.2g}); largest difference of correlations {difference:+.3f} ± "
        f"{error:.3f} ({one}, {other})."
    )
    return " ".join([sentence, *(f"Beyond the card's limit: {text}." for text in found.findings)])
