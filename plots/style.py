"""Figures of one look: a style that leaves no trace, a label on each, files that are whole or absent.

Every function of this room builds on `new_figure`, which stays clear of pyplot and of its global state.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, cast
from weakref import WeakKeyDictionary

import matplotlib as mpl
import matplotlib.style
import mplhep
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from znought.errors import DataError
from znought.plots.labels import drawn_by

__all__ = [
    "SLIDE",
    "SQUARE",
    "FigureLabel",
    "add_label",
    "figure_of",
    "label_of",
    "new_figure",
    "save",
    "style_context",
    "two_panels",
    "vector",
]

# Inches: a 16:9 slide and a square, both at 100 dots per inch.
SLIDE = (12.8, 7.2)
SQUARE = (9.0, 9.0)
_LARGE_ENERGY_TEV = 100.0
_LABEL_SIZE = 20.0
_UNDATED: dict[str, dict[str, None]] = {
    "png": {"Software": None},
    "pdf": dict.fromkeys(("CreationDate", "Creator", "Producer")),
    "svg": {"Date": None, "Creator": None},
}

# Fonts come with mplhep's data, so that figures are the same on every machine; sizes are for slides.
_STYLE: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["TeX Gyre Heros", "DejaVu Sans"],
    "mathtext.fontset": "stixsans",
    "font.size": 18,
    "axes.labelsize": 22,
    "axes.titlesize": 20,
    "axes.linewidth": 1.2,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": (-4, 7),
    "axes.axisbelow": True,
    "axes.xmargin": 0.0,
    "xaxis.labellocation": "right",
    "yaxis.labellocation": "top",
    "xtick.labelsize": 18,
    "ytick.labelsize": 18,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "xtick.major.pad": 8,
    "xtick.major.size": 8,
    "ytick.major.size": 8,
    "xtick.minor.size": 4,
    "ytick.minor.size": 4,
    "lines.linewidth": 2.2,
    "lines.markersize": 7,
    "legend.fontsize": 17,
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "legend.labelspacing": 0.3,
    "legend.columnspacing": 1.2,
    "figure.dpi": 100,
    "figure.facecolor": "white",
    "savefig.dpi": 100,
    "pdf.fonttype": 42,
    "svg.hashsalt": "znought",
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.10,
}


# What an experiment's style of mplhep decides; sizes and places stay those of slides.
_OF_EXPERIMENTS = ("font.family", "axes.prop_cycle", "axes.unicode_minus", "legend.handlelength")
_SERIF = {"font.serif": ["TeX Gyre Termes", "DejaVu Serif"], "mathtext.fontset": "stix"}
_ATLAS = "ATLAS"


def _style() -> dict[str, Any]:
    """Settings of matplotlib: the room's own, and those of the experiment where one is named."""
    if (experiment := drawn_by()) == "none":
        return _STYLE
    given: dict[str, Any] = getattr(mplhep.style, experiment)
    serif = _SERIF if given["font.family"] == "serif" else {}
    return _STYLE | {key: given[key] for key in _OF_EXPERIMENTS if key in given} | serif


