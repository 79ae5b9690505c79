"""Sums of floating-point numbers without rounding, so that neither chunking nor order changes a digit."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError

__all__ = ["ZERO", "ExactSum", "exact_sums"]

# Every finite double is an integer multiple of 2^-1074, the smallest subnormal.
_UNIT_EXPONENT = 1074
_LOW_BITS = 26


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
        """The sum that holds one finite number."""
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
    """Exact sum of the values of each group, from integer mantissas.

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
    if len(values) == 0:
        return (ExactSum(),) * n_groups
    fraction, exponent = np.frexp(values)
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    shift = exponent.astype(np.int64) + (_UNIT_EXPONENT - 53)
    mantissa >>= np.maximum(-shift, 0)  # subnormals: the bits dropped are zeros
    shift = np.maximum(shift, 0)
    lowest = int(shift.min())
    span = int(shift.max()) - lowest + 1
    cell = np.asarray(group, np.int64) * span + (shift - lowest)
    # Halves of 27 bits add without rounding in the doubles of bincount for up to 2^26 values.
    low = np.bincount(cell, weights=mantissa & ((1 << _LOW_BITS) - 1), minlength=n_groups * span)
    high = np.bincount(cell, weights=mantissa >> _LOW_BITS, minlength=n_groups * span)
    return tuple(_combine(low[i * span :][:span], high[i * span :][:span], lowest) for i in range(n_groups))


def _combine(low: NDArray[np.number], high: NDArray[np.number], lowest: int) -> ExactSum:
    """One big integer from the partial sums of each binary exponent."""
    filled = np.flatnonzero((low != 0.0) | (high != 0.0))
    units = sum(((int(high[i]) << _LOW_BITS) + int(low[i])) << (lowest + int(i)) for i in filled)
    return ExactSum(units)
