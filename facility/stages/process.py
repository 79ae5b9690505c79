"""Stage `process`: ntuples → parquet columns, histograms and cutflow, normalised once and at the end."""

import hashlib
from collections.abc import Iterable
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any, Literal

import uproot

from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.cards.eras import correction_file
from znought.facility.cards.official import efficiency_file
from znought.facility.cards.weights import correction_weights, measured_weights, named_weights
from znought.facility.context import Context
from znought.facility.ntuples.account import account, remarks, stand_ins
from znought.facility.ntuples.books import (
    Scales,
    column_files,
    cutflow_by_process,
    cutflow_tables,
    scale_entry,
    scales_of,
    substitutes_of,
)
from znought.facility.ntuples.certified import refuse_uncertified
from znought.facility.ntuples.chunks import processed, wanted_files
from znought.facility.ntuples.fileset import file_states
from znought.facility.ntuples.flows import write_cutflows
from znought.facility.ntuples.repeats import refuse_repeats
from znought.facility.ntuples.runner import RunResult
from znought.facility.ntuples.scales import write_scales
from znought.facility.ntuples.skims import (
    new_skim,
    refuse_lone_files,
    said_of,
    skims_of,
    with_books,
    write_skims,
)
from znought.facility.ntuples.theory import theory_scales
from znought.facility.results.ledger import write_ledger
from znought.facility.workspace import Workspace, atomic_path, write_json
from znought.processors.cutflow import Cutflow
from znought.processors.evaluated import NOMINAL, WHOLE
from znought.processors.plugin import refuse_empty
from znought.processors.processor import AnalysisProcessor
from znought.processors.weights import check_scale_factors

__all__ = ["inputs", "process"]

KINDS: tuple[Literal["simulation", "data", "alternative"], ...] = ("simulation", "data", "alternative")


def inputs(context: Context[Card]) -> object:
    """Beyond the card: the fileset, size and time of files from elsewhere, and the content of scale factors.

    Files inside the output directory are known by the content that their stage wrote, wherever it stands.

    Raises:
        CardError: a file of scale factors does not exist.
    """
    fileset, root = wanted_files(context), context.workspace.directory.resolve()
    files = {
        name: {_below(root, path): tree for path, tree in entry["files"].items()}
        for name, entry in fileset.items()
    }
    states = {path: state for path, state in file_states(fileset).items() if _below(root, path) == path}
    metadata = {name: entry["metadata"] for name, entry in fileset.items()}
    found = {"files": files, "metadata": metadata, "states": states, "weights": _digests(context.card)}
    most = context.options.max_chunks
    return found if most is None else found | {"max_chunks": most}


def process(context: Context[Card]) -> Iterable[Path]:
    """Every event of every file once, or a stop that names what failed.

    Raises:
        DataError: a channel that no event passes into.
    """
    card, workspace = context.card, context.workspace
    check_scale_factors(correction_weights(card.weights), any_object=context.analysis.columns is None)
    fileset = wanted_files(context)
    _refuse_unmeasured(card, workspace)
    request, skims = card.request_with(workspace.efficiencies.resolve()), skims_of(context, fileset)
    columns, skim = str(workspace.columns.resolve()), new_skim(context)
    processor = AnalysisProcessor(context.analysis.for_workers, request, columns, skim)
    found = processed(context, fileset, processor)
    refuse_lone_files(found, skims)
    found = with_books(found, skims)
    if skim is not None:
        write_skims(context, fileset, found)
    for name, result in found.results.items():
        refuse_uncertified(name, result.blocks, request.quality.get(name))
    ledger = account(card, fileset, found, request.quality)
    write_ledger(workspace.ledger, ledger)
    for line in (*remarks(ledger), *stand_ins(ledger), *said_of(skims)):
        context.reporter.remark(line)
    scales = scales_of(card, found)
    written = column_files(workspace.columns, found)
    names = [variable.name for variable in context.analysis.variables]
    for channel in request.channels:
        flows = (entry.of(channel).cutflows.get(NOMINAL, Cutflow()) for entry in found.results.values())
        if not any(flow.counts and flow.counts[-1] for flow in flows):
            for name, entry in found.results.items() if context.analysis.select is not None else ():
                refuse_empty(context.analysis, name, entry.of(channel).cutflows[NOMINAL])
            raise DataError(_nothing_left(found, channel))
    for partition in card.partitions:
        for kind in KINDS:
            mine = card.of_kind(kind)
            refuse_repeats(workspace.columns / partition, mine, names, is_data=kind == "data")
    own_rate = {name: one for name, one in request.theory.items() if not card.theory[name].keep_rate}
    generated = {name: found.sums.get(card.datasets[name].part_of or name) for name in found.results}
    theory = theory_scales(own_rate, found, scales, generated)
    entries = {name: scale_entry(scale, theory.get(name)) for name, scale in scales.items()}
    # Events of an estimate have weights that are expected events already.
    entries |= {name: scale_entry(None) for name in card.estimated}
    write_scales(workspace.normalisation, entries)
    write_json(workspace.substitutes, substitutes_of(found))
    return [
        workspace.ledger,
        workspace.normalisation,
        workspace.substitutes,
        *_cutflows(context, found, scales),
        _histograms(card, workspace, found, scales),
        *written,
    ]


