"""The full fit of a pyhf workspace: mu, its interval, pulls, ranking and significance."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
import pyhf
from numpy.typing import NDArray
from scipy.optimize import brentq

from znought.errors import CardError, DataError, unknown_name
from znought.stats.fit import pyhf_session, z0_of
from znought.stats.workspace import Spec

__all__ = [
    "DataKind",
    "FitResult",
    "Impact",
    "Minimum",
    "Parameter",
    "fit_at",
    "fit_workspace",
    "loaded_model",
    "ranking",
]

Floats = NDArray[np.float64]
DataKind = Literal["expected", "observed"]
_MU_MAX = 100.0
_START = 0.5
_TOLERANCES = (1e-3, 0.1, 10.0)
"""Minuit's: the estimated distance to the minimum of −2 ln L stays below 0.002 of it."""


@dataclass(frozen=True)
class Parameter:
    """A fitted parameter."""

    name: str
    value: float
    error: float
    pull: float | None
    """(value − centre)/width of its constraint; None for a free parameter."""


@dataclass(frozen=True)
class FitResult:
    """Signal strength, significance and every parameter."""

    data: DataKind
    mu: float
    mu_low: float
    mu_high: float
    """Ends of the 68 % profile-likelihood interval."""
    z0: float
    parameters: tuple[Parameter, ...]

    def parameter(self, name: str) -> Parameter:
        """One parameter.

        Raises:
            DataError: an unknown parameter.
        """
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        raise DataError(unknown_name("parameter", name, [parameter.name for parameter in self.parameters]))

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Impact:
    """Shift of mu when one nuisance parameter is fixed one standard deviation off its fitted value."""

    name: str
    down: float
    up: float


def fit_workspace(spec: Spec, *, data: DataKind = "expected", mu: float = 1.0) -> FitResult:
    """Fit the workspace to its Asimov data of signal strength ``mu``, or to its observations.

    mu may come out negative, half-way to where an expectation would; q0 is 0 then. An interval that
    would reach beyond ends there.

    Raises:
        CardError: an unknown kind of data.
        DataError: the fit did not converge.
    """
    with loaded_model(spec, data, mu) as (model, counts):
        best = fit_at(model, counts)
        low, high = (_crossing(model, counts, best, sign) for sign in (-1, 1))
        parameters = tuple(_parameters(model, best))
        poi = model.config.poi_index
        return FitResult(data, float(best.values[poi]), low, high, z0_of(model, counts), parameters)


def ranking(spec: Spec, *, data: DataKind = "expected", mu: float = 1.0) -> tuple[Impact, ...]:
    """Post-fit impact of every constrained systematic on mu, the largest first; MC statistics left out.

    Raises:
        DataError: a fit did not converge.
    """
    impacts = []
    with loaded_model(spec, data, mu) as (model, counts):
        best = fit_at(model, counts)
        poi = model.config.poi_index
        for name, i in _systematics(model):
            down, up = (
                fit_at(model, counts, fixed={i: best.values[i] + sign * best.errors[i]}, start=best.values)
                for sign in (-1, 1)
            )
            shifts = (float(shifted.values[poi] - best.values[poi]) for shifted in (down, up))
            impacts.append(Impact(name, *shifts))
    return tuple(sorted(impacts, key=lambda impact: -max(abs(impact.down), abs(impact.up))))


@contextmanager
def loaded_model(spec: Spec, data: DataKind, mu: float) -> Iterator[tuple[pyhf.Model, list[float]]]:
    """Within a pyhf session: the model and its observed counts, or the Asimov ones for a mu."""
    if data not in get_args(DataKind):
        raise CardError(unknown_name("kind of data", data, get_args(DataKind)))
    with pyhf_session():
        workspace = pyhf.Workspace(spec)
        model = workspace.model()
        if data == "observed":
            yield model, workspace.data(model)
            return
        parameters = list(model.config.suggested_init())
        parameters[model.config.poi_index] = mu
        yield model, np.asarray(model.expected_data(parameters)).tolist()


@dataclass(frozen=True)
class Minimum:
    """Where a fit ended."""

    values: Floats
    errors: Floats
    """Zero where parameters were held."""
    nll: float
    """−2 ln L."""


