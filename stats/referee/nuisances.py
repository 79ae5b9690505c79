"""Whether nuisance parameters are all there, point the right way and are constrained by events, not noise."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from znought.stats.referee.record import Check, Verdict, above, not_applicable
from znought.stats.replicas import ConstraintVerdict
from znought.stats.requirements import missing_uncertainties
from znought.stats.spec import Spec, entries

__all__ = ["Direction", "constraints_earned", "directions_agree", "present_uncertainties", "required_present"]

_SIGMA = 4.0
"""Some hundred effects are looked at."""
_REQUIRED = "uncertainties of each process against those that the card requires and varies"


@dataclass(frozen=True)
class Direction:
    """How one systematic changes the yield of one process in one region.

    Attributes:
        systematic, process, region: names.
        fitted: relative change for +1 standard deviation in the likelihood.
        own: the same of the region's events, with its paired error.
        looser: of all events of the process.
        others: of all events of every other process together.
    """

    systematic: str
    process: str
    region: str
    fitted: float
    own: tuple[float, float]
    looser: tuple[float, float]
    others: tuple[float, float]

    @property
    def place(self) -> str:
        """Name for a reader."""
        return f"{self.systematic} on {self.process} in {self.region}"

    @property
    def contradiction(self) -> float:
        """Standard deviations by which the likelihood's sign is refuted by the events, here or anywhere.

        A region may move against the process, whose events come and go across its borders: what stands far
        closer to the region's own events than to their opposite was not exchanged.
        """
        value, error = self.own
        apart = abs(value - self.fitted)
        known = apart < min(2 * error, 0.5 * abs(value + self.fitted))
        return (
            0.0
            if known
            else max(_against(self.fitted, self.own), _against(self.fitted, self.looser, self.own[1]))
        )

    @property
    def odd(self) -> float:
        """Standard deviations by which the process moves against all others."""
        value, error = self.looser
        return min(abs(value) / error if error > 0 else 0.0, _against(value, self.others))


def constraints_earned(verdicts: Sequence[ConstraintVerdict]) -> Check:
    """No nuisance parameter is constrained as much as by variations whose sign is flipped at random.

    Args:
        verdicts: of `znought.stats.replicas.constraint_verdicts`.
    """
    tested = "post-fit over prior error, beside replicas with random signs of each generated event's part"
    if not verdicts:
        return not_applicable("constraints earned", tested, "no systematic is varied through the chain")
    order = {"fails": 2, "weak": 1, "holds": 0}
    first = max(verdicts, key=lambda one: (order[one.verdict], -one.measured))
    verdict: Verdict = ("pass", "warn", "fail")[order[first.verdict]]
    replicas = np.asarray(first.replicas)
    return Check(
        name="constraints earned",
        tested=tested,
        verdict=verdict,
        measured=(
            f"{first.parameter} {first.measured:.2f}, {replicas.size} replicas {replicas.min():.2f} to "
            f"{replicas.max():.2f}"
        ),
        value=first.measured,
        limit=float(np.quantile(replicas, 0.05)) if first.measured < 1 else 1.0,
        advice="Its template is noise: smooth it (`smoothing: polynomial`) or simulate more.",
        unseen="constraints above 0.9 of the prior.",
        parts={
            one.parameter: (one.measured, float(min(one.replicas)) if one.replicas else 1.0)
            for one in verdicts
        },
    )


def present_uncertainties(spec: Spec) -> dict[str, set[str]]:
    """Process → names of all that may change its yield or shape in a workspace, in any channel."""
    found: dict[str, set[str]] = {}
    for channel in entries(spec, "channels"):
        for sample in channel["samples"]:
            names = found.setdefault(sample["name"], set())
            names |= {modifier["name"] for modifier in sample["modifiers"]}
    return found


def required_present(
    required: Mapping[str, Sequence[str]],
    present: Mapping[str, Sequence[str]],
    small: Mapping[str, Sequence[str]],
) -> Check:
    """Every process has the uncertainties that are required of it.

    Args:
        required: process → names.
        present: process → names in the likelihood.
        small: process → names that were looked at and left out as too small.
    """
    n_required = sum(len(names) for names in required.values())
    if not n_required:
        reason = "the card neither varies nor requires (likelihood.required) anything"
        return not_applicable("uncertainties complete", _REQUIRED, reason)
    known = {name: [*names, *small.get(name, ())] for name, names in present.items()}
    of_present = {name: names for name, names in required.items() if name in present}
    missing = missing_uncertainties(of_present, known)
    listed = ", ".join(f"{one.uncertainty} of {one.process}" for one in missing[:4])
    return Check(
        name="uncertainties complete",
        tested=_REQUIRED,
        verdict="fail" if missing else "pass",
        measured=f"{len(missing)} of {n_required} missing" + (f" ({listed})" if missing else ""),
        value=float(len(missing)),
        limit=0.0,
        advice="Add them to the card, as a variation, a weight or a norm.",
        unseen="what neither the card's variations nor `likelihood.required` name.",
    )


def directions_agree(directions: Sequence[Direction]) -> Check:
    """Up moves each yield as the events say, in the region or, where few tell, in all of the process.

    Args:
        directions: every effect on a yield in the likelihood.
    """
    tested = f"signs of {len(directions)} changes of yield against the events of region and process"
    if not directions:
        return not_applicable("up and down", tested, "no variation changes a yield in the likelihood")
    wrong = max(directions, key=lambda one: one.contradiction)
    odd = max(directions, key=lambda one: one.odd)
    verdict = above(wrong.contradiction, warn=_SIGMA, fail=_SIGMA)
    text = f"none refuted, largest {wrong.contradiction:.1f} σ ({wrong.place})"
    if verdict == "fail":
        text = f"{wrong.place}: {wrong.fitted:+.2%} fitted, {_percent(wrong.own)} by its events ("
        text += f"{_percent(wrong.looser)} of all of the process), {wrong.contradiction:.1f} σ"
    elif odd.odd > _SIGMA:
        verdict = "warn"
        text = f"{odd.systematic} moves {odd.process} by {_percent(odd.looser)}, all others by "
        text += _percent(odd.others)
    blind = [one for one in directions if replace(one, fitted=-one.fitted).contradiction <= _SIGMA]
    return Check(
        name="up and down",
        tested=tested,
        verdict=verdict,
        measured=text,
        value=wrong.contradiction,
        limit=_SIGMA,
        advice="Exchange up and down where they are filled.",
        unseen=f"{len(blind)} of {len(directions)} changes whose sign the events do not know.",
        parts={one.place: one.own for one in directions if one.contradiction > _SIGMA},
    )


def _against(fitted: float, found: tuple[float, float], error: float = 0.0) -> float:
    """Standard deviations of a measured change whose sign a given one contradicts; 0 where it does not."""
    value, own_error = found
    spread = max(own_error, error)
    if fitted * value >= 0 or not 0 < spread < np.inf:
        return 0.0
    return min(abs(value) / own_error, abs(value - fitted) / spread)


def _percent(found: tuple[float, float]) -> str:
    return f"{found[0]:+.2%} ± {found[1]:.2%}"
