"""The rows that a job writes of a response: one an event, or several with weights of their own."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.simulation.detector import Response, rows_at, thinned
from znought.simulation.misidentified import (
    Copies,
    misidentified_leptons,
    with_drawn_charges,
    with_flipped_charges,
)

if TYPE_CHECKING:
    from znought.simulation.jobs import SimulationJob

__all__ = ["copies_of", "ordinals"]


def copies_of(seen: Response, job: "SimulationJob", response: int, rng: np.random.Generator) -> Copies:
    """Rows of one response of a job, with factors on the weights of their events; 1 in pseudo-data.

    Args:
        seen: what the detector recorded.
        job: of which it is one response.
        response: its number.
        rng: random numbers.

    Raises:
        DataError: pseudo-data ask for rows more often than they can be there.
    """
    config, recipe = job.misidentification, job.recipe
    copies = Copies(seen, np.ones(len(seen.event)))
    if recipe.skim == "misidentified":
        copies = misidentified_leptons(seen, config, job.detector, rng)
        if job.is_data:
            return _recorded(copies, recipe.data_boost, rng)
    elif config.charges and job.is_data:
        copies = Copies(with_drawn_charges(seen, rng), copies.weight)
    elif config.charges:
        copies = with_flipped_charges(copies, times=0.0 if response else float(job.n_responses))
    if job.is_data or recipe.veto_floor <= 0.0:
        return copies
    return Copies(*thinned(copies.response, recipe.veto_floor, rng, weight=copies.weight))


def _recorded(copies: Copies, boost: float, rng: np.random.Generator) -> Copies:
    """Rows of pseudo-data: each is there with its weight times `boost` as the probability."""
    probability = boost * copies.weight
    if np.any(probability > 1.0):
        raise DataError(
            f"Pseudo-data: rows are picked with a probability of {probability.max():.3g}; lower data_boost "
            f"of the recipe. Received: {boost:g}."
        )
    picked = np.flatnonzero(rng.random(len(probability)) < probability)
    return Copies(rows_at(copies.response, picked), np.ones(len(picked)))


def ordinals(event: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place of each row among the rows of its event, from 0.

    >>> ordinals(np.array([3, 3, 5, 3])).tolist()
    [0, 1, 0, 2]
    """
    order = np.argsort(event, kind="stable")
    ranked = event[order]
    found = np.empty(len(event), np.int64)
    found[order] = np.arange(len(event)) - np.searchsorted(ranked, ranked, side="left")
    return found
