"""Attribution: which inputs move which scores of a network."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from znought.errors import DataError
from znought.plots.labels import feature_label, process_label
from znought.plots.style import SQUARE, FigureLabel, add_label, new_figure, style_context

__all__ = ["attribution"]


def attribution(values: Mapping[str, Mapping[str, float]], *, label: FigureLabel) -> Figure:
    """Mean |∂score/∂input| per class and input, in percent of the class' sum; the strongest inputs on top.

    Args:
        values: class → input → mean size of the gradient, not negative.
        label: what stands above the frame.

    Raises:
        DataError: no class, classes with different inputs, or one that no input moves.
    """
    inputs = list(next(iter(values.values()), {}))
    if not inputs or any(set(row) != set(inputs) for row in values.values()):
        raise DataError("Attribution: expected the same inputs for every class.")
    sizes = np.array([[row[name] for name in inputs] for row in values.values()], dtype=np.float64)
    totals = sizes.sum(axis=1, keepdims=True)
    for name, total in zip(values, totals[:, 0], strict=True):
        if not total > 0:
            raise DataError(f"Attribution: no input moves the score of {name}.")
    shares = (sizes / totals).T
    order = np.argsort(-shares.mean(axis=1))
    with style_context():
        figure = new_figure((SQUARE[0], max(5.0, 0.5 * len(inputs) + 2.0)))
        axes = figure.add_subplot()
        axes.imshow(shares[order], cmap="Blues", vmin=0.0, aspect="auto")
        for (row, column), share in np.ndenumerate(shares[order]):
            shade = "white" if share > 0.6 * shares.max() else "black"
            axes.text(column, row, f"{100 * share:.0f}", ha="center", va="center", fontsize=17, color=shade)
        axes.set_xticks(range(len(values)), [process_label(name) for name in values], fontsize=17)
        symbols = [feature_label(inputs[index]).symbol for index in order]
        axes.set_yticks(range(len(inputs)), symbols, fontsize=18)
        axes.minorticks_off()
        axes.tick_params(length=0)
        axes.set_xlabel(r"Mean |$\partial$score/$\partial$input|, % of the class")
        add_label(axes, label)
    return figure
