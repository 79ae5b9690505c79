"""The quoted significance, cross-fitted again; its bins; and what other seeds and repeats make of it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from znought.facility.cards.standard import StandardCard
from znought.facility.events.sample import ScoredSample
from znought.facility.results.standard import Results
from znought.facility.stages.optimise import Candidate, candidates
from znought.stats.crossfit import SignificanceEstimate, cross_fitted
from znought.stats.referee.bins import events_behind_bins
from znought.stats.referee.likelihood import stability
from znought.stats.referee.record import Check, not_applicable
from znought.stats.referee.repetition import significance_again
from znought.stats.yields import count_yields

__all__ = ["significance_checks"]

_NAMES = ("significance held out", "events behind the bins", "stability")
_SEEDS = (101, 202)
_BOOTSTRAP = 40
"""Replicates of what is only compared: they correct a bias, and no interval is quoted."""


def significance_checks(card: StandardCard, sample: ScoredSample, results: Results) -> Iterator[Check]:
    """Checks of the selections that have a significance; not applicable without one."""
    compared = {one.name: one for one in candidates(card, sample)} if card.signal is not None else {}
    compared = {name: one for name, one in compared.items() if name in results.z0}
    if not compared:
        for name in _NAMES:
            yield not_applicable(name, "binned significance", "the results hold no binned significance")
        return
    estimates = {name: _estimate(card, sample, one) for name, one in compared.items()}
    shift = {name: abs(results.z0[name].held_out - one.held_out) for name, one in estimates.items()}
    main = card.discriminant if card.discriminant in compared else next(reversed(compared))
    worst = max(shift, key=lambda name: (shift[name] > shift[main] + 1e-6, shift[name]))
    name = worst if shift[worst] > shift[main] + 1e-6 else main
    yield significance_again(
        quoted=results.z0[name].held_out,
        again=estimates[name].held_out,
        tuned=estimates[name].tuned,
        error=_error(estimates[name]),
        selection=card.selections.get(name, name),
    )
    one = compared[main]
    rows, edges = one.mask, np.asarray(results.edges[main], np.float64)
    events = (one.values[rows], sample.weight[rows], sample.process[rows])
    yields = count_yields(*events, edges, identity=sample.columns.identity[rows])
    yield events_behind_bins(yields, (str(card.signal),), results.z0[main].z_per_bin)
    yield stability(
        results.z0[main].held_out,
        _error(estimates[main]),
        dict(_others(card, sample, one)),
    )


def _estimate(
    card: StandardCard,
    sample: ScoredSample,
    one: Candidate,
    *,
    seed: int | None = None,
    n_bootstrap: int | None = None,
) -> SignificanceEstimate:
    rows = one.mask
    return cross_fitted(
        one.values[rows],
        sample.weight[rows],
        sample.is_signal[rows],
        sample.columns.identity[rows],
        method=one.method,
        config=one.config,
        n_parts=card.crossfit.n_parts,
        n_bootstrap=card.crossfit.n_bootstrap if n_bootstrap is None else n_bootstrap,
        seed=card.crossfit.seed if seed is None else seed,
    )


def _error(estimate: SignificanceEstimate) -> float:
    """Half the bootstrap interval."""
    return max(0.5 * (estimate.interval.high - estimate.interval.low), 1e-9)


def _others(card: StandardCard, sample: ScoredSample, one: Candidate) -> Iterator[tuple[str, float]]:
    """Held-out Z₀ under other seeds of the parts, and of each repeat of the folds alone."""
    for seed in _SEEDS:
        yield f"seed {seed}", _estimate(card, sample, one, seed=seed, n_bootstrap=_BOOTSTRAP).held_out
    training = card.training
    if card.network is None or one.name != "mva_greedy":
        return
    if training.n_repeats < 2 or training.scoring != "own_fold":
        return
    for repeat, values in enumerate(sample.signal_by_repeat()):
        alone = replace(one, values=values)
        found = _estimate(card, sample, alone, n_bootstrap=_BOOTSTRAP)
        yield f"repeat {repeat} alone", found.held_out
