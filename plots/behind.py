"""The numbers behind a figure: every line, step, point, bar and matrix as drawn, and its histograms."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import uhi.io.json
from hist import Hist
from hist.storage import Weight
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import StepPatch

__all__ = ["drawn_numbers", "histograms_json", "keep_histograms", "kept_histograms"]

_DIGITS = 7
_kept: WeakKeyDictionary[Figure, dict[str, Hist[Weight]]] = WeakKeyDictionary()


def keep_histograms(figure: Figure, histograms: Mapping[str, Hist[Weight]]) -> None:
    """Remembers what a figure is drawn from, by process; later ones of the same name replace earlier ones."""
    _kept.setdefault(figure, {}).update({name: found.copy() for name, found in histograms.items()})


def kept_histograms(figure: Figure) -> dict[str, Hist[Weight]]:
    """Histograms that a figure is drawn from, by process; none where it is drawn from other numbers."""
    return dict(_kept.get(figure, {}))


def histograms_json(figure: Figure) -> str | None:
    """The same in the universal histogram format (UHI) in JSON; None where there are none."""
    found = kept_histograms(figure)
    return json.dumps(found, default=uhi.io.json.default) + "\n" if found else None


def drawn_numbers(figure: Figure) -> dict[str, Any]:
    """Every number that stands on a figure, panel by panel, in its axes' units.

    Returns:
        `panels`, each with the titles of its axes and a list of what is drawn: `kind` (line, steps, points,
        bars or matrix), `label` (empty where the legend has none) and the numbers.
    """
    panels = [_panel(axes) for axes in figure.axes if axes.axison]
    return {"panels": [panel for panel in panels if panel["drawn"]]}


def _panel(axes: Axes) -> dict[str, Any]:
    return {"x": axes.get_xlabel(), "y": axes.get_ylabel(), "drawn": list(_drawn(axes))}


def _drawn(axes: Axes) -> Iterator[dict[str, Any]]:
    """Everything in a panel, without the parts that points and bars are made of."""
    parts: set[Artist] = set()
    for container in axes.containers:
        if isinstance(container, ErrorbarContainer):
            data, caps, bars = container.lines
            parts |= {*([] if data is None else [data]), *caps, *bars}
            yield {"kind": "points", "label": _label(container), **_points(data, bars)}
        elif isinstance(container, BarContainer):
            parts |= {*container.patches}
            yield {"kind": "bars", "label": _label(container), **_bars(container)}
    for patch in axes.patches:
        if isinstance(patch, StepPatch):
            values, edges, baseline = patch.get_data()
            base = {} if baseline is None or np.ndim(baseline) == 0 else {"baseline": _numbers(baseline)}
            yield {
                "kind": "steps",
                "label": _label(patch),
                "edges": _numbers(edges),
                "values": _numbers(values),
                **base,
            }
    for line in axes.lines:
        if line not in parts:
            x, y = line.get_data(orig=False)
            yield {"kind": "line", "label": _label(line), "x": _numbers(x), "y": _numbers(y)}
    for image in axes.images:
        if isinstance(image, AxesImage):
            yield {"kind": "matrix", "label": _label(image), "values": _rows(image.get_array())}


def _points(data: Line2D | None, bars: tuple[LineCollection, ...]) -> dict[str, Any]:
    """Places of points, and the ends of their bars."""
    x, y = (np.empty(0), np.empty(0)) if data is None else data.get_data(orig=False)
    segments = [[_numbers(segment.ravel()) for segment in one.get_segments()] for one in bars]
    return {"x": _numbers(x), "y": _numbers(y), "bars_x0_y0_x1_y1": segments}


def _bars(container: BarContainer) -> dict[str, Any]:
    boxes = np.array([patch.get_bbox().bounds for patch in container.patches], np.float64).reshape(-1, 4)
    names = ("x", "y", "width", "height")
    return {name: _numbers(column) for name, column in zip(names, boxes.T, strict=True)}


def _label(artist: Any) -> str:
    text = str(artist.get_label() or "")
    return "" if text.startswith("_") else text


def _rows(values: Any) -> list[Any]:
    return [_numbers(row) for row in np.atleast_2d(np.ma.filled(values, np.nan))]


def _numbers(values: npt.ArrayLike) -> list[float | None]:
    """Seven digits of each, None for what is not finite."""
    array = np.atleast_1d(np.asarray(values, np.float64))
    return [float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None for value in array.tolist()]
