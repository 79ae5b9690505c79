"""From what a processor found to expected events: scales, cutflow and column files of any analysis."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import reduce
from operator import add
from pathlib import Path

from znought.errors import DataError
from znought.facility.cards.base import Card
from znought.facility.cards.eras import lumi_of, scaled_by_era
from znought.facility.ntuples.flows import FlowEntry, FlowTable, flow_entry
from znought.facility.ntuples.generated import refuse_partial_total
from znought.facility.ntuples.runner import RunResult
from znought.facility.ntuples.samples import extensions, stitched_with
from znought.facility.ntuples.scales import DatasetScale
from znought.facility.workspace import write_text
from znought.processors.cutflow import Cutflow, table_csv, table_latex
from znought.processors.dialects.sums import GeneratedSums
from znought.processors.exact import ExactSum
from znought.processors.normalisation import Normalisation, normalise

__all__ = [
    "Scales",
    "column_files",
    "cutflow_by_process",
    "cutflow_tables",
    "scale_entry",
    "scales_of",
    "substitutes_of",
]

NOMINAL = "nominal"
Scales = Mapping[str, Normalisation | None]
"""Dataset → its scale; None for data, which count as they are."""


def scales_of(card: Card, found: RunResult) -> dict[str, Normalisation | None]:
    """Scale of every dataset of a run at the card's luminosity; extensions of one sample share theirs.

    Where datasets i of a sample overlap in a range of the variable that they are stitched by, their events
    there have 1 / Σᵢ (1 / scaleᵢ): each counts by the luminosity Lᵢ = L / scaleᵢ of all of them together.

    Raises:
        DataError: a simulated dataset without a cross section or without its sum of weights, or with a sum
            that counts files which were left out.
    """
    scales = {name: _scale(card, name, found) for name in found.results}
    return {name: _stitched(card, name, scales) for name in scales}


def _stitched(card: Card, name: str, scales: Scales) -> Normalisation | None:
    """The scale of a part of a sample that is stitched, together with all that cover its range."""
    scale, dataset = scales[name], card.datasets[name]
    variable = card.stitched.get(dataset.sample or dataset.process)
    if scale is None or variable is None:
        return scale
    others = stitched_with(card.datasets, name, variable, by_era=scaled_by_era(card.eras))
    covering = [scales[other] for other in others]
    together = sum(1.0 / other.scale for other in covering if other is not None)
    return replace(scale, scale=1.0 / together)


def _scale(card: Card, name: str, found: RunResult) -> Normalisation | None:
    dataset = card.datasets[name]
    if card.processes[dataset.process].kind == "data":
        return None
    if dataset.xsec_pb is None:
        raise DataError(f"Dataset {name!r} has no cross section (xsec_pb).")
    one_sample = extensions(card.datasets, name, by_era=scaled_by_era(card.eras))
    parts = {other: _sums(card, other, found) for other in one_sample}
    known = [sums for sums in parts.values() if sums is not None]
    # Totals of extensions are sums over different events, unlike those that files of one dataset repeat.
    together = reduce(add, (replace(sums, is_total=False) for sums in known), GeneratedSums())
    scale = normalise(
        together if len(known) == len(parts) else None,
        dataset=name,
        lumi_ifb=lumi_of(card.eras, dataset, card.lumi_ifb),
        xsec_pb=dataset.xsec_pb * dataset.branching_ratio,
        k_factor=dataset.k_factor,
        filter_efficiency=dataset.filter_efficiency,
    )
    return scale if len(parts) == 1 else _share(scale, parts[name])


def _share(scale: Normalisation, mine: GeneratedSums | None) -> Normalisation:
    """The scale of a sample, with the sums of the one dataset of it."""
    if mine is None:
        return scale
    sumw, sumw2 = float(mine.sumw), float(mine.sumw2)
    effective = sumw**2 / sumw2 if sumw2 > 0.0 else float(mine.n_events)
    return replace(scale, sumw=sumw, sumw2=sumw2, n_generated=mine.n_events, effective_events=effective)


def _sums(card: Card, name: str, found: RunResult) -> GeneratedSums | None:
    """Sums over the generated events of the files that count, or the card's.

    Raises:
        DataError: the sum is that of all files, and some were left out.
    """
    given = card.datasets[name].generated_sumw
    # All parts of a dataset that is split share the sums of the whole.
    name = card.datasets[name].part_of or name
    files = [file for file in found.files if file.dataset == name]
    refuse_partial_total(name, files, found.skipped, given=given)
    if given is None:
        return found.sums[name]
    return GeneratedSums(sumw=ExactSum.of(given), n_attempted=None).times(found.shares.get(name, 1.0))


def scale_entry(scale: Normalisation | None, theory: Mapping[str, float] | None = None) -> DatasetScale:
    """What events of a dataset count, as `normalisation.json` holds it.

    Args:
        scale: None for data, which count as they are.
        theory: factors of generator weights, where there are some.
    """
    known = {"scale": 1.0} if scale is None else asdict(scale)
    return DatasetScale.model_validate(known if theory is None else known | {"theory": theory})


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


def cutflow_by_process(card: Card, found: RunResult, scales: Scales, channel: str) -> FlowTable:
    """Raw and expected events after each cut with efficiencies, per process."""
    processes: dict[str, FlowEntry] = {}
    for process, flow in _by_process(card, found, scales, channel).items():
        datasets = [name for name in found.results if card.datasets[name].process == process]
        before = sum(
            _before_acceptance(scales[name]) * _share_of_source(card, found, name, channel)
            for name in datasets
        )
        processes[process] = flow_entry(flow, datasets=datasets, before_acceptance=before)
    return FlowTable(cuts=_cuts(found, channel), processes=processes)


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


def _cuts(found: RunResult, channel: str) -> tuple[str, ...]:
    """Names of the cuts of a channel.

    Raises:
        DataError: not a single event was read.
    """
    flows = (result.of(channel).cutflows.get(NOMINAL) for result in found.results.values())
    first = next((flow for flow in flows if flow is not None), None)
    if first is None:
        names = ", ".join(found.results)
        raise DataError(f"No dataset holds an event: every tree of {names} is empty.")
    return first.names


def _flow(found: RunResult, dataset: str, scales: Scales, channel: str) -> Cutflow:
    """Cutflow of one dataset in expected events; zeros where its trees are empty."""
    empty = Cutflow.empty(_cuts(found, channel))
    flow = found.results[dataset].of(channel).cutflows.get(NOMINAL, empty)
    return flow.scaled(scale_entry(scales[dataset]).scale)


def _by_process(card: Card, found: RunResult, scales: Scales, channel: str) -> dict[str, Cutflow]:
    """Cutflow of each process in expected events; exact sums, so their order does not matter."""
    flows: dict[str, Cutflow] = {}
    for name in found.results:
        process = card.datasets[name].process
        flows[process] = flows.get(process, Cutflow()) + _flow(found, name, scales, channel)
    return flows


def _share_of_source(card: Card, found: RunResult, name: str, channel: str) -> float:
    """Share of a part in the weights of the files of its dataset; 1 of one that is not split."""
    source = card.datasets[name].part_of
    if source is None:
        return 1.0
    sums = {}
    for part in card.parts(source):
        flow = found.results[part].of(channel).cutflows.get(NOMINAL)
        sums[part] = 0.0 if flow is None else float(flow.sumw[0])
    total = sum(sums.values())
    return sums[name] / total if total else 0.0


def _before_acceptance(scale: Normalisation | None) -> float:
    """Expected events before generator filter and ntuple skim, L σ k; 0 for data."""
    return 0.0 if scale is None else scale.scale * scale.sumw / scale.filter_efficiency
