"""Data opened in steps: control regions first, then validation, tails and signal, each step judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.stats.agreement import Chi2, chi2
from znought.stats.goodness import GoodnessOfFit, goodness_of_fit
from znought.stats.inference import FitResult, fit_workspace
from znought.stats.masks import masked
from znought.stats.prediction import (
    FittedParameters,
    RegionPrediction,
    all_bins,
    fitted_parameters,
    predicted,
    prior_parameters,
)
from znought.stats.spec import Spec, asimov_channels, entries, poi_name

__all__ = ["OpenedStep", "UnblindingStep", "opened_in_steps"]

Mask = NDArray[np.bool_]
_FEW = 5.0
"""Expected events of a bin below which χ² is no measure."""


@dataclass(frozen=True)
class UnblindingStep:
    """Bins that one step opens."""

    name: str
    bins: Mapping[str, Sequence[bool] | bool]
    """By region, True where a bin is opened, or one value for the whole region."""
    measures_signal: bool = False
    """Whether mu is free from here on; before, it is held at ``mu`` of `opened_in_steps`."""
    is_fitted: bool = True
    """Whether later predictions are fitted to these bins; validation regions are only looked at."""


@dataclass(frozen=True)
class OpenedStep:
    """What one step showed."""

    name: str
    opened: dict[str, tuple[int, ...]]
    """By region, the bins that this step opened."""
    predictions: tuple[RegionPrediction, ...]
    """All regions from what was open before; data only in the bins that this step opened (NaN elsewhere)."""
    agreement: Chi2
    """Newly opened data against that prediction, with its correlated errors."""
    goodness: GoodnessOfFit | None
    """Of the fit to all that is open and fitted now; None where nothing is yet."""
    fit: FitResult | None
    """Of all that is open now, where mu is measured."""
    fewest_expected: float
    """Predicted events of the newly opened bin that has the fewest."""
    is_predicted: bool = True
    """Whether anything says what to expect: not where a signal is measured that no data were open before."""

    @property
    def text(self) -> str:
        """One line for a log."""
        bins = ", ".join(f"{region} ({len(indices)})" for region, indices in self.opened.items())
        few = ""
        if self.fewest_expected < _FEW:
            few = f", which means little with {self.fewest_expected:.2g} expected events in a bin"
        fitted = "" if self.goodness is None else f"; goodness of the fit p = {self.goodness.p_value:.2g}"
        if not self.is_predicted:
            return f"{self.name}: bins opened in {bins}, which nothing predicts{fitted}."
        return (
            f"{self.name}: bins opened in {bins}; χ² against the prediction {self.agreement.value:.1f}/"
            f"{self.agreement.n_dof} (p = {self.agreement.p_value:.2g}{few}){fitted}."
        )


def opened_in_steps(
    spec: Spec, steps: Sequence[UnblindingStep], *, mu: float = 0.0
) -> tuple[OpenedStep, ...]:
    """Each step in turn: its data against what was open before, then the fit with them.

    A step sees no bin of a later one. The caller gives those steps that are to be taken, and stops where
    one of them disagrees.

    Args:
        spec: a workspace with recorded data in every bin that is opened.
        steps: in order.
        mu: signal strength until a step measures it.

    Raises:
        CardError: no step, or a bin that is opened twice.
        DataError: an unknown region, Asimov data in a bin that is opened, or a fit that did not converge.
    """
    if not steps:
        raise CardError("unblinding needs at least one step.")
    is_open = {name: np.zeros(n_bins, dtype=bool) for name, n_bins in _bins(spec).items()}
    fitted = dict(is_open)
    found = []
    parameters, measured = prior_parameters(spec, mu=mu), False
    for step in steps:
        new = _opened(spec, step, is_open)
        held_mu = None if measured else mu
        is_predicted = not step.measures_signal or any(mask.any() for mask in fitted.values())
        before = predicted(spec, parameters, mu=held_mu)
        agreement = _agreement(spec, parameters, held_mu, new)
        is_open = {name: mask | new[name] for name, mask in is_open.items()}
        measured = measured or step.measures_signal
        goodness, fit = None, None
        if step.is_fitted:
            fitted = {name: mask | new[name] for name, mask in fitted.items()}
        if any(mask.any() for mask in fitted.values()):
            parameters, goodness, fit = _fit(masked(spec, fitted), mu, measured=measured)
        shown = tuple(_only(region, new[region.region]) for region in before)
        opened = {name: tuple(np.flatnonzero(mask).tolist()) for name, mask in new.items() if mask.any()}
        fewest = min(float(region.total[new[region.region]].min(initial=np.inf)) for region in before)
        found.append(OpenedStep(step.name, opened, shown, agreement, goodness, fit, fewest, is_predicted))
    return tuple(found)


def _fit(
    seen: Spec, mu: float, *, measured: bool
) -> tuple[FittedParameters, GoodnessOfFit, FitResult | None]:
    """Parameters, goodness and signal strength of the bins that are open, mu held unless it is measured."""
    poi = poi_name(seen)
    held = {} if measured or not poi else {poi: mu}
    return (
        fitted_parameters(seen, data="observed", held=held),
        goodness_of_fit(seen, held=held),
        fit_workspace(seen, data="observed") if measured and poi else None,
    )


def _bins(spec: Spec) -> dict[str, int]:
    return {channel["name"]: len(channel["samples"][0]["data"]) for channel in entries(spec, "channels")}


def _opened(spec: Spec, step: UnblindingStep, is_open: Mapping[str, Mask]) -> dict[str, Mask]:
    """The step's bins by region, checked against what is there and what is open."""
    n_bins, blinded = _bins(spec), asimov_channels(spec)
    # The mask function names an unknown region or a mask of another length.
    masked(spec, step.bins)
    new = {name: np.zeros(n, dtype=bool) for name, n in n_bins.items()}
    for name, bins in step.bins.items():
        new[name] = np.broadcast_to(np.asarray(bins, dtype=bool), (n_bins[name],))
        if new[name].any() and name in blinded:
            raise DataError(f"step {step.name!r} opens {name!r}, where the workspace holds Asimov data.")
        for i in np.flatnonzero(new[name] & is_open[name]):
            raise CardError(f"step {step.name!r} opens bin {i} of {name!r}, which is open already.")
    return new


def _only(region: RegionPrediction, new: Mask) -> RegionPrediction:
    """The prediction with data in newly opened bins only."""
    shown = None
    if region.observed is not None and new.any():
        shown = np.where(new, region.observed, np.nan)
    return RegionPrediction(
        region.region,
        region.processes,
        region.yields,
        region.errors,
        region.total,
        region.total_error,
        region.covariance,
        shown,
    )


def _agreement(spec: Spec, parameters: FittedParameters, mu: float | None, new: Mapping[str, Mask]) -> Chi2:
    """χ² of the new bins against the prediction, with the covariance between all of them."""
    where, expected, covariance = all_bins(spec, parameters, mu=mu)
    counts = {entry["name"]: entry["data"] for entry in entries(spec, "observations")}
    data, mask = np.zeros_like(expected), np.zeros(expected.size, dtype=bool)
    for name, part in where.items():
        data[part], mask[part] = counts[name], new[name]
    return chi2(data[mask], expected[mask], covariance[np.ix_(mask, mask)])
