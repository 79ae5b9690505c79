"""What the training did: history per fold, ROC curves, overlays, confusion, importance, search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mplhep
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from znought.errors import DataError, unknown_name
from znought.plots.histograms import headroom
from znought.plots.labels import colours, feature_label, line_styles, process_label
from znought.plots.style import SLIDE, SQUARE, FigureLabel, add_label, new_figure, style_context, vector

__all__ = [
    "Density",
    "confusion_matrix",
    "discriminant_overlay",
    "history",
    "importance",
    "roc_curves",
    "search_history",
]

_FOLD_COLOURS = ("#5790fc", "#f89c20", "#e42536", "#964a8b", "#9c9ca1", "#7a21dd")
# Peaks of the other classes, often at zero, are cut at this many heights of the output's own class.
_LINEAR_CUT = 3.0
_METRIC_TITLES = {
    "loss": "Loss",
    "accuracy": "Accuracy",
    "auc": "ROC AUC",
    "macro_auc": "Macro ROC AUC",
    "learning_rate": "Learning rate",
    "z": "$Z$",
}


@dataclass(frozen=True)
class Density:
    """Events of one class binned in a discriminant.

    Attributes:
        sumw: Σw per bin (n_bins,).
        sumw2: Σw² per bin (n_bins,).
    """

    sumw: npt.ArrayLike
    sumw2: npt.ArrayLike

    def normalised(self, edges: npt.NDArray[np.float64], what: str) -> tuple[npt.NDArray[np.float64], ...]:
        """Density of unit area and its statistical uncertainty, each (n_bins,)."""
        sumw = vector(self.sumw, what=what, size=edges.size - 1)
        sumw2 = vector(self.sumw2, what=f"{what}, squared weights", size=edges.size - 1)
        total = float(sumw.sum())
        if total <= 0:
            raise DataError(f"{what}: weights sum to {total:g}; a density needs a positive sum.")
        scale = total * np.diff(edges)
        return sumw / scale, np.sqrt(sumw2) / scale


def history(
    histories: Sequence[Mapping[str, Sequence[float]]],
    *,
    label: FigureLabel,
    metrics: Sequence[str] | None = None,
    best_epochs: Sequence[int] | None = None,
) -> Figure:
    """Metrics per epoch, one colour per fold: training dashed, stopping part solid, the kept epoch marked.

    Args:
        histories: per fold, metric → value per epoch; `val_<metric>` belongs to `<metric>`.
        label: what stands above the frame.
        metrics: which to draw, one panel each; by default all of the first fold.
        best_epochs: per fold, the epoch (from 0) whose weights were kept.

    Raises:
        DataError: no fold, or a metric that a fold lacks.
    """
    if not histories:
        raise DataError("A training history needs at least one fold.")
    known = list(dict.fromkeys(name.removeprefix("val_") for name in histories[0]))
    chosen = list(metrics) if metrics is not None else [name for name in known if name != "learning_rate"]
    for name in chosen:
        if any(name not in fold and f"val_{name}" not in fold for fold in histories):
            raise DataError(unknown_name("metric", name, known))
    with style_context():
        figure = new_figure()
        panels = list(figure.subplots(1, len(chosen), squeeze=False).flat)
        for axes, name in zip(panels, chosen, strict=True):
            for fold, values in enumerate(histories):
                best = best_epochs[fold] if best_epochs is not None else None
                _draw_fold(axes, values, name, _FOLD_COLOURS[fold % len(_FOLD_COLOURS)], best)
            axes.set_xlabel("Epoch")
            axes.set_ylabel(_METRIC_TITLES.get(name, name))
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
            axes.margins(x=0.02)
        _history_legend(panels[0], len(histories), best_epochs is not None)
        add_label(panels[0], label, right=panels[-1])
    return figure


def _draw_fold(
    axes: Axes, values: Mapping[str, Sequence[float]], name: str, colour: str, best: int | None
) -> None:
    """One fold's training and stopping curves, epochs counted from one."""
    for key, style in ((name, "dashed"), (f"val_{name}", "solid")):
        if key in values:
            epochs = np.arange(1, len(values[key]) + 1)
            axes.plot(epochs, values[key], color=colour, linestyle=style, linewidth=2.0)
    key = f"val_{name}" if f"val_{name}" in values else name
    if best is not None:
        axes.plot([best + 1], [values[key][best]], marker="o", markersize=10, color=colour)