@dataclass(frozen=True)
class FigureLabel:
    """What every figure says above its frame: how the events came about, energy and luminosity.

    Attributes:
        label: "Simulation" unless the user's card says otherwise; never an experiment's name by itself: that
            stands before it where the card asks for the experiment's style.
        lumi_ifb: integrated luminosity in inverse femtobarns, None where it has no meaning.
        energy_tev: centre-of-mass energy in TeV; where there are several, each with its share of the
            luminosity; None where it has no meaning.
    """

    label: str = "Simulation"
    lumi_ifb: float | None = None
    energy_tev: float | Mapping[float, float] | None = 13.0

    def __post_init__(self) -> None:
        if self.lumi_ifb is not None and not (np.isfinite(self.lumi_ifb) and self.lumi_ifb > 0):
            raise DataError(f"Luminosity of a figure must be positive. Received: {self.lumi_ifb!r}.")
        if self.energy_tev is None:
            return
        if not self.shares or not all(0 < energy <= _LARGE_ENERGY_TEV for energy in self.shares):
            raise DataError(f"Energy of a figure must be in TeV, up to 100. Received: {self.energy_tev!r}.")
        if not np.isclose(sum(self.shares.values()), 1.0):
            raise DataError(f"Shares of the luminosity must add up to 1. Received: {self.energy_tev!r}.")

    @property
    def shares(self) -> Mapping[float, float]:
        """Centre-of-mass energy in TeV → its share of the luminosity."""
        given = self.energy_tev
        return {} if given is None else given if isinstance(given, Mapping) else {given: 1.0}

    @property
    def conditions(self) -> str:
        """Energy and luminosity as plain text.

        >>> FigureLabel(lumi_ifb=139.0).conditions
        '13 TeV, 139 fb⁻¹'
        >>> FigureLabel(lumi_ifb=146.0, energy_tev={13.0: 138 / 146, 13.6: 8 / 146}).conditions
        '138 fb⁻¹ (13 TeV) + 8 fb⁻¹ (13.6 TeV)'
        """
        return self._conditions("", "fb⁻¹")

    @property
    def words(self) -> str:
        """All of it as plain text.

        >>> FigureLabel(lumi_ifb=139.0).words
        'Simulation, √s = 13 TeV, 139 fb⁻¹'
        """
        return ", ".join(filter(None, (self.label, self._conditions("√s = ", "fb⁻¹"))))

    @property
    def right(self) -> str:
        r"""Energy and luminosity in mathtext.

        >>> FigureLabel(lumi_ifb=139.0).right
        '$\\sqrt{s}$ = 13 TeV, 139 fb$^{-1}$'
        """
        return self._conditions(r"$\sqrt{s}$ = ", "fb$^{-1}$")

    def _conditions(self, root: str, unit: str) -> str:
        """Energies behind a symbol, and luminosity; of several energies each behind its luminosity."""
        if self.lumi_ifb is not None and len(self.shares) > 1:
            parts = (f"{share * self.lumi_ifb:.4g} {unit} ({e:g} TeV)" for e, share in self.shares.items())
            return " + ".join(parts)
        energies = " and ".join(f"{energy:g}" for energy in self.shares)
        lumi = "" if self.lumi_ifb is None else f"{self.lumi_ifb:g} {unit}"
        return ", ".join(filter(None, (energies and f"{root}{energies} TeV", lumi)))


_labels: WeakKeyDictionary[Figure, FigureLabel] = WeakKeyDictionary()


@contextmanager
def style_context() -> Iterator[None]:
    """The room's style inside the `with` block; matplotlib's settings are as before afterwards."""
    with matplotlib.style.context(_style()):
        yield


def new_figure(size: tuple[float, float] = SLIDE) -> Figure:
    """An empty figure (width, height in inches) with its own Agg canvas, unknown to pyplot."""
    _show_in_notebooks()
    figure = Figure(figsize=size)
    FigureCanvasAgg(figure)
    return figure


