"""What the very likelihood does with a known signal, without MC statistics, and in pseudo-experiments."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from znought.stats.goodness import goodness_of_fit
from znought.stats.inference import DataKind, FitResult, fit_workspace
from znought.stats.pseudo_experiments import toy_study
from znought.stats.referee.record import Check, Verdict, above, below, not_applicable
from znought.stats.spec import Spec, entries

__all__ = [
    "correlations",
    "coverage",
    "goodness",
    "mc_statistics",
    "signal_comes_back",
    "stability",
    "without_mc_statistics",
]

INJECTED = (0.0, 1.0, 2.0, 5.0)
_BACK = 0.05
_RATIO = 1.2
_STABLE = (2.0, 4.0)
_P_VALUE = 1e-3
_MOVED = 0.3
"""Of the error of μ: as much as a slope of a background may move it."""


def signal_comes_back(spec: Spec, mus: Sequence[float] = INJECTED) -> Check:
    """A signal injected into Asimov data is fitted with its strength.

    Args:
        spec: workspace.
        mus: injected.

    Raises:
        DataError: a fit that did not converge.
    """
    parts, pulls = {}, {}
    for mu in mus:
        found = fit_workspace(spec, mu=mu)
        error = 0.5 * (found.mu_high - found.mu_low)
        parts[f"{mu:g}"], pulls[mu] = (found.mu, error), abs(found.mu - mu) / error
    worst = max(pulls, key=lambda mu: pulls[mu])
    value, error = parts[f"{worst:g}"]
    return Check(
        name="injected signal",
        tested=f"fit of Asimov data with μ = {', '.join(f'{mu:g}' for mu in mus)}",
        verdict=above(pulls[worst], warn=_BACK, fail=_BACK),
        measured=f"{value:.3f} ± {error:.3f} for {worst:g}, off by {pulls[worst]:.3f} σ at most",
        value=pulls[worst],
        limit=_BACK,
        advice="A parameter ends at a bound, or the fit at a false minimum: look at the fit's warnings.",
        parts=parts,
    )


def without_mc_statistics(spec: Spec) -> Spec:
    """The likelihood of an infinite simulated sample: no staterror and no shapesys."""
    changed: dict[str, Any] = copy.deepcopy(spec)
    for channel in entries(changed, "channels"):
        for sample in channel["samples"]:
            sample["modifiers"] = [
                one for one in sample["modifiers"] if one["type"] not in ("staterror", "shapesys")
            ]
    return changed


def mc_statistics(spec: Spec) -> Check:
    """How much of the significance the finite simulated sample takes; a likelihood that does not know fails.

    Args:
        spec: workspace.

    Raises:
        DataError: a fit that did not converge.
    """
    tested = "Z₀ with and without MC statistics in the likelihood"
    z_with, z_without = (fit_workspace(one).z0 for one in (spec, without_mc_statistics(spec)))
    if not z_with or z_without is None:
        return not_applicable("MC statistics", tested, "a bin expects no background, or Z₀ is 0")
    has_them = spec != without_mc_statistics(spec)
    ratio = z_without / z_with
    return Check(
        name="MC statistics",
        tested=tested,
        verdict=above(ratio, warn=_RATIO, fail=np.inf) if has_them else "fail",
        measured=f"{z_with:.3f} with, {z_without:.3f} without" + ("" if has_them else ": there are none"),
        value=ratio,
        advice="Quote the number with MC statistics (`mc_stat: true`), and simulate more.",
        parts={"with": (z_with, 0.0), "without": (z_without, 0.0)},
    )


def correlations(spec: Spec, others: Mapping[str, Spec], *, data: DataKind) -> Check:
    """The interval of μ with systematics that eras have in common, or not, otherwise than in the card.

    Args:
        spec: workspace.
        others: how systematics are correlated → workspace; none where there is nothing to correlate.
        data: what is fitted.

    Raises:
        DataError: a fit that did not converge.
    """
    name, tested = "correlation across eras", "interval of μ with systematics of all eras together, and apart"
    if not others:
        reason = "no two eras have a systematic that is varied through the chain"
        return not_applicable(name, tested, reason)
    nominal = fit_workspace(spec, data=data)
    error = 0.5 * (nominal.mu_high - nominal.mu_low)
    found = {one: fit_workspace(other, data=data) for one, other in others.items()}
    moved = {
        one: max(abs(fit.mu_low - nominal.mu_low), abs(fit.mu_high - nominal.mu_high)) / error
        for one, fit in found.items()
    }
    worst = max(moved.values())
    shown = "; ".join(f"{_quoted(fit)} {one}" for one, fit in found.items())
    return Check(
        name=name,
        tested=tested,
        verdict=above(worst, warn=_MOVED, fail=np.inf),
        measured=f"{_quoted(nominal)} as in the card; {shown}: an end moves by {worst:.3f} σ",
        value=worst,
        advice="Say which correlation each systematic has and why, and quote the other as an uncertainty.",
        unseen="correlations of the luminosities, which are those of the experiment, and of theory.",
        parts={one: (fit.mu, 0.5 * (fit.mu_high - fit.mu_low)) for one, fit in found.items()},
    )


def _quoted(fit: FitResult) -> str:
    """Signal strength with its interval, and the significance where there is one."""
    z0 = "" if fit.z0 is None else f", Z₀ {fit.z0:.3f}"
    return f"μ {fit.mu:.3f} [{fit.mu_low:.3f}, {fit.mu_high:.3f}]{z0}"


def stability(quoted: float, error: float, others: Mapping[str, float]) -> Check:
    """The significance under other seeds of the parts, and with each repeat of the folds alone.

    Args:
        quoted: held-out Z₀.
        error: its bootstrap error.
        others: what was changed → Z₀.
    """
    pulls = {name: abs(value - quoted) / error for name, value in others.items()}
    name = max(pulls, key=lambda one: pulls[one])
    return Check(
        name="stability",
        tested=f"held-out Z₀ under {', '.join(others)}",
        verdict=above(pulls[name], warn=_STABLE[0], fail=_STABLE[1]),
        measured=f"{others[name]:.3f} ({name}) against {quoted:.3f} ± {error:.3f}",
        value=pulls[name],
        limit=_STABLE[1],
        advice="Simulate more, or quote the spread as an uncertainty.",
        unseen="another training of the same folds, which only a second run shows.",
        parts={"quoted": (quoted, error)} | {one: (value, 0.0) for one, value in others.items()},
    )


def goodness(spec: Spec) -> Check:
    """Goodness of fit of the data against the saturated model; for unblinded data.

    Args:
        spec: workspace with data.
    """
    found = goodness_of_fit(spec)
    return Check(
        name="goodness of fit",
        tested="fit of the data against the saturated model",
        verdict=below(found.p_value, warn=0.05, fail=_P_VALUE),
        measured=f"χ² = {found.value:.1f} for {found.n_dof} degrees of freedom, p = {found.p_value:.2g}",
        value=found.p_value,
        limit=_P_VALUE,
        advice="Look at pulls and post-fit figures of control regions.",
        unseen="a slope of one background of many: see there.",
    )


def coverage(
    spec: Spec, n_toys: int, *, mu: float = 1.0, progress: Callable[[str], None] | None = None
) -> tuple[Check, Check]:
    """Coverage of the interval of μ, and the distribution of the goodness of fit, in pseudo-experiments.

    Args:
        spec: workspace.
        n_toys: pseudo-experiments.
        mu: true signal strength.
        progress: told what is done.
    """
    if progress is not None:
        progress(f"{n_toys} pseudo-experiments")
    toys = toy_study(spec, n_toys, mu=mu)
    share, error = toys.coverage
    bias, bias_error = toys.bias
    n_failed = toys.n_failed / n_toys
    value = max(abs(share - 0.683) / max(error, 1e-9), abs(bias) / bias_error)
    first = Check(
        name="coverage",
        tested=f"{n_toys} pseudo-experiments of the exported likelihood, μ = {mu:g}",
        verdict=above(value, warn=3.0, fail=5.0),
        measured=f"68 % intervals cover {share:.3f} ± {error:.3f}; bias of μ {bias:+.3f} ± {bias_error:.3f}",
        value=value,
        limit=5.0,
        advice="Quote intervals from pseudo-experiments.",
        unseen=f"coverage wrong by less than {3 * error:.2f}.",
        parts={"coverage": (share, error), "bias": (bias, bias_error), "failed": (n_failed, 0.0)},
    )
    n_dof = goodness_of_fit(spec, data="expected").n_dof
    mean, spread = float(toys.goodness.mean()), float(toys.goodness.std(ddof=1) / np.sqrt(toys.goodness.size))
    pull = abs(mean - n_dof) / spread
    verdict: Verdict = above(pull, warn=3.0, fail=np.inf)
    return first, Check(
        name="goodness by toys",
        tested=f"−2 ln(L/L saturated) of {n_toys} pseudo-experiments against χ²",
        verdict=verdict,
        measured=f"mean {mean:.1f} ± {spread:.1f} for {n_dof} degrees of freedom",
        value=pull,
        limit=None,
        advice="Take p-values of the fit from pseudo-experiments, not from χ².",
    )