def _history_legend(axes: Axes, n_folds: int, marked: bool) -> None:
    handles = [
        Line2D([], [], color=_FOLD_COLOURS[fold % len(_FOLD_COLOURS)], label=f"fold {fold}")
        for fold in range(n_folds)
    ]
    handles.append(Line2D([], [], color="black", linestyle="dashed", label="training"))
    handles.append(Line2D([], [], color="black", linestyle="solid", label="stopping part"))
    if marked:
        handles.append(Line2D([], [], color="black", marker="o", linestyle="none", label="kept epoch"))
    axes.legend(handles=handles, loc="best", fontsize=15)


def roc_curves(
    curves: Mapping[str, tuple[npt.ArrayLike, npt.ArrayLike, float]],
    *,
    label: FigureLabel,
    intervals: Mapping[str, tuple[float, float]] | None = None,
    macro: float | None = None,
    against: str = "all other classes",
) -> Figure:
    """ROC curve per class, one against the rest, with the area under each.

    Args:
        curves: class → (false-positive rate, true-positive rate, area).
        label: what stands above the frame.
        intervals: class → interval of the area.
        macro: mean area over the classes.
        against: what passes falsely.
    """
    palette, dashes = colours(curves), line_styles(list(curves))
    with style_context():
        figure = new_figure(SQUARE)
        axes = figure.add_subplot()
        for name, (false_rate, true_rate, area) in curves.items():
            x = vector(false_rate, what=f"false-positive rate of {name}")
            y = vector(true_rate, what=f"true-positive rate of {name}", size=x.size)
            text = f"{process_label(name)}  AUC = {area:.3f}"
            if intervals is not None and name in intervals:
                low, high = intervals[name]
                text += f" [{low:.3f}, {high:.3f}]"
            axes.plot(x, y, color=palette[name], linestyle=dashes[name], linewidth=2.6, label=text)
        axes.plot([0, 1], [0, 1], color="#3c3c3c", linewidth=1.0, linestyle="dotted")
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1.005)
        axes.set_xlabel(f"False-positive rate ({against})")
        axes.set_ylabel("True-positive rate")
        title = None if macro is None else f"macro AUC = {macro:.3f}"
        axes.legend(loc="lower right", fontsize=17, title=title, title_fontsize=18)
        add_label(axes, label)
    return figure


def discriminant_overlay(
    train: Mapping[str, Density],
    test: Mapping[str, Density],
    edges: npt.ArrayLike,
    *,
    discriminant: str,
    label: FigureLabel,
    agreement: Mapping[str, str] | None = None,
    test_scores: str = "own folds",
) -> Figure:
    """One network output per class: training + validation as steps, test as points; linear and logarithmic.

    Args:
        train: class → events that were trained on, by their out-of-fold network.
        test: class → events that were not.
        edges: bin edges (n_bins + 1,).
        discriminant: class whose output this is, for the axis title.
        label: what stands above the frame.
        agreement: class → short text of the comparison ("p = 0.43").
        test_scores: what scores the test events.
    """
    borders = vector(edges, what="bin edges")
    palette = colours(train)
    samples = {
        name: (
            train[name].normalised(borders, f"training events of {name}")[0],
            *test[name].normalised(borders, f"test events of {name}"),
        )
        for name in train
    }
    with style_context():
        figure = new_figure((SLIDE[0] * 1.2, SLIDE[1] * 1.2))
        panels = figure.subplots(1, 2)
        for axes, log in zip(panels, (False, True), strict=True):
            for name, sample in samples.items():
                fill = name == discriminant
                _draw_overlay(axes, borders, sample, name=name, colour=palette[name], fill=fill)
            _overlay_range(axes, samples, discriminant, log=log)
            axes.set_xlim(borders[0], borders[-1])
            axes.set_xlabel(f"{process_label(discriminant)} output")
            axes.set_ylabel("Density (unit area)")
        _overlay_legends(panels[0], panels[1], palette, agreement or {}, test_scores)
        add_label(panels[0], label, right=panels[1])
    return figure


