"""What the members of a set of generator weights are, read from the titles that ntuples give them.

The order is no convention: NanoAOD files of different versions list initial- and final-state shower weights
in different orders, and say so in the branch's title.
"""

import re

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError

__all__ = ["lha_ids", "scale_points", "shower_points"]

Floats = NDArray[np.float64]

_NUMBER = r"([0-9.]+(?:[EeDd][+-]?[0-9]+)?)"
_SCALES = re.compile(
    rf"\[(\d+)\] is (?:muR|MUR|renscfact)=\"?{_NUMBER}\"? +(?:muF|MUF|facscfact)=\"?{_NUMBER}\"?"
)
_SHOWERS = re.compile(rf"\[(\d+)\] is ISR={_NUMBER} +FSR={_NUMBER}")
_IDS = re.compile(r"LHA IDs (\d+) - (\d+)")


def scale_points(title: str) -> Floats:
    """μ_R and μ_F of every scale weight in units of the nominal's, shape (n_weights, 2).

    Raises:
        DataError: the title does not say.

    >>> scale_points("w_var / w_nominal; [0] is muR=0.5 muF=1 ; [1] is muR=1 muF=1").tolist()
    [[0.5, 1.0], [1.0, 1.0]]
    """
    return _points(title, _SCALES, "scale")


def shower_points(title: str) -> Floats:
    """Scale factors of initial- and final-state shower of every weight, shape (n_weights, 2).

    Raises:
        DataError: the title does not say.

    >>> shower_points("PS weights; [0] is ISR=2 FSR=1; [1] is ISR=1 FSR=0.5").tolist()
    [[2.0, 1.0], [1.0, 0.5]]
    """
    return _points(title, _SHOWERS, "shower")


def lha_ids(title: str) -> tuple[int, ...]:
    """LHAPDF numbers of the weights of parton distributions, in order.

    Raises:
        DataError: the title does not say.

    >>> lha_ids("LHE pdf variation weights (w_var / w_nominal) for LHA IDs 91400 - 91402")
    (91400, 91401, 91402)
    """
    found = _IDS.search(title)
    if found is None:
        raise DataError(f"the title of the weights names no LHA IDs. Received: {title!r}.")
    first, last = (int(number) for number in found.groups())
    return tuple(range(first, last + 1))


def _points(title: str, pattern: re.Pattern[str], what: str) -> Floats:
    rows = [(int(i), _number(a), _number(b)) for i, a, b in pattern.findall(title)]
    if not rows or [i for i, _, _ in rows] != list(range(len(rows))):
        raise DataError(
            f"the title of the {what} weights must say what each is, from [0] on. Received: {title!r}."
        )
    return np.array([row[1:] for row in rows])


def _number(text: str) -> float:
    """Fortran's 0.5d0 too."""
    return float(text.replace("d", "e").replace("D", "e"))
