"""Recorded data and simulation that an orthogonal trigger took → efficiencies of the eras' triggers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial, reduce
from operator import add
from typing import Any

import awkward as ak
import correctionlib.schemav2 as schema
import numpy as np
from numpy.typing import NDArray

from znought.analysis import Analysis, Cuts, Histogram, Variable
from znought.errors import CardError, DataError, unknown_name
from znought.facility.cards.base import Card
from znought.facility.cards.calibrations import leptons_of_era
from znought.facility.cards.eras import era_metadata, qualities
from znought.facility.cards.sections import Dataset
from znought.facility.cards.trigger_weight import TriggerWeight
from znought.facility.context import Context
from znought.facility.ntuples.certified import refuse_uncertified
from znought.facility.ntuples.chunks import processed
from znought.facility.ntuples.fileset import Fileset, expanded
from znought.processors.calibration.trigger import (
    Passed,
    Triggered,
    correlation,
    input_name,
    trigger_corrections,
)
from znought.processors.evaluated import NOMINAL, WHOLE, Request
from znought.processors.processor import AnalysisProcessor
from znought.processors.result import DatasetResult

__all__ = ["data_of", "measured_triggers"]

Mask = NDArray[np.bool_]
Paths = tuple[str, ...]
Function = Callable[..., Any]
_KINDS = ("selected", "fired", "orthogonal", "both")
"""Histograms: all selected events, and those that the triggers, the orthogonal one, and both took."""


@dataclass(frozen=True)
class _Counted:
    """Events of one era and kind in bins, by who took them; each array of the shape of the bins.

    Attributes:
        sums, squares: of `_KINDS` → Σw and Σw².
    """

    sums: Mapping[str, NDArray[np.float64]]
    squares: Mapping[str, NDArray[np.float64]]

    def __add__(self, other: "_Counted") -> "_Counted":
        return _Counted(
            *(
                {kind: one[kind] + two[kind] for kind in _KINDS}
                for one, two in zip((self.sums, self.squares), (other.sums, other.squares), strict=True)
            )
        )

    @property
    def passed(self) -> Passed:
        """Of events that the orthogonal trigger took."""
        return Passed(self.sums["orthogonal"], self.squares["orthogonal"], self.sums["both"])


def measured_triggers(
    context: Context[Card], name: str, weight: TriggerWeight, fileset: Fileset
) -> tuple[schema.CorrectionSet, list[str]]:
    """Scale factors of the triggers of each era, their efficiencies, and lines about them.

    Args:
        context: of the run.
        name: of the weight.
        weight: that asks for them.
        fileset: simulated datasets that it is for.

    Raises:
        CardError: an era without simulation, or a row that the selection does not have.
        DataError: a file that lacks all of the paths, or data that are not certified.
    """
    card = context.card
    data = data_of(card, name, weight)
    quality = _quality(card, data, fileset)
    wanted = card.request
    request = Request(
        wanted.cuts if card.has_plain_functions else Cuts(),
        refuse_substitutes=wanted.refuse_substitutes,
        quality=quality,
        leptons={
            one: leptons_of_era(_era({**fileset, **data}, one), card.eras, card.folder, is_data=one in data)
            for one in (*fileset, *data)
        },
        btags=wanted.btags,
    )
    eras = {}
    for era in weight.eras or tuple(card.eras):
        both = {**fileset, **data}
        mine = {one: entry for one, entry in both.items() if _era(both, one) == era}
        if set(mine) <= set(data):
            raise CardError(f"weights.{name}: era {era!r} has no simulated dataset that it is for.")
        processor = AnalysisProcessor(_counting(card, era, context.analysis, weight).for_workers, request)
        found = processed(context, mine, processor).results
        for dataset in set(mine) & set(data):
            refuse_uncertified(dataset, found[dataset].blocks, quality.get(dataset))
        eras[era] = _triggered(
            *(
                reduce(add, (_counted(card, one, found[one]) for one in mine if (one in data) is of_data))
                for of_data in (True, False)
            )
        )
    return trigger_corrections(eras, weight.axes)


def _triggered(data: _Counted, simulation: _Counted) -> Triggered:
    n, n_a, n_b, n_ab = (float(simulation.sums[kind].sum()) for kind in _KINDS)
    squares = float(simulation.squares["selected"].sum())
    n_effective = n**2 / squares if squares > 0.0 else 0.0
    return Triggered(data.passed, simulation.passed, correlation(n, n_a, n_b, n_ab, n_effective))


def _era(fileset: Fileset, dataset: str) -> str:
    return str(fileset[dataset]["metadata"].get("era", ""))


def data_of(card: Card, name: str, weight: TriggerWeight) -> Fileset:
    """Recorded data of the orthogonal trigger, which enter nothing else; none where nothing is measured.

    Raises:
        DataError: a path or glob that matches nothing.
    """
    found: Fileset = {}
    for era in weight.eras or tuple(card.eras):
        metadata = {"process": "data", "is_data": True, "era": era}
        files = [
            path
            for given in weight.data[era]
            for path in expanded(f"weights.{name}.data.{era}", card.folder, given)
        ]
        found[f"{name}_{era}_data"] = {
            "files": dict.fromkeys(files),
            "metadata": metadata | era_metadata(era, card.eras[era], card.folder),
        }
    return found


def _quality(card: Card, data: Fileset, simulated: Fileset) -> Mapping[str, Any]:
    """What events must be to count, but for the triggers themselves."""
    eras = {name: era.model_copy(update={"triggers": {}}) for name, era in card.eras.items()}
    datasets = {one: Dataset(era=_era({**data, **simulated}, one)) for one in (*data, *simulated)}
    return qualities(eras, datasets, card.folder)


def _counted(card: Card, dataset: str, result: DatasetResult) -> _Counted:
    """Events of one dataset, simulated ones in proportion to their cross sections."""
    held = result.of(WHOLE)
    scale = 1.0
    if dataset in card.sources:
        entry, sumw = card.sources[dataset], float(held.cutflows[NOMINAL].sumw[0])
        factor = entry.branching_ratio * entry.k_factor * (entry.filter_efficiency or 1.0)
        scale = (entry.xsec_pb or 1.0) * factor / sumw if sumw else 0.0
    views: dict[str, Any] = {kind: held.hists[kind].view() for kind in _KINDS}
    return _Counted(
        {kind: view.value * scale for kind, view in views.items()},
        {kind: view.variance * scale**2 for kind, view in views.items()},
    )


def _counting(card: Card, era: str, analysis: Analysis, weight: TriggerWeight) -> Analysis:
    """The selection of an analysis, with histograms of who took its events."""
    plain = card.has_plain_functions
    objects = (analysis.objects if plain else None) or _canonical_leptons
    rows = (analysis.select if plain else None) or _no_rows
    paths = tuple(path for one in card.eras[era].triggers.values() for path in one)
    axes = tuple(Variable(input_name(axis), edges=edges) for axis, edges in weight.axes.items())
    return Analysis(
        f"{analysis.name}_triggers",
        analysis.selection if plain else Cuts,
        objects=partial(_with_decisions, objects, era, paths, weight.orthogonal[era]),
        select=partial(_rows, rows, weight.after, dict(weight.axes)),
        histograms=[Histogram(kind, partial(_values, kind, dict(weight.axes)), axes) for kind in _KINDS],
    )


def _canonical_leptons(events: Any, cuts: Any) -> dict[str, Any]:
    """Identified leptons, of analyses that make their columns themselves."""
    return {"electron": events.Electron[events.Electron.is_tight], "muon": events.Muon[events.Muon.is_tight]}


def _no_rows(o: Any, cuts: Any) -> dict[str, Any]:
    return {}


def _with_decisions(
    objects: Function, era: str, triggers: Paths, orthogonal: Paths, events: Any, cuts: Any
) -> dict[str, Any]:
    """The objects of an analysis, and who took each event."""
    found = dict(objects(events, cuts))
    return found | {
        "fired_by_triggers": _fired(events, era, triggers),
        "fired_by_orthogonal": _fired(events, era, orthogonal),
    }


def _fired(events: Any, era: str, paths: Paths) -> Mask:
    """Whether any path fired in each event; those that the file does not have did not.

    Raises:
        DataError: the file has none of them.
    """
    decisions = []
    for path in paths:
        group, _, pattern = path.partition("_")
        if group in events.fields:
            names = [name for name in events[group].fields if fnmatchcase(name, pattern)]
            decisions += [events[group][name] for name in names]
        elif path in events.fields:
            decisions.append(events[path])
    if not decisions:
        asked = ", ".join(paths)
        raise DataError(f"era {era!r} asks for the trigger {asked}, of which the file has no path.")
    fired: Mask = np.logical_or.reduce([ak.to_numpy(one) != 0 for one in decisions])
    return fired


def _rows(
    select: Function, after: str, axes: Mapping[str, tuple[float, ...]], o: Any, cuts: Any
) -> dict[str, Any]:
    """Rows of the selection up to one of them, and events that have what the axes ask for."""
    rows = dict(select(o, cuts))
    if after:
        if after not in rows:
            raise CardError(f"weights: after: {unknown_name('row', after, rows)}")
        names = list(rows)
        rows = {name: rows[name] for name in names[: names.index(after) + 1]}
    inside = np.logical_and.reduce(
        [ak.fill_none(_leading(o, axis) >= edges[0], False) for axis, edges in axes.items()]
    )
    return rows | {"measured": ak.to_numpy(inside)}


def _leading(o: Any, axis: str) -> ak.Array:
    """A variable of the object of largest pT of each event, None where there is none."""
    name, _, variable = axis.rpartition(".")
    given = getattr(o, name)
    first = given if given.ndim == 1 else ak.firsts(given[ak.argsort(given.pt, ascending=False)])
    return np.abs(first.eta) if variable == "abs_eta" else first[variable]


def _values(kind: str, axes: Mapping[str, tuple[float, ...]], o: Any) -> tuple[Any, ...]:
    """Values of the axes of events that somebody took, those beyond the last bin in it."""
    a, b = (np.asarray(getattr(o, f"fired_by_{one}"), np.bool_) for one in ("triggers", "orthogonal"))
    taken = {"selected": a | True, "fired": a, "orthogonal": b, "both": a & b}[kind]
    found = []
    for axis, edges in axes.items():
        values = np.asarray(ak.to_numpy(_leading(o, axis)), np.float64)
        last = np.nextafter(edges[-1], -np.inf)
        found.append(ak.unflatten(np.minimum(values[taken], last), taken.astype(np.int64)))
    return tuple(found)
