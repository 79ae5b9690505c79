"""The files of a run, chunk by chunk through a processor: what every stage that reads ntuples does."""

from znought.facility.cards.base import BaseCard
from znought.facility.context import Context
from znought.facility.ntuples.attempt import Processor
from znought.facility.ntuples.fileset import Fileset, read_fileset
from znought.facility.ntuples.partial import first_files
from znought.facility.ntuples.runner import RunResult, process_fileset

__all__ = ["processed", "wanted_files"]


def wanted_files(context: Context[BaseCard]) -> Fileset:
    """The fileset of a run, of each dataset as many files as the options ask for.

    Raises:
        CardError, DataError: as `read_fileset`.
    """
    return first_files(read_fileset(context.fileset_path, context.card), context.options.max_files)


def processed(context: Context[BaseCard], fileset: Fileset, processor: Processor) -> RunResult:
    """Every event of every file once, on the cluster, or a stop that names what failed.

    Raises:
        DataError: as `process_fileset`.
    """
    reading = context.card.processing
    with context.reporter.bar("processing chunks") as advance:
        return process_fileset(
            context.cluster(),
            fileset,
            processor,
            chunk_size=reading.chunk_size,
            max_rounds=reading.max_rounds,
            allow_skip=reading.allow_skip,
            max_chunks=context.options.max_chunks,
            progress=lambda done, total: advance(done, total, ""),
        )
