"""Goodness of a fit against the saturated model, and how a likelihood rises beside its minimum."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyhf
from numpy.typing import NDArray
from scipy.special import gammaln, xlogy
from scipy.stats import chi2

from znought.errors import DataError, unknown_name
from znought.stats.inference import DataKind, loaded_model
from znought.stats.minimum import Minimum, fit_at, lower_bounds, sensitivity
from znought.stats.spec import Spec

__all__ = [
    "GoodnessOfFit",
    "LikelihoodScan",
    "goodness_of_fit",
    "held_parameters",
    "likelihood_scan",
    "saturated_nll",
]

Floats = NDArray[np.float64]
_REACH = 2.5
"""Standard deviations to either side of a scan's minimum."""


@dataclass(frozen=True)
class GoodnessOfFit:
    """How far the fitted model is from the data, in units that a χ² has."""

    value: float
    """−2 ln (L at the minimum / L of the saturated model)."""
    n_dof: int
    """Bins minus free parameters without constraint."""
    p_value: float
    """Of the χ² distribution; few events per bin ask for toys."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class LikelihoodScan:
    """−2 Δ ln L along one parameter, all others fitted."""

    parameter: str
    best: float
    values: Floats
    rise: Floats

    def to_dict(self) -> dict[str, object]:
        """Plain lists, ready for JSON."""
        return {
            "parameter": self.parameter,
            "best": self.best,
            "values": self.values.tolist(),
            "rise": self.rise.tolist(),
        }


def goodness_of_fit(
    spec: Spec, *, data: DataKind = "observed", mu: float = 1.0, held: Mapping[str, float] | None = None
) -> GoodnessOfFit:
    """The likelihood ratio of fit and saturated model, in which every bin expects what it has.

    Args:
        spec: a workspace.
        data: what is fitted; the value for Asimov data is 0.
        mu: of Asimov data.
        held: parameter → value at which it is held.

    Raises:
        DataError: an unknown parameter, or a fit that did not converge.

    References:
        Baker, Cousins, Nucl. Instrum. Meth. 221 (1984) 437.
    """
    with loaded_model(spec, data, mu, need_signal=False) as (model, counts):
        fixed = held_parameters(model, held or {})
        best = fit_at(model, counts, fixed=fixed, errors=False)
        value = max(best.nll - saturated_nll(model, counts), 0.0)
        n_dof = model.config.nmaindata - _n_free(model, fixed)
        p_value = float(chi2.sf(value, n_dof)) if n_dof > 0 else 1.0
        return GoodnessOfFit(value, n_dof, p_value)


def saturated_nll(model: pyhf.Model, counts: Sequence[float]) -> float:
    """−2 ln L where every bin expects its count and every constraint stands at its centre."""
    main = np.asarray(counts[: model.config.nmaindata], dtype=np.float64)
    total = float(np.sum(_poisson(main)))
    position = model.config.nmaindata
    for name in model.config.auxdata_order:
        group = model.config.param_set(name)
        measured = np.asarray(counts[position : position + group.n_parameters], dtype=np.float64)
        position += group.n_parameters
        if group.pdf_type == "normal":
            total += float(np.sum(np.log(2 * np.pi * np.asarray(group.width()) ** 2)))
        else:
            total += float(np.sum(_poisson(measured)))
    return total


def held_parameters(model: pyhf.Model, held: Mapping[str, float]) -> dict[int, float]:
    """Values by index in place of by name.

    Raises:
        DataError: an unknown parameter.
    """
    names = model.config.par_names
    for name in held:
        if name not in names:
            raise DataError(unknown_name("parameter", name, names))
    return {names.index(name): value for name, value in held.items()}


def likelihood_scan(
    spec: Spec,
    parameter: str = "mu",
    *,
    data: DataKind = "expected",
    mu: float = 1.0,
    values: Sequence[float] | None = None,
    n_points: int = 21,
) -> LikelihoodScan:
    """−2 Δ ln L along a parameter, by default 2.5 standard deviations to either side of the minimum.

    Args:
        spec: a workspace.
        parameter: name as pyhf gives it, ``mcstat_SR[0]`` for one of several.
        data: what is fitted.
        mu: of Asimov data.
        values: where to scan.
        n_points: how many points where no values are given.

    Raises:
        DataError: an unknown parameter, or a fit that did not converge.
    """
    with loaded_model(spec, data, mu) as (model, counts):
        (index,) = held_parameters(model, {parameter: 0.0})
        best = fit_at(model, counts)
        centre = float(best.values[index])
        points = _points(model, best, index, n_points) if values is None else np.asarray(values, np.float64)
        rise = np.zeros_like(points)
        for k, value in enumerate(points):
            at = fit_at(model, counts, fixed={index: float(value)}, start=best.values, errors=False)
            rise[k] = max(at.nll - best.nll, 0.0)
        return LikelihoodScan(parameter, centre, points, rise)


def _points(model: pyhf.Model, best: Minimum, index: int, n_points: int) -> Floats:
    name, centre = model.config.par_names[index], float(best.values[index])
    # At its bound a parameter has no symmetric error.
    step = float(best.errors[index])
    if name in best.at_bound:
        step = float(sensitivity(model, best.values)[index])
    if not step > 0:
        raise DataError(f"{name} is held; there is nothing to scan.")
    low = max(centre - _REACH * step, float(lower_bounds(model)[index]))
    return np.linspace(low, centre + _REACH * step, n_points)


def _n_free(model: pyhf.Model, fixed: Mapping[int, float]) -> int:
    """Parameters that are neither held nor constrained."""
    config = model.config
    free = set(range(config.npars)) - set(fixed) - set(np.flatnonzero(config.suggested_fixed()).tolist())
    for name in config.par_order:
        if config.param_set(name).constrained:
            part = config.par_slice(name)
            free -= set(range(part.start, part.stop))
    return len(free)


def _poisson(counts: Floats) -> Floats:
    """−2 ln Poisson(n | n)."""
    return np.asarray(-2 * (xlogy(counts, counts) - counts - gammaln(counts + 1)), dtype=np.float64)
