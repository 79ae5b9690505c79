"""Profile-likelihood significances with pyhf: systematics correlated between bins."""

import logging
import warnings
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pyhf

from znought.errors import DataError
from znought.stats.minimum import fit_at
from znought.stats.significance import Auxiliary, asimov_z0, background_error, quadrature_sum
from znought.stats.yields import Yields

__all__ = ["ProfileZ", "empty_backgrounds", "expected_z0", "pyhf_session", "z0_of", "z_profile"]

GAP_SENTENCE = (
    "The quadrature sum lets the background err independently in every bin, the profile likelihood "
    "moves all bins together: correlated bins cannot be averaged against each other, but bins "
    "without signal measure the common error."
)


@dataclass(frozen=True)
class ProfileZ:
    """The expected significance of the same bins under two views of the background's uncertainty."""

    correlated: float
    """Profile likelihood, one normalisation common to all bins."""
    quadrature: float
    """Sum in quadrature over bins, uncorrelated normalisations."""
    sigma_rel: float
    mc_stat: bool
    """Whether both include the MC-statistical error of the background."""

    def to_dict(self) -> dict[str, object]:
        """Plain values, ready for JSON, with the reason for the gap."""
        return {
            "correlated": self.correlated,
            "quadrature": self.quadrature,
            "sigma_rel": self.sigma_rel,
            "mc_stat": self.mc_stat,
            "explanation": GAP_SENTENCE,
        }


@contextmanager
def pyhf_session() -> Iterator[None]:
    """pyhf on numpy with Minuit; the caller's backend comes back afterwards."""
    tensorlib, optimizer = pyhf.get_backend()
    log = logging.getLogger("pyhf")
    level = log.level
    # A fit that fails is tried again or raised; pyhf would also log the whole minimiser.
    log.setLevel(logging.CRITICAL)
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-3))
    try:
        with warnings.catch_warnings():
            # pyhf 0.7.6 validates with a class that jsonschema has since deprecated.
            warnings.filterwarnings("ignore", "jsonschema.RefResolver", DeprecationWarning)
            yield
    finally:
        pyhf.set_backend(tensorlib, optimizer)
        log.setLevel(level)


def z_profile(
    yields: Yields,
    signal: Collection[str],
    *,
    sigma_rel: float = 0.10,
    mc_stat: bool = False,
    auxiliary: Auxiliary = "gaussian",
) -> ProfileZ:
    """Correlated expected significance of binned yields beside the quadrature sum.

    Args:
        yields: every process that is not signal is background.
        signal: names of the signal processes.
        sigma_rel: relative uncertainty of the background, one Gaussian-constrained normalisation
            for all processes and bins.
        mc_stat: add the MC-statistical error of the background, independent between bins.
        auxiliary: of the quadrature sum.

    Raises:
        DataError: no signal or no background process, or a bin without positive background.
    """
    s, _ = yields.total(signal)
    others = [process for process in yields.processes if process not in signal]
    b, sumw2 = yields.total(others)
    if not signal or not others:
        raise DataError(f"signal and background are needed. Processes: {', '.join(yields.processes)}.")
    error = background_error(b, sigma_rel=sigma_rel, sumw2=sumw2 if mc_stat else None)
    quadrature = quadrature_sum(asimov_z0(s, b, error, auxiliary=auxiliary))
    if not np.any(s > 0):
        return ProfileZ(0.0, quadrature, sigma_rel, mc_stat)
    samples = [_sample("signal", np.maximum(s, 0.0), [{"name": "mu", "type": "normfactor", "data": None}])]
    # Negative bins of a process would break the likelihood; the sum is positive, and with one
    # common normalisation only the sum matters.
    modifiers: list[dict[str, object]] = []
    if sigma_rel > 0:
        shifted = {"lo_data": ((1 - sigma_rel) * b).tolist(), "hi_data": ((1 + sigma_rel) * b).tolist()}
        modifiers.append({"name": "background_norm", "type": "histosys", "data": shifted})
    if mc_stat:
        modifiers.append({"name": "mc_stat", "type": "staterror", "data": np.sqrt(sumw2).tolist()})
    samples.append(_sample("background", b, modifiers))
    with pyhf_session():
        model = pyhf.Model({"channels": [{"name": "signal_region", "samples": samples}]}, poi_name="mu")
    return ProfileZ(expected_z0(model), quadrature, sigma_rel, mc_stat)


def expected_z0(model: pyhf.Model, *, mu: float = 1.0) -> float:
    """sqrt(q0) on the Asimov data of signal strength ``mu``."""
    parameters = list(model.config.suggested_init())
    parameters[model.config.poi_index] = mu
    with pyhf_session():
        return z0_of(model, np.asarray(model.expected_data(parameters)).tolist())


def z0_of(model: pyhf.Model, data: list[float]) -> float:
    """sqrt(q0), eq. (12) of arXiv:1007.1727; call it within `pyhf_session`.

    Raises:
        DataError: a bin without background, or a fit that did not converge.
    """
    for where in empty_backgrounds(model):
        raise DataError(f"{where} expects no background: no significance exists.")
    poi = model.config.poi_index
    free = fit_at(model, data, errors=False)
    if free.values[poi] <= 0:
        return 0.0
    without = fit_at(model, data, fixed={poi: 0.0}, start=free.values, errors=False)
    return float(np.sqrt(max(without.nll - free.nll, 0.0)))


def empty_backgrounds(model: pyhf.Model) -> list[str]:
    """Bins that expect events only with signal, each as ``bin 2 of region SR``; within `pyhf_session`."""
    point = list(model.config.suggested_init())
    point[model.config.poi_index] = 0.0
    expected = np.asarray(model.expected_data(point, include_auxdata=False))
    slices = model.config.channel_slices
    return [
        f"bin {i} of region {name}"
        for name in model.config.channels
        for i in np.flatnonzero(expected[slices[name]] <= 0)
    ]


def _sample(name: str, values: np.ndarray, modifiers: list[dict[str, object]]) -> dict[str, object]:
    return {"name": name, "data": values.tolist(), "modifiers": modifiers}