def _refuse_unmeasured(card: Card, workspace: Workspace) -> None:
    """Raises if efficiencies that a scale factor takes were not measured yet.

    Raises:
        CardError: names it.
    """
    for name in measured_weights(card.weights):
        if not efficiency_file(workspace.efficiencies, name).is_file():
            cure = "run `znought efficiency` first, or `znought run`"
            raise CardError(f"weights.{name}: its efficiencies were not measured yet: {cure}.")


def _nothing_left(found: RunResult, channel: str) -> str:
    """One line that names the row of the cutflow that took the last events."""
    where = f"Channel {channel}: no" if channel else "No"
    flows = [entry.of(channel).cutflows.get(NOMINAL, Cutflow()) for entry in found.results.values()]
    total = reduce(add, flows, Cutflow())
    rows = [name for name, n in zip(total.names, total.counts, strict=True) if n == 0]
    last = f": {rows[0]!r} takes the last of {total.counts[0]:,}" if rows and total.counts[0] else ""
    return f"{where} event passes the selection{last}; more events or looser cuts are needed."


def _cutflows(context: Context[Card], found: RunResult, scales: Scales) -> list[Path]:
    """The cutflow by process as JSON, and by process and dataset as tables, of each channel."""
    card, path = context.card, context.workspace.cutflow
    channels, written = card.channels or (WHOLE,), [path]
    write_cutflows(path, {channel: cutflow_by_process(card, found, scales, channel) for channel in channels})
    for channel in channels:
        place = path.with_stem(f"{path.stem}_{channel}") if channel else path
        written += cutflow_tables(card, place, found, scales, channel)
    return written


def _below(root: Path, path: str) -> str:
    """A path inside the output directory as it is called there; any other as it is."""
    return str(Path(path).relative_to(root)) if Path(path).is_relative_to(root) else path


def _digests(card: Card) -> dict[str, str]:
    """SHA-256 of the file of each scale factor and each certification."""
    files = {
        f"weights.{name}": Path(factor.file) for name, factor in correction_weights(card.weights).items()
    }
    for name, weight in named_weights(card.weights).items():
        files |= {f"weights.{name}": correction_file(file, card.folder) for file in weight.files}
    for era, entry in card.eras.items():
        named = {f"certification.{i}": file for i, file in enumerate(entry.certifications)}
        named |= entry.correction_files
        files |= {f"eras.{era}.{key}": correction_file(file, card.folder) for key, file in named.items()}
    for name, path in files.items():
        if not path.is_file():
            raise CardError(f"{name}: no such file {path}.")
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def _histograms(card: Card, workspace: Workspace, found: RunResult, scales: Scales) -> Path:
    """Variables after the selection as `[<channel>/]<process>/<variable>`, in expected events."""
    summed: dict[str, Any] = {}
    for name, result in found.results.items():
        scale = scale_entry(scales[name]).scale
        for channel, held in result.channels.items():
            for variable, histogram in held.hists.items():
                key = "/".join(filter(None, (channel, card.datasets[name].process, variable)))
                scaled = histogram * scale
                summed[key] = summed[key] + scaled if key in summed else scaled
    path = workspace.hists / "inputs.root"
    with atomic_path(path) as temporary, uproot.recreate(temporary) as file:
        for key, histogram in summed.items():
            file[key] = histogram
    return path
