"""Normalisation, once and afterwards: what one unit of generator weight is worth in events."""

from dataclasses import dataclass
from math import sqrt

from znought.errors import DataError
from znought.processors.dialects.sums import GeneratedSums

__all__ = ["Normalisation", "normalise"]

_FB_PER_PB = 1e3
_LARGEST_SCALE = 1e100  # squares of weights stay finite below it


@dataclass(frozen=True)
class Normalisation:
    """Scale of one simulated dataset.

    Attributes:
        scale: event_weight = gen_weight × scale.
        sumw: signed sum of generator weights over all generated events.
        sumw2: sum of their squares.
        n_generated: generated events after the generator filter.
        filter_efficiency: the one used.
        relative_error: statistical error of the scale, from Σw and the counted filter efficiency.
        effective_events: (Σw)² / Σw².
    """

    scale: float
    sumw: float
    sumw2: float
    n_generated: int
    filter_efficiency: float
    relative_error: float
    effective_events: float


def normalise(
    sums: GeneratedSums | None,
    *,
    dataset: str,
    lumi_ifb: float,
    xsec_pb: float,
    k_factor: float = 1.0,
    filter_efficiency: float | None = None,
) -> Normalisation:
    """Scale L σ k ε / Σw of a simulated dataset.

    Args:
        sums: over all generated events of all files of the dataset.
        dataset: its name, for messages.
        lumi_ifb: integrated luminosity in fb⁻¹.
        xsec_pb: cross section in pb.
        k_factor: ratio of the cross section wanted to the one given.
        filter_efficiency: of the generator filter; None takes accepted / attempted as counted in the files,
            or 1 if they count no attempts.

    Raises:
        DataError: the dataset has no Σw, or it is not positive; or the cross section is not positive.

    >>> from znought.processors.exact import ExactSum
    >>> sums = GeneratedSums(100, ExactSum.of(50.0), ExactSum.of(25.0), 400)
    >>> normalise(sums, dataset="VH", lumi_ifb=1.0, xsec_pb=2.0).scale
    10.0
    """
    if sums is None:
        message = (
            f"Dataset {dataset!r}: a file lacks its sum of generated weights, so nothing can be normalised: "
            f"give datasets.{dataset}.generated_sumw, the signed sum over all generated events of all its "
            "files."
        )
        raise DataError(message)
    sumw, sumw2 = float(sums.sumw), float(sums.sumw2)
    if sumw <= 0.0:
        message = f"Dataset {dataset!r} has a sum of generated weights of {sumw:g}, expected a positive one."
        raise DataError(message)
    if not xsec_pb > 0.0:
        message = f"Dataset {dataset!r} needs a positive cross section xsec_pb; received {xsec_pb}."
        raise DataError(message)
    efficiency, efficiency_error = _filter(sums, filter_efficiency)
    scale = lumi_ifb * _FB_PER_PB * xsec_pb * k_factor * efficiency / sumw
    if not 0.0 < scale < _LARGEST_SCALE:
        message = (
            f"Dataset {dataset!r}: L σ k ε / Σw is {scale:g}, of {lumi_ifb:g} fb⁻¹, {xsec_pb:g} pb, k "
            f"{k_factor:g}, "
            f"ε {efficiency:g} and Σw {sumw:g}: one of these is not meant."
        )
        raise DataError(message)
    return Normalisation(
        scale=scale,
        sumw=sumw,
        sumw2=sumw2,
        n_generated=sums.n_events,
        filter_efficiency=efficiency,
        relative_error=sqrt(efficiency_error**2 + _spread(sums, sumw, sumw2)),
        effective_events=sumw**2 / sumw2 if sumw2 > 0.0 else float(sums.n_events),
    )


def _filter(sums: GeneratedSums, given: float | None) -> tuple[float, float]:
    """Filter efficiency and its relative binomial error."""
    if given is not None:
        return given, 0.0
    if not sums.n_attempted or sums.n_events == 0:
        return 1.0, 0.0
    efficiency = sums.n_events / sums.n_attempted
    return efficiency, sqrt((1.0 - efficiency) / sums.n_events)


def _spread(sums: GeneratedSums, sumw: float, sumw2: float) -> float:
    """Squared relative error of the mean weight: 0 for equal weights."""
    if sums.n_events < 2 or sumw2 <= 0.0:
        return 0.0
    return max(sumw2 / sumw**2 - 1.0 / sums.n_events, 0.0)
