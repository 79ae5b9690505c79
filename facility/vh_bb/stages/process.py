"""Stage `process` of VH(bb): ntuples → columns and cutflow of every channel, normalised at the end."""

from collections.abc import Iterable
from pathlib import Path

from znought.errors import DataError
from znought.facility.books import column_files, cutflow_by_process, scale_entry, scales_of, substitutes_of
from znought.facility.context import Context
from znought.facility.fileset import Fileset, file_states, read_fileset
from znought.facility.runner import RunResult, process_fileset
from znought.facility.vh_bb.card import VHBBCard
from znought.facility.workspace import write_json
from znought.processors.vh_bb import VHBBProcessor
from znought.processors.vh_bb_selection import Channel

__all__ = ["inputs", "process"]


def inputs(context: Context[VHBBCard]) -> object:
    """Beyond the card: the fileset, and size and time of each of its files."""
    fileset = read_fileset(context.fileset_path, context.card)
    return {"fileset": fileset, "files": file_states(fileset)}


def process(context: Context[VHBBCard]) -> Iterable[Path]:
    """Every event of every file once in each channel, or a stop that names what failed.

    Raises:
        DataError: a channel that no event passes into.
    """
    card, workspace = context.card, context.workspace
    fileset = read_fileset(context.fileset_path, card)
    found = {channel: _channel(context, fileset, channel) for channel in card.channels}
    for channel, result in found.items():
        if not any(file.n_rows for entry in result.results.values() for file in entry.columns):
            raise DataError(
                f"Channel {channel}: no event passes the selection; simulate more, or leave the channel out "
                "of the card."
            )
    # Sums over generated events come from the files, and so are those of any channel.
    scales = scales_of(card, found[card.channels[0]])
    columns = [
        file
        for channel, result in found.items()
        for file in column_files(workspace.columns / channel, result)
    ]
    cutflow = {channel: cutflow_by_process(card, result, scales) for channel, result in found.items()}
    write_json(workspace.normalisation, {name: scale_entry(scale) for name, scale in scales.items()})
    write_json(workspace.substitutes, substitutes_of(found[card.channels[0]]))
    write_json(workspace.cutflow, {"channels": cutflow})
    return [workspace.normalisation, workspace.substitutes, workspace.cutflow, *columns]


def _channel(context: Context[VHBBCard], fileset: Fileset, channel: Channel) -> RunResult:
    card = context.card
    directory = (context.workspace.columns / channel).resolve()
    with context.reporter.bar(f"processing {channel}") as advance:
        return process_fileset(
            context.cluster(),
            fileset,
            VHBBProcessor(channel, card.selection, str(directory)),
            chunk_size=card.processing.chunk_size,
            max_rounds=card.processing.max_rounds,
            allow_skip=card.processing.allow_skip,
            progress=lambda done, total: advance(done, total, ""),
        )
