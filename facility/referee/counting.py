"""Events, errors and yields of a finished analysis, counted again."""

from collections.abc import Iterator, Mapping
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.cards.eras import lumi_of, scaled_by_era
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.events.sample import ScoredSample, region
from znought.facility.events.store import EventTable, read_events, stored_columns
from znought.facility.ntuples.fileset import Fileset, read_fileset
from znought.facility.ntuples.samples import extensions, stitched_with
from znought.facility.ntuples.scales import read_scales, scale_of
from znought.facility.regions.validation import read_validation
from znought.facility.results.standard import Results
from znought.facility.stages.optimise import candidates
from znought.facility.workspace import Workspace
from znought.identity import event_identity
from znought.processors.dialects.files import inspect_file
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.evaluated import WHOLE
from znought.processors.normalisation import Normalisation
from znought.stats.referee.identities import counted_once, in_one_region
from znought.stats.referee.normalisation import scales_again, sums_again, yield_of_data
from znought.stats.referee.record import Check, not_applicable
from znought.stats.referee.repetition import errors_again
from znought.stats.yields import count_yields

__all__ = ["common_checks", "counting_checks"]

Floats = NDArray[np.float64]
_MOST_FILES = 200
_FB_PER_PB = 1e3


def counting_checks(
    context: Context[StandardCard], sample: ScoredSample, results: Results
) -> Iterator[Check]:
    """Events counted once, their errors, and what their yields stand at."""
    card, workspace = context.card, context.workspace
    yield from common_checks(context)
    yield _one_region(card, sample, results)
    yield _errors(card, workspace, sample, results)


def common_checks(context: Context[Any]) -> Iterator[Check]:
    """What any analysis can be asked whose events the engine has processed, with channels or without."""
    yield _counted_once(context.card, context.workspace)
    yield _scales(context.card, context.workspace)
    yield _sums(context)
    yield _data(context.workspace)


def _counted_once(card: Card, workspace: Workspace) -> Check:
    places = [
        (workspace.columns / channel, datasets)
        for channel in card.channels or (WHOLE,)
        for datasets in (card.of_kind("simulation"), card.of_kind("data"))
        if datasets
    ]
    stored = [set(stored_columns(*place)) for place in places]
    # Channels may have variables of their own.
    names = [name for name in card.binned if all(name in columns for columns in stored if columns)]
    weights = [[name for name in ("gen_weight",) if name in columns] for columns in stored]
    tables = [read_events(*place, [*names, *weight]) for place, weight in zip(places, weights, strict=True)]
    tables = [table for table in tables if len(table)]
    if not tables:
        return not_applicable("events counted once", "identity of every row", "no event is selected")
    owners = [name for table in tables for name in table.datasets]
    offsets = np.cumsum([0, *(len(table.datasets) for table in tables)])
    return counted_once(
        np.concatenate([_identity(card, table) for table in tables]),
        np.concatenate([table["response"] for table in tables]),
        np.concatenate([table.dataset + offset for table, offset in zip(tables, offsets, strict=False)]),
        owners,
        np.concatenate([table.matrix(names) for table in tables]),
        np.concatenate([table.columns.get("gen_weight", np.ones(len(table))) for table in tables]),
    )


def _identity(card: Card, table: EventTable) -> NDArray[np.uint64]:
    """Of simulated events with their dataset, and of recorded ones without it."""
    if card.processes[card.datasets[table.datasets[0]].process].kind == "simulation":
        return table.identity
    names = (table[name] for name in ("run", "luminosityBlock", "event"))
    return event_identity(*names, salt="recorded")


def _one_region(card: StandardCard, sample: ScoredSample, results: Results) -> Check:
    tested = "cuts of the regions of the likelihood"
    if not card.discriminants:
        reason = "signal bins and control regions are one another's complement by the largest output"
        return not_applicable("one region per event", tested, reason)
    masks = {}
    for name, entry in card.discriminants.items():
        values = sample.score(str(entry.output)) if entry.variable is None else sample.columns[entry.variable]
        edges = np.asarray(entry.given_edges or results.edges[name], np.float64)
        inside = region(card, name).mask(sample.columns.columns)
        masks[name] = inside & (values >= edges[0]) & (values < edges[-1])
    return in_one_region(masks)


def _errors(card: StandardCard, workspace: Workspace, sample: ScoredSample, results: Results) -> Check:
    """Errors of every yield in the results: of selections in bins, and of regions."""
    quoted, again = dict[str, Floats](), dict[str, Floats]()
    if results.yields:
        for one in candidates(card, sample):
            rows, edges = one.mask, results.edges[one.name]
            events = (one.values[rows], sample.weight[rows], sample.process[rows])
            found = count_yields(*events, edges, identity=sample.columns.identity[rows])
            for i, process in enumerate(found.processes):
                place = f"{process}, {one.name}"
                written = results.yields[one.name].get(process)
                quoted[place] = np.asarray(written.mc_stat_error if written else np.zeros(len(edges) - 1))
                again[place] = found.errors[i]
    again |= _errors_of_regions(card, workspace)
    for name, processes in results.regions.items():
        quoted |= {
            f"{process} in {name}": np.asarray(one.mc_stat_error) for process, one in processes.items()
        }
    if not quoted:
        reason = "the results hold neither selections nor regions"
        return not_applicable("errors by generated event", "MC-statistical errors", reason)
    return errors_again(quoted, again)


