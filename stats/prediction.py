"""Expected events before and after a fit, in its own bins and in those that it has not seen, with errors."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import pyhf
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.stats.goodness import held_parameters
from znought.stats.inference import DataKind, loaded_model
from znought.stats.masks import only_channels
from znought.stats.minimum import fit_at
from znought.stats.spec import Spec, asimov_channels, poi_name

__all__ = [
    "FittedParameters",
    "RegionPrediction",
    "all_bins",
    "control_prediction",
    "fitted_parameters",
    "predicted",
    "prior_parameters",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class FittedParameters:
    """Values and covariance of a likelihood's parameters, which another likelihood may take over by name."""

    names: tuple[str, ...]
    values: Floats
    """Shape (n_parameters,)."""
    covariance: Floats
    """Shape (n_parameters, n_parameters); zero where a parameter was held."""

    def __post_init__(self) -> None:
        n = len(self.names)
        if self.values.shape != (n,) or self.covariance.shape != (n, n):
            raise DataError(f"values and covariance of {n} parameters have {self.covariance.shape} entries.")

    def correlation(self, one: str, other: str) -> float:
        """Correlation coefficient of two parameters; 0 where one was held.

        Raises:
            DataError: an unknown parameter.
        """
        for name in (one, other):
            if name not in self.names:
                raise DataError(unknown_name("parameter", name, self.names))
        i, j = self.names.index(one), self.names.index(other)
        scale = float(np.sqrt(self.covariance[i, i] * self.covariance[j, j]))
        return float(self.covariance[i, j]) / scale if scale > 0 else 0.0


@dataclass(frozen=True)
class RegionPrediction:
    """Expected events of one region with correlated errors; shapes (n_processes, n_bins) and (n_bins,)."""

    region: str
    processes: tuple[str, ...]
    yields: Floats
    errors: Floats
    total: Floats
    total_error: Floats
    """Smaller than the processes' errors in quadrature where those are anticorrelated, larger elsewhere."""
    covariance: Floats
    """Of the total between bins, shape (n_bins, n_bins)."""
    observed: Floats | None
    """Recorded counts; None where the workspace holds Asimov data."""

    @property
    def sum_error(self) -> float:
        """Error of the region's total yield."""
        return float(np.sqrt(self.covariance.sum()))

    def to_dict(self) -> dict[str, object]:
        """Plain lists, ready for JSON."""
        return {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in asdict(self).items()
        }


def fitted_parameters(
    spec: Spec, *, data: DataKind = "expected", mu: float = 1.0, held: Mapping[str, float] | None = None
) -> FittedParameters:
    """Parameters and covariance after the fit.

    Args:
        spec: a workspace.
        data: what is fitted.
        mu: of the Asimov data.
        held: parameter → value at which it is held, ``{"mu": 0.0}`` for a background-only fit.

    Raises:
        DataError: an unknown parameter, or a fit that did not converge.
    """
    with loaded_model(spec, data, mu, need_signal=False) as (model, counts):
        fixed = held_parameters(model, held or {})
        best = fit_at(model, counts, fixed=fixed)
        return FittedParameters(tuple(model.config.par_names), best.values, best.covariance)


def prior_parameters(spec: Spec, *, mu: float = 1.0) -> FittedParameters:
    """Parameters before any fit: centres and widths of the constraints, free ones without an error."""
    with loaded_model(spec, "expected", mu, need_signal=False) as (model, _):
        values, widths = _priors(model)
        if model.config.poi_index is not None:
            values[model.config.poi_index] = mu
        return FittedParameters(tuple(model.config.par_names), values, np.diag(widths**2))


def predicted(
    spec: Spec, parameters: FittedParameters, *, mu: float | None = None, same_bins: bool = True
) -> tuple[RegionPrediction, ...]:
    """Expected events of every region for given parameters, with errors through their covariance.

    The workspace may be another than the one that was fitted: further regions, or other variables with the
    same systematics. A parameter that the fit does not know stays at its centre with its width,
    uncorrelated. Errors are half the difference between +1 and −1 standard deviations of each parameter,
    joined with the correlations.

    Args:
        spec: templates whose expectation is wanted.
        parameters: of a fit, or `prior_parameters`.
        mu: signal strength instead of the fitted one.
        same_bins: whether bins are those of the fit, whose factors of MC statistics then hold; those of
            another variable have their own.

    Raises:
        DataError: a specification that pyhf refuses.
    """
    known = parameters if same_bins else _without_bins(parameters)
    with loaded_model(spec, "expected", 1.0, need_signal=False) as (model, _):
        observations = pyhf.Workspace(spec).observations
        central, changes, correlation = _changes(model, *_taken_over(model, known, mu))
        blinded = asimov_channels(spec)
        found = []
        for name in model.config.channels:
            observed = None if name in blinded else np.asarray(observations[name], np.float64)
            part = model.config.channel_slices[name]
            rows = [i for i, sample in enumerate(model.config.samples) if central[i, part].any()]
            processes = tuple(model.config.samples[i] for i in rows)
            found.append(
                _region(name, processes, central[rows, part], changes[:, rows, part], correlation, observed)
            )
    return tuple(found)


