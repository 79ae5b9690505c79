"""Ntuples → efficiencies of cuts on the b-tag and of triggers, for the scale factors that take them."""

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import awkward as ak
import correctionlib.schemav2 as schema
import numpy as np

from znought.analysis import Analysis, Cuts, Histogram, Variable
from znought.errors import DataError
from znought.facility.cards.base import Card
from znought.facility.cards.object_weights import BTagWeight
from znought.facility.cards.official import efficiency_file
from znought.facility.cards.trigger_weight import TriggerWeight
from znought.facility.cards.weights import measured_weights
from znought.facility.context import Context
from znought.facility.ntuples.fileset import Fileset, file_states, read_fileset
from znought.facility.ntuples.partial import first_files
from znought.facility.ntuples.runner import RunResult, process_fileset
from znought.facility.ntuples.skims import refuse_skims
from znought.facility.stages import process
from znought.facility.stages.trigger_efficiency import data_of, measured_triggers
from znought.facility.workspace import write_text
from znought.processors.calibration.measured import FLAVOURS, Counts, efficiency_corrections
from znought.processors.evaluated import NOMINAL, WHOLE, Request
from znought.processors.processor import AnalysisProcessor

__all__ = ["inputs", "measure"]

_PT_MIN_GEV, _ABS_ETA_MAX = 20.0, 2.5  # where no function of the analysis says which jets are tagged


def inputs(context: Context[Card]) -> object:
    """Beyond the card: what `process` reads, and size and time of data that measure triggers alone.

    Raises:
        CardError: a file of scale factors does not exist.
        DataError: no file of such data is there.
    """
    weights = measured_weights(context.card.weights)
    data = {
        name: file_states(data_of(context.card, name, one))
        for name, one in weights.items()
        if isinstance(one, TriggerWeight)
    }
    return {"read": process.inputs(context), "measured_with": data}


def measure(context: Context[Card]) -> Iterable[Path]:
    """Efficiencies of b-tags by flavour, |η| and pT in groups of processes and eras, and of triggers.

    Raises:
        DataError: an analysis without jets of the name, or simulation without hadron flavours.
    """
    fileset = first_files(read_fileset(context.fileset_path, context.card), context.options.max_files)
    simulated = {name: one for name, one in fileset.items() if not one["metadata"]["is_data"]}
    if not simulated:
        raise DataError("weights: efficiencies are measured in simulation; the card has none.")
    written, weights = [], measured_weights(context.card.weights)
    refuse_skims(simulated if weights else {})
    for name, weight in weights.items():
        mine = {one: _undivided(entry) for one, entry in simulated.items() if _is_for(weight, entry)}
        path = efficiency_file(context.workspace.efficiencies, name)
        corrections, remarks = (
            measured_triggers(context, name, weight, mine)
            if isinstance(weight, TriggerWeight)
            else _measured_tags(context, name, weight, mine)
        )
        for remark in remarks:
            context.reporter.remark(f"weights.{name}: {remark}")
        write_text(path, corrections.model_dump_json(exclude_unset=True))
        written.append(path)
    return written


def _measured_tags(
    context: Context[Card], name: str, weight: BTagWeight, fileset: Fileset
) -> tuple[schema.CorrectionSet, list[str]]:
    """Efficiencies of the b-tag, and lines about bins with too few jets."""
    counts = _by_sample(context.card, weight, _counted_jets(context, name, weight, fileset), fileset)
    return efficiency_corrections(counts, (weight.edges_abs_eta, weight.edges_pt_gev))


def _is_for(weight: BTagWeight | TriggerWeight, entry: Mapping[str, Any]) -> bool:
    era, process = entry["metadata"].get("era"), entry["metadata"]["process"]
    return (not weight.eras or era in weight.eras) and (not weight.processes or process in weight.processes)


