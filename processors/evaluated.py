"""What an analysis makes of one chunk: by channel and variation, a cutflow, weights and columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.analysis import CHANNEL, Cuts
from znought.processors.calibration.jets import JetCalibration
from znought.processors.calibration.leptons import LeptonCalibration
from znought.processors.calibration.weighing import Factor
from znought.processors.copies import Copied
from znought.processors.cutflow import Cutflow
from znought.processors.variations import VariationsConfig
from znought.processors.weights import ScaleFactor

__all__ = ["NOMINAL", "WHOLE", "Evaluated", "Evaluation", "Request", "in_one_table"]

NOMINAL = "nominal"
WHOLE = ""
"""The one channel of an analysis without channels."""


@dataclass(frozen=True)
class Request:
    """What a card asks of every chunk.

    Attributes:
        cuts: the section `selection`.
        variations: quantities that are shifted, each giving columns and a cutflow of its own.
        weights: scale factors by name; each with up and down gives two weight columns.
        channels: names of the channels wanted, in order; the one without a name stands for all there are.
        refuse_substitutes: stop where a format lacks an input, instead of declaring what stands for it.
        quality: dataset → what its events must be to count, beside what the analysis asks.
        theory: set of generator weights → where they are; each member gives a weight column.
        jets: dataset → how its jets are calibrated; as the file has them where it is not there.
        leptons: dataset → flavour → how its leptons are calibrated; as for jets.
        factors: simulated dataset → official scale factors of its era by name.
        varied_factors: names of the varied weights that they give some dataset, such as `muon_id_stat_up`.
        btags: dataset → branch of the b-tag, and its working point where a scale factor is for one.
        eras: of the card; a column holds the place of that of each event.
        loose: flavour → which of its leptons are tight and which are loose, where events with loose leptons
            are kept apart; see `znought.processors.loose`.
        copies: systematics that the ntuples have copies of columns for.
        columns_of_weight: columns of the ntuples that multiply the generator's weight.
    """

    cuts: Cuts
    variations: VariationsConfig = field(default_factory=VariationsConfig)
    weights: Mapping[str, ScaleFactor] = field(default_factory=dict)
    channels: tuple[str, ...] = (WHOLE,)
    refuse_substitutes: bool = False
    quality: Mapping[str, Any] = field(default_factory=dict)
    theory: Mapping[str, Any] = field(default_factory=dict)
    jets: Mapping[str, JetCalibration] = field(default_factory=dict)
    leptons: Mapping[str, Mapping[str, LeptonCalibration]] = field(default_factory=dict)
    factors: Mapping[str, Mapping[str, Factor]] = field(default_factory=dict)
    varied_factors: tuple[str, ...] = ()
    btags: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    eras: tuple[str, ...] = ()
    loose: Mapping[str, Any] = field(default_factory=dict)
    copies: tuple[Copied, ...] = ()
    columns_of_weight: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluated:
    """What one variation leaves of one chunk in one channel.

    Attributes:
        cutflow: of all of the chunk's events.
        event: place in the chunk of each selected event, shape (n_selected,).
        weights: `gen_weight`, and `gen_weight_<name>_<direction>` for variations that only weigh, each of
            shape (n_selected,).
        columns: variable → values, shape (n_selected,).
        drawn: histogram → values of its axes for each selected event, one or a list; nominal alone.
    """

    cutflow: Cutflow
    event: NDArray[np.int64]
    weights: Mapping[str, NDArray[np.float64]]
    columns: Mapping[str, NDArray[Any]]
    drawn: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


Evaluation = Mapping[str, Mapping[str, Evaluated]]
"""Channel → variation → what is left; "nominal" is always there, and of data nothing else."""


def in_one_table(found: Evaluation, channels: tuple[str, ...]) -> dict[str, Evaluated]:
    """Variation → selected events of all channels in the chunk's order, and a column of their channel.

    Args:
        found: channels of the same variables.
        channels: all that the analysis has, in order; the column holds the place of each.
    """
    return {
        variation: _together({channels.index(name): held[variation] for name, held in found.items()})
        for variation in next(iter(found.values()))
    }


def _together(parts: Mapping[int, Evaluated]) -> Evaluated:
    """Events of some channels, by place, without a cutflow."""
    event = np.concatenate([part.event for part in parts.values()])
    order = np.argsort(event)

    def joined(tables: list[Mapping[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        return {name: np.concatenate([table[name] for table in tables])[order] for name in tables[0]}

    place = np.concatenate([np.full(len(part.event), i, np.uint8) for i, part in parts.items()])
    columns = joined([part.columns for part in parts.values()])
    weights = joined([part.weights for part in parts.values()])
    return Evaluated(Cutflow(), event[order], weights, columns | {CHANNEL: place[order]})
