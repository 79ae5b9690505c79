"""From scored events to the templates of a likelihood: signal bins, control regions and variations."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError
from znought.facility.cards.official import varied_parts
from znought.facility.cards.standard import StandardCard
from znought.facility.cards.weights import named_weights
from znought.facility.events.sample import directions, sample_slices
from znought.facility.events.slices import Slice, slices
from znought.facility.events.store import Share
from znought.facility.fitting.change import changed
from znought.facility.fitting.placement import Bins, Placed, placed
from znought.facility.ntuples.account import data_lumi_ifb
from znought.facility.workspace import Workspace
from znought.stats.crossfit import event_parts
from znought.stats.labels import Labels
from znought.stats.systematics import SystematicConfig
from znought.stats.template_sums import SelectedEvents, TemplateSums, template_sums
from znought.stats.templates import filled_up
from znought.stats.treatment import TreatedTemplates, treated_sums, treated_templates
from znought.stats.workspace import WorkspaceConfig

__all__ = [
    "InBinsOf",
    "Part",
    "apart_by_era",
    "fit_settings",
    "selected_events",
    "systematics_of",
    "templates",
]


@dataclass(frozen=True)
class Part:
    """One of the parts of the generated events that a cross-fit cuts them into.

    Attributes:
        index: from 0 on.
        n_parts: how many there are.
        seed: of the cut.
    """

    index: int
    n_parts: int
    seed: int

    def of(self, events: SelectedEvents) -> SelectedEvents:
        """The part's events, with weights that stand for all."""
        rows = event_parts(events.identity, self.n_parts, self.seed) == self.index
        return SelectedEvents(
            events.identity[rows],
            events.process[rows],
            events.region[rows],
            events.discriminant[rows],
            events.weights[rows] * self.n_parts,
        )


@dataclass(frozen=True)
class InBinsOf:
    """A variable that takes the place of the discriminant, for events where the discriminant has put them.

    Attributes:
        variable: its name.
        edges: region → edges; what lies beyond is in the outer bins.
    """

    variable: str
    edges: Bins

    def values(self, events: Placed) -> NDArray[np.float64]:
        """The variable of every event, within the edges of its region, shape (n_events,)."""
        found = np.asarray(events.columns[self.variable], np.float64).copy()
        for name, edges in self.edges.items():
            rows = events.where == name
            found[rows] = np.clip(found[rows], edges[0], np.nextafter(edges[-1], edges[0]))
        return found


def templates(
    card: StandardCard,
    workspace: Workspace,
    bins: Bins,
    *,
    with_data: bool,
    part: Part | None = None,
    shown: InBinsOf | None = None,
) -> TreatedTemplates:
    """Templates of every region of the likelihood, nominal and under every systematic.

    Variations are smoothed by their paired errors. Events are read slice by slice, one variation at a time.

    Args:
        card: with the names of regions, control regions and variations.
        workspace: with columns and scores.
        bins: regions with their edges, from `likelihood_bins`.
        with_data: fill observed counts, and scale the templates to the luminosity of the data that were
            read; only ever for unblinded data.
        part: of the simulated events; all of them unless given.
        shown: what is binned in the place of the discriminant.
    """
    observed = _observed(card, workspace, bins, shown) if with_data else {}
    lumi = data_lumi_ifb(workspace) if with_data else None
    scale = 1.0 if lumi is None else lumi / card.lumi_ifb
    systematics = systematics_of(card, workspace)
    edges = bins if shown is None else shown.edges
    processes = tuple(name for name, entry in card.processes.items() if entry.kind == "simulation")

    def events(of: Slice, variation: str) -> SelectedEvents:
        found = selected_events(card, workspace, bins, variation, scale=scale, shown=shown, of=of)
        return found if part is None else part.of(found)

    def sums(of: Slice) -> TemplateSums:
        rest = partial(events, of), edges
        return template_sums(events(of, "nominal"), *rest, processes=processes, systematics=systematics)

    first, *others = sample_slices(card, workspace)
    if others:
        found = treated_sums(reduce(add, map(sums, (first, *others))), systematics)
    else:
        nominal, varied = events(first, "nominal"), partial(events, first)
        found = treated_templates(nominal, varied, edges, processes=processes, systematics=systematics)
    regions = tuple(replace(one, observed=observed.get(one.name)) for one in found.regions)
    if card.template_change is not None and shown is None:
        regions = changed(regions, card.template_change)
    return replace(found, regions=tuple(filled_up(one)[0] for one in regions))