def _counted_jets(context: Context[Card], name: str, weight: BTagWeight, fileset: Fileset) -> RunResult:
    """Histograms of the jets of each dataset."""
    card, options = context.card, context.options
    wanted = card.request
    request = Request(
        wanted.cuts if context.analysis.columns is None else Cuts(),
        refuse_substitutes=wanted.refuse_substitutes,
        jets=wanted.jets,
        leptons=wanted.leptons,
        btags=wanted.btags,
    )
    processor = AnalysisProcessor(_counting(context.analysis, weight).for_workers, request)
    with context.reporter.bar(f"measuring efficiencies of {name}") as advance:
        return process_fileset(
            context.cluster(),
            fileset,
            processor,
            chunk_size=card.processing.chunk_size,
            max_rounds=card.processing.max_rounds,
            allow_skip=card.processing.allow_skip,
            max_chunks=options.max_chunks,
            progress=lambda done, total: advance(done, total, ""),
        )


def _undivided(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A dataset as it is read, whatever parts its events have."""
    kept = {key: value for key, value in entry["metadata"].items() if key not in ("parts", "parts_by")}
    return {**entry, "metadata": kept}


def _counting(analysis: Analysis, weight: BTagWeight) -> Analysis:
    """An analysis of all events that counts jets, of the name that the weight is of."""
    objects = _canonical_jets if analysis.columns is not None else analysis.objects
    axes = (
        Variable("abs_eta", edges=weight.edges_abs_eta),
        Variable("pt", edges=weight.edges_pt_gev),
    )
    histograms = [
        Histogram(_name(flavour, tagged), partial(_jets, weight.objects or "jets", flavour, tagged), axes)
        for flavour in FLAVOURS
        for tagged in (False, True)
    ]
    return Analysis(
        f"{analysis.name}_efficiency",
        analysis.selection if analysis.columns is None else Cuts,
        objects=objects,
        select=_every_event,
        histograms=histograms,
    )


def _name(flavour: int, tagged: bool) -> str:
    return f"{'tagged' if tagged else 'all'}_{flavour}"


def _every_event(o: Any, cuts: Any) -> dict[str, Any]:
    return {"read": np.ones(len(o.events), np.bool_)}


def _canonical_jets(events: Any, cuts: Any) -> dict[str, Any]:
    """Identified jets that can be tagged."""
    jets = events.Jet
    return {"jets": jets[jets.is_good & (jets.pt > _PT_MIN_GEV) & (np.abs(jets.eta) < _ABS_ETA_MAX)]}


def _jets(name: str, flavour: int, tagged: bool, o: Any) -> tuple[Any, Any]:
    """|η| and pT of the jets of a flavour, of all or of the tagged ones."""
    jets = getattr(o, name)
    if jets.ndim == 1:
        jets = ak.singletons(jets)
    jets = ak.drop_none(jets)
    mine = jets[jets.hadronFlavour == flavour]
    mine = mine[mine.is_btagged] if tagged else mine
    return np.abs(mine.eta), mine.pt


def _by_sample(
    card: Card, weight: BTagWeight, found: RunResult, fileset: Fileset
) -> dict[str, dict[int, Counts]]:
    """Sample → flavour → its jets, datasets of one sample in proportion to their cross sections."""
    samples: dict[str, dict[int, Counts]] = {}
    for dataset, result in found.results.items():
        held, entry, metadata = result.of(WHOLE), card.sources[dataset], fileset[dataset]["metadata"]
        sumw = float(held.cutflows[NOMINAL].sumw[0])
        factor = entry.branching_ratio * entry.k_factor * (entry.filter_efficiency or 1.0)
        scale = (entry.xsec_pb or 1.0) * factor / sumw if sumw else 0.0
        sample = samples.setdefault(weight.sample(metadata["process"], metadata.get("era")), {})
        for flavour in FLAVOURS:
            every, tagged = (held.hists[_name(flavour, which)].view() for which in (False, True))
            jets = Counts.of(every, tagged, scale)
            sample[flavour] = sample[flavour] + jets if flavour in sample else jets
    return samples
