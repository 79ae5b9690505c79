"""Sums of floating-point numbers without rounding, so that neither chunking nor order changes a digit."""

from dataclasses import dataclass
from fractions import Fraction
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError

__all__ = ["ZERO", "ExactSum", "exact_sums"]

# Every finite double is an integer multiple of 2^-1074, the smallest subnormal.
_UNIT_EXPONENT = 1074
_LARGEST_EXPONENT = 1023


@dataclass(frozen=True)
class ExactSum:
    """A sum of doubles held as an integer number of units of 2^-1074.

    Attributes:
        units: the sum in units of 2^-1074.

    >>> total = ExactSum.of(0.1) + ExactSum.of(0.2) + ExactSum.of(-0.1) + ExactSum.of(-0.2)
    >>> float(total), float(ExactSum.of(1e300) + ExactSum.of(1.0) + ExactSum.of(-1e300))
    (0.0, 1.0)
    """

    units: int = 0

    @classmethod
    def of(cls, value: float) -> "ExactSum":
        """The sum that holds one finite number.

        Raises:
            DataError: the number is not finite.
        """
        if not isfinite(value):
            raise DataError(f"Expected a finite sum of weights; received {float(value)}.")
        numerator, denominator = float(value).as_integer_ratio()
        return cls(numerator * (1 << _UNIT_EXPONENT) // denominator)

    def __add__(self, other: "ExactSum") -> "ExactSum":
        return ExactSum(self.units + other.units)

    def __sub__(self, other: "ExactSum") -> "ExactSum":
        return ExactSum(self.units - other.units)

    def __float__(self) -> float:
        """The nearest double to the exact sum."""
        return float(Fraction(self.units, 1 << _UNIT_EXPONENT))


ZERO = ExactSum()


def exact_sums(
    values: NDArray[np.float64], group: NDArray[np.integer], n_groups: int
) -> tuple[ExactSum, ...]:
    """Exact sum of the values of each group, by splitting off leading digits until nothing is left.

    Args:
        values: finite numbers, shape (n,).
        group: group of each value in [0, n_groups), shape (n,).
        n_groups: how many sums to return.

    Raises:
        DataError: a value is not finite.

    >>> [float(total) for total in exact_sums(np.array([0.1, 2.0, -0.1]), np.array([0, 1, 0]), 3)]
    [0.0, 2.0, 0.0]
    """
    if not np.isfinite(values).all():
        message = f"Weights must be finite; {int((~np.isfinite(values)).sum())} of {len(values)} are not."
        raise DataError(message)
    totals = [0] * n_groups
    rest = np.asarray(values, np.float64)
    while len(rest) and (largest := float(np.abs(rest).max())) > 0.0:
        exponent = int(np.frexp(largest)[1]) + len(rest).bit_length()
        if exponent > _LARGEST_EXPONENT:
            return _one_by_one(values, group, n_groups)
        # Adding and subtracting a power of two leaves the leading digits of each value, all multiples of one
        # unit and few enough for their sum to be exact; what is left of each value is exact too.
        power = np.ldexp(1.0, exponent)
        leading = (rest + power) - power
        for i, total in enumerate(np.bincount(group, weights=leading, minlength=n_groups)):
            totals[i] += ExactSum.of(total).units
        rest = rest - leading
    return tuple(ExactSum(units) for units in totals)


def _one_by_one(
    values: NDArray[np.float64], group: NDArray[np.integer], n_groups: int
) -> tuple[ExactSum, ...]:
    """The same for numbers that leave no room above them."""
    totals = [0] * n_groups
    for value, i in zip(values.tolist(), group.tolist(), strict=True):
        totals[i] += ExactSum.of(value).units
    return tuple(ExactSum(units) for units in totals)
