"""Stage `summarise`: yields by region and process → `results.json`, for a card without a signal."""

from collections.abc import Iterable
from pathlib import Path

from znought.facility.cards.eras import energies_of
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.events.counted import counted_events
from znought.facility.ntuples.account import remarks
from znought.facility.regions.books import read_region_books
from znought.facility.regions.validation import read_validation, summarised
from znought.facility.results.fake_leptons import read_fake_leptons
from znought.facility.results.ledger import read_ledger
from znought.facility.results.records import ClassEvents
from znought.facility.results.standard import Results, Yield, write_results
from znought.facility.workspace import read_json

__all__ = ["common_results", "input_remarks", "summarise"]


def summarise(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `results.json` with what every region holds."""
    counted = counted_events(context.card, context.workspace)
    common = common_results(context, counted.by_process)
    results = common.model_copy(update={"notes": tuple(input_remarks(context))})
    write_results(context.workspace.results, results)
    return [context.workspace.results]


def common_results(context: Context[StandardCard], events: dict[str, ClassEvents]) -> Results:
    """What the results of every card hold.

    Args:
        context: with the card.
        events: by process.
    """
    card, workspace = context.card, context.workspace
    return Results(
        analysis=context.analysis.name,
        title=card.title,
        label=card.label,
        lumi_ifb=card.lumi_ifb,
        energies_tev=energies_of(card.eras, card.energy_tev),
        signal=card.signal,
        sigma_background=card.binning.sigma_rel,
        regions={
            name: {
                process: Yield(events=entry.sumw[-1:], mc_stat_error=entry.mc_stat_error[-1:])
                for process, entry in book.processes.items()
            }
            for name, book in read_region_books(workspace.regions).items()
        },
        events=events,
        substitutes=read_json(workspace.substitutes),
    )


def input_remarks(context: Context[StandardCard]) -> list[str]:
    """What was left out of the input, and how well the simulation describes the data."""
    compared = read_validation(context.workspace)
    validation = [] if compared is None else [summarised(compared)]
    found = [*remarks(read_ledger(context.workspace.ledger)), *validation]
    if context.card.fake_leptons is None:
        return found
    return [*found, *read_fake_leptons(context.workspace.fake_leptons).notes]