def fit_at(
    model: pyhf.Model,
    counts: list[float],
    *,
    fixed: dict[int, float] | None = None,
    start: Floats | None = None,
    lowest_mu: float | None = None,
) -> Minimum:
    """The minimum with some parameters held; tried again with a wider tolerance where Minuit gives up."""
    config = model.config
    init = np.array(config.suggested_init() if start is None else start, dtype=np.float64)
    if start is None:
        # Minuit judges errors from its path: begun at the minimum of Asimov data, they come out small.
        init[config.poi_index] = _START
    hold, bounds = list(config.suggested_fixed()), list(config.suggested_bounds())
    low = _lowest_mu(model) if lowest_mu is None else lowest_mu
    bounds[config.poi_index] = (low, highest_mu(model))
    for i, value in (fixed or {}).items():
        init[i], hold[i] = value, True
    if all(hold):
        nothing_left = pyhf.infer.mle.twice_nll(init, counts, model)
        return Minimum(init, np.zeros_like(init), float(np.ravel(nothing_left)[0]))
    for tolerance in _TOLERANCES:
        try:
            table, nll = pyhf.infer.mle.fit(
                counts,
                model,
                init.tolist(),
                bounds,
                hold,
                return_fitted_val=True,
                return_uncertainties=True,
                tolerance=tolerance,
            )
        except pyhf.exceptions.FailedMinimization:
            continue
        values, errors = np.asarray(table, dtype=np.float64).T
        return Minimum(values, errors, float(nll))
    held = ", ".join(f"{config.par_names[i]} = {value:.3g}" for i, value in (fixed or {}).items())
    raise DataError(f"the fit{' with ' + held if held else ''} did not converge.")


def highest_mu(model: pyhf.Model) -> float:
    """Largest mu that a fit may try: the workspace's bound, or 100 where that is lower."""
    return max(float(model.config.suggested_bounds()[model.config.poi_index][1]), _MU_MAX)


def _lowest_mu(model: pyhf.Model) -> float:
    """Half-way to the mu at which some bin's nominal expectation would be zero."""
    parameters = list(model.config.suggested_init())
    expected = []
    for mu in (0.0, 1.0):
        parameters[model.config.poi_index] = mu
        expected.append(np.asarray(model.expected_data(parameters, include_auxdata=False)))
    signal = expected[1] - expected[0]
    reach = expected[0][signal > 0] / signal[signal > 0]
    return -0.5 * float(reach.min()) if reach.size else 0.0


def _crossing(model: pyhf.Model, counts: list[float], best: Minimum, sign: int) -> float:
    """Where −2 ln L has risen by 1, seen from the best mu in one direction."""
    poi = model.config.poi_index
    centre, step = float(best.values[poi]), sign * float(best.errors[poi])
    end = _lowest_mu(model) if sign < 0 else highest_mu(model)

    # A fit that begins where it ends is slow, too.
    known = {centre: -1.0}

    def rise(mu: float) -> float:
        if mu not in known:
            known[mu] = fit_at(model, counts, fixed={poi: mu}, start=best.values).nll - best.nll - 1.0
        return known[mu]

    far = centre
    while True:
        far = max(far + step, end) if sign < 0 else min(far + step, end)
        if rise(far) > 0:
            return float(brentq(rise, centre, far, xtol=1e-3 * abs(step)))
        if far == end:
            return float(end)


def _systematics(model: pyhf.Model) -> list[tuple[str, int]]:
    """Name and index of every constrained parameter but the MC statistics of the bins."""
    groups = [(name, model.config.par_slice(name).start) for name in model.config.par_order]
    constrained = [(name, i) for name, i in groups if model.config.param_set(name).constrained]
    return [(name, i) for name, i in constrained if not name.startswith("mcstat_")]


def _parameters(model: pyhf.Model, best: Minimum) -> Iterator[Parameter]:
    for name in model.config.par_order:
        part = model.config.par_slice(name)
        group = model.config.param_set(name)
        widths = group.width() if group.constrained else [None] * group.n_parameters
        centres = group.suggested_init
        for k, i in enumerate(range(part.start, part.stop)):
            label = name if group.n_parameters == 1 else f"{name}[{k}]"
            width = widths[k]
            pull = None if not width else float((best.values[i] - centres[k]) / width)
            yield Parameter(label, float(best.values[i]), float(best.errors[i]), pull)
