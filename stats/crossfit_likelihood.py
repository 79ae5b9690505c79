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

    @property
    def optimism(self) -> float | None:
        """Z0 of the frozen edges minus the cross-fitted one."""
        if self.z0 is None or self.frozen.z0 is None:
            return None
        return self.frozen.z0 - self.z0

    @property
    def text(self) -> str:
        """One line for the closing table."""
        z0 = "not defined" if self.z0 is None else f"{self.z0:.3f}"
        frozen = "not defined" if self.frozen.z0 is None else f"{self.frozen.z0:.3f}"
        length = self.frozen.mu_high - self.frozen.mu_low
        return (
            f"Cross-fitted Z0 {z0}, interval of mu {self.interval_length:.3f} long; with edges frozen on all "
            f"simulation {frozen} and {length:.3f}."
        )


def cross_fitted_fit(
    parts: tuple[Spec, ...], frozen: Spec, *, data: DataKind = "expected", mu: float = 1.0
) -> CrossFittedFit:
    """Fits of workspaces whose edges were tuned on other simulation, beside that of the frozen edges.

    Args:
        parts: one workspace per part of the simulation, scaled to the full luminosity, in bins that were
            tuned on the other parts.
        frozen: the workspace that is exported.
        data: what is fitted.
        mu: of Asimov data.

    Raises:
        DataError: fewer than two parts, or a fit that did not converge.
    """
    if len(parts) < 2:
        raise DataError(f"a cross-fitted fit needs at least two parts. Received: {len(parts)}.")
    fits = tuple(fit_workspace(part, data=data, mu=mu) for part in parts)
    significances = [fit.z0 for fit in fits if fit.z0 is not None]
    z0 = float(np.mean(significances)) if len(significances) == len(fits) else None
    length = float(np.mean([fit.mu_high - fit.mu_low for fit in fits]))
    return CrossFittedFit(fits, fit_workspace(frozen, data=data, mu=mu), z0, length)
