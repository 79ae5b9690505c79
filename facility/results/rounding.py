"""Yields as tables write them: never a small one as nothing."""

import math

__all__ = ["with_error", "written"]

_MOST_DECIMALS = 9


def written(value: float) -> str:
    """A yield with one decimal, or the two leading digits of one that would be rounded away.

    >>> written(1234.56), written(0.0069123), written(0.0)
    ('1,234.6', '0.0069', '0.0')
    """
    return f"{value:,.{_decimals(value)}f}"


def with_error(value: float, error: float) -> str:
    """A yield and its error, with one decimal or as many as a small error has leading digits.

    >>> with_error(560.61, 53.2), with_error(0.00691, 0.0031)
    ('560.6 ± 53.2', '0.0069 ± 0.0031')
    """
    decimals = _decimals(error or value)
    return f"{value:,.{decimals}f} ± {error:,.{decimals}f}"


def _decimals(scale: float) -> int:
    """As many as two leading digits need below 0.1; one from there on, and for nothing at all."""
    if not 0.0 < abs(scale) < 0.1 or not math.isfinite(scale):
        return 1
    return min(1 - math.floor(math.log10(abs(scale))), _MOST_DECIMALS)
