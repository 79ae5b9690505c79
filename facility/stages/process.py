"""Stage `process`: ntuples → parquet columns, histograms and cutflow, normalised once and at the end."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import uproot

from znought.errors import DataError
from znought.facility.card_vh_ww import VHWWCard
from znought.facility.context import Context
from znought.facility.fileset import Fileset, file_states, read_fileset
from znought.facility.runner import RunResult, process_fileset
from znought.facility.workspace import Workspace, atomic_path, write_json
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.exact import ExactSum
from znought.processors.normalisation import Normalisation, normalise
from znought.processors.vh_ww import NOMINAL, VHWWProcessor

__all__ = ["inputs", "process"]


def inputs(context: Context[VHWWCard]) -> object:
    """Beyond the card: the fileset, and size and time of each of its files."""
    fileset = _fileset(context)
    return {"fileset": fileset, "files": file_states(fileset)}


def process(context: Context[VHWWCard]) -> Iterable[Path]:
    """Every event of every file once, or a stop that names what failed."""
    card, workspace = context.card, context.workspace
    fileset = _fileset(context)
    processor = VHWWProcessor(card.selection, card.variations, str(workspace.columns.resolve()))
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
    scales = {name: _normalisation(card, name, found) for name in fileset}
    columns = _columns(workspace, found)
    write_json(workspace.normalisation, {name: _entry(scale) for name, scale in scales.items()})
    substitutes = {name: dict(result.substitutes) for name, result in found.results.items()}
    write_json(workspace.substitutes, {name: used for name, used in substitutes.items() if used})
    write_json(workspace.cutflow, _cutflow(card, found, scales))
    histograms = _histograms(card, workspace, found, scales)
    return [workspace.normalisation, workspace.substitutes, workspace.cutflow, histograms, *columns]


def _fileset(context: Context[VHWWCard]) -> Fileset:
    return read_fileset(context.fileset_path, context.card)


def _normalisation(card: VHWWCard, name: str, found: RunResult) -> Normalisation | None:
    """The scale of a simulated dataset; None for data, which count as they are."""
    dataset = card.datasets[name]
    if card.processes[dataset.process].kind == "data":
        return None
    if dataset.xsec_pb is None:
        raise DataError(f"Dataset {name!r} has no cross section (xsec_pb).")
    given = dataset.generated_sumw
    return normalise(
        found.sums[name] if given is None else GeneratedSums(sumw=ExactSum.of(given), n_attempted=None),
        dataset=name,
        lumi_ifb=card.lumi_ifb,
        xsec_pb=dataset.xsec_pb * dataset.branching_ratio,
        k_factor=dataset.k_factor,
        filter_efficiency=dataset.filter_efficiency,
    )


def _entry(scale: Normalisation | None) -> dict[str, float]:
    return {"scale": 1.0} if scale is None else asdict(scale)


def _columns(workspace: Workspace, found: RunResult) -> list[Path]:
    """The column files of this run; those that an earlier one left under other names are removed."""
    kept = {Path(file.path) for result in found.results.values() for file in result.columns}
    root = workspace.columns.resolve()
    for file in set(root.glob("*/*/*.parquet")) - kept:
        file.unlink()
    return [workspace.columns / path.relative_to(root) for path in sorted(kept)]


def _cutflow(card: VHWWCard, found: RunResult, scales: Mapping[str, Normalisation | None]) -> dict[str, Any]:
    """Raw and expected events after each cut, per process, with the error from finite samples."""
    processes: dict[str, dict[str, Any]] = {}
    cuts: tuple[str, ...] = ()
    for name, result in found.results.items():
        flow = result.cutflows[NOMINAL]
        cuts = flow.names
        scale = _entry(scales[name])["scale"]
        sumw = np.array([float(value) for value in flow.sumw]) * scale
        sumw2 = np.array([float(value) for value in flow.sumw2]) * scale**2
        total = processes.setdefault(
            card.datasets[name].process,
            {"raw": 0, "sumw": 0.0, "sumw2": 0.0, "before_acceptance": 0.0, "datasets": []},
        )
        total["before_acceptance"] += _before_acceptance(scales[name])
        total["raw"] = np.asarray(total["raw"]) + np.asarray(flow.counts)
        total["sumw"], total["sumw2"] = total["sumw"] + sumw, total["sumw2"] + sumw2
        total["datasets"].append(name)
    return {"cuts": list(cuts), "processes": {name: _plain(total) for name, total in processes.items()}}


def _before_acceptance(scale: Normalisation | None) -> float:
    """Expected events before generator filter and ntuple skim, L σ k; 0 for data."""
    return 0.0 if scale is None else scale.scale * scale.sumw / scale.filter_efficiency


def _plain(total: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "raw": total["raw"].tolist(),
        "sumw": total["sumw"].tolist(),
        "mc_stat_error": np.sqrt(total["sumw2"]).tolist(),
        "before_acceptance": total["before_acceptance"],
        "datasets": total["datasets"],
    }


def _histograms(
    card: VHWWCard, workspace: Workspace, found: RunResult, scales: Mapping[str, Normalisation | None]
) -> Path:
    """Inputs after preselection as ROOT histograms `<process>/<input>`, in expected events."""
    summed: dict[str, Any] = {}
    for name, result in found.results.items():
        scale = _entry(scales[name])["scale"]
        for feature, histogram in result.hists.items():
            key = f"{card.datasets[name].process}/{feature}"
            scaled = histogram * scale
            summed[key] = summed[key] + scaled if key in summed else scaled
    path = workspace.hists / "inputs.root"
    with atomic_path(path) as temporary, uproot.recreate(temporary) as file:
        for key, histogram in summed.items():
            file[key] = histogram
    return path
