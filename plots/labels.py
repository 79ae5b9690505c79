"""How quantities, classes and processes are written and coloured: the same on every figure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "CLASS_COLOURS",
    "CLASS_LABELS",
    "FEATURE_LABELS",
    "FeatureLabel",
    "colours",
    "feature_label",
    "line_styles",
    "process_label",
]


@dataclass(frozen=True)
class FeatureLabel:
    """How an input is written and drawn.

    Attributes:
        symbol: in mathtext.
        unit: empty for pure numbers.
        upper: figures end here at the latest, whatever the tail.
    """

    symbol: str
    unit: str = ""
    upper: float | None = None

    @property
    def axis(self) -> str:
        """Axis title with the unit in brackets.

        >>> FeatureLabel("$m_{T}$", "GeV").axis
        '$m_{T}$ [GeV]'
        """
        return f"{self.symbol} [{self.unit}]" if self.unit else self.symbol

    def per_bin(self, width: float) -> str:
        """Bin width for a y title, in the input's unit.

        >>> FeatureLabel("$m_{T}$", "GeV").per_bin(5.0)
        '5 GeV'
        """
        return f"{width:.3g} {self.unit}".rstrip()


def _gev(symbol: str) -> FeatureLabel:
    return FeatureLabel(symbol, "GeV")


_TALK_A: dict[str, FeatureLabel] = {
    "pt_l0": _gev(r"$p_{T}^{\ell_{0}}$"),
    "pt_l1": _gev(r"$p_{T}^{\ell_{1}}$"),
    "dphi_ll": FeatureLabel(r"$\Delta\phi_{\ell\ell}$", "rad"),
    "dy_ll": FeatureLabel(r"$\Delta y_{\ell\ell}$"),
    "m_ll": _gev(r"$m_{\ell\ell}$"),
    "pt_j0": _gev(r"$p_{T}^{j_{0}}$"),
    "pt_j1": _gev(r"$p_{T}^{j_{1}}$"),
    "dphi_jj": FeatureLabel(r"$\Delta\phi_{jj}$", "rad"),
    "dy_jj": FeatureLabel(r"$\Delta y_{jj}$"),
    "m_jj": FeatureLabel(r"$m_{jj}$", "GeV", upper=1000.0),
    "m_tautau": FeatureLabel(r"$m_{\tau\tau}$", "GeV", upper=300.0),
    "m_t": _gev(r"$m_{T}$"),
    "met_track": _gev(r"$E_{T}^{\mathrm{miss,\,track}}$"),
    "ht_soft": _gev(r"$H_{T}^{\mathrm{soft}}$"),
    "met_significance": FeatureLabel(r"$\mathcal{S}(E_{T}^{\mathrm{miss}})$"),
    "pt_total_track": _gev(r"$p_{T}^{\mathrm{tot,\,track}}$"),
    "sum_m_lj": _gev(r"$\sum m_{\ell j}$"),
}

_TALK_B: dict[str, FeatureLabel] = {
    "ptb1": _gev(r"$p_{T}^{b_{1}}$"),
    "ptb2": _gev(r"$p_{T}^{b_{2}}$"),
    "misset": _gev(r"$E_{T}^{\mathrm{miss}}$"),
    "missinget": _gev(r"$E_{T}^{\mathrm{miss}}$"),
    "pth": _gev(r"$p_{T}^{H}$"),
    "ptz": _gev(r"$p_{T}^{Z}$"),
    "ptw": _gev(r"$p_{T}^{W}$"),
    "ptv": _gev(r"$p_{T}^{V}$"),
    "ptl": _gev(r"$p_{T}^{\ell}$"),
    "ptl1": _gev(r"$p_{T}^{\ell_{1}}$"),
    "ptl2": _gev(r"$p_{T}^{\ell_{2}}$"),
    "etah": FeatureLabel(r"$\eta_{H}$"),
    "phih": FeatureLabel(r"$\phi_{H}$", "rad"),
    "mtvh": _gev(r"$m_{T}^{VH}$"),
    "ptvh": _gev(r"$p_{T}^{VH}$"),
    "mtW": _gev(r"$m_{T}^{W}$"),
    "dphib1met": FeatureLabel(r"$\Delta\phi(b_{1}, E_{T}^{\mathrm{miss}})$", "rad"),
    "delphibl": FeatureLabel(r"$\Delta\phi(b, \ell)$", "rad"),
    "delphilmet": FeatureLabel(r"$\Delta\phi(\ell, E_{T}^{\mathrm{miss}})$", "rad"),
    "deltarwl": FeatureLabel(r"$\Delta R(W, \ell)$"),
    "deltarll": FeatureLabel(r"$\Delta R(\ell, \ell)$"),
    "deltarbl": FeatureLabel(r"$\Delta R(b, \ell)$"),
    "dphil1b1": FeatureLabel(r"$\Delta\phi(\ell_{1}, b_{1})$", "rad"),
    "dphil1b2": FeatureLabel(r"$\Delta\phi(\ell_{1}, b_{2})$", "rad"),
}

FEATURE_LABELS: dict[str, FeatureLabel] = {**_TALK_A, **_TALK_B}

CLASS_LABELS: dict[str, str] = {
    "VH": r"$VH$",
    "ggF": "ggF",
    "VBF": "VBF",
    "top": "Top",
    "Zjets": r"$Z/\gamma^{*}$+jets",
    "WW": r"$WW$",
    "ttbar": r"$t\bar{t}$",
    "Wt": r"$Wt$",
    "WZ": r"$WZ$",
    "ZZ": r"$ZZ$",
    "diboson": r"$WZ$, $ZZ$",
    "Vgamma": r"$V\gamma$",
    "fakes": "Misidentified",
    "data": "Data",
    "SM": "SM",
    "BSM": "SMEFT",
    "Vbb": r"$V$+heavy flavour",
}

# Petroff's palette (arXiv:2107.02270): tells classes apart with any colour vision, and in grey.
CLASS_COLOURS: dict[str, str] = {
    "VH": "#e42536",
    "ggF": "#7a21dd",
    "VBF": "#964a8b",
    "top": "#f89c20",
    "Zjets": "#9c9ca1",
    "WW": "#5790fc",
    "ttbar": "#f89c20",
    "Wt": "#ffa90e",
    "WZ": "#92dadd",
    "ZZ": "#b9ac70",
    "diboson": "#92dadd",
    "Vgamma": "#a96b59",
    "fakes": "#717581",
    "data": "#000000",
    "SM": "#5790fc",
    "BSM": "#e42536",
    "Vbb": "#9c9ca1",
}

_SPARE_COLOURS = ("#3f90da", "#bd1f01", "#832db6", "#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd")
LineStyle = Literal["solid", "dashed", "dashdot", "dotted"] | tuple[float, tuple[float, ...]]
_LINE_STYLES: tuple[LineStyle, ...] = (
    "solid",
    "dashed",
    "dashdot",
    "dotted",
    (0, (5, 1)),
    (0, (3, 1, 1, 1, 1, 1)),
)


def feature_label(name: str) -> FeatureLabel:
    """Label of an input; an input of the user's own is shown by its name.

    >>> feature_label("m_jj").axis
    '$m_{jj}$ [GeV]'
    >>> feature_label("my_input").axis
    'my_input'
    """
    return FEATURE_LABELS.get(name, FeatureLabel(name))


def process_label(name: str) -> str:
    """Label of a class or process; merged ones (`top+WW`) by their parts.

    >>> process_label("VH+ggF")
    '$VH$ + ggF'
    """
    if name in CLASS_LABELS or "+" not in name:
        return CLASS_LABELS.get(name, name)
    return " + ".join(CLASS_LABELS.get(part.strip(), part.strip()) for part in name.split("+"))


def colours(names: Iterable[str]) -> dict[str, str]:
    """One colour per class or process, no two alike until the spare ones run out.

    >>> colours(["VH", "new"])
    {'VH': '#e42536', 'new': '#3f90da'}
    """
    chosen: dict[str, str] = {}
    known = {name: CLASS_COLOURS.get(name, CLASS_COLOURS.get(name.split("+")[0])) for name in names}
    spare = [colour for colour in _SPARE_COLOURS if colour not in known.values()]
    n_spare_used = 0
    for name, colour in known.items():
        if colour is None or colour in chosen.values():
            colour = spare[n_spare_used % len(spare)]
            n_spare_used += 1
        chosen[name] = colour
    return chosen


def line_styles(names: Sequence[str]) -> dict[str, LineStyle]:
    """One dash pattern per class, so that lines differ by more than colour.

    >>> line_styles(["VH", "ggF"])
    {'VH': 'solid', 'ggF': 'dashed'}
    """
    return {name: _LINE_STYLES[i % len(_LINE_STYLES)] for i, name in enumerate(names)}
