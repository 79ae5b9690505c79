"""From scored events and results to the arguments of the figures: which events, weights and bins."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from znought.facility.cards.standard import StandardCard
from znought.facility.events.sample import ScoredSample
from znought.facility.figures.fitted import fit_pictures, prediction_picture
from znought.facility.figures.inputs import distribution_pictures, region_pictures, validation_pictures
from znought.facility.figures.network import Explained
from znought.facility.figures.picture import Picture
from znought.facility.figures.referee import referee_pictures
from znought.facility.figures.writing import CardFigures
from znought.facility.referee.verdicts import Verdicts, marked
from znought.facility.regions.books import RegionBook
from znought.facility.regions.correlated import input_correlations
from znought.facility.regions.distributions import Distribution
from znought.facility.regions.validation import Validation
from znought.facility.results.standard import Results
from znought.models.artefacts import Manifest
from znought.models.evaluation import confusion_matrix, roc_curve
from znought.plots import binning, cutflow, inputs, sample_size, training
from znought.plots.labels import process_label, readable
from znought.plots.style import FigureLabel

__all__ = ["Album"]

Floats = NDArray[np.float64]
SCORE_EDGES = np.linspace(0.0, 1.0, 41)


@dataclass(frozen=True)
class Album(CardFigures[StandardCard]):
    """All figures of an analysis, drawn one by one.

    Attributes:
        simulation: scored events.
        cut_names, cut_yields: the cutflow by process, weighted.
        regions: what the cuts of each region leave and remove.
        distributions: of variables in every region.
        data_lumi_ifb: luminosity of the data that were read; None without data.
        validation: data against simulation; None without data.
        explained: what the networks have learned.
        verdicts: of the referee; None where the results have not been judged.
    """

    results: Results
    manifest: Manifest | None
    simulation: ScoredSample
    cut_names: tuple[str, ...]
    cut_yields: Mapping[str, tuple[float, ...]]
    regions: Mapping[str, RegionBook]
    distributions: Iterable[Distribution]
    data_lumi_ifb: float | None
    validation: Validation | None
    explained: Explained | None
    verdicts: Verdicts | None = None

    @property
    def label(self) -> FigureLabel:
        """Of figures in which the luminosity counts; it says when the referee refuses the results."""
        return replace(super().label, label=marked(self.card.label, self.verdicts))

    @property
    def shapes(self) -> FigureLabel:
        """Of figures in which it has no meaning."""
        return replace(super().shapes, label=marked(self.card.label, self.verdicts))

    @cached_property
    def _classes(self) -> dict[str, NDArray[np.bool_]]:
        return {name: self.simulation.class_index == i for i, name in enumerate(self.card.classes)}

    def pictures(self) -> Iterator[Picture]:
        """Every figure, in the order of the report."""
        if self.results.z0:
            yield from self._significance()
        signal, data_name = self.results.signal, self.card.data_name
        if self.results.fit is not None:
            yield from fit_pictures(self.results.fit, label=self.label, signal=signal, data_name=data_name)
        if (found := self.results.prediction) is not None:
            yield prediction_picture(found, label=self.label, signal=signal, data_name=data_name)
        yield from self._cutflow()
        if self.explained is not None:
            caption = f"One class against the rest, all classes of one weight; {self.results.auc_events}."
            yield Picture("roc", "ROC curves", "Network", self._roc(), caption)
            if self.manifest is not None:
                yield from self._training(self.manifest)
            caption = (
                "Class of the largest output for the events of each class, all classes of one weight; events "
                "that the networks have not seen."
            )
            yield Picture("confusion", "Confusion matrix", "Network", self._confusion(), caption)
            yield from self.explained.pictures()
        yield from self._inputs()
        if self.validation is not None:
            yield from validation_pictures(self.card, self.validation)
        else:
            columns, weight = self.simulation.columns, self.simulation.weight
            matrix = input_correlations(columns, weight, self.card.binned).matrix
            figure = inputs.correlation_matrix(matrix, features=self._names, kind="MC", label=self.shapes)
            caption = "Linear correlations in all selected simulated events, weighted."
            yield Picture("correlation_mc", "Correlations, simulation", "Inputs", figure, caption)
        if self.verdicts is not None:
            yield from referee_pictures(self.verdicts, label=self.label, shapes=self.shapes)

    def _significance(self) -> Iterator[Picture]:
        entries = [
            binning.SignificanceEntry(
                name,
                tuned=found.tuned,
                held_out=found.held_out,
                interval=found.interval,
                profile=self.results.z_profile.get(name),
                published=self.results.published_z0.get(name),
            )
            for name, found in self.results.z0.items()
        ]
        note = f"{self.results.sigma_background:.0%} background uncertainty"
        figure = binning.significance_comparison(entries, label=self.label, note=note)
        caption = (
            "Simulated events of the regions that are binned. Points: edges chosen on other events than "
            "those quoted, with the 68 % interval beside; the others are what is often quoted instead."
        )
        yield Picture("significance", "Expected significance", "Significance", figure, caption)
        yield from self._by_size()
        for name, title in self.results.selections.items():
            if len(self.results.edges[name]) > 2:
                caption = (
                    "Simulated events in the final bins, and the significance of each below; the held-out "
                    "one is that of edges chosen on other events."
                )
                yield Picture(f"binning_{name}", title, "Significance", self._binning(name), caption)

    def _by_size(self) -> Iterator[Picture]:
        points = [
            sample_size.SizePoint(
                part.generated, {name: (one.value, *one.interval) for name, one in part.z0.items()}
            )
            for part in self.results.z0_by_size
        ]
        if any(point.z0 for point in points):
            note = f"{self.results.sigma_background:.0%} background uncertainty"
            figure = sample_size.significance_by_size(points, label=self.label, note=note)
            caption = (
                "Bins are found and quoted on parts of the events, weights scaled up; networks stay what "
                "they are. What still moves with the sample is no property of the selections."
            )
            yield Picture("sample_size", "Significance against sample size", "Significance", figure, caption)

    def _binning(self, name: str) -> Figure:
        found, cuts = self.results.z0[name], self.card.cut_based
        low, high = found.interval
        yields = {
            process: (np.asarray(y.events), np.square(y.mc_stat_error))
            for process, y in self.results.yields[name].items()
        }
        return binning.optimised_binning(
            self.results.edges[name],
            yields,
            signal=str(self.card.signal),
            z_per_bin=found.z_per_bin,
            label=self.label,
            note=f"held-out $Z$ = {found.held_out:.2f} [{low:.2f}, {high:.2f}]",
            discriminant=cuts.variable if cuts is not None and name.startswith("cut_based") else None,
        )

    def _cutflow(self) -> Iterator[Picture]:
        # Data have another luminosity, and no expected events after each cut to compare with.
        expected = {name: yields for name, yields in self.cut_yields.items() if name in self.results.events}
        figure = cutflow.cutflow(self.cut_names, expected, label=self.label)
        caption = "Simulated events of each process that are left after each cut, weighted."
        yield Picture("cutflow", "Cutflow", "Selection", figure, caption)
        yield from region_pictures(self.card, self.regions, signal=self.card.signal)
        yield from distribution_pictures(
            self.card, self.distributions, signal=self.card.signal, lumi_ifb=self.data_lumi_ifb
        )

    def _training(self, manifest: Manifest) -> Iterator[Picture]:
        for name in self.card.classes:
            title = f"{readable(process_label(name))} output, training against test"
            caption = self._overlay_caption
            yield Picture(f"discriminant_{name}", title, "Network", self._overlay(name), caption)
        first = slice(manifest.n_folds)
        histories = [_keras_names(history) for history in manifest.histories[first]]
        figure = training.history(histories, label=self.shapes, best_epochs=manifest.best_epochs[first])
        caption = f"The first of {manifest.n_repeats} repeats of the folds."
        yield Picture("history", "Training history by fold", "Network", figure, caption)

    @cached_property
    def _balanced(self) -> Floats:
        """Event weights with every class carrying the same sum; 0 where no class is trained."""
        weight = np.zeros(len(self.simulation))
        for mask in self._classes.values():
            weight[mask] = self.simulation.weight[mask] / self.simulation.weight[mask].sum()
        return weight

    def _roc(self) -> Figure:
        trained = self.simulation.is_estimator
        outputs, weight = self.simulation.outputs()[trained], self._balanced[trained]
        curves, intervals = {}, {}
        for i, name in enumerate(self.card.classes):
            curve = roc_curve(outputs[:, i], self._classes[name][trained], weight)
            every = max(1, len(curve.signal_efficiency) // 2000)
            area = self.results.auc[name]
            curves[name] = (
                np.append(curve.background_efficiency[::every], 1.0),
                np.append(curve.signal_efficiency[::every], 1.0),
                area.value,
            )
            intervals[name] = area.interval
        macro = self.results.auc["macro"].value
        return training.roc_curves(curves, label=self.shapes, intervals=intervals, macro=macro)

    @property
    def _overlay_caption(self) -> str:
        tested = self.results.one_discriminant.get("network")
        combined = (
            "Too few events to test it."
            if tested is None
            else f"p: χ² with tail quantiles by generated event; all together: {tested.p_value:.2g}."
        )
        return f"{OVERLAYS[self.card.training.scoring]} {combined}"

    def _overlay(self, output: str) -> Figure:
        scores = self.simulation.outputs()[:, self.card.classes.index(output)]
        test = self.simulation.is_test
        densities: tuple[dict[str, training.Density], dict[str, training.Density]] = ({}, {})
        texts = {}
        for name, mask in self._classes.items():
            for part, rows in zip(densities, (mask & ~test, mask & test), strict=True):
                part[name] = _density(scores[rows], self.simulation.weight[rows])
            if (p_value := self._p_value(name, output)) is not None:
                texts[name] = f"p = {p_value:.2g}"
        return training.discriminant_overlay(
            *densities,
            SCORE_EDGES,
            discriminant=output,
            label=self.shapes,
            agreement=texts,
            test_scores=TEST_SCORES[self.card.training.scoring],
        )

    def _p_value(self, process: str, output: str) -> float | None:
        """Probability that test and out-of-fold events have one discriminant; None with too few of them."""
        tested = self.results.one_discriminant.get("network")
        tests = () if tested is None else tested.tests
        return next((one.p_value for one in tests if (one.process, one.output) == (process, output)), None)

    def _confusion(self) -> Figure:
        trained = self.simulation.is_estimator
        matrix = confusion_matrix(
            self.simulation.outputs()[trained], self.simulation.class_index[trained], self._balanced[trained]
        )
        return training.confusion_matrix(matrix, classes=self.card.classes, label=self.shapes)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.card.binned)

    def _inputs(self) -> Iterator[Picture]:
        shown = self._classes if self.explained is not None else self._processes
        values = {
            name: {variable: self.simulation.columns[variable][mask] for variable in self._names}
            for name, mask in shown.items()
        }
        weights = {name: self.simulation.weight[mask] for name, mask in shown.items()}
        undefined = {n: v.undefined for n, v in self.card.binned.items() if v.undefined is not None}
        figure = inputs.input_overview(
            values, weights, features=self._names, label=self.shapes, undefined=undefined
        )
        yield Picture("inputs", "Variables, unit area", "Inputs", figure, SHAPES)
        if self.manifest is None:
            return
        figure = inputs.input_overview(
            {name: self._scaled(self.manifest, table) for name, table in values.items()},
            weights,
            features=self._names,
            label=self.shapes,
            scaled=True,
        )
        title = "Inputs as the network of fold 0 sees them"
        yield Picture(
            "inputs_scaled", title, "Inputs", figure, f"{SHAPES} Scaled as on the events of that fold."
        )

    @property
    def _processes(self) -> dict[str, NDArray[np.bool_]]:
        """Rows of every simulated process that has any."""
        process = self.simulation.process
        return {name: process == name for name in self.card.processes if np.any(process == name)}

    def _scaled(
        self, manifest: Manifest, table: Mapping[str, NDArray[np.float32]]
    ) -> dict[str, NDArray[np.float32]]:
        """What the scaler of the first fold makes of the inputs."""
        names = manifest.feature_names
        scaled = manifest.scalers[0].transform(np.column_stack([table[name] for name in names]))
        # Variables that are no inputs are shown as they are.
        return {**table, **{name: scaled[:, i] for i, name in enumerate(names)}}


SHAPES = "Shares of the selected simulated events of each class that have a value, by bin; weighted."
TEST_SCORES = {"own_fold": "own folds", "published": "mean of all networks"}
OVERLAYS = {
    "own_fold": "Training and test events alike have the mean of the networks of their own folds, one for "
    "each repeat, which have not seen them.",
    "published": "The published way, for comparison only: training events are scored by the network that did "
    "not see them, test events by the mean of all, which is another discriminant.",
}


def _density(values: NDArray[np.float32], weight: Floats) -> training.Density:
    return training.Density(
        np.histogram(values, SCORE_EDGES, weights=weight)[0],
        np.histogram(values, SCORE_EDGES, weights=weight**2)[0],
    )


def _keras_names(history: Mapping[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
    """The stopping part under the name that validation metrics have in Keras histories."""
    names = {"loss": "loss", "stop_loss": "val_loss", "stop_auc": "val_auc"}
    return {names[name]: values for name, values in history.items() if name in names}
