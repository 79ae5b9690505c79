"""How quantities, classes and processes are written and coloured: the same on every figure of an analysis."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Protocol

from znought.analysis import Analysis, Variable

__all__ = [
    "Experiment",
    "FeatureLabel",
    "PlottingEntry",
    "ProcessEntry",
    "VariableEntry",
    "colours",
    "drawing",
    "drawn_as",
    "drawn_by",
    "feature_label",
    "in_style_of",
    "is_variable",
    "line_styles",
    "printed_name",
    "printed_names",
    "process_label",
    "readable",
    "stacking_order",
]

Experiment = Literal["none", "ALICE", "ATLAS", "CMS", "LHCb"]
"""Whose fonts and name figures have."""


@dataclass(frozen=True)
class FeatureLabel:
    """How an input is written and drawn.

    Attributes:
        symbol: in mathtext.
        unit: empty for pure numbers.
        upper: figures end here at the latest, whatever the tail.
        is_integer: it has a bin for each whole number.
        span: what is drawn of it; None for all of its bins.
        rebin: how many neighbouring bins are drawn as one.
        log: whether its yields stand on a logarithmic axis.
    """

    symbol: str
    unit: str = ""
    upper: float | None = None
    is_integer: bool = False
    span: tuple[float, float] | None = None
    rebin: int = 1
    log: bool = False

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


class ProcessEntry(Protocol):
    """What a card says of how a process is drawn."""

    @property
    def label(self) -> str | None:
        """In mathtext; None as the analysis writes it."""

    @property
    def colour(self) -> str | None:
        """As matplotlib names it; None as the analysis draws it."""


class VariableEntry(Protocol):
    """What a card says of how a variable is drawn."""

    @property
    def label(self) -> str | None:
        """In mathtext; None as the analysis writes it."""

    @property
    def unit(self) -> str | None:
        """None as the analysis has it."""

    @property
    def range(self) -> tuple[float, float] | None:
        """What is drawn of it; None for all of its bins."""

    @property
    def rebin(self) -> int:
        """How many neighbouring bins are drawn as one."""

    @property
    def log(self) -> bool:
        """Whether its yields stand on a logarithmic axis."""


class PlottingEntry(Protocol):
    """What a card says of figures."""

    @property
    def axes(self) -> Mapping[str, VariableEntry]:
        """Of single variables."""

    @property
    def style(self) -> Experiment:
        """Whose fonts and name figures have."""

    @property
    def names(self) -> Mapping[str, str]:
        """Region, systematic or parameter → as it is written."""

    @property
    def order(self) -> Sequence[str]:
        """Processes from the bottom of stacks."""


@dataclass(frozen=True)
class _Book:
    """Labels and colours of one analysis."""

    features: Mapping[str, FeatureLabel] = field(default_factory=dict)
    processes: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    order: tuple[str, ...] = ()
    style: Experiment = "none"


_DATA = {"data": "Data"}
_BLACK = {"data": "#000000"}
_book: ContextVar[_Book] = ContextVar("_book")
_book.set(_Book(processes=_DATA, colours=_BLACK))


@contextmanager
def drawn_as(
    analysis: Analysis,
    processes: Mapping[str, ProcessEntry] | None = None,
    plotting: PlottingEntry | None = None,
) -> Iterator[None]:
    """Within it, figures write and colour variables and processes as an analysis and its card do."""
    token = _book.set(_book_of(analysis, processes or {}))
    # Every process of the card has its colour from the start, whichever figure it stands on alone.
    _book.set(replace(_book.get(), colours={**_book.get().colours, **colours(processes or {})}))
    if plotting is not None:
        _book.set(_plotted(_book.get(), plotting))
    try:
        yield
    finally:
        _book.reset(token)


def drawing(analysis: Analysis, processes: Mapping[str, ProcessEntry]) -> dict[str, object]:
    """How an analysis and its card write and colour variables and processes, as plain values."""
    return asdict(_book_of(analysis, processes))


def _book_of(analysis: Analysis, processes: Mapping[str, ProcessEntry]) -> _Book:
    labels = {name: style.label for name, style in analysis.processes.items()}
    palette = {name: style.colour for name, style in analysis.processes.items() if style.colour is not None}
    for name, entry in processes.items():
        labels |= {} if entry.label is None else {name: entry.label}
        palette |= {} if entry.colour is None else {name: entry.colour}
    telling = analysis.channel_variable
    variables = (*analysis.variables, *(() if telling is None else (telling,)))
    features = {variable.name: _label_of(variable) for variable in variables}
    return _Book(features, _DATA | labels, _BLACK | palette)


def _label_of(variable: Variable) -> FeatureLabel:
    upper = variable.bins[2] if isinstance(variable.bins, tuple) else None
    return FeatureLabel(variable.label, variable.unit, upper, variable.bins == "integer")


def _plotted(book: _Book, plotting: PlottingEntry) -> _Book:
    """The labels with what the card's section `plotting` says in their place."""
    features = dict(book.features)
    for name, entry in plotting.axes.items():
        known = features.get(name, FeatureLabel(name))
        features[name] = replace(
            known,
            symbol=known.symbol if entry.label is None else entry.label,
            unit=known.unit if entry.unit is None else entry.unit,
            upper=known.upper if entry.range is None else entry.range[1],
            span=entry.range,
            rebin=entry.rebin,
            log=entry.log,
        )
    names, order = dict(plotting.names), tuple(plotting.order)
    return replace(book, features=features, names=names, order=order, style=plotting.style)


