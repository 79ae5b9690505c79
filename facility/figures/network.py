"""What the networks have learned, as figures: calibration, importance of inputs, predicted classes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from znought.facility.cards.standard import StandardCard
from znought.facility.events.sample import ScoredSample
from znought.facility.figures.picture import Picture
from znought.facility.figures.writing import CardFigures
from znought.facility.learning.searching import trial_values
from znought.facility.results.explained import InputImportance, Tail, read_explanation
from znought.facility.workspace import Workspace
from znought.models import explain
from znought.models.evaluation import roc_curve
from znought.plots.attribution import attribution
from znought.plots.calibration import CalibrationCurve, calibration
from znought.plots.labels import process_label, readable
from znought.plots.network_tails import network_tails
from znought.plots.smeft import predicted_class_inputs
from znought.plots.training import importance, roc_curves, search_history

__all__ = ["Explained", "read_explained", "sizes"]

SECTION = "Network"
BALANCED = "classes of equal weight"


@dataclass(frozen=True)
class Explained(CardFigures[StandardCard]):
    """Events with their scores, and what `score` and `tune` have written about the networks.

    Attributes:
        importance: input → mean and stdev of the loss of macro AUC when it is shuffled.
        attribution: class → input → mean |∂score/∂input|.
        trials: values of the search's trials, NaN for failed ones; none without a search.
        tails: class → cut → share of the class's events above it in its own output, network by network.
    """

    simulation: ScoredSample
    importance: dict[str, tuple[float, float]]
    attribution: dict[str, dict[str, float]]
    trials: tuple[float, ...]
    tails: dict[str, dict[str, tuple[float, ...]]]

    def pictures(self) -> Iterator[Picture]:
        """Every figure, in the order of the report."""
        signal = readable(process_label(str(self.card.class_of_signal)))
        title = f"{signal} against each background"
        caption = "Output of the signal's class, for events of the signal and of one background at a time."
        yield Picture("roc_signal", title, SECTION, self._signal_against_each(), caption)
        events = "All events" if self.card.network is None else "Out-of-fold and test events"
        caption = f"{events}, {BALANCED}."
        yield Picture("calibration", "Calibration", SECTION, self._calibration(), caption)
        figure = importance(self.importance, metric="macro AUC", label=self.shapes, title="input shuffled")
        caption = f"Mean and standard deviation of three shuffles, {events.lower()}."
        yield Picture("importance", "Importance of the inputs", SECTION, figure, caption)
        if self.attribution:
            figure = attribution(self.attribution, label=self.shapes)
            caption = "Network of fold 0 on the events of fold 0; inputs as the network sees them."
            yield Picture("attribution", "Gradient attribution", SECTION, figure, caption)
        if self.tails:
            caption = "Each point one network, on the training events of the fold that it has not seen."
            figure = network_tails(self.tails, label=self.shapes)
            yield Picture("network_tails", "Tails of the single networks", SECTION, figure, caption)
        caption = (
            "All simulated signal events that have a value, by whether the largest output is that of their "
            "class; weighted."
        )
        title = f"{signal} events by predicted class"
        yield Picture("predicted_class", title, SECTION, self._predicted(), caption)
        if self.trials:
            figure = search_history(
                self.trials, objective=f"Objective ({self.card.search.objective})", label=self.shapes
            )
            yield Picture("search", "Search of the network", SECTION, figure)

    def _balanced(self) -> NDArray[np.float64]:
        """Sizes of the event weights, every class carrying the same sum; 0 where no class is trained."""
        index = self.simulation.class_index
        weight = np.where(index >= 0, np.abs(self.simulation.weight), 0.0)
        sums = np.bincount(index[index >= 0], weights=weight[index >= 0], minlength=len(self.card.classes))
        return np.asarray(weight / sums[index], dtype=np.float64)

    def _signal_against_each(self) -> Figure:
        scores, index = self.simulation.signal_score(), self.simulation.class_index
        signal = self.card.classes.index(str(self.card.class_of_signal))
        curves = {}
        for number, name in enumerate(self.card.classes):
            if number != signal:
                rows = (index == signal) | (index == number)
                curve = roc_curve(scores[rows], index[rows] == signal, self.simulation.weight[rows])
                every = max(1, len(curve.signal_efficiency) // 2000)
                false_rate = np.append(curve.background_efficiency[::every], 1.0)
                true_rate = np.append(curve.signal_efficiency[::every], 1.0)
                curves[name] = (false_rate, true_rate, curve.auc)
        return roc_curves(curves, label=self.shapes, against="background of that name")

    def _calibration(self) -> Figure:
        outputs, index, weight = self.simulation.outputs(), self.simulation.class_index, self._balanced()
        trained = index >= 0
        curves = {}
        for number, name in enumerate(self.card.classes):
            found = explain.calibration(outputs[trained, number], index[trained] == number, weight[trained])
            filled = np.isfinite(found.mean_score)
            bins = np.histogram(outputs[trained, number], found.edges, weights=weight[trained])[0]
            curves[name] = CalibrationCurve(
                found.mean_score[filled],
                found.fraction[filled],
                found.fraction_error[filled],
                (bins / bins.sum())[filled],
            )
        return calibration(curves, label=self.shapes, note=BALANCED)

    def _predicted(self) -> Figure:
        rows = self.simulation.is_signal
        predicted = np.argmax(self.simulation.outputs()[rows], axis=1)
        signal = self.card.classes.index(str(self.card.class_of_signal))
        binned = self.card.binned
        return predicted_class_inputs(
            {name: self.simulation.columns[name][rows] for name in binned},
            predicted == signal,
            self.simulation.weight[rows],
            label=self.shapes,
            called=("another class", str(self.card.class_of_signal)),
            undefined={n: v.undefined for n, v in binned.items() if v.undefined is not None},
        )


def read_explained(card: StandardCard, workspace: Workspace, simulation: ScoredSample) -> Explained:
    """From the files of `score` and, where there was a search, of `tune`."""
    found = read_explanation(workspace.explanation)
    tails = _own_tails(found.tails, card.classes)
    values = sizes(found.importance)
    return Explained(card, simulation, values, found.attribution, trial_values(workspace), tails)


def sizes(found: Mapping[str, InputImportance]) -> dict[str, tuple[float, float]]:
    """Input → loss of macro AUC when it is shuffled, and its spread, as the figure takes them."""
    return {name: (one.mean, one.stdev) for name, one in found.items()}


def _own_tails(entries: Iterable[Tail], classes: tuple[str, ...]) -> dict[str, dict[str, tuple[float, ...]]]:
    """Class → cut → share above it in the class's own output, network by network."""
    found: dict[str, dict[str, tuple[float, ...]]] = {}
    for entry in entries:
        if entry.output == entry.class_name:
            by_cut = found.setdefault(entry.class_name, {})
            for cut, share in entry.above.items():
                by_cut[cut] = (*by_cut.get(cut, ()), share)
    return {name: found[name] for name in classes if name in found}
