"""Weights of theory uncertainties that generators keep beside each event, with sums of their own.

Ntuples hold them relative to the event's own weight: Σ w of one member over all generated events is the sum
of products. Divided by it, a member changes acceptance and shape, and no rate.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.processors.chunk import Chunk
from znought.processors.copies import GENERATED, generated_copy
from znought.processors.evaluated import NOMINAL, Evaluated, Evaluation
from znought.processors.exact import ExactSum, exact_sums
from znought.processors.weight_branches import WeightBranch

__all__ = ["ITSELF", "weighed"]

Floats = NDArray[np.float64]
ITSELF = ""
"""Key of the sum of the events' own weights."""


def weighed(
    chunk: Chunk, dataset: str, evaluated: Evaluation, branches: Mapping[str, WeightBranch]
) -> tuple[Evaluation, dict[str, ExactSum]]:
    """The chunk's selected events with a weight for every member, and sums over all of its events.

    Args:
        chunk: of simulation.
        dataset: the chunk's, or the part of it that was evaluated, which keeps the sums of the whole.
        evaluated: what an analysis made of it.
        branches: set → where its weights are.

    Raises:
        DataError: a file without the branch, a title that does not say what its members are, or an event with
            too few weights.
    """
    generated = np.asarray(chunk.weight(), np.float64)
    factors = {
        name: values
        for title, one in branches.items()
        for name, values in _factors(chunk, dataset, title, one)
    }
    sums = {ITSELF: _sum(generated)} | {name: _sum(generated * values) for name, values in factors.items()}
    found = {
        channel: {**variations, NOMINAL: _with(variations[NOMINAL], factors)}
        for channel, variations in evaluated.items()
    }
    return found, sums


def _with(found: Evaluated, factors: Mapping[str, Floats]) -> Evaluated:
    own = found.weights["gen_weight"]
    more = {f"gen_weight_{name}": own * values[found.event] for name, values in factors.items()}
    return replace(found, weights={**found.weights, **more})


def _factors(chunk: Chunk, dataset: str, title: str, one: WeightBranch) -> Iterator[tuple[str, Floats]]:
    """Name and factor of every member, shape (n_events,)."""
    entries = chunk.view.entries
    if dataset not in one.datasets:
        yield from ((f"{title}_{name}", np.ones(len(entries))) for name in one.names)
        return
    if one.copies:
        yield from _copies(chunk, title, one)
        return
    tree = entries.tree
    if one.branch not in tree.branches:
        raise DataError(
            f"{chunk.path}: theory.{title}: {unknown_name('branch', one.branch, tree.branches)} Leave the "
            f"processes without it out of theory.{title}.processes."
        )
    column = tree.read([one.branch], entries.start, entries.stop)[one.branch]
    places = one.places(tree.title(one.branch) if one.vary else "")
    if column.offsets is None:
        raise DataError(f"{chunk.path}: theory.{title}: {one.branch} holds one number per event, no list.")
    fewest = int(np.diff(column.offsets).min(initial=max(places) + 1))
    if fewest <= max(places):
        raise DataError(
            f"{chunk.path}: theory.{title}: an event has {fewest} weights in {one.branch}, member "
            f"{max(places)} is asked for."
        )
    for name, place in zip(one.names, places, strict=True):
        yield f"{title}_{name}", np.asarray(column.content[column.offsets[:-1] + place], np.float64)


def _copies(chunk: Chunk, title: str, one: WeightBranch) -> Iterator[tuple[str, Floats]]:
    """Name and factor of every copy of the generator's weight, shape (n_events,)."""
    entries = chunk.view.entries
    wanted = {name: generated_copy(name) for name in one.copies}
    for branch in wanted.values():
        if branch not in entries.tree.branches:
            raise DataError(
                f"{chunk.path}: theory.{title}.copies: no branch {branch}; `processes` says who has."
            )
    read = entries.tree.read([GENERATED, *wanted.values()], entries.start, entries.stop)
    own = np.asarray(read[GENERATED].content, np.float64)
    for name, branch in wanted.items():
        values = np.asarray(read[branch].content, np.float64)
        if not np.isfinite(values).all() or (lost := int(((own == 0.0) & (values != 0.0)).sum())):
            what = f"{lost} events whose own weight is 0" if np.isfinite(values).all() else "infinite weights"
            raise DataError(f"{chunk.path}: theory.{title}.copies: {branch} has {what}.")
        yield f"{title}_{name}", np.divide(values, own, out=np.zeros(len(own)), where=own != 0.0)


def _sum(values: Floats) -> ExactSum:
    return exact_sums(values, np.zeros(values.size, np.int64), 1)[0]
