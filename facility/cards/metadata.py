"""What travels with every chunk of a dataset."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from znought.facility.cards.sections import Dataset

if TYPE_CHECKING:
    from znought.facility.cards.base import Card

__all__ = ["generated_of", "metadata_of", "parts_of", "sources_of"]


def sources_of(datasets: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """The datasets as they are read: those that are split by content as wholes, and none of an estimate."""
    found: dict[str, Dataset] = {}
    for name, dataset in datasets.items():
        if dataset.derived_from is None:
            found.setdefault(dataset.part_of or name, dataset)
    return found


def generated_of(card: "Card", processes: Collection[str]) -> tuple[str, ...]:
    """Simulated datasets of some processes that are read from files; of all where none is named."""
    return tuple(d for d in card.generated if not processes or card.datasets[d].process in processes)


def parts_of(card: "Card", source: str) -> dict[str, Any]:
    """Part → its process, or its range of the variable in `stitched`; none of an undivided source."""
    found: dict[str, Any] = {}
    for name, entry in card.datasets.items():
        if entry.part_of == source:
            variable = card.stitched.get(entry.sample or entry.process)
            found[name] = entry.process if variable is None else list(entry.generator_range[variable])
    return found


def metadata_of(card: "Card", dataset: str) -> dict[str, Any]:
    """Process, luminosity, era by name, and how its events are counted; of a dataset that may be divided.

    Args:
        card: of an analysis.
        dataset: one of the card's sources.
    """
    entry, parts = card.sources[dataset], card.parts(dataset)
    is_data = card.processes[entry.process].kind == "data"
    kept: dict[str, Any] = {"process": entry.process, "is_data": is_data}
    if parts:
        processes = dict.fromkeys(card.datasets[part].process for part in parts)
        kept |= {"process": " + ".join(processes), "parts": parts}
        if (variable := card.stitched.get(entry.sample or entry.process)) is not None:
            kept["parts_by"] = variable
    if entry.lumi_ifb is not None:
        kept["lumi_ifb"] = entry.lumi_ifb
    if entry.era is not None:
        kept["era"] = entry.era
    if entry.identity == "file":
        kept["identity"] = "file"
    if is_data and entry.n_events:
        kept["n_events"] = entry.n_events
    if not is_data:
        kept["normalised"] = True
    if entry.generated_sumw is not None:
        kept["generated_sumw"] = entry.generated_sumw
    return kept