def fit_settings(card: StandardCard, workspace: Workspace) -> WorkspaceConfig:
    """The card's likelihood, with every variation of objects and weights among its systematics."""
    likelihood = card.likelihood.workspace
    if card.lumi_shifts:
        # Parameters of the eras' luminosities take the place of the common one.
        likelihood = replace(likelihood, luminosity_rel=0.0)
    measured = (*likelihood.measured, *(card.datasets[name].process for name in card.without_luminosity))
    likelihood = replace(likelihood, measured=tuple(dict.fromkeys(measured)))
    return replace(likelihood, signal=(str(card.signal),), systematics=systematics_of(card, workspace))


def systematics_of(card: StandardCard, workspace: Workspace) -> dict[str, SystematicConfig]:
    """Every systematic of the fit: what is varied through the chain, then those of the card alone."""
    given = dict(card.likelihood.workspace.systematics)
    found = {}
    for name in card.varied:
        by_default = SystematicConfig(decorrelate=("era",) if name in apart_by_era(card) else ())
        ways, config = directions(workspace.columns, name), given.get(name, by_default)
        found[name] = config if len(ways) > 1 else replace(config, kind="one_sided", side=ways[0])
    found |= {name: one.systematic(name) for name, one in card.theory.items()}
    found |= {name: config for name, config in given.items() if name not in found}
    found |= _of_luminosities(card)
    for name in card.systematics_of_estimate:
        processes = tuple(dict.fromkeys(card.datasets[one].process for one in card.estimated))
        found[name] = SystematicConfig(smoothing="none", processes=processes)
    apart = dict[str, SystematicConfig]()
    for name, config in _by_era(card, found):
        if name in apart:
            raise CardError(f"systematics.{name}: two have this name, one of them a part of an era's.")
        apart[name] = config
    return apart


def _of_luminosities(card: StandardCard) -> dict[str, SystematicConfig]:
    """Luminosities of the eras: rates of all processes but floating ones, however small."""
    floating = card.likelihood.workspace.floating
    processes = tuple(
        name for name, entry in card.processes.items() if entry.kind == "simulation" and name not in floating
    )
    one = SystematicConfig(smoothing="none", part="norm", pruned=False, processes=processes)
    return dict.fromkeys(card.lumi_shifts if processes else (), one)


def _by_era(
    card: StandardCard, systematics: Mapping[str, SystematicConfig]
) -> Iterator[tuple[str, SystematicConfig]]:
    """The systematics, one for each era of the datasets in the place of each that is apart by era."""
    for name, config in systematics.items():
        if "era" not in config.decorrelate:
            yield name, config
            continue
        if config.weights is not None:
            raise CardError(f"{name}: weights of generators know no era; leave era out of decorrelate.")
        axes = tuple(axis for axis in config.decorrelate if axis != "era")
        for era in _eras(card, name):
            yield f"{name}_{era}", replace(config, decorrelate=axes)


def _eras(card: StandardCard, systematic: str) -> tuple[str, ...]:
    """Eras of the simulated datasets."""
    found = [card.datasets[name].era for name in card.of_kind("simulation")]
    for name, era in zip(card.of_kind("simulation"), found, strict=True):
        if era is None:
            raise CardError(f"datasets.{name}: {systematic} is apart by era, but the dataset names none.")
    return tuple(dict.fromkeys(era for era in found if era is not None))


def apart_by_era(card: StandardCard) -> tuple[str, ...]:
    """Parts of official scale factors that are others in every era, where the card has several."""
    eras = {card.datasets[name].era for name in card.of_kind("simulation")}
    found = varied_parts(named_weights(card.weights)) if len(eras) > 1 else {}
    return tuple(name for name, is_apart in found.items() if is_apart)


def _of_era(card: StandardCard, variation: str) -> tuple[str, str]:
    """A variation without its era, and the era: `jes_up` and `2017` of `jes_2017_up`; "" for all of them."""
    given = card.likelihood.workspace.systematics
    apart = [name for name, config in given.items() if "era" in config.decorrelate]
    for name in (*apart, *(one for one in apart_by_era(card) if one not in given)):
        for era in _eras(card, name):
            if variation.startswith(f"{name}_{era}"):
                return name + variation.removeprefix(f"{name}_{era}"), era
    return variation, ""


