"""Stage `export` of VH(bb): columns → the files of the public notebooks of arXiv:1902.05803."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import ChannelSample, channel_plan, point_of, read_channel
from znought.analyses.vh_bb.exported import coefficient_tag, draw_unweighted, write_npz, write_table
from znought.errors import CardError
from znought.facility.context import Context
from znought.models.folds import UNTRAINED

__all__ = ["export"]

# The two halves of the events, by identity: no event stands for both hypotheses.
SIGNAL_HALF, SM_HALF = 0, 1


def export(context: Context[VHBBCard]) -> Iterable[Path]:
    """Writes `export/<channel>/`: a table per hypothesis, and training and test arrays per value.

    Raises:
        CardError: the card asks for no value.
    """
    card, workspace = context.card, context.workspace
    if not card.export.values:
        raise CardError("export.values: this card names no coefficient to export.")
    written: list[Path] = []
    with context.reporter.bar("exporting") as advance:
        for done, channel in enumerate(card.channels, start=1):
            sample = read_channel(channel_plan(card, workspace, channel))
            written += _channel(card, sample, workspace.exported / channel)
            advance(done, len(card.channels), channel)
    return written


def _channel(card: VHBBCard, sample: ChannelSample, directory: Path) -> list[Path]:
    channel = sample.plan.channel
    table = directory / "sm.csv"
    background, background_test = _drawn(card, sample, 0.0, SM_HALF)
    write_table(table, background, channel=channel, signal=False)
    written = [table]
    for value in card.export.values:
        signal, signal_test = _drawn(card, sample, value, SIGNAL_HALF)
        table = directory / f"{coefficient_tag(value)}.csv"
        write_table(table, signal, channel=channel, signal=True)
        arrays = write_npz(
            directory,
            signal,
            background,
            (signal_test, background_test),
            channel=channel,
            coefficient=value,
        )
        written += [table, *arrays]
    return written


def _drawn(
    card: VHBBCard, sample: ChannelSample, value: float, half: int
) -> tuple[Mapping[str, NDArray[Any]], NDArray[np.bool_]]:
    """VH events of one hypothesis without weights, and which of them are of the test part."""
    events = sample.events
    rows = np.flatnonzero(events.is_vh & (events.identity % np.uint64(2) == half))
    weights = events.weight_at(point_of(events.morphing, value))[rows]
    drawn = rows[draw_unweighted(weights, card.export.n_events, seed=card.export.seed + half).rows]
    columns = {name: sample.table[name][drawn] for name in sample.plan.features}
    return columns, sample.fold[drawn] == UNTRAINED
