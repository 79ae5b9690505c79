"""From what a processor found to expected events: scales, cutflow and column files of any analysis."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from znought.errors import DataError
from znought.facility.card_base import Card
from znought.facility.runner import RunResult
from znought.facility.workspace import write_text
from znought.processors.cutflow import Cutflow, table_csv, table_latex
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.exact import ExactSum
from znought.processors.normalisation import Normalisation, normalise

__all__ = [
    "FlowEntry",
    "Scales",
    "column_files",
    "cutflow_by_process",
    "cutflow_tables",
    "flow_entry",
    "scale_entry",
    "scales_of",
    "substitutes_of",
]

NOMINAL = "nominal"
Scales = Mapping[str, Normalisation | None]
"""Dataset → its scale; None for data, which count as they are."""
FlowEntry = dict[str, list[float]]
"""Quantity of a cutflow → its value after each cut."""


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
    for file in set(root.rglob("*.parquet")) - kept:
        file.unlink()
    return [directory / path.relative_to(root) for path in sorted(kept)]


def cutflow_by_process(card: Card, found: RunResult, scales: Scales, channel: str) -> dict[str, Any]:
    """Raw and expected events after each cut with efficiencies, per process, as `cutflow.json` holds them."""
    flows = _by_process(card, found, scales, channel)
    cuts = next(iter(flows.values())).names if flows else ()
    processes: dict[str, dict[str, Any]] = {}
    for process, flow in flows.items():
        datasets = [name for name in found.results if card.datasets[name].process == process]
        processes[process] = {
            **flow_entry(flow),
            "before_acceptance": sum(_before_acceptance(scales[name]) for name in datasets),
            "datasets": datasets,
        }
    return {"cuts": list(cuts), "processes": processes}


def flow_entry(flow: Cutflow) -> FlowEntry:
    """A cutflow as JSON files hold it: one list per quantity, one entry per cut."""
    rows = flow.rows()
    quantities = ("sumw", "sumw2", "efficiency", "relative_efficiency")
    return {
        "raw": [*flow.counts],
        "mc_stat_error": [float(row["error"]) for row in rows],
        **{name: [float(row[name]) for row in rows] for name in quantities},
    }


def cutflow_tables(card: Card, path: Path, found: RunResult, scales: Scales, channel: str) -> list[Path]:
    """Writes the cutflow beside its JSON file: CSV per process and per dataset, LaTeX per process."""
    processes = _by_process(card, found, scales, channel)
    datasets = {name: _flow(found, name, scales, channel) for name in found.results}
    texts = {
        path.with_suffix(".csv"): table_csv(processes),
        path.with_name(f"{path.stem}_datasets.csv"): table_csv(datasets, what="dataset"),
        path.with_suffix(".tex"): table_latex(processes),
    }
    for file, text in texts.items():
        write_text(file, text)
    return list(texts)


def _flow(found: RunResult, dataset: str, scales: Scales, channel: str) -> Cutflow:
    """Cutflow of one dataset in expected events."""
    flow = found.results[dataset].of(channel).cutflows.get(NOMINAL, Cutflow())
    return flow.scaled(scale_entry(scales[dataset])["scale"])


def _by_process(card: Card, found: RunResult, scales: Scales, channel: str) -> dict[str, Cutflow]:
    """Cutflow of each process in expected events; exact sums, so their order does not matter."""
    flows: dict[str, Cutflow] = {}
    for name in found.results:
        process = card.datasets[name].process
        flows[process] = flows.get(process, Cutflow()) + _flow(found, name, scales, channel)
    return flows


def _before_acceptance(scale: Normalisation | None) -> float:
    """Expected events before generator filter and ntuple skim, L σ k; 0 for data."""
    return 0.0 if scale is None else scale.scale * scale.sumw / scale.filter_efficiency