def selected_events(
    card: StandardCard,
    workspace: Workspace,
    bins: Bins,
    variation: str,
    *,
    scale: float = 1.0,
    shown: InBinsOf | None = None,
    of: Slice | None = None,
) -> SelectedEvents:
    """Simulated events under the nominal or one variation, with region, discriminant and weight.

    A variation has columns of its own, or a weight of its own beside the nominal columns, or other datasets
    in the place of some. One of an estimate from data moves that alone, and one of an era the datasets of
    that era; a luminosity moves the weights of each era's datasets by its own uncertainty.

    Args:
        card: with processes and datasets.
        workspace: with columns and scores.
        bins: regions with their edges, from `likelihood_bins`.
        variation: `nominal`, `jes_up`, `jes_2017_up`, the name of a two-point systematic, or of a weight.
        scale: factor on the weights.
        shown: what is binned in the place of the discriminant.
        of: slice of the simulated events; all of them unless given.
    """
    of = of or Slice(card.of_kind("simulation"))
    every, share = of.datasets, of.share
    base, era = _of_era(card, variation)
    luminosity, _, way = variation.rpartition("_")
    if luminosity in card.lumi_shifts:
        shifts = card.lumi_shifts[luminosity]
        sign = 1.0 if way == "up" else -1.0
        factors = {name: 1.0 + sign * shift for name, shift in shifts.items()}
        return _selected(card, workspace, bins, "nominal", every, share, scale, shown, factors)
    own = luminosity in card.systematics_of_estimate
    if not era and not own:
        return _selected(card, workspace, bins, variation, every, share, scale, shown)
    mine = tuple(
        name for name in every if (name in card.estimated if own else card.datasets[name].era == era)
    )
    others = tuple(name for name in every if name not in mine)
    varied = [(base, mine)] if mine or not others else []
    parts = [*varied, *([("nominal", others)] if others else [])]
    return SelectedEvents.joined(
        [_selected(card, workspace, bins, way, names, share, scale, shown) for way, names in parts]
    )


def _selected(
    card: StandardCard,
    workspace: Workspace,
    bins: Bins,
    variation: str,
    datasets: tuple[str, ...],
    share: Share,
    scale: float,
    shown: InBinsOf | None,
    factors: Mapping[str, float] | None = None,
) -> SelectedEvents:
    """Events of some datasets under one variation of all of them, or with factors on their weights."""
    two_point = card.likelihood.workspace.systematics.get(variation, SystematicConfig())
    first = dict[str, str]()
    for name in card.of_kind("simulation"):
        first.setdefault(two_point.datasets.get(name, name), name)
    # What takes the place of several datasets does so once, in the slice of the first of them.
    process = {other: card.datasets[name].process for other, name in first.items() if name in datasets}
    partition, weight = "nominal", "event_weight"
    if any(workspace.columns.glob(f"*/{variation}/*.parquet")):
        partition = variation
    elif not two_point.datasets:
        weight = f"event_weight_{two_point.weight or variation}"
    further = () if shown is None else (shown.variable,)
    parts = []
    for name in process:  # of the columns that place the events of a dataset nothing stays
        events = placed(card, workspace, (name,), bins, partition, weight, further, share)
        part = _named(events, process[name], shown)
        weights = part.weights * scale
        parts.append(replace(part, weights=weights if factors is None else weights * factors[name]))
    return SelectedEvents.joined(parts)


def _named(events: Placed, process: str, shown: InBinsOf | None) -> SelectedEvents:
    """Placed events of one process, with the discriminant or what is shown in its place."""
    where, values = events.where, np.asarray(events.discriminant, np.float64)
    if shown is not None:
        where = where.renamed({name: "" for name in where.names if name not in shown.edges})
        values = shown.values(events)
    return SelectedEvents(
        events.columns.identity,
        Labels.numbered([process], np.zeros(len(events.columns), np.uint8)),
        where,
        values,
        np.asarray(events.weight, np.float64),
    )


def _observed(
    card: StandardCard, workspace: Workspace, bins: Bins, shown: InBinsOf | None
) -> dict[str, NDArray[np.float64]]:
    further = () if shown is None else (shown.variable,)
    binned = bins if shown is None else shown.edges
    counts = {name: np.zeros(edges.size - 1) for name, edges in binned.items()}
    for of in slices(workspace.columns, card.of_kind("data")):
        events = placed(card, workspace, of.datasets, bins, further=further, share=of.share)
        values = events.discriminant if shown is None else shown.values(events)
        for name, edges in binned.items():
            counts[name] += np.histogram(values[events.where == name], edges)[0]
    return counts
