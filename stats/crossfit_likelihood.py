"""The fit with edges that its templates have not chosen."""

from dataclasses import dataclass

import numpy as np

from znought.errors import DataError
from znought.stats.inference import DataKind, FitResult, fit_workspace
from znought.stats.spec import Spec

__all__ = ["CrossFittedFit", "cross_fitted_fit"]


@dataclass(frozen=True)
class CrossFittedFit:
    """Two fits with edges exchanged, and the one of the exported workspace."""

    parts: tuple[FitResult, ...]
    """Each of one part of the simulation, in bins tuned on the other."""
    frozen: FitResult
    """All of the simulation, in bins tuned on all of it."""
    z0: float | None
    """Mean over parts; None where one has none."""
    interval_length: float
    """Of mu, mean over parts."""
    tuned_z0: float | None = None
    """Mean over parts in bins tuned on the part itself: same events, so that only the tuning differs."""

    @property
    def optimism(self) -> float | None:
        """Z0 of bins tuned on their own events, less the cross-fitted one.

        Without such fits, that of the frozen edges is taken, whose simulation is larger, too.
        """
        tuned = self.frozen.z0 if self.tuned_z0 is None else self.tuned_z0
        return None if self.z0 is None or tuned is None else tuned - self.z0

    @property
    def text(self) -> str:
        """One line for the closing table."""
        z0 = "not defined" if self.z0 is None else f"{self.z0:.3f}"
        frozen = "not defined" if self.frozen.z0 is None else f"{self.frozen.z0:.3f}"
        length = self.frozen.mu_high - self.frozen.mu_low
        own = "" if self.tuned_z0 is None else f"; with each part's own edges {self.tuned_z0:.3f}"
        return (
            f"Cross-fitted Z0 {z0}, interval of mu {self.interval_length:.3f} long, on {len(self.parts)} "
            f"parts of the simulation in turn{own}; with edges frozen on all simulation {frozen} and "
            f"{length:.3f}."
        )


def cross_fitted_fit(
    parts: tuple[Spec, ...],
    frozen: Spec,
    *,
    tuned: tuple[Spec, ...] = (),
    data: DataKind = "expected",
    mu: float = 1.0,
) -> CrossFittedFit:
    """Fits of workspaces whose edges were tuned on other simulation, beside that of the frozen edges.

    Args:
        parts: one workspace per part of the simulation, scaled to the full luminosity, in bins that were
            tuned on the other parts.
        frozen: the workspace that is exported.
        tuned: one workspace per part, in bins that were tuned on the part itself.
        data: what is fitted.
        mu: of Asimov data.

    Raises:
        DataError: fewer than two parts, or a fit that did not converge.
    """
    if len(parts) < 2:
        raise DataError(f"a cross-fitted fit needs at least two parts. Received: {len(parts)}.")
    fits = tuple(fit_workspace(part, data=data, mu=mu) for part in parts)
    own = [fit_workspace(part, data=data, mu=mu).z0 for part in tuned]
    length = float(np.mean([fit.mu_high - fit.mu_low for fit in fits]))
    mean = _mean([fit.z0 for fit in fits])
    return CrossFittedFit(fits, fit_workspace(frozen, data=data, mu=mu), mean, length, _mean(own))


def _mean(values: list[float | None]) -> float | None:
    """None where there is no value, or one of them is None."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None
