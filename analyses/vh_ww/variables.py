"""The variables of V(qq)H(WW): inputs of the network, which have bins, and what else regions cut on."""

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_ww.final_state import FinalState
from znought.analysis import ProcessStyle, Variable
from znought.errors import DataError

__all__ = ["FEATURES", "STYLES", "VARIABLES", "columns_of"]

# m_ττ where the collinear approximation has no solution: below every physical mass, and finite, so
# that networks and m_ττ < m_Z − 25 treat such events as "not a Z" without a special case.
M_TAUTAU_UNDEFINED = -1.0
M_SF_UNDEFINED = -1.0  # two leptons are of different flavour

VARIABLES = (
    Variable(
        "pt_l0",
        lambda o: o.visible.leptons[0].pt,
        bins=(50, 20.0, 220.0),
        label=r"$p_{T}^{\ell_{0}}$",
        unit="GeV",
    ),
    Variable(
        "pt_l1",
        lambda o: o.visible.leptons[1].pt,
        bins=(50, 15.0, 115.0),
        label=r"$p_{T}^{\ell_{1}}$",
        unit="GeV",
    ),
    Variable(
        "dphi_ll",
        lambda o: o.visible.dphi_ll,
        bins=(32, 0.0, np.pi),
        label=r"$\Delta\phi_{\ell\ell}$",
        unit="rad",
    ),
    Variable("dy_ll", lambda o: o.visible.dy_ll, bins=(40, 0.0, 4.0), label=r"$\Delta y_{\ell\ell}$"),
    Variable("m_ll", lambda o: o.visible.m_ll, bins=(60, 0.0, 300.0), label=r"$m_{\ell\ell}$", unit="GeV"),
    Variable(
        "pt_j0", lambda o: o.visible.jets[0].pt, bins=(50, 30.0, 330.0), label=r"$p_{T}^{j_{0}}$", unit="GeV"
    ),
    Variable(
        "pt_j1", lambda o: o.visible.jets[1].pt, bins=(50, 30.0, 180.0), label=r"$p_{T}^{j_{1}}$", unit="GeV"
    ),
    Variable(
        "dphi_jj", lambda o: o.visible.dphi_jj, bins=(32, 0.0, np.pi), label=r"$\Delta\phi_{jj}$", unit="rad"
    ),
    Variable("dy_jj", lambda o: o.visible.dy_jj, bins=(40, 0.0, 8.0), label=r"$\Delta y_{jj}$"),
    Variable("m_jj", lambda o: o.visible.m_jj, bins=(60, 0.0, 600.0), label=r"$m_{jj}$", unit="GeV"),
    Variable(
        "m_tautau",
        lambda o: o.m_tautau,
        bins=(62, -10.0, 300.0),
        label=r"$m_{\tau\tau}$",
        unit="GeV",
        undefined=M_TAUTAU_UNDEFINED,
    ),
    Variable("m_t", lambda o: o.m_t, bins=(60, 0.0, 300.0), label=r"$m_{T}$", unit="GeV"),
    Variable(
        "met_track",
        lambda o: np.hypot(*o.track),
        bins=(50, 0.0, 250.0),
        label=r"$E_{T}^{\mathrm{miss,\,track}}$",
        unit="GeV",
    ),
    Variable(
        "ht_soft", lambda o: o.ht_soft, bins=(60, 0.0, 1200.0), label=r"$H_{T}^{\mathrm{soft}}$", unit="GeV"
    ),
    Variable(
        "met_significance",
        lambda o: o.met_significance,
        bins=(50, 0.0, 20.0),
        label=r"$\mathcal{S}(E_{T}^{\mathrm{miss}})$",
    ),
    Variable(
        "pt_total_track",
        lambda o: o.pt_total_track,
        bins=(50, 0.0, 250.0),
        label=r"$p_{T}^{\mathrm{tot,\,track}}$",
        unit="GeV",
    ),
    Variable(
        "sum_m_lj",
        lambda o: o.visible.sum_m_lj,
        bins=(60, 0.0, 1500.0),
        label=r"$\sum m_{\ell j}$",
        unit="GeV",
    ),
    Variable("met", lambda o: np.hypot(*o.missing), label=r"$E_{T}^{\mathrm{miss}}$", unit="GeV"),
    Variable("n_jets", lambda o: o.visible.n_jets.astype(np.uint8), label=r"$N_{\mathrm{jets}}$"),
    Variable("n_b", lambda o: o.visible.n_b.astype(np.uint8), label=r"$N_{b}$"),
    Variable("n_leptons", lambda o: o.visible.n_leptons.astype(np.uint8), label=r"$N_{\ell}$"),
    Variable(
        "m_sf",
        lambda o: o.visible.m_sf,
        label=r"$m_{\ell\ell}^{\mathrm{same\,flavour}}$",
        unit="GeV",
        undefined=M_SF_UNDEFINED,
    ),
    Variable("same_sign", lambda o: o.visible.same_sign.astype(np.uint8), label="Same sign"),
)
FEATURES = tuple(variable.name for variable in VARIABLES if variable.is_binned)
"""Inputs of the network, in order."""


def columns_of(state: FinalState) -> dict[str, NDArray[np.generic]]:
    """Every variable by name, shape (n_events,): float32, or the whole numbers that they are."""
    return {variable.name: _column(variable, state) for variable in VARIABLES}


def _column(variable: Variable, state: FinalState) -> NDArray[np.generic]:
    assert variable.function is not None
    values: NDArray[np.generic] = variable.function(state)
    if not np.issubdtype(values.dtype, np.floating):
        return values
    if variable.undefined is not None:
        values = np.where(np.isnan(values), variable.undefined, values)
    if not np.isfinite(values).all():
        n_bad = np.count_nonzero(~np.isfinite(values))
        raise DataError(f"variable {variable.name!r} is no number for {n_bad} of {len(values)} events.")
    return values.astype(np.float32)


# Petroff's palette (arXiv:2107.02270): tells classes apart with any colour vision, and in grey.
STYLES = {
    "VH": ProcessStyle(r"$VH$", "#e42536"),
    "ggF": ProcessStyle(r"ggF", "#7a21dd"),
    "VBF": ProcessStyle(r"VBF", "#964a8b"),
    "top": ProcessStyle(r"Top", "#f89c20"),
    "Zjets": ProcessStyle(r"$Z/\gamma^{*}$+jets", "#9c9ca1"),
    "WW": ProcessStyle(r"$WW$", "#5790fc"),
    "WZ": ProcessStyle(r"$WZ$", "#92dadd"),
    "ZZ": ProcessStyle(r"$ZZ$", "#b9ac70"),
    "Wt": ProcessStyle(r"$Wt$", "#ffa90e"),
    "fakes": ProcessStyle(r"Misidentified", "#717581"),
    "diboson": ProcessStyle(r"$WZ$, $ZZ$", "#92dadd"),
    "Vgamma": ProcessStyle(r"$V\gamma$", "#a96b59"),
}
"""How processes and classes are written and coloured."""