# Petroff's palette (arXiv:2107.02270): tells classes apart with any colour vision, and in grey.
_SPARE_COLOURS = (
    "#5790fc",
    "#f89c20",
    "#e42536",
    "#964a8b",
    "#9c9ca1",
    "#7a21dd",
    "#3f90da",
    "#bd1f01",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
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
    """Label of a variable; one that the analysis does not know is shown by its name.

    >>> with drawn_as(Analysis("a", columns=len, variables=[Variable("m_jj", label="$m_{jj}$", unit="GeV")])):
    ...     feature_label("m_jj").axis
    '$m_{jj}$ [GeV]'
    >>> feature_label("my_input").axis
    'my_input'
    """
    return _book.get().features.get(name, FeatureLabel(name))


def is_variable(name: str) -> bool:
    """Whether the analysis has a variable of that name."""
    return name in _book.get().features


def process_label(name: str) -> str:
    """Label of a class or process; merged ones (`top+WW`) by their parts.

    >>> process_label("data")
    'Data'
    """
    labels = _book.get().processes
    if name in labels or "+" not in name:
        return labels.get(name, name)
    return " + ".join(labels.get(part.strip(), part.strip()) for part in name.split("+"))


# What the engine itself calls a systematic or parameter.
_NAMES = {
    "jes": "Jet energy scale",
    "jer": "Jet energy resolution",
    "lepton_scale": "Lepton momentum scale",
    "electron_scale": "Electron energy scale",
    "muon_scale": "Muon momentum scale",
    "electron_resolution": "Electron energy resolution",
    "muon_resolution": "Muon momentum resolution",
    "met_soft": "Soft missing momentum",
    "btag": "$b$-tagging",
    "btag_heavy": "$b$-tagging, heavy flavour",
    "btag_light": "$b$-tagging, light flavour",
    "pileup": "Pile-up",
    "luminosity": "Luminosity",
    "mu": r"$\mu$",
}


# An accent stands after its letter; commands that only choose letters go.
_SYMBOLS = (
    (re.compile(r"\\bar\s*\{?(\w)\}?"), "\\1\N{COMBINING MACRON}"),
    (re.compile(r"\\hat\s*\{?(\w)\}?"), "\\1\N{COMBINING CIRCUMFLEX ACCENT}"),
    (re.compile(r"\\[,; ]"), " "),
    (re.compile(r"\\(?:mathrm|mathit|mathsf|mathcal|text|left|right|!)\s*"), ""),
    (re.compile(r"\^\{?\*\}?"), "*"),
    *(
        (re.compile(rf"\\{name}(?![a-zA-Z])\s?"), symbol)
        for name, symbol in {
            "Delta": "Δ",
            "Sigma": "Σ",
            "sum": "Σ",
            "alpha": "α",
            "beta": "β",
            "gamma": "γ",
            "eta": "η",
            "theta": "θ",
            "ell": "ℓ",
            "mu": "μ",
            "nu": "ν",
            "pi": "π",
            "sigma": "σ",
            "tau": "τ",
            "phi": "φ",
            "chi": "χ",
            "to": "→",
            "rightarrow": "→",
            "times": "×",
            "pm": "±",
            "ast": "*",
            "propto": "∝",
            "neq": "≠",
        }.items()
    ),
)


def printed_name(name: str) -> str:
    """A region, systematic or parameter as figures write it: as the card does, or in words.

    >>> printed_name("jes"), printed_name("theory_top"), printed_name("cut_based")
    ('Jet energy scale', 'theory top', 'cut based')
    """
    names = {**_NAMES, **_book.get().names}
    if name in names:
        return names[name]
    if "$" in name or "_" not in name or name in _book.get().processes:
        return process_label(name)
    return " ".join(process_label(part) for part in name.split("_"))


def printed_names() -> frozenset[str]:
    """Regions, systematics and parameters that figures write otherwise than by their names."""
    return frozenset({**_NAMES, **_book.get().names})


def readable(text: str) -> str:
    r"""A label in mathtext as plain text, for a title or a caption of a page.

    >>> readable(r"$\Delta\phi_{\ell\ell}$"), readable(r"$E_{T}^{miss}$ in $t\bar{t}$")
    ('Δφ_ℓℓ', 'E_T^miss in tt̄')
    """
    for pattern, symbol in _SYMBOLS:
        text = pattern.sub(symbol, text)
    return re.sub(r"[{}$]", "", text).strip()


def stacking_order() -> tuple[str, ...]:
    """Processes that the card puts at the bottom of stacks, in their order."""
    return _book.get().order


def drawn_by() -> Experiment:
    """Whose fonts and name figures have, as the card says."""
    return _book.get().style


@contextmanager
def in_style_of(experiment: Experiment) -> Iterator[None]:
    """Within it, figures have the fonts and the name of an experiment, whatever the card says."""
    token = _book.set(replace(_book.get(), style=experiment))
    try:
        yield
    finally:
        _book.reset(token)


def colours(names: Iterable[str]) -> dict[str, str]:
    """One colour per class or process, no two alike until the spare ones run out.

    >>> colours(["data", "new"])
    {'data': '#000000', 'new': '#5790fc'}
    """
    palette = _book.get().colours
    chosen: dict[str, str] = {}
    known = {name: palette.get(name, palette.get(name.split("+")[0])) for name in names}
    taken = {*known.values(), *palette.values()}
    spare = [colour for colour in _SPARE_COLOURS if colour not in taken] or list(_SPARE_COLOURS)
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
