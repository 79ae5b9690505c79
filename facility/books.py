"""From what a processor found to expected events: scales, cutflow and column files of any analysis."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from znought.errors import DataError
from znought.facility.card_base import Card
from znought.facility.runner import RunResult
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.exact import ExactSum
from znought.processors.normalisation import Normalisation, normalise

__all__ = ["Scales", "column_files", "cutflow_by_process", "scale_entry", "scales_of", "substitutes_of"]

NOMINAL = "nominal"
Scales = Mapping[str, Normalisation | None]
"""Dataset → its scale; None for data, which count as they are."""


def scales_of(card: Card, found: RunResult) -> dict[str, Normalisation | None]:
    """Scale of every dataset of a run at the card's luminosity.

    Raises:
        DataError: a simulated dataset without a cross section or without its sum of weights.
    """
    return {name: _scale(card, name, found) for name in found.results}


def _scale(card: Card, name: str, found: RunResult) -> Normalisation | None:
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


def scale_entry(scale: Normalisation | None) -> dict[str, float]:
    """What `normalisation.json` holds of a dataset."""
    return {"scale": 1.0} if scale is None else asdict(scale)


def substitutes_of(found: RunResult) -> dict[str, dict[str, str]]:
    """Dataset → input → what stands for it, where a format lacks one."""
    used = {name: dict(result.substitutes) for name, result in found.results.items()}
    return {name: entry for name, entry in used.items() if entry}


def column_files(directory: Path, found: RunResult) -> list[Path]:
    """The column files of a run below `directory`; those that an earlier run left are removed."""
    kept = {Path(file.path) for result in found.results.values() for file in result.columns}
    root = directory.resolve()
    for file in set(root.glob("*/*/*.parquet")) - kept:
        file.unlink()
    return [directory / path.relative_to(root) for path in sorted(kept)]


def cutflow_by_process(card: Card, found: RunResult, scales: Scales) -> dict[str, Any]:
    """Raw and expected events after each cut, per process, with the error from finite samples."""
    processes: dict[str, dict[str, Any]] = {}
    cuts: tuple[str, ...] = ()
    for name, result in found.results.items():
        flow = result.cutflows[NOMINAL]
        cuts = flow.names
        scale = scale_entry(scales[name])["scale"]
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
