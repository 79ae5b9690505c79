"""Whether scores are those of networks that have not seen the events."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from znought.stats.one_discriminant import OneDiscriminant
from znought.stats.referee.record import Check, above, below

__all__ = ["ScoredClass", "one_discriminant_check", "remembered", "seen_unseen"]

Floats = NDArray[np.float64]
_SIGMA = 3.0
_SIGMA_COMBINED = 4.0
_ROUNDING = 1e-4
_P_VALUE = 1e-3


@dataclass(frozen=True)
class ScoredClass:
    """Events of one class, each with its scores of that class; arrays of shape (n_rows,).

    Attributes:
        stored: as templates are filled with.
        unseen: mean of the networks that have not seen it.
        seen: mean of the networks that have.
        weights: of the events.
        identity: integer of the generated event behind every row.
        is_test: events that no network has trained on.
    """

    stored: Floats
    unseen: Floats
    seen: Floats
    weights: Floats
    identity: NDArray[np.integer]
    is_test: NDArray[np.bool_]

    def mean(self, values: Floats, rows: NDArray[np.bool_]) -> tuple[float, float]:
        """Weighted mean of some rows and its error, by generated event; (0, inf) without rows."""
        x, w = values[rows], np.abs(self.weights[rows])
        total = float(w.sum())
        if not total > 0:
            return 0.0, float("inf")
        mean = float(w @ x) / total
        _, unit = np.unique(self.identity[rows], return_inverse=True)
        influence = np.bincount(unit, w * (x - mean)) / total
        return mean, float(np.sqrt(influence @ influence))


def seen_unseen(classes: Mapping[str, ScoredClass]) -> Check:
    """Scores of training events are those of networks that have not seen them: nothing is remembered.

    The difference of stored scores and those of unseeing networks is paired by event, and so is what a
    network that has seen an event would add to its score.

    Args:
        classes: name → events.
    """
    found, gain, test_gain = {}, {}, {}
    for name, events in classes.items():
        found[name] = events.mean(events.stored - events.unseen, ~events.is_test)
        gain[name] = events.mean(events.seen - events.unseen, ~events.is_test)
        test_gain[name] = events.mean(events.seen - events.unseen, events.is_test)
    name = max(found, key=lambda one: _sigma(*found[one]))
    value = _sigma(*found[name])
    most = max(gain, key=lambda one: gain[one][0])
    return Check(
        name="seen less unseen",
        tested="mean score of each class's training events less that of networks that have not seen them",
        verdict=above(value, warn=_SIGMA, fail=_SIGMA),
        measured=(
            f"{_number(found[name])} ({name}); networks that have seen the events would give "
            f"{_number(gain[most])} more ({most}), for test events {_number(test_gain[most])}"
        ),
        value=value,
        limit=_SIGMA,
        advice="Score every event by the networks of its own folds: `znought run --from score`.",
        unseen=f"mean differences below {_ROUNDING:g}.",
        parts={f"{one}, as stored": found[one] for one in found}
        | {f"{one}, if seen": gain[one] for one in gain}
        | {f"{one}, test events": test_gain[one] for one in test_gain},
    )


def remembered(classes: Mapping[str, ScoredClass]) -> Check:
    """Training events do not score higher in their own class than test events do, all classes together.

    This needs no trust in which network has seen what, but the two samples differ by chance.

    Args:
        classes: name → events.
    """
    parts = {}
    for name, events in classes.items():
        train, test = (events.mean(events.stored, rows) for rows in (~events.is_test, events.is_test))
        parts[name] = train[0] - test[0], float(np.hypot(train[1], test[1]))
    known = [part for part in parts.values() if 0 < part[1] < np.inf]
    precision = sum(1 / error**2 for _, error in known)
    error = 1 / np.sqrt(precision) if precision else float("inf")
    mean = sum(value / error_of**2 for value, error_of in known) / precision if precision else 0.0
    value = max(mean, 0.0) / error
    return Check(
        name="training against test",
        tested="mean score of the own class, training less test events",
        verdict=above(value, warn=_SIGMA, fail=_SIGMA_COMBINED),
        measured=f"{_number((mean, error))}, all classes",
        value=value,
        limit=_SIGMA_COMBINED,
        advice="A network has seen the events that it scores: look at folds and salts, and train again.",
        unseen=f"mean gains below {_SIGMA_COMBINED * error:.2g}.",
        parts=parts,
    )


def one_discriminant_check(found: OneDiscriminant) -> Check:
    """Test events have the discriminant of out-of-fold events, tails included.

    Args:
        found: of `znought.stats.one_discriminant.one_discriminant`.
    """
    smallest = found.smallest
    return Check(
        name="one discriminant",
        tested=f"χ² with tail quantiles of test against out-of-fold events, {len(found.comparisons)} outputs",
        verdict=below(found.p_value, warn=10 * _P_VALUE, fail=_P_VALUE),
        measured=(
            f"p = {found.p_value:.2g} all together; smallest {smallest.p_value:.2g} "
            f"({smallest.output} output of {smallest.process})"
        ),
        value=found.p_value,
        limit=_P_VALUE,
        advice="Score test part and data in the way that templates are scored, by own folds.",
    )


def _sigma(value: float, error: float) -> float:
    """Size in errors; rounding counts as nothing."""
    if abs(value) < _ROUNDING:
        return 0.0
    return abs(value) / error if error > 0 else float("inf")


def _number(found: tuple[float, float]) -> str:
    return f"{found[0]:+.4f} ± {found[1]:.4f}"
