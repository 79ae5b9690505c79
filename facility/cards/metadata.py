"""What travels with every chunk of a dataset."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from znought.facility.cards.base import Card

__all__ = ["metadata_of"]


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
