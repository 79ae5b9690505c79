"""Stage `process` of VH(bb): ntuples → columns and cutflow of every channel, normalised at the end."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from znought.errors import DataError
from znought.facility.account import account
from znought.facility.books import (
    column_files,
    cutflow_by_process,
    cutflow_tables,
    scale_entry,
    scales_of,
    substitutes_of,
)
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
        DataError: a channel that no event passes into, or channels that left different files out.
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
    _check_same_files(found)
    # Sums over generated events come from the files, and so are those of any channel.
    first = found[card.channels[0]]
    scales = scales_of(card, first)
    write_json(workspace.ledger, account(card, fileset, first))
    write_json(workspace.normalisation, {name: scale_entry(scale) for name, scale in scales.items()})
    write_json(workspace.substitutes, substitutes_of(first))
    flows = {channel: cutflow_by_process(card, result, scales) for channel, result in found.items()}
    write_json(workspace.cutflow, {"channels": flows})
    written = [workspace.ledger, workspace.normalisation, workspace.substitutes, workspace.cutflow]
    for channel, result in found.items():
        path = workspace.cutflow.with_stem(f"{workspace.cutflow.stem}_{channel}")
        written += cutflow_tables(card, path, result, scales)
        written += column_files(workspace.columns / channel, result)
    return written


def _check_same_files(found: Mapping[Channel, RunResult]) -> None:
    """Refuses channels of different files: one normalisation would not be right for all of them."""
    (first, reference), *others = found.items()
    for channel, result in others:
        lost, known = ({skip.path for skip in one.skipped} for one in (result, reference))
        if lost != known:
            names = ", ".join(sorted(lost ^ known))
            raise DataError(
                f"Channels {first} and {channel} did not read the same files, a site failed in between: run "
                f"again. Not in both: {names}."
            )


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
