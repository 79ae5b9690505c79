"""Stage `optimise`: scores → areas under the ROC curves, bin edges, and significances tuned and held out."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.events.counted import CountedEvents, counted_events, place_of_event
from znought.facility.events.sample import ScoredSample, needed_variables, read_sample
from znought.facility.learning.judged import judged_models
from znought.facility.results.binned import (
    BinnedSelection,
    Evaluation,
    write_binning,
    write_evaluation,
)
from znought.facility.results.records import Estimate, SizedSignificance
from znought.stats.binning import PLAIN, BinningConfig, Method, tune
from znought.stats.crossfit import Interval, SignificanceEstimate, cross_fitted
from znought.stats.repeats import held_out_difference, with_training
from znought.stats.yields import count_yields

__all__ = ["Candidate", "candidates", "optimise"]

SHARES = (0.25, 0.5)
"""Parts of the generated events that significances are quoted on too, to show what more simulation gives."""


@dataclass(frozen=True)
class Candidate:
    """One way of turning events into bins.

    Attributes:
        name: its key in `results.json`.
        mask: events that it uses, shape (n_events,).
        values: what is binned, shape (n_events,).
        method: how edges are found.
        config: range and rules.
        left_out: what is binned without each repeat of the folds in turn, each of shape (n_events,).
    """

    name: str
    mask: NDArray[np.bool_]
    values: NDArray[Any]
    method: Method
    config: BinningConfig
    left_out: tuple[NDArray[Any], ...] = ()


def candidates(card: StandardCard, sample: ScoredSample) -> tuple[Candidate, ...]:
    """Every selection and binning that is compared, all on the same events, weights and rules."""
    rules, found = card.binning, list[Candidate]()
    if card.cut_based is not None:
        cuts = card.cut_based
        selected = sample.in_region(cuts.region)
        variable = sample.columns[cuts.variable]
        lowest = float(variable[selected].min(initial=np.inf))
        whole = replace(rules, lower=min(cuts.lower, lowest), upper=cuts.upper)
        binned = replace(rules, lower=cuts.lower, upper=cuts.upper)
        found.append(Candidate("cut_based", selected, variable, "single", whole))
        found.append(Candidate(card.binned_selection, selected, variable, "greedy", binned))
    if card.is_scored:
        signal_region = sample.in_region(card.signal_region)
        network, others = sample.signal_score(), _left_out(sample.signal_by_repeat())
        found.append(Candidate("mva_greedy", signal_region, network, "greedy", rules, others))
        found.append(Candidate("mva_optimal", signal_region, network, "optimal", rules, others))
        if card.network is not None:
            trees, others = sample.signal_score("boosting"), _left_out(sample.signal_by_repeat("boosting"))
            found.append(Candidate("boosting_greedy", signal_region, trees, "greedy", rules, others))
    for name, entry in card.tuned.items():
        name_of, output = entry.variable, str(entry.output)
        values = sample.score(output) if name_of is None else sample.columns[name_of]
        lower, upper = (rules.lower, rules.upper) if entry.bins is None else entry.bins[1:]
        config = replace(rules, lower=lower, upper=upper)
        found.append(Candidate(name, sample.in_region(name), values, entry.method or "greedy", config))
    return tuple(found)


def _left_out(by_repeat: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Mean over all repeats but one, for each, of values of shape (n_repeats, n_events)."""
    return tuple(np.delete(by_repeat, repeat, axis=0).mean(axis=0) for repeat in range(len(by_repeat)))


def optimise(context: Context[StandardCard]) -> Iterable[Path]:
    """Writes `binning.json` and `evaluation.json`.

    Raises:
        DataError: no simulated event is in any of the regions.
    """
    card, workspace = context.card, context.workspace
    sample = read_sample(
        card, workspace, kind="simulation", variables=needed_variables(card), rows=in_candidates
    )
    if regions_of_candidates(card) and not len(sample):
        raise DataError(
            f"{workspace.columns}: no simulated event is in the regions that are compared. "
            "Where stages before were not run, `znought run` does it."
        )
    found, estimates = {}, {}
    compared = candidates(card, sample)
    with context.reporter.bar("optimising bins") as advance:
        for done, candidate in enumerate(compared):
            advance(done, len(compared) + 2, candidate.name)
            estimates[candidate.name] = _estimate(card, sample, candidate)
            found[candidate.name] = _significance(sample, candidate, estimates[candidate.name])
        counted = counted_events(card, workspace, SHARES)
        by_size = tuple(_by_size(card, sample, counted, estimates))
        del sample, compared  # before all events are looked at
        evaluation = Evaluation(
            **judged_models(card, workspace),
            z0_differences=_differences(card, estimates),
            z0_by_size=by_size,
            events=counted.by_process,
        )
        advance(len(found) + 2, len(found) + 2, "")
    write_binning(workspace.binning, found)
    write_evaluation(workspace.evaluation, evaluation)
    return [workspace.binning, workspace.evaluation]


