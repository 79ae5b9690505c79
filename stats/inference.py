"""The full fit of a pyhf workspace: mu, its interval, pulls, ranking, significance and limits."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
import pyhf
from numpy.typing import NDArray
from scipy.optimize import brentq

from znought.errors import CardError, DataError, unknown_name
from znought.stats.fit import optimizer_for, pyhf_session, z0_of
from znought.stats.workspace import Spec

__all__ = ["FitResult", "Impact", "Limit", "Parameter", "cls_limit", "fit_workspace", "ranking"]

Floats = NDArray[np.float64]
DataKind = Literal["expected", "observed"]
_ALPHA = 0.05


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


@dataclass(frozen=True)
class Limit:
    """95 % CLs upper limits on mu."""

    observed: float
    expected: tuple[float, float, float, float, float]
    """At −2, −1, 0, 1, 2 standard deviations of the background-only hypothesis."""


def fit_workspace(spec: Spec, *, data: DataKind = "expected", mu: float = 1.0) -> FitResult:
    """Fit the workspace to its Asimov data of signal strength ``mu``, or to its observations.

    mu may come out negative, down to where an expectation would; q0 is 0 then.

    Raises:
        CardError: an unknown kind of data.
        DataError: the fit did not converge.
    """
    with _loaded(spec, data, mu) as (model, counts):
        best, errors, nll = _fit(model, counts, {})
        poi = model.config.poi_index
        low, high = (_crossing(model, counts, best[poi], sign * errors[poi], nll) for sign in (-1, 1))
        parameters = tuple(_parameters(model, best, errors))
        return FitResult(data, float(best[poi]), low, high, z0_of(model, counts), parameters)


def ranking(spec: Spec, *, data: DataKind = "expected", mu: float = 1.0) -> tuple[Impact, ...]:
    """Post-fit impact of every constrained systematic on mu, the largest first; MC statistics left out."""
    impacts = []
    with _loaded(spec, data, mu) as (model, counts):
        best, errors, _ = _fit(model, counts, {})
        poi = model.config.poi_index
        for name, i in _scalars(model):
            if not model.config.param_set(name).constrained:
                continue
            down, up = (_fit(model, counts, {i: best[i] + sign * errors[i]})[0][poi] for sign in (-1, 1))
            impacts.append(Impact(name, float(down - best[poi]), float(up - best[poi])))
    return tuple(sorted(impacts, key=lambda impact: -max(abs(impact.down), abs(impact.up))))


def cls_limit(spec: Spec, *, data: DataKind = "expected", mu: float = 0.0) -> Limit:
    """95 % CLs upper limit on mu with the asymptotic distribution of q̃_mu, arXiv:1007.1727.

    CLs is scanned from small to large mu and ln CLs interpolated, which takes a sixth of the fits
    of a root search for the observed limit and each of the five expected ones.

    Raises:
        DataError: no limit below the upper bound of mu.
    """
    with _loaded(spec, data, mu) as (model, counts):
        _, errors, _ = _fit(model, counts, {})
        poi = model.config.poi_index
        step, end = 0.4 * errors[poi], model.config.suggested_bounds()[poi][1]
        scan, table = [0.0], [np.zeros(6)]
        while table[-1].max() > np.log(_ALPHA):
            scan.append(scan[-1] + step)
            if scan[-1] > end:
                raise DataError(f"no CLs limit below mu = {end:g}, its upper bound in the workspace.")
            with optimizer_for(model):
                observed, expected = pyhf.infer.hypotest(scan[-1], counts, model, return_expected_set=True)
            table.append(np.log(np.maximum([float(observed), *map(float, expected)], 1e-300)))
    columns = np.array(table).T
    limits = [float(np.interp(-np.log(_ALPHA), -column, scan)) for column in columns]
    return Limit(limits[0], (limits[1], limits[2], limits[3], limits[4], limits[5]))


@contextmanager
def _loaded(spec: Spec, data: DataKind, mu: float) -> Iterator[tuple[pyhf.Model, list[float]]]:
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


def _fit(model: pyhf.Model, counts: list[float], fixed: dict[int, float]) -> tuple[Floats, Floats, float]:
    """Best parameters, their errors and −2 ln L; errors are zero where parameters are held."""
    init, hold = list(model.config.suggested_init()), list(model.config.suggested_fixed())
    bounds = list(model.config.suggested_bounds())
    bounds[model.config.poi_index] = (_lowest_mu(model), bounds[model.config.poi_index][1])
    for i, value in fixed.items():
        init[i], hold[i] = value, True
    if all(hold):
        nothing_left = pyhf.infer.mle.twice_nll(np.array(init), counts, model)
        return np.array(init), np.zeros(len(init)), float(np.ravel(nothing_left)[0])
    try:
        fitted, nll = pyhf.infer.mle.fit(
            counts, model, init, bounds, hold, return_fitted_val=True, return_uncertainties=not fixed
        )
    except pyhf.exceptions.FailedMinimization as failure:
        raise DataError(f"the fit did not converge: {failure}") from failure
    table = np.asarray(fitted, dtype=np.float64)
    best, errors = (table, np.zeros_like(table)) if fixed else (table[:, 0], table[:, 1])
    return best, errors, float(nll)


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


def _crossing(model: pyhf.Model, counts: list[float], best: float, step: float, minimum: float) -> float:
    """Where −2 ln L has risen by 1, seen from the best mu in the direction of the step."""
    poi = model.config.poi_index
    end = _lowest_mu(model) if step < 0 else model.config.suggested_bounds()[poi][1]

    def rise(mu: float) -> float:
        return _fit(model, counts, {poi: mu})[2] - minimum - 1.0

    far = best
    while True:
        far = max(far + step, end) if step < 0 else min(far + step, end)
        if rise(far) > 0:
            return float(brentq(rise, best, far, xtol=1e-4 * abs(step)))
        if far == end:
            return float(end)


def _scalars(model: pyhf.Model) -> list[tuple[str, int]]:
    """Name and index of every parameter that is not the mu of interest and not a per-bin MC statistic."""
    names = [name for name in model.config.par_order if name != model.config.poi_name]
    slices = {name: model.config.par_slice(name) for name in names}
    return [(name, part.start) for name, part in slices.items() if not name.startswith("mcstat_")]


def _parameters(model: pyhf.Model, best: Floats, errors: Floats) -> Iterator[Parameter]:
    for name in model.config.par_order:
        part = model.config.par_slice(name)
        group = model.config.param_set(name)
        widths = group.width() if group.constrained else [None] * group.n_parameters
        centres = group.suggested_init
        for k, i in enumerate(range(part.start, part.stop)):
            label = name if group.n_parameters == 1 else f"{name}[{k}]"
            width = widths[k]
            pull = None if not width else float((best[i] - centres[k]) / width)
            yield Parameter(label, float(best[i]), float(errors[i]), pull)
