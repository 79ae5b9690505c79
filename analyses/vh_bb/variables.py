"""The variables of VH(bb) in its three channels, and how its processes are drawn."""

import numpy as np

from znought.analyses.vh_bb.columns import smeft_columns
from znought.analysis import ProcessStyle, Variable

__all__ = ["STYLES", "VARIABLES"]

_GEV = "GeV"
_ANGLE = (32, 0.0, np.pi)

VARIABLES = (
    Variable("pt_v", bins=(50, 100, 600), label=r"$p_{T}^{V}$", unit=_GEV),
    Variable("m_bb", bins=(40, 50, 250), label=r"$m_{bb}$", unit=_GEV),
    Variable("met", bins=(50, 0, 500), label=r"$E_{T}^{\mathrm{miss}}$", unit=_GEV),
    Variable("n_jets", label=r"$N_{\mathrm{jets}}$"),
    Variable("ptb1", bins=(50, 0, 500), label=r"$p_{T}^{b_{1}}$", unit=_GEV),
    Variable("ptb2", bins=(50, 0, 500), label=r"$p_{T}^{b_{2}}$", unit=_GEV),
    Variable("misset", bins=(50, 0, 500), label=r"$E_{T}^{\mathrm{miss}}$", unit=_GEV),
    Variable("missinget", bins=(50, 0, 500), label=r"$E_{T}^{\mathrm{miss}}$", unit=_GEV),
    Variable("pth", bins=(50, 0, 500), label=r"$p_{T}^{H}$", unit=_GEV),
    Variable("ptz", bins=(50, 0, 500), label=r"$p_{T}^{Z}$", unit=_GEV),
    Variable("ptw", bins=(50, 0, 500), label=r"$p_{T}^{W}$", unit=_GEV),
    Variable("ptl", bins=(50, 0, 500), label=r"$p_{T}^{\ell}$", unit=_GEV),
    Variable("ptl1", bins=(50, 0, 500), label=r"$p_{T}^{\ell_{1}}$", unit=_GEV),
    Variable("ptl2", bins=(50, 0, 500), label=r"$p_{T}^{\ell_{2}}$", unit=_GEV),
    Variable("etah", bins=(40, -4, 4), label=r"$\eta_{H}$"),
    Variable("phih", bins=(32, -np.pi, np.pi), label=r"$\phi_{H}$", unit="rad"),
    Variable("mtvh", bins=(50, 0, 1000), label=r"$m_{T}^{VH}$", unit=_GEV),
    Variable("ptvh", bins=(50, 0, 500), label=r"$p_{T}^{VH}$", unit=_GEV),
    Variable("mtW", bins=(50, 0, 1000), label=r"$m_{T}^{W}$", unit=_GEV),
    Variable("dphib1met", bins=_ANGLE, label=r"$\Delta\phi(b_{1}, E_{T}^{\mathrm{miss}})$", unit="rad"),
    Variable("delphibl", bins=_ANGLE, label=r"$\Delta\phi(b, \ell)$", unit="rad"),
    Variable("delphilmet", bins=_ANGLE, label=r"$\Delta\phi(\ell, E_{T}^{\mathrm{miss}})$", unit="rad"),
    Variable("deltarwl", bins=(40, 0, 5), label=r"$\Delta R(W, \ell)$"),
    Variable("deltarll", bins=(40, 0, 5), label=r"$\Delta R(\ell, \ell)$"),
    Variable("deltarbl", bins=(40, 0, 5), label=r"$\Delta R(b, \ell)$"),
    Variable("dphil1b1", bins=_ANGLE, label=r"$\Delta\phi(\ell_{1}, b_{1})$", unit="rad"),
    Variable("dphil1b2", bins=_ANGLE, label=r"$\Delta\phi(\ell_{1}, b_{2})$", unit="rad"),
    *(Variable(name) for name in smeft_columns()),
)

STYLES = {
    "SM": ProcessStyle(r"SM", "#5790fc"),
    "BSM": ProcessStyle(r"SMEFT", "#e42536"),
    "vh": ProcessStyle("$VH$", "#e42536"),
    "v_heavy_flavour": ProcessStyle("$V$+heavy flavour", "#9c9ca1"),
    "ttbar": ProcessStyle(r"$t\bar{t}$", "#f89c20"),
}
"""How processes and classes are written and coloured."""