def in_candidates(sample: ScoredSample) -> NDArray[np.bool_]:
    """Which events any of the compared selections may use, shape (n_events,)."""
    used = np.zeros(len(sample), np.bool_)
    for name in regions_of_candidates(sample.card):
        used |= sample.in_region(name)
    return used


def regions_of_candidates(card: StandardCard) -> list[str | None]:
    """Regions that the compared selections lie in; None for all events."""
    found = [] if card.cut_based is None else [card.cut_based.region]
    return [*found, *([card.signal_region] if card.is_scored else []), *card.tuned]


def _estimate(
    card: StandardCard, sample: ScoredSample, candidate: Candidate, *, trained: bool = True
) -> SignificanceEstimate:
    """Cross-fitted significance of one candidate, with the chance of its training where that is wanted."""
    rows = candidate.mask
    found: list[SignificanceEstimate] = []
    for values in (candidate.values, *(candidate.left_out if trained else ())):
        estimate = cross_fitted(
            values[rows],
            sample.weight[rows],
            sample.is_signal[rows],
            sample.columns.identity[rows],
            method=candidate.method,
            config=candidate.config,
            n_parts=card.crossfit.n_parts,
            n_bootstrap=2 if found else card.crossfit.n_bootstrap,
            seed=card.crossfit.seed,
        )
        found.append(estimate)
    return with_training(found[0], found[1:])


def _significance(
    sample: ScoredSample, candidate: Candidate, estimate: SignificanceEstimate
) -> BinnedSelection:
    """Cross-fitted and in-sample significances of one candidate, with its yields."""
    rows = candidate.mask
    events = (candidate.values[rows], sample.weight[rows], sample.is_signal[rows])
    identity = sample.columns.identity[rows]
    yields = count_yields(
        candidate.values[rows], sample.weight[rows], sample.process[rows], estimate.edges, identity=identity
    )
    plain = replace(candidate.config, constraints=PLAIN)
    unbounded = tune(*events, method=candidate.method, config=plain, identity=identity)
    return BinnedSelection.model_validate(
        estimate.to_dict()
        | {
            "yields": yields.to_dict(),
            "z_profile": estimate.correlated.held_out,
            "min_background_events": float(estimate.whole.effective_background.min()),
            "unbounded": {
                "z_total": unbounded.z_total,
                "edges": unbounded.edges.tolist(),
                "min_background_events": int(unbounded.events_background.min()),
            },
        }
    )


def _by_size(
    card: StandardCard,
    sample: ScoredSample,
    counted: CountedEvents,
    whole: Mapping[str, SignificanceEstimate],
) -> list[SizedSignificance]:
    """Held-out Z0 of every candidate on parts of the generated events, and on all of them last.

    Networks stay what they are; a part that leaves a candidate too few events leaves it out.

    Args:
        card: the analysis.
        sample: events that the candidates use.
        counted: all events.
        whole: candidate → its estimate on all of them.
    """
    place, found = place_of_event(sample.columns.identity), []
    for share, generated in zip(SHARES, counted.in_shares, strict=True):
        part = sample.part(place < share, 1.0 / share)
        estimates = {}
        for candidate in candidates(card, part):
            with suppress(DataError):
                estimates[candidate.name] = _estimate(card, part, candidate, trained=False)
        found.append(_sized(share, generated, estimates))
    return [*found, _sized(1.0, counted.generated, whole)]


def _sized(share: float, generated: int, estimates: Mapping[str, SignificanceEstimate]) -> SizedSignificance:
    z0 = {name: _estimated(one.held_out, one.interval) for name, one in estimates.items()}
    return SizedSignificance(share=share, generated=generated, z0=z0)


def _estimated(value: float, interval: Interval) -> Estimate:
    return Estimate(value=value, interval=(interval.low, interval.high))


def _differences(card: StandardCard, estimates: Mapping[str, SignificanceEstimate]) -> dict[str, Estimate]:
    """Held-out Z0 of the card's discriminant less that of each other selection, paired by generated event."""
    mine, found = estimates.get(card.discriminant), {}
    for name, other in estimates.items():
        if mine is not None and name != card.discriminant:
            found[name] = _estimated(*held_out_difference(mine, other))
    return found
