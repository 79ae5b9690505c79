"""Variables in data and simulation, where there is little signal, before anything is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.analysis import Variable
from znought.facility.cards.base import Card, Kind
from znought.facility.events.sample import directions, region
from znought.facility.events.slices import one_share
from znought.facility.events.store import WHOLE_SHARE, EventTable, Share, read_events, stored_columns
from znought.facility.ntuples.account import lumi_of_data
from znought.facility.ntuples.scales import scale_of
from znought.facility.regions.axes import aligned, comparison_edges
from znought.facility.regions.correlated import input_correlations
from znought.facility.regions.selected import blinded_window, same_values
from znought.facility.regions.validation import Correlated, InputComparison, Validation
from znought.facility.workspace import Workspace
from znought.processors.evaluated import NOMINAL, WHOLE
from znought.processors.regions import Region
from znought.stats.agreement import (
    Chi2,
    Correlations,
    Spectrum,
    chi2,
    kolmogorov_smirnov,
    spectrum,
)
from znought.stats.labels import Labels
from znought.stats.validation import Finding, judged, largest_difference

__all__ = ["validated"]

Floats = NDArray[np.float64]
Vector = tuple[float, ...]
_KINDS: tuple[Kind, ...] = ("data", "simulation")


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
    process: Labels
    units: NDArray[np.int64]


@dataclass(frozen=True)
class _Compared:
    """Which events of an output directory are compared.

    Attributes:
        card: with region, limits and systematics.
        workspace: with columns.
        channel: whose events.
        unblind: whether the blinded region is among them.
        same: variable → the one that it is under a second name, which is compared for both.
    """

    card: Card
    workspace: Workspace
    channel: str
    unblind: bool
    same: Mapping[str, str] = field(default_factory=dict)

    @property
    def columns(self) -> Path:
        """Folder of the columns."""
        return self.workspace.columns / self.channel

    @cached_property
    def binned(self) -> dict[str, Variable]:
        """The variables that have bins, and events of this channel."""
        held = stored_columns(self.columns, self.card.of_kind("data"))
        named = {name: variable for name, variable in self.card.binned.items() if name in held}
        return {name: variable for name, variable in named.items() if name not in self.same}

    @property
    def hidden(self) -> str | None:
        """The region whose events are left out."""
        return None if self.unblind else self.card.blinded_region

    def window(self, name: str) -> tuple[float, float] | None:
        """Where the blinded region takes events of a variable away; None where it does so everywhere."""
        if self.hidden is None:
            return None
        compared = self.card.validation.region
        inside = Region("all") if compared is None else region(self.card, compared)
        return blinded_window(inside, name, region(self.card, self.hidden))

    @cached_property
    def whole(self) -> dict[str, Floats]:
        """What the variables with integer bins are in data and simulation."""
        names = [name for name, variable in self.binned.items() if variable.bins == "integer"]
        if not names:
            return {}
        tables = [self.table(kind, NOMINAL, (), names) for kind in _KINDS]
        return {name: np.concatenate([table[name] for table in tables if len(table)]) for name in names}

    def edges(self, name: str) -> Floats:
        """Bins of a variable, with the ends of the blinded window among them."""
        edges = comparison_edges(self.card.variables[name], self.whole.get(name, ()))
        window = self.window(name)
        return edges if window is None else aligned(edges, window)

    def blinded(self, name: str) -> tuple[bool, ...]:
        """Which bins lie in the blinded window; none said where there is none."""
        edges, window = self.edges(name), self.window(name)
        middle = 0.5 * (edges[1:] + edges[:-1])
        return () if window is None else tuple(((middle >= window[0]) & (middle < window[1])).tolist())

    @property
    def where(self) -> str:
        """The events, in words."""
        region_of = self.card.validation.region
        parts = [self.channel, "after the preselection" if region_of is None else f"in {region_of}"]
        if self.hidden is not None:
            parts.append("outside the signal region")
        return ", ".join(filter(None, parts))

    @property
    def weight_only(self) -> list[str]:
        """Variations that stand as weights beside the nominal columns."""
        return [
            f"{name}_{direction}"
            for name in self.card.varied
            for direction in directions(self.columns, name)
            if not any(self.columns.glob(f"*/{name}_{direction}/*.parquet"))
        ]

    @cached_property
    def of_estimate(self) -> tuple[str, ...]:
        """Parameters of an estimate from data, which stand as weights beside its own events alone."""
        own, others = (
            stored_columns(self.columns, datasets) for datasets in (self.card.estimated, self.card.generated)
        )
        weights = (name for name in own if name.startswith("gen_weight_") and name not in others)
        names = (name.removeprefix("gen_weight_").rpartition("_")[0] for name in weights)
        return tuple(dict.fromkeys(names))

    def table(
        self,
        kind: Kind,
        variation: str,
        weights: Sequence[str],
        variables: Sequence[str] | None = None,
        datasets: Sequence[str] | None = None,
    ) -> EventTable:
        """Events of one kind, of some of its datasets or all, with their variables, or some of them."""
        regions = [name for name in (self.card.validation.region, self.hidden) if name is not None]
        cuts = [cut.variable for name in regions for cut in region(self.card, name).cuts]
        names = [*weights, *(self.binned if variables is None else variables), *cuts]
        wanted = self.card.of_kind(kind) if datasets is None else datasets
        share = self.share if kind == "simulation" else WHOLE_SHARE
        table = read_events(self.columns, wanted, names, variation=variation, share=share)
        kept = np.ones(len(table), np.bool_)
        if len(table) and self.card.validation.region is not None:
            kept &= region(self.card, self.card.validation.region).mask(table.columns)
        if len(table) and self.hidden is not None:
            kept &= ~region(self.card, self.hidden).mask(table.columns)
        return table.select(kept)

    @cached_property
    def share(self) -> Share:
        """What is compared of the simulated events, and stands for all of them where there are too many."""
        return one_share(self.columns, self.card.of_kind("simulation"))

    def scales(self, table: EventTable) -> NDArray[Any]:
        """Expected events per unit of generator weight, for every row."""
        return table.per_dataset(scale_of(self.workspace))

    def side(self, kind: Kind, *, scale: float) -> _Side:
        """Nominal events of one kind, with every weight that simulation carries beside the nominal one."""
        weights = ["gen_weight"]
        if kind == "simulation":
            weights += [f"gen_weight_{name}" for name in self.weight_only]
        table = self.table(kind, NOMINAL, weights)
        units = np.unique(table.identity, return_inverse=True)[1].astype(np.int64)
        process = table.labels({name: self.card.datasets[name].process for name in table.datasets})
        weight = table["gen_weight"] * self.scales(table) * scale
        return _Side(table, np.asarray(weight, np.float64), process, units)

    def sums(self, table: EventTable, weight: Floats) -> dict[str, Floats]:
        """Σw of every variable in its bins."""
        return {name: spectrum(table[name], weight, self.edges(name)).sumw for name in self.binned}


def validated(card: Card, workspace: Workspace, *, unblind: bool, channel: str = WHOLE) -> Validation | None:
    """The comparison of all variables; None without events of data or of simulation, or variables with bins.

    A variable that is another under a second name is left out.

    Args:
        card: with region, limits and systematics.
        workspace: with columns.
        unblind: compare in the blinded region too, which is left out otherwise.
        channel: whose events.
    """
    events = _Compared(card, workspace, channel, unblind)
    if not events.binned or len((data := events.side("data", scale=1.0)).columns) == 0:
        return None
    lumi = lumi_of_data(card, workspace)
    scale = events.share.of * lumi / card.lumi_ifb
    simulation = events.side("simulation", scale=scale)
    if len(simulation.columns) == 0:
        return None
    events = replace(events, same=same_values(card, [data.columns, simulation.columns], events.binned))
    binned, shifts = events.binned, _shifts(events, simulation, scale=scale)
    compared = {name: _compared(events, name, data, simulation, shifts[name]) for name in binned}
    inputs = {name: found for name, (found, _) in compared.items()}
    ratio = _ratio(len(data.columns), *_total(next(iter(compared.values()))[1]))
    correlated = (
        input_correlations(simulation.columns, simulation.weight, binned),
        input_correlations(data.columns, data.weight, binned),
    )
    findings = _findings(card, inputs, ratio, correlated)
    return Validation(
        where=events.where,
        comparison=card.validation.comparison,
        lumi_ifb=lumi,
        events=(len(data.columns), float(simulation.weight.sum())),
        ratio=ratio,
        systematics=(*card.varied, *card.rates, *events.of_estimate),
        inputs=inputs,
        correlations=_both(*correlated, tuple(binned)),
        findings=tuple(finding.text for finding in findings),
        suspects=tuple(dict.fromkeys(name for finding in findings for name in finding.variables)),
    )


def _findings(
    card: Card,
    inputs: Mapping[str, InputComparison],
    ratio: tuple[float, float],
    correlated: tuple[Correlations, Correlations],
) -> tuple[Finding, ...]:
    """Limits that are broken, by inputs that the card trains on."""
    names = tuple(name for name in inputs if name in card.features)
    chosen = {name: inputs[name] for name in names}
    difference, error = _difference(*correlated, tuple(inputs), names)
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


def _shifts(events: _Compared, nominal: _Side, *, scale: float) -> dict[str, list[Floats]]:
    """Variable → shift of the expectation per bin by one standard deviation of each systematic."""
    shifts: dict[str, list[Floats]] = {name: [] for name in events.binned}
    in_nominal = set(events.weight_only)
    central = events.sums(nominal.columns, nominal.weight)
    for systematic in events.card.varied:
        sums = []
        ways = directions(events.columns, systematic)
        for name in (f"{systematic}_{way}" for way in ways):
            if name in in_nominal:
                table, weight = nominal.columns, nominal.columns[f"gen_weight_{name}"]
            else:
                table = events.table("simulation", name, ["gen_weight"])
                weight = table["gen_weight"]
            sums.append(events.sums(table, weight * events.scales(table) * scale))
        for name in events.binned:
            other = sums[1][name] if len(ways) > 1 else 2.0 * central[name] - sums[0][name]
            shifts[name].append(0.5 * (sums[0][name] - other))
    for rate in events.card.rates.values():
        moved = nominal.weight * nominal.columns.per_dataset(rate)
        for name, total in events.sums(nominal.columns, moved).items():
            shifts[name].append(total)
    for name, found in _shifts_of_estimate(events, scale=scale).items():
        shifts[name] += found
    return shifts


def _shifts_of_estimate(events: _Compared, *, scale: float) -> dict[str, list[Floats]]:
    """Variable → half of what each parameter of an estimate from data, up less down, does to its bins."""
    if not events.of_estimate:
        return {}
    names = [f"gen_weight_{name}" for name in events.of_estimate]
    weights = [f"{name}_{way}" for name in names for way in ("up", "down")]
    table = events.table("simulation", NOMINAL, weights, datasets=events.card.estimated)
    scales = events.scales(table) * scale
    moved = [
        events.sums(table, 0.5 * (table[f"{name}_up"] - table[f"{name}_down"]) * scales) for name in names
    ]
    return {variable: [one[variable] for one in moved] for variable in events.binned}


def _compared(
    events: _Compared, name: str, data: _Side, simulation: _Side, shifts: list[Floats]
) -> tuple[InputComparison, Spectrum]:
    """One input, and its expectation with the covariance of everything."""
    card, edges, spectra = events.card, events.edges(name), {}
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
        blinded=events.blinded(name),
        also=tuple(one for one, other in events.same.items() if other == name),
    )
    return comparison, total


def _total(found: Spectrum) -> tuple[float, float]:
    """All expected events, and their variance."""
    return float(found.sumw.sum()), float(found.covariance.sum())


def _ratio(n_data: int, expected: float, variance: float) -> tuple[float, float]:
    """Data/simulation, and its error from both."""
    return n_data / expected, float(np.sqrt(expected + variance) / expected)


def _difference(
    simulation: Correlations, data: Correlations, known: Sequence[str], names: Sequence[str]
) -> tuple[Floats, Floats]:
    """Simulation − data of the correlations of some inputs, and its error."""
    chosen = np.ix_(*2 * [[known.index(name) for name in names]])
    error = np.hypot(simulation.error, data.error)
    return (simulation.matrix - data.matrix)[chosen], error[chosen]


def _rows(matrix: Floats) -> tuple[Vector, ...]:
    return tuple(tuple(row) for row in matrix.tolist())
