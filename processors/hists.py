"""Histograms of the inputs after the preselection, one per feature."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

__all__ = ["AXES", "Tally", "label"]

# name → (bins, lower, upper, label); overflow and underflow are kept.
AXES: Mapping[str, tuple[int, float, float, str]] = {
    "pt_l0": (50, 20.0, 220.0, r"$p_\mathrm{T}^{\ell_0}$ [GeV]"),
    "pt_l1": (50, 15.0, 115.0, r"$p_\mathrm{T}^{\ell_1}$ [GeV]"),
    "dphi_ll": (32, 0.0, np.pi, r"$|\Delta\phi_{\ell\ell}|$"),
    "dy_ll": (40, 0.0, 4.0, r"$|\Delta y_{\ell\ell}|$"),
    "m_ll": (60, 0.0, 300.0, r"$m_{\ell\ell}$ [GeV]"),
    "pt_j0": (50, 30.0, 330.0, r"$p_\mathrm{T}^{j_0}$ [GeV]"),
    "pt_j1": (50, 30.0, 180.0, r"$p_\mathrm{T}^{j_1}$ [GeV]"),
    "dphi_jj": (32, 0.0, np.pi, r"$|\Delta\phi_{jj}|$"),
    "dy_jj": (40, 0.0, 8.0, r"$|\Delta y_{jj}|$"),
    "m_jj": (60, 0.0, 600.0, r"$m_{jj}$ [GeV]"),
    "m_tautau": (62, -10.0, 300.0, r"$m_{\tau\tau}$ [GeV]"),
    "m_t": (60, 0.0, 300.0, r"$m_\mathrm{T}$ [GeV]"),
    "met_track": (50, 0.0, 250.0, r"$E_\mathrm{T}^\mathrm{miss,track}$ [GeV]"),
    "ht_soft": (60, 0.0, 1200.0, r"$H_\mathrm{T}^\mathrm{soft}$ [GeV]"),
    "met_significance": (50, 0.0, 20.0, r"$E_\mathrm{T}^\mathrm{miss}$ significance"),
    "pt_total_track": (50, 0.0, 250.0, r"$p_\mathrm{T}^\mathrm{tot,track}$ [GeV]"),
    "sum_m_lj": (60, 0.0, 1500.0, r"$\Sigma\,m_{\ell j}$ [GeV]"),
}


def label(name: str) -> str:
    """Axis label of a feature."""
    return AXES[name][3]


_BINS, _LOWER, _WIDTH = (
    np.array(values, np.float64)[:, np.newaxis]
    for values in zip(*((bins, lower, upper - lower) for bins, lower, upper, _ in AXES.values()), strict=True)
)
_SIZES = [bins + 2 for bins, _, _, _ in AXES.values()]
# Column of each feature's first bin, which is its underflow.
_FIRST = np.cumsum([0, *_SIZES])


@dataclass(frozen=True)
class Tally:
    """Σw and Σw² in every bin of every feature: cheap to fill, to send and to add, chunk by chunk.

    Attributes:
        sums: Σw in the first row and Σw² in the second, features side by side in the order of `AXES`, each
            with underflow and overflow, shape (2, n_bins).
    """

    sums: NDArray[np.float64]

    @classmethod
    def filled(cls, columns: Mapping[str, NDArray[Any]], weight: NDArray[np.float64]) -> "Tally":
        """Tally of the events with these features and weights.

        >>> tally = Tally.filled({name: np.array([40.0]) for name in AXES}, np.array([0.5]))
        >>> float(tally.histograms()["m_ll"][40j].value), tally.sums.sum(axis=1).tolist()
        (0.5, [8.5, 4.25])
        """
        values = np.array([columns[name] for name in AXES], np.float64)
        # Bins as boost-histogram has them, to the last digit of the edges; what is no number is overflow.
        place = np.floor((values - _LOWER) / _WIDTH * _BINS)
        bins = (np.fmax(np.fmin(place, _BINS), -1.0) + 1.0).astype(np.int64) + _FIRST[:-1, np.newaxis]
        sums = [
            np.bincount(bins.ravel(), np.tile(w, len(AXES)), minlength=_FIRST[-1])
            for w in (weight, weight * weight)
        ]
        return cls(np.array(sums, np.float64))

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.sums + other.sums)

    def histograms(self) -> dict[str, hist.Hist[Any]]:
        """One histogram per feature."""
        found: dict[str, hist.Hist[Any]] = {}
        for (name, (bins, lower, upper, text)), first, size in zip(
            AXES.items(), _FIRST[:-1], _SIZES, strict=True
        ):
            axis = hist.axis.Regular(bins, lower, upper, name=name, label=text)
            found[name] = hist.Hist(axis, storage=hist.storage.Weight())
            found[name].view(flow=True)[...] = self.sums[:, first : first + size].T
        return found
