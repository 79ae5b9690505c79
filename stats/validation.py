"""Which inputs may be trusted: limits on differences between data and simulation, and what breaks them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError
from znought.stats.agreement import Chi2

__all__ = ["CorrelationDifference", "Finding", "ValidationConfig", "judged", "largest_difference"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ValidationConfig:
    """How inputs are compared with data before anything is trained (card section `validation`).

    A difference of correlations or yields breaks its limit only if it does so beyond its own statistical
    error, `n_sigma` times; a χ² has its errors in it.
    """

    region: str | None = None
    """Control region in `regions`; None takes all preselected events outside the signal region."""
    comparison: Literal["shape", "absolute"] = "shape"
    """Whether the normalisation is left free in the χ² of each input."""
    max_chi2_per_ndof: float | None = None
    """Largest χ² over degrees of freedom of an input."""
    min_p_value: float | None = None
    """Smallest probability of the χ² of an input."""
    max_correlation_difference: float | None = None
    """Largest difference of the correlation of two inputs between data and simulation."""
    max_yield_difference: float | None = None
    """Of data/simulation − 1 in all events compared."""
    n_sigma: float = 4.0
    """So that chance breaks no limit among the 136 pairs of 17 inputs."""
    min_expected: float = 10.0
    """Bins are merged until each expects so many events."""
    action: Literal["report", "refuse"] = "report"
    """What a broken limit does: "refuse" stops the run."""

    def __post_init__(self) -> None:
        for name in self.limits:
            value = getattr(self, name)
            if value is not None and not value > 0.0:
                raise CardError(f"validation.{name} must be positive; received {value}.")
        if self.min_p_value is not None and self.min_p_value >= 1.0:
            raise CardError(f"validation.min_p_value must lie below 1; received {self.min_p_value}.")
        if self.n_sigma < 0.0 or self.min_expected <= 0.0:
            received = f"{self.n_sigma} and {self.min_expected}"
            raise CardError(
                f"validation needs n_sigma of at least 0 and a positive min_expected; received {received}."
            )
        if self.action == "refuse" and not any(getattr(self, name) is not None for name in self.limits):
            raise CardError(f"validation.action: refuse needs a limit; set one of {', '.join(self.limits)}.")

    @property
    def limits(self) -> tuple[str, ...]:
        """Names of the limits."""
        return (
            "max_chi2_per_ndof",
            "min_p_value",
            "max_correlation_difference",
            "max_yield_difference",
        )


@dataclass(frozen=True)
class CorrelationDifference:
    """Simulation − data of one correlation coefficient, with its statistical error."""

    variables: tuple[str, str]
    value: float
    error: float


@dataclass(frozen=True)
class Finding:
    """One limit that is broken.

    Attributes:
        variables: the inputs concerned; none for the yield.
        limit: its key in the card.
        value, allowed: what was found and what the card allows.
        text: one line that says all of it.
    """

    variables: tuple[str, ...]
    limit: str
    value: float
    allowed: float
    text: str


def largest_difference(
    difference: Floats, error: Floats, names: Sequence[str], *, n_sigma: float = 0.0
) -> CorrelationDifference:
    """The pair of inputs whose |difference| − n_sigma · error is largest.

    >>> found = largest_difference(np.array([[0, -0.1], [-0.1, 0]]), np.full((2, 2), 0.01), ["a", "b"])
    >>> found.variables, found.value
    (('b', 'a'), -0.1)
    """
    rows, columns = np.tril_indices(len(names), -1)
    beyond = np.abs(difference[rows, columns]) - n_sigma * error[rows, columns]
    i, j = (int(index[beyond.argmax()]) for index in (rows, columns))
    return CorrelationDifference((names[i], names[j]), float(difference[i, j]), float(error[i, j]))


def judged(
    config: ValidationConfig,
    *,
    inputs: Mapping[str, Chi2],
    yield_ratio: tuple[float, float],
    difference: Floats,
    error: Floats,
) -> tuple[Finding, ...]:
    """Every limit of the card that is broken, inputs first.

    Args:
        config: the limits.
        inputs: χ² of each input, in the order of the matrices.
        yield_ratio: data/simulation of all events compared, and its error.
        difference, error: simulation − data of the correlations, shape (n_inputs, n_inputs).
    """
    found = [finding for name, result in inputs.items() for finding in _of_input(config, name, result)]
    found.extend(_of_correlations(config, tuple(inputs), difference, error))
    ratio, spread = yield_ratio
    allowed = config.max_yield_difference
    if allowed is not None and abs(ratio - 1.0) - config.n_sigma * spread > allowed:
        text = f"data/simulation is {ratio:.3f} ± {spread:.3f} (limit {allowed:g} from 1)"
        found.append(Finding((), "max_yield_difference", ratio - 1.0, allowed, text))
    return tuple(found)


def _of_input(config: ValidationConfig, name: str, found: Chi2) -> list[Finding]:
    findings = []
    allowed = config.max_chi2_per_ndof
    if allowed is not None and found.per_dof > allowed:
        text = f"{name}: χ²/ndof is {found.per_dof:.2f} ({found.value:.1f}/{found.n_dof}, limit {allowed:g})"
        findings.append(Finding((name,), "max_chi2_per_ndof", found.per_dof, allowed, text))
    allowed = config.min_p_value
    if allowed is not None and found.p_value < allowed:
        text = f"{name}: the χ² has probability {found.p_value:.2g} (limit {allowed:g})"
        findings.append(Finding((name,), "min_p_value", found.p_value, allowed, text))
    return findings


def _of_correlations(
    config: ValidationConfig, names: tuple[str, ...], difference: Floats, error: Floats
) -> list[Finding]:
    allowed = config.max_correlation_difference
    if allowed is None:
        return []
    findings = []
    for i, j in np.argwhere(np.tril(np.abs(difference) - config.n_sigma * error > allowed, -1)):
        value, spread = float(difference[i, j]), float(error[i, j])
        pair = (names[i], names[j])
        text = (
            f"{pair[0]} and {pair[1]}: correlation in simulation − data is {value:+.3f} ± {spread:.3f} "
            f"(limit {allowed:g})"
        )
        findings.append(Finding(pair, "max_correlation_difference", value, allowed, text))
    return findings
