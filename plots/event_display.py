"""One event: its leptons, jets and missing momentum in the transverse plane, and in η and φ."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, FancyArrowPatch, Wedge

from znought.errors import DataError
from znought.plots.style import FigureLabel, add_label, new_figure, style_context

__all__ = ["DisplayedEvent", "DisplayedObject", "event_display"]

_COLOURS = {"electron": "#5790fc", "muon": "#e42536", "jet": "#f89c20", "b-jet": "#964a8b"}
_JETS = ("jet", "b-jet")
_MISSING = "#3c3c3c"
_RADIUS = 0.4
"""Of jets, in η and φ."""
_ETA_MAX = 5.0
_MOST_FACTS = 18
_HALO = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.5}


@dataclass(frozen=True)
class DisplayedObject:
    """A lepton or jet.

    Attributes:
        kind: "electron", "muon", "jet" or "b-jet".
        pt: in GeV.
        eta, phi: pseudorapidity, and azimuth in radians.
    """

    kind: str
    pt: float
    eta: float
    phi: float

    def __post_init__(self) -> None:
        if self.kind not in _COLOURS:
            raise DataError(
                f"kind of an object: expected one of {', '.join(_COLOURS)}. Received: {self.kind}."
            )


@dataclass(frozen=True)
class DisplayedEvent:
    """One event.

    Attributes:
        name: where it comes from, and its numbers.
        objects: leptons and jets.
        met: missing transverse momentum in GeV, and its azimuth.
        facts: further lines, such as variables with their values.
    """

    name: str
    objects: Sequence[DisplayedObject]
    met: tuple[float, float]
    facts: Sequence[str] = ()


def event_display(event: DisplayedEvent, *, label: FigureLabel) -> Figure:
    """The transverse plane on the left, η and φ in the middle, the event in numbers on the right.

    Args:
        event: what is drawn; lengths in the transverse plane go with momenta.
        label: what stands above the frames, without a luminosity.
    """
    with style_context():
        figure = new_figure((16.0, 7.2))
        transverse, plane, words = figure.subplots(1, 3, width_ratios=(1.0, 1.0, 0.5))
        _draw_transverse(transverse, event)
        _draw_plane(plane, event)
        _write(words, event)
        add_label(transverse, label, right=plane)
    return figure


def _draw_transverse(axes: Axes, event: DisplayedEvent) -> None:
    """Jets as wedges of their radius, leptons as lines, the missing momentum as a dashed arrow."""
    longest = max([event.met[0], *(one.pt for one in event.objects)])
    for one in event.objects:
        colour = _COLOURS[one.kind]
        if one.kind in _JETS:
            middle, half = np.degrees(one.phi), np.degrees(_RADIUS)
            wedge = Wedge((0, 0), one.pt, middle - half, middle + half, color=colour, alpha=0.55)
            axes.add_patch(wedge)
        else:
            end = one.pt * np.array([np.cos(one.phi), np.sin(one.phi)])
            axes.plot([0, end[0]], [0, end[1]], color=colour, linewidth=4.0, solid_capstyle="round", zorder=3)
    met = event.met[0] * np.array([np.cos(event.met[1]), np.sin(event.met[1])])
    arrow = FancyArrowPatch(
        (0, 0), (met[0], met[1]), arrowstyle="-|>", mutation_scale=22, linestyle="--", color=_MISSING, lw=2.4
    )
    axes.add_patch(arrow)
    axes.plot([0], [0], "o", color="black", markersize=5, zorder=4)
    axes.set_xlim(-1.1 * longest, 1.1 * longest)
    axes.set_ylim(-1.1 * longest, 1.1 * longest)
    axes.set_box_aspect(1)
    axes.set_xlabel("$p_{x}$ [GeV]")
    axes.set_ylabel("$p_{y}$ [GeV]")


def _draw_plane(axes: Axes, event: DisplayedEvent) -> None:
    """Jets as circles of their radius, leptons as crosses, each with its momentum."""
    for one in event.objects:
        colour = _COLOURS[one.kind]
        if one.kind in _JETS:
            for turn in (-2 * np.pi, 0.0, 2 * np.pi):  # what crosses the edge goes on at the other
                axes.add_patch(Circle((one.eta, one.phi + turn), _RADIUS, color=colour, alpha=0.55))
        else:
            axes.plot(
                [one.eta], [one.phi], "P", color=colour, markersize=15, markeredgecolor="white", zorder=3
            )
        beside = 0.15 + (_RADIUS if one.kind in _JETS else 0.2)
        axes.text(one.eta + beside, one.phi, f"{one.pt:.0f}", va="center", fontsize=14, bbox=_HALO, zorder=4)
    axes.axhline(event.met[1], color=_MISSING, linestyle="--", linewidth=2.0, zorder=1)
    axes.set_xlim(-_ETA_MAX, _ETA_MAX)
    axes.set_ylim(-np.pi, np.pi)
    axes.set_box_aspect(1)
    axes.set_yticks([-np.pi, -np.pi / 2, 0, np.pi / 2, np.pi], ["−π", "−π/2", "0", "π/2", "π"])
    axes.set_xlabel(r"$\eta$")
    axes.set_ylabel(r"$\phi$")


def _write(axes: Axes, event: DisplayedEvent) -> None:
    """What the colours mean, with the momenta, and the event's name and variables below."""
    axes.set_axis_off()
    handles = [
        Line2D([], [], color=_COLOURS[kind], linewidth=7 if kind in _JETS else 4, label=_listed(kind, event))
        for kind in _COLOURS
        if any(one.kind == kind for one in event.objects)
    ]
    text = rf"$E_{{T}}^{{\mathrm{{miss}}}}$ {event.met[0]:.0f} GeV"
    handles.append(Line2D([], [], color=_MISSING, linestyle="--", linewidth=2.4, label=text))
    axes.legend(handles=handles, loc="upper left", fontsize=15, borderaxespad=0.0, title="$p_{T}$ in GeV")
    lines = [event.name, *event.facts[:_MOST_FACTS]]
    axes.text(
        0.0, 0.0, "\n".join(lines), transform=axes.transAxes, fontsize=14, va="bottom", linespacing=1.35
    )


def _listed(kind: str, event: DisplayedEvent) -> str:
    """Name of a kind with the momenta of its objects, the hardest first."""
    momenta = sorted((one.pt for one in event.objects if one.kind == kind), reverse=True)
    name = kind if len(momenta) == 1 else f"{kind}s"
    return f"{name}  {', '.join(f'{pt:.0f}' for pt in momenta)}"
