"""Everything that a publication says about one fit, in one call."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

from znought.errors import DataError
from znought.stats.goodness import GoodnessOfFit, LikelihoodScan, goodness_of_fit, likelihood_scan
from znought.stats.impacts import GroupImpact, grouped_impacts
from znought.stats.inference import DataKind, FitResult, Impact, fit_workspace, ranking
from znought.stats.limits import Limit, cls_limit
from znought.stats.prediction import RegionPrediction, fitted_parameters, predicted, prior_parameters
from znought.stats.pseudo_experiments import ToyPValue, goodness_by_toys, significance_by_toys
from znought.stats.spec import Spec, asimov_channels, poi_name

__all__ = ["FitReport", "full_fit"]

_BEYOND_DOUBT = 5.0
"""Standard deviations from which on a signal is measured and not limited."""


@dataclass(frozen=True)
class FitReport:
    """Signal strength with all that stands around it."""

    result: FitResult
    impacts: tuple[Impact, ...]
    groups: tuple[GroupImpact, ...]
    limit: Limit | None
    """None for a signal beyond doubt, and where CLs never falls far enough, as ``remarks`` then say."""
    before: tuple[RegionPrediction, ...]
    after: tuple[RegionPrediction, ...]
    scan: LikelihoodScan
    goodness: GoodnessOfFit | None
    """None for Asimov data, which fit perfectly."""
    goodness_toys: ToyPValue | None
    significance_toys: ToyPValue | None
    asimov: tuple[str, ...]
    """Regions whose data are Asimov."""
    remarks: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON."""
        return {
            "result": self.result.to_dict(),
            "impacts": [asdict(impact) for impact in self.impacts],
            "groups": [asdict(group) for group in self.groups],
            "limit": None if self.limit is None else asdict(self.limit),
            "before": [region.to_dict() for region in self.before],
            "after": [region.to_dict() for region in self.after],
            "scan": self.scan.to_dict(),
            "goodness": None if self.goodness is None else self.goodness.to_dict(),
            "goodness_toys": None if self.goodness_toys is None else asdict(self.goodness_toys),
            "significance_toys": None if self.significance_toys is None else asdict(self.significance_toys),
            "asimov": list(self.asimov),
            "remarks": list(self.remarks),
        }


def full_fit(
    spec: Spec,
    *,
    data: DataKind = "expected",
    groups: Mapping[str, Collection[str]] | None = None,
    ranked: bool = True,
    shown: Spec | None = None,
    n_toys: int = 0,
    seed: int = 1,
) -> FitReport:
    """Signal strength, significance, limit, impacts, yields before and after, scan and goodness of fit.

    Args:
        spec: a workspace.
        data: Asimov data at mu = 1 (the limit without signal), or what the workspace holds as observations.
        groups: parameters whose common impact is wanted, by name; by default MC statistics, free
            normalisations and systematics.
        ranked: with impacts, for which every systematic is fitted four times more.
        shown: a workspace with further regions, such as those of a validation, whose yields are wanted too.
        n_toys: pseudo-experiments without signal for the significance, and as many of the fitted model for
            the goodness of fit of observed data; 0 for none.
        seed: of the pseudo-experiments.

    Raises:
        CardError: an unknown kind of data.
        DataError: no signal, or a fit that did not converge.
    """
    result = fit_workspace(spec, data=data)
    asimov = asimov_channels(spec)
    # Asimov data in some regions would flatter the fit of the others.
    judged = data == "observed" and not asimov
    has_z0 = result.z0 is not None
    limit, remarks = _limit(spec, data, result)
    if data == "observed" and asimov:
        remarks.append(f"Data are Asimov in {', '.join(asimov)}: no goodness of fit is quoted.")
    return FitReport(
        result,
        ranking(spec, data=data) if ranked else (),
        grouped_impacts(spec, groups, data=data) if ranked else (),
        limit,
        predicted(shown or spec, prior_parameters(spec)),
        predicted(shown or spec, fitted_parameters(spec, data=data)),
        likelihood_scan(spec, poi_name(spec), data=data),
        goodness_of_fit(spec, data=data) if judged else None,
        goodness_by_toys(spec, n_toys, data=data, seed=seed) if judged and n_toys else None,
        significance_by_toys(spec, n_toys, data=data, seed=seed) if n_toys and has_z0 else None,
        asimov,
        tuple(remarks),
    )


def _limit(spec: Spec, data: DataKind, result: FitResult) -> tuple[Limit | None, list[str]]:
    error = (result.mu_high - result.mu_low) / 2
    # A significance does not exist where a bin has no background; mu is measured all the same.
    if (result.mu / error if result.z0 is None else result.z0) > _BEYOND_DOUBT:
        return None, []
    try:
        return cls_limit(spec, data=data), []
    except DataError as reason:
        return None, [f"No upper limit: {reason}"]
