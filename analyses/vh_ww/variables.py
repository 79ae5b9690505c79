"""The variables of V(qq)H(WW): the 17 inputs of the network, and what regions may cut on beside them."""

import numpy as np

from znought.analyses.vh_ww.features import M_TAUTAU_UNDEFINED
from znought.analysis import ProcessStyle, Variable

__all__ = ["STYLES", "VARIABLES"]

VARIABLES = (
    Variable("pt_l0", bins=(50, 20.0, 220.0), label=r"$p_{T}^{\ell_{0}}$", unit="GeV"),
    Variable("pt_l1", bins=(50, 15.0, 115.0), label=r"$p_{T}^{\ell_{1}}$", unit="GeV"),
    Variable("dphi_ll", bins=(32, 0.0, np.pi), label=r"$\Delta\phi_{\ell\ell}$", unit="rad"),
    Variable("dy_ll", bins=(40, 0.0, 4.0), label=r"$\Delta y_{\ell\ell}$"),
    Variable("m_ll", bins=(60, 0.0, 300.0), label=r"$m_{\ell\ell}$", unit="GeV"),
    Variable("pt_j0", bins=(50, 30.0, 330.0), label=r"$p_{T}^{j_{0}}$", unit="GeV"),
    Variable("pt_j1", bins=(50, 30.0, 180.0), label=r"$p_{T}^{j_{1}}$", unit="GeV"),
    Variable("dphi_jj", bins=(32, 0.0, np.pi), label=r"$\Delta\phi_{jj}$", unit="rad"),
    Variable("dy_jj", bins=(40, 0.0, 8.0), label=r"$\Delta y_{jj}$"),
    Variable("m_jj", bins=(60, 0.0, 600.0), label=r"$m_{jj}$", unit="GeV"),
    Variable(
        "m_tautau", bins=(62, -10.0, 300.0), label=r"$m_{\tau\tau}$", unit="GeV", undefined=M_TAUTAU_UNDEFINED
    ),
    Variable("m_t", bins=(60, 0.0, 300.0), label=r"$m_{T}$", unit="GeV"),
    Variable("met_track", bins=(50, 0.0, 250.0), label=r"$E_{T}^{\mathrm{miss,\,track}}$", unit="GeV"),
    Variable("ht_soft", bins=(60, 0.0, 1200.0), label=r"$H_{T}^{\mathrm{soft}}$", unit="GeV"),
    Variable("met_significance", bins=(50, 0.0, 20.0), label=r"$\mathcal{S}(E_{T}^{\mathrm{miss}})$"),
    Variable("pt_total_track", bins=(50, 0.0, 250.0), label=r"$p_{T}^{\mathrm{tot,\,track}}$", unit="GeV"),
    Variable("sum_m_lj", bins=(60, 0.0, 1500.0), label=r"$\sum m_{\ell j}$", unit="GeV"),
    Variable("met", label=r"$E_{T}^{\mathrm{miss}}$", unit="GeV"),
    Variable("n_jets", label=r"$N_{\mathrm{jets}}$"),
)
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