def _show_in_notebooks() -> None:
    """Lets a notebook show figures that pyplot does not know; nothing happens elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is None:
        return
    formatter = shell.display_formatter.formatters["image/png"]
    if Figure not in formatter.type_printers:
        formatter.for_type(Figure, _png)


def _png(figure: Figure) -> bytes:
    """A figure as a notebook shows it."""
    content = BytesIO()
    with style_context():
        figure.savefig(content, format="png")
    return content.getvalue()


def two_panels(figure: Figure, ratio: float = 3.2) -> tuple[Axes, Axes]:
    """A tall panel and, `ratio` times lower, one below it with the same x axis and no gap to speak of."""
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(ratio, 1))
    engine = figure.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        engine.set(h_pad=0.03, hspace=0.0)
    figure.align_ylabels([upper, lower])
    return upper, lower


def add_label(left: Axes, label: FigureLabel, *, right: Axes | None = None, scale: float = 1.0) -> None:
    """Write `label` above the frame: its word over `left`, energy and luminosity over `right`.

    `right` is `left` itself unless given; `scale` shrinks or enlarges the letters.
    """
    size = _LABEL_SIZE * scale
    _labels[figure_of(left)] = label
    # Over several panels it may be wider than the first, which is no wider for it.
    _add_name(left, label.label, size, in_layout=right is None or right is left)
    mplhep.add_text(label.right, loc="over right", ax=right or left, fontsize=size)
    # A power of ten over the axis would stand in the label's place.
    for axes in (left, right or left):
        axes.yaxis.get_offset_text().set(ha="right", x=-0.01)


def _add_name(axes: Axes, word: str, size: float, *, in_layout: bool) -> None:
    """The label's word over the frame, after the experiment's name where one is named."""
    if (experiment := drawn_by()) == "none":
        text = mplhep.add_text(word, loc="over left", ax=axes, fontsize=size, fontweight="bold")
        text.set_in_layout(in_layout)
        return
    # ATLAS writes its own name in italics, the others what follows theirs.
    styles = ("italic", "normal") if experiment == _ATLAS else ("normal", "italic")
    name = mplhep.add_text(
        experiment, loc="over left", ax=axes, fontsize=1.2 * size, fontweight="bold", fontstyle=styles[0]
    )
    # Beside it, wherever the layout comes to put it.
    beside = axes.annotate(f" {word}", (1, 0), xycoords=name, va="bottom", fontsize=size, fontstyle=styles[1])
    for text in (name, beside):
        text.set_in_layout(in_layout)


def label_of(figure: Figure) -> FigureLabel | None:
    """What stands above the frame of a figure; None where nothing was written there."""
    return _labels.get(figure)


def figure_of(axes: Axes) -> Figure:
    """The figure that holds a panel."""
    return cast(Figure, axes.get_figure(root=True))


def save(
    figure: Figure, directory: str | Path, name: str, formats: Iterable[str] = ("pdf", "png", "svg")
) -> tuple[Path, ...]:
    """Write `figure` as `name`.png and in every other of the formats, and return the paths, PNG first.

    Each file appears whole (temporary name, then rename) and holds neither date nor versions, so that equal
    figures are equal files.
    """
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    engine = figure.get_layout_engine()
    try:
        with style_context(), mpl.rc_context({"figure.constrained_layout.use": False}):
            written = [_write(figure, folder / f"{name}.png", _UNDATED["png"])]
            # The places found for the picture hold for the page. With any engine, be it the empty one,
            # matplotlib would draw each page twice.
            figure.set_layout_engine(None)
            others = (kind for kind in formats if kind != "png")
            written += [_write(figure, folder / f"{name}.{kind}", _UNDATED[kind]) for kind in others]
    finally:
        if engine is not None:
            figure.set_layout_engine(engine)
    return tuple(written)


def _write(figure: Figure, path: Path, metadata: dict[str, None]) -> Path:
    temporary = path.with_name(f".{path.name}.part")
    try:
        figure.savefig(temporary, format=path.suffix[1:], metadata=metadata)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def vector(values: npt.ArrayLike, *, what: str, size: int | None = None) -> npt.NDArray[np.float64]:
    """`values` as a finite one-dimensional float array, of `size` entries if given.

    Raises:
        DataError: another shape, or entries that are not finite.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or (size is not None and array.size != size):
        expected = "one dimension" if size is None else f"{size} values"
        raise DataError(f"{what}: expected {expected}. Received: shape {array.shape}.")
    if not np.isfinite(array).all():
        raise DataError(f"{what}: {int((~np.isfinite(array)).sum())} of {array.size} values are not finite.")
    return array
