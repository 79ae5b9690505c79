"""How far the output of each single network reaches: the discriminant is a mixture of them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from znought.errors import DataError
from znought.plots.labels import colours, process_label
from znought.plots.style import FigureLabel, add_label, new_figure, style_context

__all__ = ["network_tails"]


def network_tails(shares: Mapping[str, Mapping[str, Sequence[float]]], *, label: FigureLabel) -> Figure:
    """Share of each class above some outputs of its own, a point for each network, a line at their mean.

    Args:
        shares: class → cut → share of each network's own fold above it.
        label: what stands above the frame.

    Raises:
        DataError: no class, or classes with different cuts.
    """
    cuts = list(dict.fromkeys(cut for by_cut in shares.values() for cut in by_cut))
    if not cuts or any(list(by_cut) != cuts for by_cut in shares.values()):
        raise DataError("Tails of networks need the same cuts in every class. Received: " + ", ".join(shares))
    palette = colours(shares)
    with style_context():
        figure = new_figure()
        panels = list(figure.subplots(1, len(cuts), squeeze=False).flat)
        for axes, cut in zip(panels, cuts, strict=True):
            for place, (name, by_cut) in enumerate(shares.items()):
                values = 100.0 * np.asarray(by_cut[cut], np.float64)
                x = place + np.linspace(-0.3, 0.3, len(values)) if len(values) > 1 else np.array([place])
                axes.plot(x, values, "o", color=palette[name], markersize=6)
                axes.hlines(values.mean(), place - 0.4, place + 0.4, color=palette[name], linewidth=2.0)
            names = [process_label(name) for name in shares]
            axes.set_xticks(range(len(names)), names, fontsize=15, rotation=90)
            axes.minorticks_off()
            axes.set_ylim(bottom=0.0)
            axes.set_xlabel(f"Own output > {cut}")
            axes.set_ylabel("Events (%)")
        add_label(panels[0], label, right=panels[-1])
    return figure
