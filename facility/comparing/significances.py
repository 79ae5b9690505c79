"""Held-out significances of two results, differences paired by generated event where both have the same."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.facility.comparing.yields import PairedYield
from znought.facility.results.binned import read_binning
from znought.facility.results.records import Record
from znought.facility.results.replicated import read_replicates
from znought.facility.workspace import Workspace, read_json
from znought.plots.binning import method_title
from znought.plots.labels import readable
from znought.stats.repeats import held_out_difference

__all__ = ["PairedSignificance", "paired_significances", "trained_apart", "unpaired_because"]

_SEED = "crossfit.seed"
LEVEL = 0.6826894921370859
_OF_MODELS = (".onnx", ".parquet")


class PairedSignificance(Record):
    """A held-out significance of both results.

    Attributes:
        selection: its name in `results.json` or `replicates.json`.
        title: the same in words.
        quantity: what it is, Z₀ or Z_A.
        first, second: its values.
        difference: second less first.
        interval: of the difference, of `level`: bootstrap over generated events, and training.
        level: of confidence.
        unpaired: why the two are no pair; empty where replicate k of both draws the same generated events.
        with_training: whether the interval holds the spread of repeated trainings of both.
    """

    selection: str
    title: str
    quantity: str
    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    level: float
    unpaired: str = ""
    with_training: bool = False


@dataclass(frozen=True)
class _Replicated:
    """What a difference takes of a number that a result has kept with its replicates."""

    title: str
    quantity: str
    quoted: float
    held_out: float
    replicates: NDArray[np.float64]
    level: float
    left_out: tuple[float, ...] = ()

    def first(self, n_replicates: int) -> "_Replicated":
        """With the first of its replicates."""
        return replace(self, replicates=self.replicates[:n_replicates])


def paired_significances(one: Workspace, two: Workspace, unpaired: str) -> tuple[PairedSignificance, ...]:
    """Every significance whose bootstrap both results have kept.

    Args:
        one, two: the results.
        unpaired: why they are no pair; empty where they are.
    """
    first, second = _kept(one), _kept(two)
    return tuple(
        _paired(name, found, second[name], unpaired)
        for name, found in first.items()
        if name in second and found.level == second[name].level
    )


def _kept(place: Workspace) -> dict[str, _Replicated]:
    """Name → number with replicates."""
    found = {}
    if place.binning.is_file():
        for name, one in read_binning(place.binning).items():
            z = np.asarray(one.replicates, np.float64)
            title, level = readable(method_title(name)), one.interval_level
            found[name] = _Replicated(title, "held-out Z₀", one.quoted, one.held_out, z, level, one.left_out)
    if place.replicates.is_file():
        read = read_replicates(place.replicates)
        for name, number in read.numbers.items():
            z = np.asarray(number.replicates, np.float64)
            found[name] = _Replicated(number.title, read.quantity, number.value, number.value, z, LEVEL)
    return {name: one for name, one in found.items() if one.replicates.size}


def _paired(name: str, first: _Replicated, second: _Replicated, unpaired: str) -> PairedSignificance:
    n_replicates = min(len(first.replicates), len(second.replicates))
    sides = (one.first(n_replicates) for one in (second, first))
    value, interval = held_out_difference(*sides, paired=not unpaired)
    return PairedSignificance(
        selection=name,
        title=first.title,
        quantity=first.quantity,
        first=first.held_out,
        second=second.held_out,
        difference=value,
        interval=(interval.low, interval.high),
        level=interval.level,
        unpaired=unpaired,
        with_training=min(len(first.left_out), len(second.left_out)) > 1,
    )


def trained_apart(one: Workspace, two: Workspace) -> bool | None:
    """Whether networks and trees of two results come out of two trainings; None where one has none.

    They are the same where every file of the models that says what they compute is.
    """
    digests = [_models(place) for place in (one, two)]
    return digests[0] != digests[1] if all(digests) else None


def _models(place: Workspace) -> set[tuple[str, str]]:
    """Name and digest of the files that a training has left, without archives that hold the time of day."""
    if not place.manifest.is_file():
        return set()
    written = read_json(place.manifest)["stages"].get("train", {}).get("outputs", {})
    return {(name, str(one["sha256"])) for name, one in written.items() if Path(name).suffix in _OF_MODELS}


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
