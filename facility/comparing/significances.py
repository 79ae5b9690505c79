"""Held-out Z₀ of two results, their differences paired by generated event where both have the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.facility.comparing.yields import PairedYield
from znought.facility.results.binned import BinnedSelection, read_binning
from znought.facility.results.records import Record
from znought.facility.workspace import Workspace
from znought.stats.repeats import held_out_difference

__all__ = ["PairedSignificance", "paired_significances", "unpaired_because"]

_SEED = "crossfit.seed"


class PairedSignificance(Record):
    """Held-out Z₀ of one selection in two results.

    Attributes:
        selection: its name in `results.json`.
        first, second: Z₀.
        difference: second less first.
        interval: of the difference, of `level`: bootstrap over generated events, and training.
        level: of confidence.
        unpaired: why the two are no pair; empty where replicate k of both draws the same generated events.
    """

    selection: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    level: float
    unpaired: str = ""


@dataclass(frozen=True)
class _Replicated:
    """What a difference takes of an entry of `binning.json`."""

    quoted: float
    held_out: float
    replicates: NDArray[np.float64]
    level: float
    left_out: tuple[float, ...]

    @classmethod
    def of(cls, found: BinnedSelection, n_replicates: int) -> "_Replicated":
        """The first of its replicates."""
        drawn = np.asarray(found.replicates[:n_replicates], np.float64)
        return cls(found.quoted, found.held_out, drawn, found.interval_level, found.left_out)


def paired_significances(one: Workspace, two: Workspace, unpaired: str) -> tuple[PairedSignificance, ...]:
    """Every selection whose bootstrap both results have kept.

    Args:
        one, two: the results.
        unpaired: why they are no pair; empty where they are.
    """
    if not (one.binning.is_file() and two.binning.is_file()):
        return ()
    first, second = read_binning(one.binning), read_binning(two.binning)
    return tuple(
        _paired(name, first[name], second[name], unpaired)
        for name in first
        if name in second and _comparable(first[name], second[name])
    )


def _comparable(first: BinnedSelection, second: BinnedSelection) -> bool:
    return bool(first.replicates and second.replicates and first.interval_level == second.interval_level)


def _paired(name: str, first: BinnedSelection, second: BinnedSelection, unpaired: str) -> PairedSignificance:
    n_replicates = min(len(first.replicates), len(second.replicates))
    sides = (_Replicated.of(one, n_replicates) for one in (second, first))
    value, interval = held_out_difference(*sides, paired=not unpaired)
    return PairedSignificance(
        selection=name,
        first=first.held_out,
        second=second.held_out,
        difference=value,
        interval=(interval.low, interval.high),
        level=interval.level,
        unpaired=unpaired,
    )


def unpaired_because(
    yields: Iterable[PairedYield], cards: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> str:
    """Why replicates of two results do not draw the same generated events; empty where they do.

    Args:
        yields: of their datasets.
        cards: keys of both, as they were read.
    """
    seeds = [card.get(_SEED) for card in cards]
    if seeds[0] != seeds[1]:
        return f"{_SEED} is {seeds[0]} and {seeds[1]}"
    others = [one.dataset for one in yields if one.is_other]
    if others:
        return f"equal numbers are other events in {', '.join(others)}"
    if not any(one.common for one in yields):
        return "they have no generated event in common"
    return ""