def _overlay_range(
    axes: Axes, samples: Mapping[str, tuple[npt.NDArray[np.float64], ...]], own: str, *, log: bool
) -> None:
    """Everything on the logarithmic axis; on the linear one the output's own class must stay legible."""
    tops = {name: max(train.max(), (test + bars).max()) for name, (train, test, bars) in samples.items()}
    top = float(max(tops.values()))
    if log:
        filled = np.concatenate([heights for sample in samples.values() for heights in sample[:2]])
        headroom(axes, top, bottom=max(float(filled[filled > 0].min()) / 2, 1e-4), log=True, share=0.2)
        return
    limit = _LINEAR_CUT * float(tops.get(own, top))
    headroom(axes, min(top, limit), share=0.3)
    if top > limit:
        axes.text(
            0.97,
            0.72,
            "axis cut; all of it in the right panel",
            transform=axes.transAxes,
            ha="right",
            fontsize=15,
        )


def _draw_overlay(
    axes: Axes,
    edges: npt.NDArray[np.float64],
    samples: tuple[npt.NDArray[np.float64], ...],
    *,
    name: str,
    colour: str,
    fill: bool,
) -> None:
    """Training as steps, filled for the output's own class; test as points with bars of the same colour."""
    train, test, bars = samples
    if fill:
        axes.stairs(train, edges, fill=True, color=colour, alpha=0.2)
    # Empty bins break the line: falls to the floor of a logarithmic axis would hide the other classes.
    shown = np.where(train > 0, train, np.nan)
    axes.stairs(shown, edges, baseline=None, color=colour, linewidth=2.2, label=process_label(name))
    x, good = 0.5 * (edges[1:] + edges[:-1]), test > 0
    axes.errorbar(x[good], test[good], yerr=bars[good], fmt="o", color=colour, markersize=6, linewidth=1.5)


def _overlay_legends(
    left: Axes, right: Axes, palette: Mapping[str, str], agreement: Mapping[str, str], test_scores: str
) -> None:
    """Classes with their comparison on the left; what fill and points mean on the right."""
    texts = {name: f"{process_label(name)}  {agreement.get(name, '')}".rstrip() for name in palette}
    handles = [Line2D([], [], color=palette[name], linewidth=5, label=text) for name, text in texts.items()]
    left.legend(handles=handles, loc="upper right", ncols=2, fontsize=15)
    meaning = [
        Line2D([], [], color="#3c3c3c", linewidth=2.2, label="training (out of fold)"),
        Line2D([], [], color="#3c3c3c", marker="o", linestyle="none", label=f"test ({test_scores})"),
    ]
    right.legend(handles=meaning, loc="upper right", fontsize=16)


