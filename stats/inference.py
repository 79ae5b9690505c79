"""The full fit of a pyhf workspace: mu, its interval, pulls, ranking and significance."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np
import pyhf
from numpy.typing import NDArray
from scipy.optimize import brentq

from znought.errors import CardError, DataError, unknown_name
from znought.stats.diagnostics import fit_warnings
from znought.stats.fit import empty_backgrounds, pyhf_session, z0_of
from znought.stats.minimum import Minimum, fit_at, lower_bounds, sensitivity
from znought.stats.workspace import Spec, checked_spec

__all__ = [
    "DataKind",
    "FitResult",
    "Impact",
    "Parameter",
    "fit_workspace",
    "loaded_model",
    "profile_interval",
    "ranking",
]

Floats = NDArray[np.float64]
DataKind = Literal["expected", "observed"]
_DOUBLINGS = 60
_REFUSALS = (
    pyhf.exceptions.InvalidSpecification,
    pyhf.exceptions.InvalidModel,
    pyhf.exceptions.InvalidModifier,
    pyhf.exceptions.InvalidMeasurement,
    pyhf.exceptions.InvalidNameReuse,
    pyhf.exceptions.InvalidWorkspaceOperation,
)


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
    z0: float | None
    """None where a bin expects no background, for which no significance exists."""
    parameters: tuple[Parameter, ...]
    at_bound: tuple[str, ...] = ()
    """Parameters pushed against a bound, and ``mu_low`` where the interval ends at one."""
    warnings: tuple[str, ...] = ()
    """What a reader must know before the numbers are believed, one line each."""

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
    prior_down: float | None = None
    prior_up: float | None = None
    """The same with the width of its constraint, as before the fit."""


def fit_workspace(spec: Spec, *, data: DataKind = "expected", mu: float = 1.0) -> FitResult:
    """Signal strength, interval, significance, parameters, from Asimov data of ``mu`` or from observations.

    mu may come out negative, down to where a bin would expect nothing; q0 is 0 then. It has no upper
    bound. What ends at a bound is named in the result.

    Raises:
        CardError: an unknown kind of data.
        DataError: no signal, a specification that pyhf refuses, or a fit that did not converge.
    """
    with loaded_model(spec, data, mu) as (model, counts):
        best = fit_at(model, counts)
        low, high = profile_interval(model, counts, best)
        parameters = tuple(_parameters(model, best))
        poi = model.config.poi_index
        at_bound = (*best.at_bound, *(["mu_low"] if low == lower_bounds(model)[poi] else []))
        empty = empty_backgrounds(model)
        z0 = None if empty else z0_of(model, counts)
        remarks = [f"{name} is at its lower bound." for name in at_bound]
        remarks += [f"{where} expects no background: no significance exists." for where in empty]
        remarks += fit_warnings(model, best)
        return FitResult(data, float(best.values[poi]), low, high, z0, parameters, at_bound, tuple(remarks))


def ranking(spec: Spec, *, data: DataKind = "expected", mu: float = 1.0) -> tuple[Impact, ...]:
    """Impact of every constrained systematic on mu, the largest first; MC statistics left out.

    Raises:
        DataError: a fit did not converge.
    """
    impacts = []
    with loaded_model(spec, data, mu) as (model, counts):
        best = fit_at(model, counts)
        poi = model.config.poi_index

        def shift(index: int, change: float) -> float:
            held = {index: float(best.values[index]) + change}
            moved = fit_at(model, counts, fixed=held, start=best.values, errors=False)
            return float(moved.values[poi] - best.values[poi])

        for name, i in _systematics(model):
            width = float(model.config.param_set(name).width()[0])
            error = float(best.errors[i])
            impacts.append(Impact(name, shift(i, -error), shift(i, error), shift(i, -width), shift(i, width)))
    return tuple(sorted(impacts, key=lambda impact: -max(abs(impact.down), abs(impact.up))))


@contextmanager
def loaded_model(
    spec: Spec, data: DataKind, mu: float, *, need_signal: bool = True
) -> Iterator[tuple[pyhf.Model, list[float]]]:
    """Within a pyhf session: the model and its observed counts, or the Asimov ones for a mu.

    Args:
        spec: a workspace.
        data: which counts.
        mu: of the Asimov ones.
        need_signal: whether some bin must depend on the parameter of interest.

    Raises:
        CardError: an unknown kind of data.
        DataError: a specification that pyhf refuses, or a signal without any yield.
    """
    if data not in get_args(DataKind):
        raise CardError(unknown_name("kind of data", data, get_args(DataKind)))
    checked_spec(spec)
    with pyhf_session():
        workspace, model = _read(spec)
        if need_signal:
            _require_signal(model)
        if data == "observed":
            yield model, workspace.data(model)
            return
        parameters = list(model.config.suggested_init())
        if model.config.poi_index is not None:
            parameters[model.config.poi_index] = mu
        yield model, np.asarray(model.expected_data(parameters)).tolist()


def _read(spec: Spec) -> tuple[pyhf.Workspace, pyhf.Model]:
    try:
        workspace = pyhf.Workspace(spec)
        return workspace, workspace.model()
    except _REFUSALS as refusal:
        raise DataError(f"pyhf refuses the workspace: {str(refusal).splitlines()[0]}") from refusal


def _require_signal(model: pyhf.Model) -> None:
    """The parameter of interest must change some bin."""
    poi = model.config.poi_index
    if poi is None:
        raise DataError("the workspace has no parameter of interest.")
    ends = [np.array(model.config.suggested_init()) for _ in range(2)]
    ends[0][poi], ends[1][poi] = 0.0, 1.0
    without, signal = (np.asarray(model.expected_data(p.tolist(), include_auxdata=False)) for p in ends)
    if not np.any(signal != without):
        raise DataError(f"the signal has no yield: no bin changes with {model.config.poi_name}.")


def profile_interval(
    model: pyhf.Model, counts: list[float], best: Minimum, held: Mapping[int, float] | None = None
) -> tuple[float, float]:
    """Where −2 ln L has risen by 1 to either side of the best mu; its bound where it never does.

    Args:
        model: within `pyhf_session`.
        counts: main and auxiliary data.
        best: the minimum, with errors.
        held: parameter index → value of parameters that were held there, too.

    Raises:
        DataError: a fit that did not converge, or a likelihood that does not rise.
    """
    low, high = (_crossing(model, counts, best, sign, dict(held or {})) for sign in (-1, 1))
    return low, high


def _crossing(
    model: pyhf.Model, counts: list[float], best: Minimum, sign: int, held: dict[int, float]
) -> float:
    poi = model.config.poi_index
    centre = float(best.values[poi])
    step = float(best.errors[poi]) or float(sensitivity(model, best.values)[poi])
    end = float(lower_bounds(model)[poi]) if sign < 0 else np.inf

    # A fit that begins where it ends is slow, too.
    known = {centre: -1.0}

    def rise(mu: float) -> float:
        if mu not in known:
            found = fit_at(model, counts, fixed=held | {poi: mu}, start=best.values, errors=False)
            known[mu] = found.nll - best.nll - 1.0
        return known[mu]

    near = centre
    for _ in range(_DOUBLINGS):
        far = max(near - step, end) if sign < 0 else near + step
        if rise(far) > 0:
            return float(brentq(rise, near, far, xtol=1e-3 * step))
        if far == end:
            return end
        near, step = far, 2 * step
    raise DataError(f"the interval of mu has no end below {near:.3g}.")


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
