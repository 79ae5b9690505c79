"""Pseudo-experiments of a likelihood: coverage and bias, and p-values that need no asymptotic formula."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyhf
from numpy.typing import NDArray

from znought.errors import DataError
from znought.stats.fit import empty_backgrounds
from znought.stats.goodness import held_parameters, saturated_nll
from znought.stats.inference import DataKind, loaded_model
from znought.stats.minimum import Minimum, fit_at
from znought.stats.spec import Spec

__all__ = ["ToyPValue", "ToyStudy", "goodness_by_toys", "sample_toys", "significance_by_toys", "toy_study"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ToyStudy:
    """Fits of pseudo-experiments with a known signal strength; arrays of shape (n_toys,)."""

    mu: float
    fitted: Floats
    errors: Floats
    z0: Floats
    rise: Floats
    """−2 Δ ln L at the true signal strength."""
    goodness: Floats
    """−2 ln (L / L of the saturated model)."""
    n_failed: int
    """Pseudo-experiments whose fit did not converge; they are in no array."""

    @property
    def coverage(self) -> tuple[float, float]:
        """Share of 68 % profile-likelihood intervals that hold the true value, and its binomial error."""
        return _share(self.rise <= 1.0)

    @property
    def bias(self) -> tuple[float, float]:
        """Mean of fitted − true, and its error."""
        shift = self.fitted - self.mu
        return float(shift.mean()), float(shift.std(ddof=1) / np.sqrt(shift.size))

    @property
    def pull_width(self) -> tuple[float, float]:
        """Standard deviation of (fitted − true)/error, and its error; fits at a bound of mu are left out."""
        inside = self.errors > 0
        pulls = (self.fitted - self.mu)[inside] / self.errors[inside]
        width = float(pulls.std(ddof=1))
        return width, width / float(np.sqrt(2 * (pulls.size - 1)))

    def rate_above(self, z: float) -> tuple[float, float]:
        """Share of significances above a value, and its binomial error."""
        return _share(self.z0 > z)


@dataclass(frozen=True)
class ToyPValue:
    """A probability from pseudo-experiments."""

    observed: float
    """Of the test statistic."""
    p_value: float
    error: float
    """Binomial; where no pseudo-experiment reaches the observed value, p < 1/n at 63 % CL is quoted."""
    n_toys: int
    n_failed: int


def toy_study(spec: Spec, n_toys: int, *, mu: float = 1.0, seed: int = 1) -> ToyStudy:
    """Fits of pseudo-experiments whose counts and auxiliary measurements fluctuate around a prediction.

    Args:
        spec: a workspace.
        n_toys: at least two.
        mu: true signal strength; nuisance parameters are true at their centres.
        seed: of the random numbers.

    Raises:
        DataError: fewer than two, or a bin without background.
    """
    if n_toys < 2:
        raise DataError(f"n_toys must be at least 2. Received: {n_toys}.")
    rows, n_failed = [], 0
    with loaded_model(spec, "expected", mu) as (model, _):
        for where in empty_backgrounds(model):
            raise DataError(f"{where} expects no background: no significance exists.")
        truth = np.array(model.config.suggested_init(), dtype=np.float64)
        truth[model.config.poi_index] = mu
        for counts in sample_toys(model, truth, n_toys, np.random.default_rng(seed)):
            try:
                rows.append(_fitted(model, counts, mu))
            except DataError:
                n_failed += 1
    if len(rows) < 2:
        raise DataError(f"{n_failed} of {n_toys} pseudo-experiments did not converge.")
    fitted, errors, z0, rise, goodness = np.array(rows).T
    return ToyStudy(mu, fitted, errors, z0, rise, goodness, n_failed)


def goodness_by_toys(
    spec: Spec,
    n_toys: int,
    *,
    data: DataKind = "observed",
    held: Mapping[str, float] | None = None,
    seed: int = 1,
) -> ToyPValue:
    """Probability that pseudo-experiments of the fitted model fit worse than the data do.

    Args:
        spec: a workspace.
        n_toys: how many.
        data: what is judged.
        held: parameter → value at which it is held in every fit.
        seed: of the random numbers.

    Raises:
        DataError: the fit of the data did not converge.
    """
    with loaded_model(spec, data, 1.0, need_signal=False) as (model, counts):
        fixed = held_parameters(model, held or {})
        best = fit_at(model, counts, fixed=fixed, errors=False)

        def statistic(toy: list[float], minimum: Minimum | None = None) -> float:
            found = minimum or fit_at(model, toy, fixed=fixed, start=best.values, errors=False)
            return found.nll - saturated_nll(model, toy)

        return _probability(model, best.values, n_toys, seed, statistic, statistic(counts, best))


def significance_by_toys(
    spec: Spec, n_toys: int, *, data: DataKind = "observed", mu: float = 1.0, seed: int = 1
) -> ToyPValue:
    """Probability of a q0 as large as the data's without signal, nuisance parameters as fitted at mu = 0.

    Args:
        spec: a workspace.
        n_toys: how many; a significance of 3 asks for some ten thousand.
        data: what is judged.
        mu: of Asimov data.
        seed: of the random numbers.

    Raises:
        DataError: a bin without background, or a fit of the data that did not converge.
    """
    with loaded_model(spec, data, mu) as (model, counts):
        for where in empty_backgrounds(model):
            raise DataError(f"{where} expects no background: no significance exists.")
        without = fit_at(model, counts, fixed={model.config.poi_index: 0.0}, errors=False)

        def statistic(toy: list[float]) -> float:
            return _q0(model, toy, without.values)[0]

        return _probability(model, without.values, n_toys, seed, statistic, statistic(counts))


def sample_toys(
    model: pyhf.Model, truth: Floats, n_toys: int, rng: np.random.Generator
) -> Iterator[list[float]]:
    """Main and auxiliary data of pseudo-experiments; Poisson counts, auxiliary data by their constraints.

    Args:
        model: within `pyhf_session`.
        truth: parameters, shape (n_parameters,).
        n_toys: how many.
        rng: random numbers.
    """
    config = model.config
    expected = np.asarray(model.expected_data(truth.tolist()), dtype=np.float64)
    main, auxiliary = expected[: config.nmaindata], expected[config.nmaindata :]
    gaussian, sigma = _constraints(model)
    for _ in range(n_toys):
        measured = np.where(gaussian, rng.normal(auxiliary, sigma), rng.poisson(np.maximum(auxiliary, 0.0)))
        measured = np.where(sigma > 0, measured, auxiliary)
        yield [*rng.poisson(main).astype(np.float64).tolist(), *measured.tolist()]


def _constraints(model: pyhf.Model) -> tuple[NDArray[np.bool_], Floats]:
    """By auxiliary measurement: whether it is Gaussian, and its width; 0 where its parameter is held."""
    config = model.config
    held = np.array(config.suggested_fixed(), dtype=bool)
    gaussian: list[bool] = []
    widths: list[float] = []
    for name in config.auxdata_order:
        group = config.param_set(name)
        gaussian += [group.pdf_type == "normal"] * group.n_parameters
        widths += np.where(held[config.par_slice(name)], 0.0, group.width()).tolist()
    return np.array(gaussian, dtype=bool), np.array(widths, dtype=np.float64)


def _fitted(model: pyhf.Model, counts: list[float], mu: float) -> tuple[float, float, float, float, float]:
    """Signal strength, error, Z0, −2 Δ ln L at the truth, and goodness of fit of one pseudo-experiment."""
    poi = model.config.poi_index
    q0, best = _q0(model, counts, None)
    true = fit_at(model, counts, fixed={poi: mu}, start=best.values, errors=False)
    goodness = best.nll - saturated_nll(model, counts)
    value, error = float(best.values[poi]), float(best.errors[poi])
    return value, error, float(np.sqrt(q0)), max(true.nll - best.nll, 0.0), goodness


def _q0(model: pyhf.Model, counts: list[float], start: Floats | None) -> tuple[float, Minimum]:
    poi = model.config.poi_index
    best = fit_at(model, counts, start=start)
    if best.values[poi] <= 0:
        return 0.0, best
    without = fit_at(model, counts, fixed={poi: 0.0}, start=best.values, errors=False)
    return max(without.nll - best.nll, 0.0), best


def _probability(
    model: pyhf.Model,
    truth: Floats,
    n_toys: int,
    seed: int,
    statistic: Callable[[list[float]], float],
    observed: float,
) -> ToyPValue:
    """Share of pseudo-experiments whose test statistic is at least the observed one."""
    if n_toys < 1:
        raise DataError(f"n_toys must be at least 1. Received: {n_toys}.")
    values, n_failed = [], 0
    for counts in sample_toys(model, truth, n_toys, np.random.default_rng(seed)):
        try:
            values.append(statistic(counts))
        except DataError:
            n_failed += 1
    if not values:
        raise DataError(f"none of {n_toys} pseudo-experiments converged.")
    share, error = _share(np.array(values) >= observed)
    return ToyPValue(observed, share, error or 1 / len(values), len(values), n_failed)


def _share(passed: NDArray[np.bool_]) -> tuple[float, float]:
    share = float(passed.mean())
    return share, float(np.sqrt(share * (1 - share) / passed.size))