def all_bins(
    spec: Spec, parameters: FittedParameters, *, mu: float | None = None
) -> tuple[dict[str, slice], Floats, Floats]:
    """Total expectation of all regions in one array, with the covariance between all bins.

    Args:
        spec, parameters, mu: as of `predicted`.

    Returns:
        Where each region stands, the expectation (n_bins,) and its covariance (n_bins, n_bins).
    """
    with loaded_model(spec, "expected", 1.0, need_signal=False) as (model, _):
        central, changes, correlation = _changes(model, *_taken_over(model, parameters, mu))
        total = changes.sum(axis=1)
        where = {name: model.config.channel_slices[name] for name in model.config.channels}
        return where, central.sum(axis=0), np.asarray(total.T @ correlation @ total, dtype=np.float64)


def control_prediction(
    spec: Spec, controls: tuple[str, ...], *, data: DataKind = "observed", mu: float = 0.0
) -> tuple[RegionPrediction, ...]:
    """What a fit of control regions alone says about all regions, the signal region unseen.

    Args:
        spec: all regions.
        controls: those that are fitted.
        data: what is fitted in them.
        mu: signal strength, held in the fit and in the prediction.

    Raises:
        DataError: an unknown region, or a fit that did not converge.
    """
    seen = only_channels(spec, controls)
    held = {poi_name(seen): mu} if poi_name(seen) else {}
    parameters = fitted_parameters(seen, data=data, mu=mu, held=held)
    return predicted(spec, parameters, mu=mu)


def _without_bins(parameters: FittedParameters) -> FittedParameters:
    """All but the MC statistics."""
    left = [i for i, name in enumerate(parameters.names) if not name.startswith("mcstat_")]
    names = tuple(parameters.names[i] for i in left)
    return FittedParameters(names, parameters.values[left], parameters.covariance[np.ix_(left, left)])


def _taken_over(model: pyhf.Model, parameters: FittedParameters, mu: float | None) -> tuple[Floats, Floats]:
    """Values and covariance for the model, known parameters by name and the others from their constraints."""
    values, widths = _priors(model)
    covariance = np.diag(widths**2)
    names = model.config.par_names
    here = [i for i, name in enumerate(names) if name in parameters.names]
    there = [parameters.names.index(names[i]) for i in here]
    values[here] = parameters.values[there]
    covariance[np.ix_(here, here)] = parameters.covariance[np.ix_(there, there)]
    poi = model.config.poi_index
    if mu is not None and poi is not None:
        values[poi], covariance[poi], covariance[:, poi] = mu, 0.0, 0.0
    return values, covariance


def _priors(model: pyhf.Model) -> tuple[Floats, Floats]:
    """Centres and widths; a parameter without constraint has the width 0, and one that is held, too."""
    config = model.config
    values = np.array(config.suggested_init(), dtype=np.float64)
    widths = np.zeros_like(values)
    for name in config.par_order:
        if config.param_set(name).constrained:
            widths[config.par_slice(name)] = config.param_set(name).width()
    return values, np.where(config.suggested_fixed(), 0.0, widths)


def _changes(model: pyhf.Model, values: Floats, covariance: Floats) -> tuple[Floats, Floats, Floats]:
    """Expectation by sample and bin, its changes for one standard deviation each, and their correlations."""
    sigma = np.sqrt(np.diag(covariance))
    moving = np.flatnonzero(sigma > 0)

    def expected(point: Floats) -> Floats:
        by_sample = model.main_model.expected_data(point, return_by_sample=True)
        return np.asarray(by_sample, dtype=np.float64).reshape(len(model.config.samples), -1)

    changes = np.zeros((moving.size, len(model.config.samples), model.config.nmaindata))
    for k, i in enumerate(moving):
        up, down = values.copy(), values.copy()
        up[i] += sigma[i]
        down[i] -= sigma[i]
        changes[k] = (expected(up) - expected(down)) / 2
    correlation = covariance[np.ix_(moving, moving)] / np.outer(sigma[moving], sigma[moving])
    return expected(values), changes, correlation


def _region(
    name: str,
    processes: tuple[str, ...],
    central: Floats,
    changes: Floats,
    correlation: Floats,
    observed: Floats | None,
) -> RegionPrediction:
    variances = np.einsum("kpb,kl,lpb->pb", changes, correlation, changes)
    total = changes.sum(axis=1)
    covariance = np.asarray(total.T @ correlation @ total, dtype=np.float64)
    return RegionPrediction(
        name,
        processes,
        central,
        np.sqrt(np.maximum(variances, 0.0)),
        central.sum(axis=0),
        np.sqrt(np.maximum(np.diag(covariance), 0.0)),
        covariance,
        observed,
    )
