"""Numbers of an analysis worked out again from its events, and compared with those that it wrote."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.stats.referee.record import Check, above
from znought.stats.spec import Spec, entries

__all__ = [
    "errors_again",
    "scalers_again",
    "scores_again",
    "significance_again",
    "templates_again",
    "training_again",
]

Floats = NDArray[np.float64]
SCORE = 1e-4
"""Another machine gives scores of a network to some 1e-6; a leaking scaler moves them by 0.002."""
RELATIVE = 1e-6
_ERROR = 1e-3
_SIGNIFICANCE = 1e-3


def scores_again(pairs: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Check:
    """Stored scores are those of the networks of each event's own folds, for every kind of events.

    Args:
        pairs: kind of events → scores as stored and as the networks give them now, equal shapes.
    """
    largest = {
        kind: float(np.max(np.abs(np.asarray(stored, np.float64) - np.asarray(again)), initial=0.0))
        for kind, (stored, again) in pairs.items()
    }
    kind = max(largest, key=lambda name: largest[name])
    n_rows = sum(len(np.asarray(stored)) for stored, _ in pairs.values())
    return Check(
        name="scores repeated",
        tested=f"{n_rows:,} events of {len(pairs)} kinds ({', '.join(pairs)}), scored by their own folds",
        verdict=above(largest[kind], warn=SCORE, fail=SCORE),
        measured=f"largest difference {largest[kind]:.2g} ({kind})",
        value=largest[kind],
        limit=SCORE,
        advice="Templates and data are not of one discriminant: run `znought run --from score`.",
        unseen=f"changes of a score by less than {SCORE:g}.",
        parts={name: (value, 0.0) for name, value in largest.items()},
    )


def scalers_again(stored: Mapping[str, ArrayLike], again: Mapping[str, ArrayLike]) -> Check:
    """Scalers learned again on the training part of each network are those that it came with.

    Args:
        stored: network → median and interquartile range of each input, shape (2, n_features).
        again: the same, fitted on the events that the network may see.
    """
    shifts = {}
    for name, values in stored.items():
        one, two = np.asarray(values, np.float64), np.asarray(again[name], np.float64)
        same = one.shape == two.shape
        shifts[name] = float(np.max(np.abs(one - two) / np.abs(one[1]))) if same else float("inf")
    name = max(shifts, key=lambda network: shifts[network])
    return Check(
        name="scalers repeated",
        tested=f"median and width of {len(shifts)} scalers, fitted again on what each network may see",
        verdict=above(shifts[name], warn=RELATIVE, fail=RELATIVE),
        measured=f"largest shift {shifts[name]:.2g} interquartile ranges ({name})",
        value=shifts[name],
        limit=RELATIVE,
        advice="A scaler has seen other events than its network's training part: train again.",
        parts={network: (value, 0.0) for network, value in shifts.items()},
    )


def training_again(stored: Mapping[str, str], again: Mapping[str, str]) -> Check:
    """The networks were trained on the events, weights and folds that the columns hold.

    Args:
        stored: repeat → fingerprint of the training data, as the networks came with it.
        again: the same of the columns.
    """
    wrong = [name for name, digest in stored.items() if again.get(name) != digest]
    return Check(
        name="training data repeated",
        tested=f"fingerprints of events, weights and folds of {len(stored)} repeats",
        verdict="fail" if wrong else "pass",
        measured=f"{len(wrong)} of {len(stored)} differ" + (f" ({', '.join(wrong)})" if wrong else ""),
        value=float(len(wrong)),
        limit=0.0,
        advice="The networks know other events or folds than those that are scored: train again.",
    )


def errors_again(quoted: Mapping[str, ArrayLike], again: Mapping[str, ArrayLike]) -> Check:
    """Errors of the simulated sample, worked out again with a generated event as one statistical unit.

    Args:
        quoted: place ("cut_based, top") → errors as they were written, shape (n_bins,).
        again: the same from the events.
    """
    worst: dict[str, float] = {}
    for place, values in quoted.items():
        one, two = np.asarray(values, np.float64), np.asarray(again[place], np.float64)
        scale = np.where(two > 0, two, 1.0)
        worst[place] = float(np.max(np.abs(one - two) / scale, initial=0.0))
    place = max(worst, key=lambda name: worst[name])
    one_sum, two_sum = (float(np.sum(np.asarray(one[place], np.float64))) for one in (quoted, again))
    return Check(
        name="errors by generated event",
        tested=f"MC-statistical errors of {len(quoted)} rows of yields",
        verdict=above(worst[place], warn=_ERROR, fail=_ERROR),
        measured=(
            f"largest relative difference {worst[place]:.2g} ({place}: {one_sum:.3g} written, "
            f"{two_sum:.3g} found)"
        ),
        value=worst[place],
        limit=_ERROR,
        advice="Responses of one generated event are no events of their own: add their weights first.",
        unseen=f"relative differences below {_ERROR:g}.",
        parts={name: (value, 0.0) for name, value in worst.items() if value > _ERROR},
    )


def templates_again(written: Spec, again: Spec) -> Check:
    """The likelihood that was written is the one of the events: yields, systematics, errors, regions.

    Args:
        written: pyhf workspace as exported.
        again: the same, built from the events.
    """
    one, two = dict(_numbers(written)), dict(_numbers(again))
    missing = sorted(one.keys() ^ two.keys())
    shifts = {name: _shift(one[name], two[name]) for name in one if name in two}
    name = max(shifts, key=lambda key: shifts[key], default="nothing")
    largest = float("inf") if missing else shifts.get(name, 0.0)
    text = f"largest relative difference {shifts.get(name, 0.0):.2g} ({name})"
    if missing:
        where = f"{missing[0]} only {'as written' if missing[0] in one else 'in the events'}"
        text = f"{len(missing)} templates in one alone: {where}"
    return Check(
        name="likelihood repeated",
        tested=f"{len(one):,} templates of the exported workspace, filled again",
        verdict=above(largest, warn=RELATIVE, fail=RELATIVE),
        measured=text,
        value=None if missing else largest,
        limit=RELATIVE,
        advice="The exported likelihood is not that of these events: run `znought run --from fit`.",
    )


def significance_again(*, quoted: float, again: float, tuned: float, error: float, selection: str) -> Check:
    """The quoted significance comes out again when edges are tuned on other events than those quoted.

    Args:
        quoted: held-out Z₀ as it was written.
        again: cross-fitted from the events, with the same parts.
        tuned: of the same edges on the events that chose them.
        error: half the bootstrap interval of `again`.
        selection: whose it is.
    """
    difference = abs(quoted - again)
    optimism = tuned - again
    return Check(
        name="significance held out",
        tested=f"cross-fitted Z₀ of {selection}, from the events",
        verdict=above(difference, warn=_SIGNIFICANCE, fail=_SIGNIFICANCE),
        measured=f"{quoted:.3f} quoted, {again:.3f} ± {error:.3f} found; tuned {tuned:.3f} (+{optimism:.3f})",
        value=difference,
        limit=_SIGNIFICANCE,
        advice="Quote a binning on events that had no say in its edges.",
        unseen=f"differences below {_SIGNIFICANCE:g}.",
        parts={"quoted": (quoted, 0.0), "held out": (again, error), "tuned": (tuned, 0.0)},
    )


def _numbers(spec: Spec) -> Iterator[tuple[str, Floats]]:
    """Every template of a workspace by its place."""
    for channel in entries(spec, "channels"):
        for sample in channel["samples"]:
            place = f"{sample['name']} in {channel['name']}"
            yield place, np.asarray(sample["data"], np.float64)
            for modifier in sample["modifiers"]:
                for part, values in _data_of(modifier["data"]):
                    yield f"{modifier['name']}{part} ({modifier['type']}) of {place}", values


def _data_of(data: Any) -> Iterator[tuple[str, Floats]]:
    if isinstance(data, Mapping):
        for name, values in data.items():
            yield f" {name}", np.atleast_1d(np.asarray(values, np.float64))
    else:
        yield "", np.zeros(1) if data is None else np.atleast_1d(np.asarray(data, np.float64))


def _shift(one: Floats, two: Floats) -> float:
    """Largest difference in units of the largest content."""
    if one.shape != two.shape:
        return float("inf")
    return float(np.max(np.abs(one - two), initial=0.0) / max(float(np.max(np.abs(two), initial=0.0)), 1e-12))
