"""Blinded bins, drawn as such."""

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.transforms import Transform

__all__ = ["draw_blinded", "runs"]

_GREY = "#8d8f9a"
_BELOW_LEGEND = 0.66
_WIDE = 0.1
"""Share of the axis on which the word fits."""


def runs(mask: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First bin and one past the last of every run of True.

    >>> runs(np.array([False, True, True, False, True]))
    [(1, 3), (4, 5)]
    """
    ends = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(int)))
    return [(int(first), int(last)) for first, last in ends.reshape(-1, 2)]


def draw_blinded(
    upper: Axes, lower: Axes, edges: npt.NDArray[np.float64], blinded: npt.NDArray[np.bool_]
) -> None:
    """Hatch blinded bins (n_bins,), below the legend, and say so in the lower panel.

    Where all are blinded only the word stands there, so that the uncertainty is seen.
    """
    if blinded.all():
        _write(lower, 0.5, "data blinded", transform=lower.transAxes, height=0.85)
        return
    for first, last in runs(blinded):
        low, high = float(edges[first]), float(edges[last])
        for axes, height in ((upper, _BELOW_LEGEND), (lower, 1.0)):
            axes.axvspan(
                low,
                high,
                ymax=height,
                facecolor=(1.0, 1.0, 1.0, 0.55),
                edgecolor=_GREY,
                hatch="\\\\",
                linewidth=0.0,
                zorder=2.6,
            )
        share = (high - low) / float(edges[-1] - edges[0])
        middle, rotation = 0.5 * (low + high), 0 if share > _WIDE else 90
        _write(lower, middle, "blinded", transform=lower.get_xaxis_transform(), rotation=rotation)


def _write(
    axes: Axes, x: float, word: str, *, transform: Transform, height: float = 0.5, rotation: float = 0.0
) -> None:
    axes.text(
        x,
        height,
        word,
        transform=transform,
        rotation=rotation,
        ha="center",
        va="center",
        fontsize=15,
        zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
    )
