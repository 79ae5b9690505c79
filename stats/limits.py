"""CLs upper limits on mu from a pyhf workspace."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.stats import norm

from znought.errors import DataError
from znought.stats.inference import DataKind, loaded_model
from znought.stats.minimum import fit_at, sensitivity
from znought.stats.workspace import Spec

__all__ = ["Limit", "cls_limit"]

Floats = NDArray[np.float64]
_ALPHA = 0.05
BANDS = (-2.0, -1.0, 0.0, 1.0, 2.0)
_MAX_POINTS = 40
_RISE = 0.4


@dataclass(frozen=True)
class Limit:
    """95 % CLs upper limits on mu."""

    observed: float
    expected: tuple[float, float, float, float, float]
    """At −2, −1, 0, 1, 2 standard deviations of the background-only hypothesis, unless others were asked."""


def cls_limit(
    spec: Spec,
    *,
    data: DataKind = "expected",
    mu: float = 0.0,
    sigmas: tuple[float, float, float, float, float] = BANDS,
) -> Limit:
    """95 % CLs upper limits with the asymptotic distribution of q̃_mu.

    mu is scanned upwards so that sqrt(q_A) rises by about 0.4 a step. The expected limits are where
    sqrt(q_A), on the background-only Asimov data, reaches Φ⁻¹(1 − αΦ(N)) + N, eq. (89) with CLs;
    the observed one where CLs falls through α. Two fits per point, interpolated.

    Args:
        spec: a pyhf workspace.
        data: what the observed limit is for: Asimov data of ``mu``, or the observations.
        mu: of these Asimov data.
        sigmas: standard deviations of the expected limits, rising.

    Raises:
        CardError: an unknown kind of data.
        DataError: a fit did not converge, or CLs never falls below 5 %.

    References:
        Cowan, Cranmer, Gross, Vitells, arXiv:1007.1727; Read, J. Phys. G 28 (2002) 2693.
    """
    bands = np.array(sigmas)
    targets = norm.isf(_ALPHA * norm.cdf(bands)) + bands
    with loaded_model(spec, data, mu) as (model, counts):
        poi = model.config.poi_index
        free = fit_at(model, counts, lowest_mu=0.0)
        without = fit_at(model, counts, fixed={poi: 0.0}, start=free.values)
        asimov = np.asarray(model.expected_data(without.values.tolist())).tolist()
        reference = fit_at(model, asimov)
        scan, root_q, root_a = [0.0], [0.0], [0.0]
        # At its bound, where a bin expects nothing else, mu has no symmetric error.
        start = np.array(model.config.suggested_init(), dtype=np.float64)
        step = _RISE * (reference.errors[poi] or sensitivity(model, start)[poi])
        while root_a[-1] <= targets[-1] or _ln_cls(root_q[-1], root_a[-1]) > np.log(_ALPHA):
            if len(scan) == _MAX_POINTS:
                raise DataError(f"no 95 % CLs limit on mu below {scan[-1]:.3g}.")
            scan.append(scan[-1] + step)
            held = {poi: scan[-1]}
            at_asimov = fit_at(model, asimov, fixed=held, start=reference.values, errors=False).nll
            root_a.append(float(np.sqrt(max(at_asimov - reference.nll, 0.0))))
            step *= np.clip(_RISE / max(root_a[-1] - root_a[-2], 1e-3), 0.3, 3.0)
            above = scan[-1] > free.values[poi]
            q = 0.0
            if above:
                q = fit_at(model, counts, fixed=held, start=free.values, errors=False).nll - free.nll
            root_q.append(float(np.sqrt(max(q, 0.0))))
    values = np.array(scan)
    expected = [_where(values, np.array(root_a), target) for target in targets]
    ln_cls = np.array([_ln_cls(q, a) for q, a in zip(root_q, root_a, strict=True)])
    observed = _where(values, -ln_cls, -np.log(_ALPHA))
    return Limit(observed, (expected[0], expected[1], expected[2], expected[3], expected[4]))


def _ln_cls(root_q: float, root_a: float) -> float:
    """ln CLs of q̃, eqs. (65) and (66)."""
    if root_a == 0:
        return 0.0
    shift = root_q - root_a if root_q <= root_a else (root_q**2 - root_a**2) / (2 * root_a)
    return float(norm.logsf(shift + root_a) - norm.logsf(shift))


def _where(scan: Floats, rising: Floats, target: float) -> float:
    """Where a rising quantity passes the target."""
    rises = np.concatenate([[True], np.diff(np.maximum.accumulate(rising)) > 0])
    return float(PchipInterpolator(rising[rises], scan[rises])(target))