def _errors_of_regions(card: StandardCard, workspace: Workspace) -> dict[str, Floats]:
    """Error of every process in every region, those events included that no template is made of."""
    datasets, found = card.of_kind("simulation"), {}
    cuts = [cut.variable for name in card.regions for cut in region(card, name).cuts]
    table = read_events(workspace.columns, datasets, ["gen_weight", *cuts])
    weight = table["gen_weight"] * table.per_dataset(scale_of(workspace))
    owner = table.per_dataset({name: card.datasets[name].process for name in datasets})
    for name in card.regions:
        inside = region(card, name).mask(table.columns)
        for process in np.unique(owner).tolist():
            rows = inside & (owner == process)
            _, units = np.unique(table.identity[rows], return_inverse=True)
            per_event = np.bincount(units, weight[rows])
            found[f"{process} in {name}"] = np.array([np.sqrt(per_event @ per_event)])
    return found


def _scales(card: Card, workspace: Workspace) -> Check:
    entries = {name: entry.generated for name, entry in read_scales(workspace).items()}
    stored = {name: entry for name, entry in entries.items() if entry is not None}
    if not all(name in stored for name in card.generated):
        reason = "the events came with their weights"
        return not_applicable("normalisation", "L σ k ε / Σw of every dataset", reason)
    again = {name: _scale(card, name, stored) for name in card.generated}
    return scales_again({name: stored[name].scale for name in again}, again)


def _scale(card: Card, name: str, stored: Mapping[str, Normalisation]) -> float:
    """L σ k ε / Σw of one dataset; of a part that is stitched together with all that cover its range."""
    dataset = card.datasets[name]
    variable = card.stitched.get(dataset.sample or dataset.process)
    by_era = scaled_by_era(card.eras)
    covering: tuple[str, ...] = (name,)
    if variable is not None:
        covering = stitched_with(card.datasets, name, variable, by_era=by_era)
    together = 0.0
    for other in covering:
        entry = card.datasets[other]
        sumw = sum(stored[one].sumw for one in extensions(card.datasets, other, by_era=by_era))
        xsec = float(entry.xsec_pb or 0.0) * entry.branching_ratio * entry.k_factor
        expected = (
            lumi_of(card.eras, entry, card.lumi_ifb) * _FB_PER_PB * xsec * stored[other].filter_efficiency
        )
        together += sumw / expected
    return 1.0 / together


def _sums(context: Context[Any]) -> Check:
    card = context.card
    entries = read_scales(context.workspace)
    sums = {name: entries[name].sumw for name in card.of_kind("simulation")}
    stored = {name: total for name, total in sums.items() if total is not None}
    files, reason = _fileset(context)
    found: dict[str, float | None] = {}
    for name in stored:
        given = card.datasets[name].generated_sumw
        # All parts of a dataset that is split share the sums of the whole.
        paths = list(files.get(card.datasets[name].part_of or name, {}).get("files", {}))
        found[name] = given if given is not None else _sum_of_files([Path(path) for path in paths])
    return sums_again(stored, found, reason)


def _fileset(context: Context[Any]) -> tuple[Fileset, str]:
    """The fileset of the run, or why there is none to be read."""
    try:
        found = read_fileset(context.fileset_path, context.card)
    except (CardError, DataError) as error:
        return {}, f"no fileset: {error}"
    return found, "no file of the fileset can be read from here"


def _sum_of_files(paths: list[Path]) -> float | None:
    """Σw over some files; None where one cannot be read, holds none, or there are too many."""
    if not paths or len(paths) > _MOST_FILES or not all(path.is_file() for path in paths):
        return None
    sums: list[Any] = [inspect_file(str(path)).sums for path in paths]
    if any(one is None for one in sums):
        return None
    return float(reduce(add, sums, GeneratedSums()).sumw)


def _data(workspace: Workspace) -> Check:
    """Yield of data where validation looked at it."""
    found = read_validation(workspace)
    if found is None or not found.inputs:
        reason = "no data, or none that may be looked at"
        return not_applicable("yield of data", "data against simulation", reason)
    n_data, expected = found.events
    first = next(iter(found.inputs.values()))
    mc_variance = float(np.sum([np.sum(sumw2) for _, sumw2 in first.processes.values()]))
    systematic = max((found.ratio[1] * expected) ** 2 - expected - mc_variance, 0.0)
    return yield_of_data(
        n_data, expected, float(np.sqrt(mc_variance)), float(np.sqrt(systematic)), where=found.where
    )
