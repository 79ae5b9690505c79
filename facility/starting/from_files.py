"""`znought init NAME --files PATTERN`: an analysis and a card of the files that there are."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import uproot

from znought.errors import DataError
from znought.facility.filesets.sources import identifier
from znought.facility.filesets.written import REMOTE
from znought.facility.ntuples.inspection import describe_layout
from znought.facility.ntuples.ledger import PlannedFile, refuse_duplicates
from znought.facility.starting.own_events import new_folder, write_analysis
from znought.processors.dialects.files import FileSummary, inspect_file
from znought.processors.source import open_options

__all__ = ["FoundDataset", "datasets_of", "start_from_files"]

_NUMBER = re.compile(r"[_-]?\d+$")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@dataclass(frozen=True)
class FoundDataset:
    """Files that look like one dataset.

    Attributes:
        name: after their folder or what their names share.
        summaries: what each file holds.
        is_data: recorded data: no weights of a generator.
        sumw: signed sum of weights over the events that are left, of simulation whose files keep no other.
    """

    name: str
    summaries: tuple[FileSummary, ...]
    is_data: bool
    sumw: float | None

    @property
    def files(self) -> tuple[str, ...]:
        """Their paths."""
        return tuple(summary.path for summary in self.summaries)

    @property
    def description(self) -> str:
        """Kind, format and size."""
        n_events = sum(summary.n_events for summary in self.summaries)
        kind = "recorded data" if self.is_data else "simulation"
        n_files = f"{len(self.summaries)} file{'s' if len(self.summaries) > 1 else ''}"
        return f"{kind}, {self.summaries[0].dialect}, {n_files}, {n_events:,} events"

    @property
    def notes(self) -> tuple[str, ...]:
        """Substitutes, what is missing and what the sums of weights are."""
        lines = [line.strip() for line in describe_layout(self.summaries[0])]
        if self.is_data:
            lines.append("all of its events count: `eras` asks for certification, triggers and filters")
        elif self.sumw is None:
            sums = [summary.sums for summary in self.summaries if summary.sums is not None]
            total = float(reduce(add, sums).sumw)
            lines.append(f"sum of weights over all generated events, of the files: {total:.10g}")
        return tuple(lines)


def start_from_files(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Writes an analysis and a card of some files into a new folder; both.

    Args:
        folder: new.
        patterns: globs of local files, or addresses of remote ones.

    Raises:
        CardError: the folder is there already, or its name is none for a Python file.
        DataError: a pattern matches nothing, or a file cannot be read or is there twice.
    """
    name, datasets = new_folder(folder), datasets_of(patterns)
    summaries = [summary for dataset in datasets for summary in dataset.summaries]
    has_simulation = any(not dataset.is_data for dataset in datasets)
    content = {
        "name": name,
        "datasets": datasets,
        "n_files": len(summaries),
        "dialects": sorted({summary.dialect for summary in summaries}),
        "has_data": any(dataset.is_data for dataset in datasets),
        "label": "Simulation, cross sections of 1 pb" if has_simulation else "Data of 1/fb",
        **_collections(summaries),
    }
    copies = [one for summary in summaries for one in summary.systematics.values()]
    content["variations"] = ["jes"] if content["jets"] and has_simulation and not copies else []
    content["copies"] = (
        ["*", *sorted({f"!{one.name}" for one in copies if one.is_generated})] if copies else []
    )
    content["one_sided"] = sorted(
        {one.name for one in copies if len(one.sides) == 1 and not one.is_generated}
    )
    content["weights"] = sorted({name for summary in summaries for name in summary.weights})
    return write_analysis(folder, "files", content)


def datasets_of(patterns: Iterable[str]) -> tuple[FoundDataset, ...]:
    """Files by what looks like one dataset: their folder where there are several, else their names.

    Raises:
        DataError: a pattern matches nothing, a file cannot be read or is there twice, or one dataset would
            hold both data and simulation.
    """
    paths = list(dict.fromkeys(path for pattern in patterns for path in _expanded(pattern)))
    found = tuple(_dataset(name, group) for name, group in _grouped(paths).items())
    refuse_duplicates(_planned(found))
    return found


def _expanded(pattern: str) -> list[str]:
    if pattern.startswith(REMOTE):
        return [pattern]
    path = Path(pattern)
    found = sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
    if not found:
        raise DataError(f"--files: no file matches {pattern!r}.")
    return [str(match.resolve()) for match in found]


def _grouped(paths: Sequence[str]) -> dict[str, list[str]]:
    """Name of a dataset → its files."""
    several = len({path.rpartition("/")[0] for path in paths}) > 1
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(identifier(_folder(path) if several else _shared(path)), []).append(path)
    if several:
        return found
    # A number at the end tells files of one dataset apart; a file alone keeps it.
    whole = {name: identifier(Path(group[0]).stem) for name, group in found.items() if len(group) == 1}
    return {whole.get(name, name): group for name, group in found.items()}


def _folder(path: str) -> str:
    return path.split("/")[-2]


def _shared(path: str) -> str:
    """The name of a file without its number; that of its folder where nothing else is left."""
    stem = Path(path).stem
    name = _NUMBER.sub("", stem)
    return _folder(path) if not name or _UUID.fullmatch(stem) else name


def _dataset(name: str, paths: Sequence[str]) -> FoundDataset:
    summaries = tuple(inspect_file(path) for path in paths)
    kinds = {("gen_weight" in summary.layout.branches): summary.path for summary in summaries}
    if len(kinds) > 1:
        raise DataError(
            f"--files: {kinds[True]} is simulation and {kinds[False]} data, and both would be dataset "
            f"{name!r}: give them in folders of their own."
        )
    is_data = False in kinds
    lacks = not is_data and any(summary.sums is None for summary in summaries)
    return FoundDataset(name, summaries, is_data, sum(map(_sumw, summaries)) if lacks else None)


def _sumw(summary: FileSummary) -> float:
    """Signed sum of the weights of the events in a file."""
    branch = summary.layout.branches["gen_weight"]
    with uproot.open(summary.path, **open_options(summary.path)) as file:
        values = file[summary.tree][branch].array()
    flat = np.asarray(values if values.ndim == 1 else values[:, 0], np.float64)
    return float(f"{flat.sum():.10g}")


def _planned(datasets: Iterable[FoundDataset]) -> Iterator[PlannedFile]:
    for dataset in datasets:
        yield from (PlannedFile(dataset.name, summary) for summary in dataset.summaries)


def _collections(summaries: Sequence[FileSummary]) -> Mapping[str, Any]:
    """Which objects every file has."""

    def everywhere(field: str) -> bool:
        return all(field in summary.layout.branches for summary in summaries)

    flavours = {"Electron": "electron_pt", "Muon": "muon_pt"}
    return {
        "leptons": [name for name, field in flavours.items() if everywhere(field)],
        "jets": everywhere("jet_pt"),
        "has_met": everywhere("met_pt"),
    }