def confusion_matrix(matrix: npt.ArrayLike, *, classes: Sequence[str], label: FigureLabel) -> Figure:
    """Share of each true class (rows) that is predicted as each class (columns), in percent.

    Args:
        matrix: weighted events by (true, predicted) class, (n_classes, n_classes).
        classes: their names, in order.
        label: what stands above the frame.

    Raises:
        DataError: another shape, or a true class whose weights do not sum to a positive number.
    """
    counts = np.asarray(matrix, dtype=np.float64)
    if counts.shape != (len(classes), len(classes)):
        raise DataError(f"Confusion matrix: expected {len(classes)} rows and columns, not {counts.shape}.")
    totals = counts.sum(axis=1, keepdims=True)
    for name, total in zip(classes, totals[:, 0], strict=True):
        if not total > 0:
            raise DataError(f"Confusion matrix: class {name} has no weight ({total:g}).")
    shares = counts / totals
    names = [process_label(name) for name in classes]
    with style_context():
        figure = new_figure(SQUARE)
        axes = figure.add_subplot()
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (i, j), share in np.ndenumerate(shares):
            axes.text(
                j,
                i,
                f"{100 * share:.0f} %",
                ha="center",
                va="center",
                fontsize=20,
                color="white" if share > 0.55 else "black",
            )
        axes.set_xticks(range(len(names)), names, fontsize=17)
        axes.set_yticks(range(len(names)), names, fontsize=17, rotation=90, va="center")
        axes.minorticks_off()
        axes.tick_params(length=0)
        axes.set_xlabel("Predicted class")
        axes.set_ylabel("True class")
        add_label(axes, label)
    return figure


def importance(
    values: Mapping[str, tuple[float, float]], *, metric: str, label: FigureLabel, title: str = ""
) -> Figure:
    """Loss of `metric` when each input is made useless, the most important on top.

    Args:
        values: input → (loss of the metric, its spread).
        metric: what is lost, for the axis title.
        label: what stands above the frame.
        title: how it was measured.
    """
    names = sorted(values, key=lambda name: values[name][0])
    sizes = np.array([values[name][0] for name in names])
    spreads = np.array([values[name][1] for name in names])
    with style_context():
        figure = new_figure((SLIDE[0], max(5.0, 0.44 * len(names) + 1.8)))
        axes = figure.add_subplot()
        caps = {"capsize": 4}
        axes.barh(range(len(names)), sizes, xerr=spreads, color="#5790fc", ecolor="#3c3c3c", error_kw=caps)
        axes.axvline(0.0, color="#3c3c3c", linewidth=1.0)
        axes.set_yticks(range(len(names)), [feature_label(name).symbol for name in names], fontsize=19)
        axes.tick_params(axis="y", which="both", length=0)
        axes.set_ylim(-0.6, len(names) - 0.4)
        axes.margins(x=0.05)
        axes.set_xlabel(f"Loss of {metric}")
        if title:
            mplhep.add_text(title, loc="lower right", ax=axes, fontsize=18)
        add_label(axes, label)
    return figure


def search_history(
    values: npt.ArrayLike,
    *,
    objective: str,
    label: FigureLabel,
    reference: tuple[str, float] | None = None,
) -> Figure:
    """Objective of each finished trial in order, and the best so far.

    Args:
        values: objective per trial (n_trials,), higher is better; NaN where a trial failed or was stopped.
        objective: its name, for the axis title.
        label: what stands above the frame.
        reference: name and value of a level to compare with.

    Raises:
        DataError: no finished trial.
    """
    scores = np.asarray(values, dtype=np.float64)
    done = np.isfinite(scores)
    if scores.ndim != 1 or not done.any():
        raise DataError("A search history needs at least one finished trial.")
    trials = np.arange(1, scores.size + 1)
    best = np.maximum.accumulate(np.where(done, scores, -np.inf))
    begun = np.isfinite(best)
    with style_context():
        figure = new_figure()
        axes = figure.add_subplot()
        axes.plot(trials[done], scores[done], "o", color="#5790fc", label="trial")
        axes.step(
            trials[begun], best[begun], where="post", color="#e42536", linewidth=2.6, label="best so far"
        )
        if (~done).any():
            low = np.full((~done).sum(), 0.02), axes.get_xaxis_transform()
            text = f"stopped or failed ({low[0].size})"
            axes.plot(trials[~done], low[0], "x", color="#717581", transform=low[1], label=text)
        if reference is not None:
            axes.axhline(reference[1], color="#3c3c3c", linestyle="dashed", label=reference[0])
        axes.set_xlabel("Trial")
        axes.set_ylabel(objective)
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
        axes.margins(x=0.02, y=0.08)
        axes.legend(loc="best")
        add_label(axes, label)
    return figure
