"""Efficiencies of the b-tag in simulation, and what they make of a scale factor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.corrections import correction, evaluated_correction

__all__ = ["EFFICIENCY", "Efficiency", "tag_factors"]

Floats = NDArray[np.float64]
Values = Callable[[str], NDArray[Any]]

EFFICIENCY = "btag_efficiency"
"""Name of the correction (sample, flavor, abseta, pt) of a file of efficiencies."""
_VARIABLES: Mapping[str, str] = {"flavor": "flavour", "abseta": "abs_eta", "pt": "pt"}


@dataclass(frozen=True)
class Efficiency:
    """Share of the jets of a sample that are tagged, by flavour, |η| and pT.

    Attributes:
        file: of correctionlib, with a correction `btag_efficiency` (sample, flavor, abseta, pt).
        sample: value of its first input.
    """

    file: str
    sample: str

    def of_jets(self, given: Values, n_jets: int) -> Floats:
        """ε of each jet, shape (n_jets,).

        Raises:
            DataError: the file has none for the sample, or one outside [0, 1].
        """
        arguments = {
            item.name: self.sample if item.name == "sample" else given(_VARIABLES[item.name])
            for item in correction(self.file, EFFICIENCY).inputs
        }
        found = evaluated_correction(self.file, EFFICIENCY, arguments, n_jets)
        if n_jets and (found.min() < 0.0 or found.max() > 1.0):
            raise DataError(
                f"{Path(self.file).name}: efficiencies of sample {self.sample!r} reach from "
                f"{found.min():.4g} to {found.max():.4g}, expected 0 to 1."
            )
        return found


def tag_factors(scale: Floats, efficiency: Floats, is_tagged: NDArray[Any]) -> Floats:
    """f of tagged jets, (1 − f ε)/(1 − ε) of the others, shape (n_jets,).

    A jet that is always tagged has left no other to correct: 1 for ε = 1.

    References:
        CMS BTV, https://btv-wiki.docs.cern.ch/PerformanceCalibration/fixedWPSFRecommendations/
        (method 1a).

    >>> tag_factors(np.array([0.9, 0.9]), np.array([0.5, 0.5]), np.array([True, False])).round(9).tolist()
    [0.9, 1.1]
    """
    scaled = np.clip(efficiency * scale, 0.0, 1.0)
    other = np.divide(1.0 - scaled, 1.0 - efficiency, out=np.ones(len(scale)), where=efficiency < 1.0)
    return np.where(is_tagged, scale, other)
