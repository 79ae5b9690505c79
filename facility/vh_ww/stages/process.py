"""Stage `process`: ntuples → parquet columns, histograms and cutflow, normalised once and at the end."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import uproot

from znought.errors import CardError
from znought.facility.account import account
from znought.facility.books import (
    Scales,
    column_files,
    cutflow_by_process,
    cutflow_tables,
    scale_entry,
    scales_of,
    substitutes_of,
)
from znought.facility.context import Context
from znought.facility.fileset import Fileset, file_states, read_fileset
from znought.facility.repeats import refuse_repeats
from znought.facility.runner import RunResult, process_fileset
from znought.facility.vh_ww.card import VHWWCard
from znought.facility.workspace import Workspace, atomic_path, write_json
from znought.processors.vh_ww import VHWWProcessor
from znought.processors.weights import check_scale_factors

__all__ = ["inputs", "process"]


def inputs(context: Context[VHWWCard]) -> object:
    """Beyond the card: the fileset, size and time of its files, and the content of the scale factors'.

    Raises:
        CardError: a file of scale factors does not exist.
    """
    fileset = _fileset(context)
    return {"fileset": fileset, "files": file_states(fileset), "weights": _digests(context.card)}


def process(context: Context[VHWWCard]) -> Iterable[Path]:
    """Every event of every file once, or a stop that names what failed."""
    card, workspace = context.card, context.workspace
    check_scale_factors(card.weights)
    fileset = _fileset(context)
    columns_directory = str(workspace.columns.resolve())
    processor = VHWWProcessor(card.selection, card.variations, columns_directory, card.weights)
    with context.reporter.bar("processing chunks") as advance:
        found = process_fileset(
            context.cluster(),
            fileset,
            processor,
            chunk_size=card.processing.chunk_size,
            max_rounds=card.processing.max_rounds,
            allow_skip=card.processing.allow_skip,
            progress=lambda done, total: advance(done, total, ""),
        )
    write_json(workspace.ledger, account(card, fileset, found))
    scales = scales_of(card, found)
    columns = column_files(workspace.columns, found)
    for kind in ("simulation", "data"):
        refuse_repeats(workspace.columns, card.of_kind(kind))
    write_json(workspace.normalisation, {name: scale_entry(scale) for name, scale in scales.items()})
    write_json(workspace.substitutes, substitutes_of(found))
    write_json(workspace.cutflow, cutflow_by_process(card, found, scales))
    written = [workspace.ledger, workspace.normalisation, workspace.substitutes, workspace.cutflow]
    written += cutflow_tables(card, workspace.cutflow, found, scales)
    return [*written, _histograms(card, workspace, found, scales), *columns]


def _fileset(context: Context[VHWWCard]) -> Fileset:
    return read_fileset(context.fileset_path, context.card)


def _digests(card: VHWWCard) -> dict[str, str]:
    """SHA-256 of the file of each scale factor."""
    found = {}
    for name, factor in card.weights.items():
        if not Path(factor.file).is_file():
            raise CardError(f"weights.{name}: no such file {factor.file}.")
        found[name] = hashlib.sha256(Path(factor.file).read_bytes()).hexdigest()
    return found


def _histograms(card: VHWWCard, workspace: Workspace, found: RunResult, scales: Scales) -> Path:
    """Inputs after preselection as ROOT histograms `<process>/<input>`, in expected events."""
    summed: dict[str, Any] = {}
    for name, result in found.results.items():
        scale = scale_entry(scales[name])["scale"]
        for feature, histogram in result.hists.items():
            key = f"{card.datasets[name].process}/{feature}"
            scaled = histogram * scale
            summed[key] = summed[key] + scaled if key in summed else scaled
    path = workspace.hists / "inputs.root"
    with atomic_path(path) as temporary, uproot.recreate(temporary) as file:
        for key, histogram in summed.items():
            file[key] = histogram
    return path
