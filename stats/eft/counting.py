"""Significances of c̄ ≠ 0 events: what counts as signal, cuts on a network's output, luminosity, channels.

arXiv:1902.05803 takes the whole yield at c̄ ≠ 0 as signal on top of the standard-model VH yield. That does
not vanish for c̄ → 0: 175.84 events on 162.4 ± 81.2 give 1.65 with no network and hardly any effect. The
excess over the standard model gives 0.16. Both definitions are here; `excess` is the default.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.stats.significance import Scaling, asimov_z0, luminosity_scan, quadrature_sum

__all__ = [
    "CutScan",
    "SignalDefinition",
    "channel_z",
    "cut_scan",
    "luminosity_projection",
    "signal_and_background",
    "smeft_z",
]

Floats = NDArray[np.float64]
SignalDefinition = Literal["paper", "excess"]


def signal_and_background(
    vh: ArrayLike,
    vh_sm: ArrayLike,
    other: ArrayLike = 0.0,
    *,
    signal_definition: SignalDefinition = "excess",
) -> tuple[Floats, Floats]:
    """Signal and background events of a c̄ hypothesis.

    `excess`: s = VH(c̄) − VH(SM). `paper`: s = VH(c̄). In both b = VH(SM) + other.

    Args:
        vh: yields with the coefficient, shape (...,).
        vh_sm: yields of the standard model in the same bins.
        other: yields of what does not depend on the coefficient.
        signal_definition: which of the two.

    Raises:
        CardError: an unknown definition.

    >>> signal_and_background(175.84, 162.4, signal_definition="paper")
    (array(175.84), array(162.4))
    """
    if signal_definition not in get_args(SignalDefinition):
        raise CardError(unknown_name("signal_definition", signal_definition, get_args(SignalDefinition)))
    with_c, without = np.asarray(vh, dtype=np.float64), np.asarray(vh_sm, dtype=np.float64)
    background = without + np.asarray(other, dtype=np.float64)
    signal = with_c - without if signal_definition == "excess" else with_c + np.zeros_like(without)
    return np.asarray(signal), np.asarray(background)


def smeft_z(
    vh: ArrayLike,
    vh_sm: ArrayLike,
    other: ArrayLike = 0.0,
    *,
    sigma_rel: float = 0.5,
    signal_definition: SignalDefinition = "excess",
) -> Floats:
    """Asimov significance Z_A (Poisson auxiliary measurement) of each bin; a deficit gives 0.

    >>> float(smeft_z(175.84, 162.4, signal_definition="paper").round(6))
    1.654742
    >>> float(smeft_z(175.84, 162.4).round(2))
    0.16

    Raises:
        DataError: a background that is not positive.
        CardError: an unknown definition.

    References:
        Cowan, "Discovery sensitivity for a counting experiment with background uncertainty" (2012).
    """
    s, b = signal_and_background(vh, vh_sm, other, signal_definition=signal_definition)
    return asimov_z0(s, b, sigma_rel * b, auxiliary="poisson")


def channel_z(z_per_channel: ArrayLike) -> float:
    """Significance of channels that share neither events nor nuisance parameters: √Σ Z².

    Raises:
        DataError: no channel, or a significance that is not finite.

    >>> channel_z([3.0, 4.0])
    5.0
    """
    z = np.atleast_1d(np.asarray(z_per_channel, dtype=np.float64))
    if not len(z) or not np.isfinite(z).all():
        raise DataError(f"Expected finite significances of at least one channel. Received: {z.tolist()}.")
    return quadrature_sum(z)


@dataclass(frozen=True)
class CutScan:
    """Z_A of "score above a cut", for every cut that leaves enough background."""

    cuts: Floats
    """Lowest score kept, shape (n_cuts,)."""
    signal: Floats
    """Events above each cut, by the signal definition."""
    background: Floats
    background_effective_entries: Floats
    """(Σw)²/Σw² of the background above each cut."""
    z: Floats
    signal_definition: SignalDefinition

    def __post_init__(self) -> None:
        shapes = {len(getattr(self, name)) for name in ("cuts", "signal", "background", "z")}
        if shapes != {len(self.cuts)} or not len(self.cuts):
            raise DataError("Expected as many yields as cuts, and at least one.")

    @property
    def best(self) -> int:
        """Index of the cut with the largest Z_A: quote its Z from other events than these."""
        return int(np.argmax(self.z))

    def at(self, cut: float) -> int:
        """Index of a cut, as one tuned on other events; the loosest below it where this scan lacks it."""
        return max(int(np.searchsorted(self.cuts, cut, side="right")) - 1, 0)


def cut_scan(
    scores: ArrayLike,
    vh: ArrayLike,
    vh_sm: ArrayLike,
    other: ArrayLike = 0.0,
    *,
    cuts: ArrayLike,
    sigma_rel: float = 0.5,
    min_background: float = 3.0,
    signal_definition: SignalDefinition = "excess",
) -> CutScan:
    """Z_A against a cut on the output; cuts that leave less than `min_background` events are left out.

    Without that bound the largest Z_A sits where the background runs out of events: the 31.5 of
    arXiv:1902.05803 has b ≈ 0.2.

    Args:
        scores: network output, shape (n_events,).
        vh: event weights at c̄, zero for events that are not VH, shape (n_events,).
        vh_sm: weights of the same events in the standard model.
        other: weights of what does not depend on c̄, zero for VH.
        cuts: lowest scores to try.
        sigma_rel: relative systematic uncertainty of the background.
        min_background: least expected background above a cut, events; above zero.
        signal_definition: see `signal_and_background`.

    Raises:
        DataError: no cut leaves the minimum background; shapes differ; values not finite.
        CardError: a minimum that is not positive; an unknown definition.
    """
    if not min_background > 0.0:
        raise CardError(f"Expected min_background > 0. Received: {min_background}.")
    x = _finite(scores, "scores")
    columns = [_finite(np.broadcast_to(w, x.shape), "weights") for w in (vh, vh_sm, other)]
    order = np.argsort(x)
    thresholds = np.sort(np.asarray(cuts, dtype=np.float64))
    first = np.searchsorted(x[order], thresholds)
    columns.append((columns[1] + columns[2]) ** 2)
    above = [np.append(np.cumsum(w[order][::-1])[::-1], 0.0)[first] for w in columns]
    kept = above[1] + above[2] >= min_background
    if not kept.any():
        raise DataError(f"No cut leaves {min_background:g} events of background.")
    with_c, without, rest, sumw2 = (w[kept] for w in above)
    s, b = signal_and_background(with_c, without, rest, signal_definition=signal_definition)
    return CutScan(
        cuts=thresholds[kept],
        signal=s,
        background=b,
        background_effective_entries=b**2 / sumw2,
        z=asimov_z0(s, b, sigma_rel * b, auxiliary="poisson"),
        signal_definition=signal_definition,
    )


def _finite(values: ArrayLike, what: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not np.isfinite(array).all():
        raise DataError(f"Expected finite {what}, one per event. Received shape: {array.shape}.")
    return array


def luminosity_projection(
    signal: ArrayLike,
    background: ArrayLike,
    *,
    lumi_ifb: float,
    luminosities_ifb: Sequence[float],
    sigma_rel: float = 0.5,
    scaling: Scaling = "fixed",
) -> Floats:
    """Z_A at other luminosities for yields given at `lumi_ifb`: shape (n_luminosities,).

    Bins combine in quadrature. `fixed` keeps the relative systematic; `inverse_sqrt` lets it fall as
    1/√L from its value at `lumi_ifb`.

    Raises:
        DataError: a luminosity or background that is not positive.

    >>> luminosity_projection(13.44, 162.4, lumi_ifb=80, luminosities_ifb=[80, 3000]).round(3).tolist()
    [0.159, 0.161]
    >>> luminosity_projection(
    ...     13.44, 162.4, lumi_ifb=80, luminosities_ifb=[80, 3000], scaling="inverse_sqrt"
    ... ).round(3).tolist()
    [0.159, 0.975]
    """
    if not lumi_ifb > 0.0:
        raise DataError(f"Expected a positive luminosity. Received: {lumi_ifb}.")
    factors = np.asarray(luminosities_ifb, dtype=np.float64) / lumi_ifb
    return luminosity_scan(
        signal, background, factors, sigma_rel=sigma_rel, scaling=scaling, auxiliary="poisson"
    )
