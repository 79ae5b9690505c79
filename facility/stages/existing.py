"""Stage `process` of an existing coffea processor: ntuples → its numbers, histograms and columns."""

from collections.abc import Iterable
from pathlib import Path

from znought.errors import DataError
from znought.facility.cards.existing import ProcessorCard, made_processor
from znought.facility.context import Context
from znought.facility.ntuples.account import lost_files
from znought.facility.ntuples.chunks import processed, wanted_files
from znought.facility.ntuples.fileset import Fileset, file_states
from znought.facility.ntuples.partial import part_of_input
from znought.facility.ntuples.runner import RunResult
from znought.facility.ntuples.skims import refuse_option
from znought.facility.results.ledger import DatasetAccount, Ledger, write_ledger
from znought.facility.results.output import write_output
from znought.processors.existing import ExistingProcessor
from znought.processors.output import Output

__all__ = ["inputs", "process"]


def inputs(context: Context[ProcessorCard]) -> object:
    """Beyond the card: the fileset, and size and time of its files."""
    fileset = wanted_files(context)
    files = {name: dict(entry["files"]) for name, entry in fileset.items()}
    return {"files": files, "states": file_states(fileset), "max_chunks": context.options.max_chunks}


def process(context: Context[ProcessorCard]) -> Iterable[Path]:
    """Every event of every file once, or a stop that names what failed; then what the processor returned.

    Raises:
        CardError: a skim is asked for.
        DataError: the processor failed, or returned what can be neither added up nor written; or no dataset
            holds an event.
    """
    card, workspace = context.card, context.workspace
    refuse_option(context)
    fileset = wanted_files(context)
    processor = made_processor(context.found, card.arguments)
    found = processed(context, fileset, processor)
    # What the events weigh is the processor's business: no luminosity, no sums of weights.
    datasets = {name: _entry(fileset, found, name) for name in fileset}
    ledger = Ledger(rounds=found.n_rounds, datasets=datasets)
    write_ledger(workspace.ledger, ledger)
    output = _together(processor, found)
    written, notes = write_output(output, workspace, origin=card.origin, title=card.title, ledger=ledger)
    for line in notes:
        context.reporter.remark(line)
    return [workspace.ledger, *written]


def _together(processor: ExistingProcessor, found: RunResult) -> Output:
    """What the processor returned of all datasets, in the order of the fileset, after its `postprocess`."""
    parts = [result.output for result in found.results.values() if result.output is not None]
    total = Output.total(parts)
    if total is None:
        raise DataError(f"No dataset holds an event: every tree of {', '.join(found.results)} is empty.")
    return processor.postprocessed(total)


def _entry(fileset: Fileset, found: RunResult, name: str) -> DatasetAccount:
    """The account of one dataset."""
    entry = DatasetAccount(
        files=len(fileset[name]["files"]),
        events=found.n_events(name),
        files_lost=lost_files(found, name),
        lost_fraction=found.lost_fraction(name),
    )
    if name not in found.shares:
        return entry
    return entry.model_copy(update={"partial": part_of_input(fileset, name, found.shares[name])})
