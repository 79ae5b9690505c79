"""Records of data shown in steps, and of what control regions predict."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.sections import Role
from znought.facility.results.fitted import Expectation, expectation
from znought.facility.results.records import Record
from znought.stats.prediction import RegionPrediction
from znought.stats.unblinding import OpenedStep

__all__ = [
    "OpenedBins",
    "PredictedRegion",
    "Prediction",
    "Unblinding",
    "opened_bins",
    "predicted_region",
]

Mask = NDArray[np.bool_]


class PredictedRegion(Record):
    """One region as control regions predict it.

    Attributes:
        role: "signal", "control" or "validation".
        expected: events with correlated errors.
        observed: counts, None in bins that are closed; None where all are.
    """

    role: Role
    expected: Expectation
    observed: tuple[float | None, ...] | None = None


class Prediction(Record):
    """What a fit of the control regions alone says of all regions.

    Attributes:
        data: what was fitted in the control regions, "expected" or "observed".
        controls: the regions that were fitted.
        mu: signal strength, held.
        lumi_ifb: luminosity of the yields.
        regions: in the order of the likelihood.
    """

    data: str
    controls: tuple[str, ...]
    mu: float
    lumi_ifb: float
    regions: dict[str, PredictedRegion]


class OpenedBins(Record):
    """One step: the bins that it opened, against what was open before.

    Attributes:
        name: of the step.
        bins: region → bins opened, counted as in the templates.
        chi2, n_dof, p_value: of the data there against the prediction, with its correlated errors; None where
            nothing predicts them.
        goodness: probability of the fit to all that is open now; None where nothing was fitted.
        text: one line.
    """

    name: str
    bins: dict[str, tuple[int, ...]]
    chi2: float | None
    n_dof: int
    p_value: float | None
    goodness: float | None
    text: str


class Unblinding(Record):
    """Up to where data were shown, and what each step showed.

    Attributes:
        upto: the last step.
        steps: in order.
        entry, sha256: of the log, `unblinding.jsonl`.
    """

    upto: str
    steps: tuple[OpenedBins, ...]
    entry: int
    sha256: str


def opened_bins(step: OpenedStep, kept: Mapping[str, Mask]) -> OpenedBins:
    """A step as a record.

    Args:
        step: by the bins of the likelihood.
        kept: region → which bins of the templates these are.
    """
    places = {name: np.flatnonzero(mask) for name, mask in kept.items()}
    return OpenedBins(
        name=step.name,
        bins={name: tuple(places[name][list(bins)].tolist()) for name, bins in step.opened.items()},
        chi2=step.agreement.value if step.is_predicted else None,
        n_dof=step.agreement.n_dof,
        p_value=step.agreement.p_value if step.is_predicted else None,
        goodness=None if step.goodness is None else step.goodness.p_value,
        text=step.text,
    )


def predicted_region(found: RegionPrediction, role: Role, is_open: Mask) -> PredictedRegion:
    """A region's prediction as a record, with counts in open bins only."""
    observed = None
    if found.observed is not None and is_open.any():
        pairs = zip(found.observed.tolist(), is_open.tolist(), strict=True)
        observed = tuple(count if shown else None for count, shown in pairs)
    return PredictedRegion(role=role, expected=expectation(found), observed=observed)
