"""Canonical events and weights under systematics that an ntuple has copies of columns for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.canonical.source import Source
from znought.processors.copies import Copied

__all__ = ["copied_weights", "refuse_lost_sides"]

Floats = NDArray[np.float64]


def refuse_lost_sides(source: Source, wanted: Sequence[Copied]) -> None:
    """Raises where a file has one side of a systematic that has two, and notes those that it has nothing of.

    Raises:
        DataError: names file and systematic; or the card refuses substitutes.
    """
    chunk, copies = source.chunk, source.catalogue.copies
    for one in wanted:
        if not one.moves and any(source.catalogue.moves(systematic) for systematic in one.sides.values()):
            message = "moves objects here, but in the first file of each dataset weights alone"
            raise DataError(f"{chunk.path}: {one.name} {message}.")
        lost = [systematic for systematic in one.sides.values() if systematic not in copies]
        if len(lost) == len(one.sides):
            source.declare(one.name, "nominal columns: the file has no copy of any for this systematic")
        elif lost:
            raise DataError(f"{chunk.path}: has no copy of any column for {lost[0]}, but for the other side.")


def copied_weights(source: Source, wanted: Sequence[Copied]) -> dict[str, Floats]:
    """Variation → weight of every event, of systematics that only weigh, shape (n_events,).

    That of a systematic with one side is mirrored: w_down = 2 w − w_up.

    Args:
        source: nominal.
        wanted: systematics of the card.
    """
    found = dict[str, Floats]()
    for one in wanted:
        if one.moves:
            continue
        weights = {name: source.copied(way).chunk.weight() for name, way in one.variations.items()}
        if len(weights) == 1:
            (given,) = weights.values()
            other = 2.0 * source.chunk.weight() - given
            weights = {f"{one.name}_up": other, f"{one.name}_down": other} | weights
        found |= weights
    return found
