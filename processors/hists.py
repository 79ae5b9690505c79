"""Histograms of the inputs after the preselection, one per feature."""

from collections.abc import Mapping
from typing import Any

import hist
import numpy as np
from numpy.typing import NDArray

__all__ = ["AXES", "fill", "label"]

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


def fill(columns: Mapping[str, NDArray[Any]], weight: NDArray[np.float64]) -> dict[str, hist.Hist[Any]]:
    """One histogram of Σw and Σw² per feature."""
    filled: dict[str, hist.Hist[Any]] = {}
    for name, (bins, lower, upper, text) in AXES.items():
        axis = hist.axis.Regular(bins, lower, upper, name=name, label=text)
        filled[name] = hist.Hist(axis, storage=hist.storage.Weight())
        filled[name].fill(columns[name], weight=weight)
    return filled
