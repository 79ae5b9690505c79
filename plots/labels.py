"""How quantities, classes and processes are written and coloured: the same on every figure of an analysis."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from typing import Literal, Protocol

from znought.analysis import Analysis, Variable

__all__ = [
    "FeatureLabel",
    "ProcessEntry",
    "colours",
    "drawing",
    "drawn_as",
    "feature_label",
    "is_variable",
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


class ProcessEntry(Protocol):
    """What a card says of how a process is drawn."""

    @property
    def label(self) -> str | None:
        """In mathtext; None as the analysis writes it."""

    @property
    def colour(self) -> str | None:
        """As matplotlib names it; None as the analysis draws it."""


@dataclass(frozen=True)
class _Book:
    """Labels and colours of one analysis."""

    features: Mapping[str, FeatureLabel] = field(default_factory=dict)
    processes: Mapping[str, str] = field(default_factory=dict)
    colours: Mapping[str, str] = field(default_factory=dict)


_DATA = {"data": "Data"}
_BLACK = {"data": "#000000"}
_book: ContextVar[_Book] = ContextVar("_book")
_book.set(_Book(processes=_DATA, colours=_BLACK))


@contextmanager
def drawn_as(analysis: Analysis, processes: Mapping[str, ProcessEntry] | None = None) -> Iterator[None]:
    """Within it, figures write and colour variables and processes as an analysis and its card do."""
    token = _book.set(_book_of(analysis, processes or {}))
    # Every process of the card has its colour from the start, whichever figure it stands on alone.
    _book.set(replace(_book.get(), colours={**_book.get().colours, **colours(processes or {})}))
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
    return FeatureLabel(variable.label, variable.unit, upper)


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
