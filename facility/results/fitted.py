"""The profile-likelihood fit as `results.json` holds it: signal strength, and all that stands around it."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from znought.facility.cards.sections import Role
from znought.facility.results.records import Record
from znought.stats.fit_report import FitReport
from znought.stats.prediction import RegionPrediction
from znought.stats.templates import RegionTemplates

__all__ = [
    "ByToys",
    "CrossFit",
    "Expectation",
    "FitSummary",
    "FittedRegion",
    "Goodness",
    "Scan",
    "expectation",
    "fit_summary",
]


class Expectation(Record):
    """Expected events of one region, before or after the fit.

    Attributes:
        events: process → events per bin.
        errors: process → their errors, MC statistics included.
        total, total_error: of all processes; the error holds all correlations.
        sum_error: of the region's total yield.
    """

    events: dict[str, tuple[float, ...]]
    errors: dict[str, tuple[float, ...]]
    total: tuple[float, ...]
    total_error: tuple[float, ...]
    sum_error: float


class FittedRegion(Record):
    """One region before and after the fit.

    Attributes:
        role: "signal" and "control" are fitted, "validation" is only predicted.
        edges: of the discriminant, or of the variable that is shown.
        bins: which of them are there, where some are masked; all of them if empty.
        before, after: expectations; before, free normalisations have no error.
        observed: counts; None where data are Asimov.
    """

    role: Role = "signal"
    edges: tuple[float, ...]
    bins: tuple[int, ...] = ()
    before: Expectation
    after: Expectation
    observed: tuple[float, ...] | None = None


class Scan(Record):
    """−2 Δ ln L along one parameter, all others fitted."""

    parameter: str
    values: tuple[float, ...]
    rise: tuple[float, ...]


class Goodness(Record):
    """−2 ln of the likelihood ratio to the saturated model.

    Attributes:
        value, n_dof: with bins less free parameters as degrees of freedom.
        p_value: of the χ² distribution.
    """

    value: float
    n_dof: int
    p_value: float


class ByToys(Record):
    """Probabilities from pseudo-experiments, beside those of the asymptotic formulas.

    Attributes:
        n_toys: that converged, of the significance.
        significance: probability of a q₀ as large without signal, and its error; None without a q₀.
        goodness: that of a worse fit, and its error; None for an expectation.
    """

    n_toys: int
    significance: tuple[float, float] | None
    goodness: tuple[float, float] | None

    @classmethod
    def of(cls, report: FitReport) -> "ByToys | None":
        """What a report has of pseudo-experiments; None for one without."""
        q0, goodness = report.significance_toys, report.goodness_toys
        if q0 is None and goodness is None:
            return None
        return cls(
            n_toys=max(one.n_toys for one in (q0, goodness) if one is not None),
            significance=None if q0 is None else (q0.p_value, q0.error),
            goodness=None if goodness is None else (goodness.p_value, goodness.error),
        )

    def rows(self) -> tuple[tuple[str, str], ...]:
        """What it is and how large, for tables."""
        found = {"p-value without signal": self.significance, "goodness of fit": self.goodness}
        return tuple(
            (f"{name}, {self.n_toys:,} toys", f"{value[0]:.2g} ± {value[1]:.1g}")
            for name, value in found.items()
            if value is not None
        )


class CrossFit(Record):
    """The expected fit with edges that its templates have not chosen, on parts of the simulation in turn.

    Attributes:
        z0: mean over parts; None where a bin expects no background.
        tuned_z0: the same in bins that each part has chosen itself, so that only the tuning differs.
        frozen_z0: of the exported likelihood: all simulation, edges chosen on all of it.
        interval_length: of μ, mean over parts.
    """

    z0: float | None
    tuned_z0: float | None
    frozen_z0: float | None
    interval_length: float


class FitSummary(Record):
    """The profile-likelihood fit of signal bins and control regions, expected (Asimov, μ = 1) or observed.

    Attributes:
        data: "expected" or "observed".
        lumi_ifb: luminosity of the yields; that of the data where they are observed; None: the card's.
        z0: discovery significance; None where a bin expects no background.
        mu, mu_interval: signal strength and its 68 % interval.
        mu_limit: expected 95 % CLs upper limit without signal, at −2 … +2 standard deviations; None where CLs
            does not fall to 5 %, or the signal is beyond doubt.
        mu_limit_observed: the observed one, where data are unblinded.
        warnings: what ended at a bound, and what else a reader must know.
        impacts: nuisance parameter → shift of μ for its down and up side, the largest first.
        prior_impacts: the same with the width that each had before the fit.
        groups: group of parameters → what it adds to the lower and upper error of μ, in quadrature; groups
            are correlated, and need not add up.
        pulls: parameter → fitted value, error and pull (None for a free one).
        at_bound: parameters pushed against a bound.
        goodness: None for an expectation, which fits perfectly.
        toys: the same and the significance by pseudo-experiments, where the card asks for them.
        scan: of μ.
        regions: yields before and after.
        distributions: variable → region → its events in bins of the variable, where the card asks for it.
        asimov: regions whose data are expectations.
        cross_fit: where edges were chosen, and the fit is the expected one.
    """

    data: str
    lumi_ifb: float | None = None
    z0: float | None
    mu: float
    mu_interval: tuple[float, float]
    mu_limit: tuple[float, float, float, float, float] | None
    mu_limit_observed: float | None = None
    warnings: tuple[str, ...] = ()
    impacts: dict[str, tuple[float, float]]
    prior_impacts: dict[str, tuple[float, float]] = Field(default_factory=dict)
    groups: dict[str, tuple[float, float]] = Field(default_factory=dict)
    pulls: dict[str, tuple[float, float, float | None]]
    at_bound: tuple[str, ...] = ()
    goodness: Goodness | None = None
    toys: ByToys | None = None
    scan: Scan | None = None
    regions: dict[str, FittedRegion] = Field(default_factory=dict)
    distributions: dict[str, dict[str, FittedRegion]] = Field(default_factory=dict)
    asimov: tuple[str, ...] = ()
    cross_fit: CrossFit | None = None


def fit_summary(
    report: FitReport,
    templates: tuple[RegionTemplates, ...],
    roles: Mapping[str, Role] | None = None,
    kept: Mapping[str, NDArray[np.bool_]] | None = None,
    *,
    lumi_ifb: float,
) -> FitSummary:
    """A fit's report as a record.

    Args:
        report: of the fit.
        templates: of its regions, whose order and edges the record takes over.
        roles: of the regions; signal where none are given.
        kept: region → which bins of the templates are in the likelihood; all where none are given.
        lumi_ifb: of the templates.
    """
    result, limit, goodness = report.result, report.limit, report.goodness
    before, after = ({one.region: one for one in part} for part in (report.before, report.after))
    return FitSummary(
        data=result.data,
        lumi_ifb=lumi_ifb,
        z0=result.z0,
        mu=result.mu,
        mu_interval=(result.mu_low, result.mu_high),
        mu_limit=None if limit is None else limit.expected,
        mu_limit_observed=None if limit is None or result.data == "expected" else limit.observed,
        warnings=result.warnings,
        impacts={one.name: (one.down, one.up) for one in report.impacts},
        prior_impacts={
            one.name: (one.prior_down, one.prior_up)
            for one in report.impacts
            if one.prior_down is not None and one.prior_up is not None
        },
        groups={one.group: (one.down, one.up) for one in report.groups},
        pulls={one.name: (one.value, one.error, one.pull) for one in result.parameters},
        at_bound=result.at_bound,
        goodness=None if goodness is None else Goodness.model_validate(goodness.to_dict()),
        toys=ByToys.of(report),
        scan=Scan(
            parameter=report.scan.parameter,
            values=tuple(report.scan.values.tolist()),
            rise=tuple(report.scan.rise.tolist()),
        ),
        regions={
            one.name: FittedRegion(
                role=(roles or {}).get(one.name, "signal"),
                edges=tuple(one.nominal.edges.tolist()),
                bins=_bins((kept or {}).get(one.name)),
                before=expectation(before[one.name]),
                after=expectation(after[one.name]),
                observed=_counts(after[one.name]),
            )
            for one in templates
            if one.name in before
        },
        asimov=report.asimov,
    )


def _bins(kept: NDArray[np.bool_] | None) -> tuple[int, ...]:
    return () if kept is None or kept.all() else tuple(np.flatnonzero(kept).tolist())


def _counts(found: RegionPrediction) -> tuple[float, ...] | None:
    return None if found.observed is None else tuple(found.observed.tolist())


def expectation(found: RegionPrediction) -> Expectation:
    """Expected events of a region as a record."""
    return Expectation(
        events=dict(zip(found.processes, map(tuple, found.yields.tolist()), strict=True)),
        errors=dict(zip(found.processes, map(tuple, found.errors.tolist()), strict=True)),
        total=tuple(found.total.tolist()),
        total_error=tuple(found.total_error.tolist()),
        sum_error=found.sum_error,
    )
