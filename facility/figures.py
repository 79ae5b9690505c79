"""From scored events and results to the arguments of the figures: which events, weights and bins."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from znought.facility.card_vh_ww import SELECTIONS, VHWWCard
from znought.facility.results import FitSummary, Results
from znought.facility.sample import ScoredSample
from znought.models.artefacts import Manifest
from znought.models.evaluation import agreement, confusion_matrix, effective_size, roc_curve
from znought.models.folds import UNTRAINED
from znought.plots import binning, cutflow, fit, inputs, training
from znought.plots.style import FigureLabel
from znought.processors.features import FEATURES, M_TAUTAU_UNDEFINED
from znought.processors.hists import AXES

__all__ = ["Album", "Picture"]

Floats = NDArray[np.float64]
SCORE_EDGES = np.linspace(0.0, 1.0, 41)


@dataclass(frozen=True)
class Picture:
    """One figure of the album: its file name, title, caption and heading in the report."""

    name: str
    title: str
    section: str
    figure: Figure
    caption: str = ""


@dataclass(frozen=True)
class Album:
    """All figures of an analysis, drawn one by one.

    Attributes:
        simulation, data: scored events.
        cut_names, cut_yields: the cutflow by process, weighted.
        data_scale: luminosity of the data over that of the card.
        unblind: whether data in signal bins are drawn.
    """

    card: VHWWCard
    results: Results
    manifest: Manifest
    simulation: ScoredSample
    data: ScoredSample
    cut_names: tuple[str, ...]
    cut_yields: Mapping[str, tuple[float, ...]]
    data_lumi_ifb: float | None
    unblind: bool

    @property
    def label(self) -> FigureLabel:
        return FigureLabel(label=self.card.label, lumi_ifb=self.card.lumi_ifb)

    @property
    def shapes(self) -> FigureLabel:
        """For figures in which the luminosity has no meaning."""
        return FigureLabel(label=self.card.label, lumi_ifb=None)

    @cached_property
    def _classes(self) -> dict[str, NDArray[np.bool_]]:
        return {name: self.simulation.class_index == i for i, name in enumerate(self.card.classes)}

    def pictures(self) -> Iterator[Picture]:
        """Every figure, in the order of the report."""
        yield from self._significance()
        yield from self._cutflow()
        yield from self._network()
        yield from self._inputs()
        if len(self.data):
            yield from self._data_mc()

    def _significance(self) -> Iterator[Picture]:
        entries = [
            binning.SignificanceEntry(
                name,
                tuned=found.tuned,
                held_out=found.held_out,
                interval=found.interval,
                profile=self.results.z_profile.get(name),
                talk=self.results.published_z0.get(name),
            )
            for name, found in self.results.z0.items()
        ]
        note = f"{self.results.sigma_background:.0%} background uncertainty"
        figure = binning.significance_comparison(entries, label=self.label, note=note)
        yield Picture("significance", "Expected significance", "Significance", figure)
        for name in ("mva_greedy", "mva_optimal", "cut_based_mt_binned"):
            yield Picture(f"binning_{name}", SELECTIONS[name], "Significance", self._binning(name))

        if self.results.fit is not None and self.results.fit.impacts:
            figure = fit.ranking(_impacts(self.results.fit), label=self.label)
            yield Picture("ranking", "Nuisance parameters by impact", "Significance", figure)

    def _binning(self, name: str) -> Figure:
        found = self.results.z0[name]
        low, high = found.interval
        yields = {
            process: (np.asarray(y.events), np.square(y.mc_stat_error))
            for process, y in self.results.yields[name].items()
        }
        return binning.optimised_binning(
            self.results.edges[name],
            yields,
            signal=self.card.signal,
            z_per_bin=found.z_per_bin,
            label=self.label,
            note=f"held-out {found.held_out:.2f} [{low:.2f}, {high:.2f}]",
            discriminant=None if name.startswith("mva") else self.card.cut_based.variable,
        )

    def _cutflow(self) -> Iterator[Picture]:
        # Data have another luminosity, and no expected events after each cut to compare with.
        expected = {name: yields for name, yields in self.cut_yields.items() if name in self.results.events}
        figure = cutflow.cutflow(self.cut_names, expected, label=self.label)
        yield Picture("cutflow", "Cutflow", "Selection", figure)

    def _network(self) -> Iterator[Picture]:
        yield Picture("roc", "ROC curves", "Network", self._roc())
        for name in self.card.classes:
            figure = self._overlay(name)
            yield Picture(
                f"discriminant_{name}", f"{name} output, training against test", "Network", figure, OVERLAY
            )
        yield Picture("confusion", "Confusion matrix", "Network", self._confusion())
        histories = [_keras_names(history) for history in self.manifest.histories]
        figure = training.history(histories, label=self.shapes, best_epochs=self.manifest.best_epochs)
        yield Picture("history", "Training history by fold", "Network", figure)

    @cached_property
    def _balanced(self) -> Floats:
        """Event weights with every class carrying the same sum; 0 where no class is trained."""
        weight = np.zeros(len(self.simulation))
        for mask in self._classes.values():
            weight[mask] = self.simulation.weight[mask] / self.simulation.weight[mask].sum()
        return weight

    def _roc(self) -> Figure:
        trained = self.simulation.class_index >= 0
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

    def _overlay(self, output: str) -> Figure:
        scores = self.simulation.outputs()[:, self.card.classes.index(output)]
        test = self.simulation.scores["fold"] == UNTRAINED
        densities: tuple[dict[str, training.Density], dict[str, training.Density]] = ({}, {})
        texts = {}
        for name, mask in self._classes.items():
            for part, rows in zip(densities, (mask & ~test, mask & test), strict=True):
                part[name] = _density(scores[rows], self.simulation.weight[rows])
            texts[name] = self._agreement(scores, mask & ~test, mask & test)
        return training.discriminant_overlay(
            *densities, SCORE_EDGES, discriminant=output, label=self.shapes, agreement=texts
        )

    def _agreement(self, scores: NDArray[np.float32], one: NDArray[np.bool_], two: NDArray[np.bool_]) -> str:
        weight, identity = self.simulation.weight, self.simulation.columns.identity
        sizes = (effective_size(weight[one], identity[one]), effective_size(weight[two], identity[two]))
        found = agreement(scores[one], weight[one], scores[two], weight[two], edges=SCORE_EDGES, sizes=sizes)
        return f"KS p = {found.ks_p_value:.2g}"

    def _confusion(self) -> Figure:
        trained = self.simulation.class_index >= 0
        matrix = confusion_matrix(
            self.simulation.outputs()[trained], self.simulation.class_index[trained], self._balanced[trained]
        )
        return training.confusion_matrix(matrix, classes=self.card.classes, label=self.shapes)

    def _inputs(self) -> Iterator[Picture]:
        values = {
            name: {feature: self.simulation.columns[feature][mask] for feature in FEATURES}
            for name, mask in self._classes.items()
        }
        weights = {name: self.simulation.weight[mask] for name, mask in self._classes.items()}
        figure = inputs.input_overview(
            values, weights, features=FEATURES, label=self.shapes, undefined={"m_tautau": M_TAUTAU_UNDEFINED}
        )
        yield Picture("inputs", "Inputs by class, unit area", "Inputs", figure)
        figure = inputs.input_overview(
            {name: self._scaled(table) for name, table in values.items()},
            weights,
            features=FEATURES,
            label=self.shapes,
            scaled=True,
        )
        yield Picture("inputs_scaled", "Inputs as the network of fold 0 sees them", "Inputs", figure)
        matrix = _correlation(self.simulation, np.ones(len(self.simulation), dtype=bool))
        figure = inputs.correlation_matrix(matrix, features=FEATURES, kind="MC", label=self.shapes)
        yield Picture("correlation_mc", "Correlations, simulation", "Inputs", figure)

    def _scaled(self, table: Mapping[str, NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
        """What the scaler of the first fold makes of the inputs."""
        names = self.manifest.feature_names
        scaled = self.manifest.scalers[0].transform(np.column_stack([table[name] for name in names]))
        # Inputs that a card leaves out are shown as they are.
        return {**table, **{name: scaled[:, i] for i, name in enumerate(names)}}

    def _data_mc(self) -> Iterator[Picture]:
        lumi = self.data_lumi_ifb or self.card.lumi_ifb
        label = FigureLabel(label=self.card.label, lumi_ifb=lumi)
        shown = self._shown(self.simulation), self._shown(self.data)
        caption = "" if self.unblind else "Events of the signal bins are left out of data and simulation."
        matrices = [
            _correlation(sample, mask)
            for sample, mask in zip((self.simulation, self.data), shown, strict=True)
        ]
        kinds: tuple[tuple[Literal["data", "difference"], Floats], ...] = (
            ("data", matrices[1]),
            ("difference", matrices[0] - matrices[1]),
        )
        for kind, matrix in kinds:
            figure = inputs.correlation_matrix(matrix, features=FEATURES, kind=kind, label=self.shapes)
            yield Picture(
                f"correlation_{kind}", f"Correlations, {kind}", "Data and simulation", figure, caption
            )
        for feature in FEATURES:
            defined = [
                mask & _defined(sample, feature)
                for sample, mask in zip((self.simulation, self.data), shown, strict=True)
            ]
            figure = self._data_mc_of(feature, defined, lumi / self.card.lumi_ifb, label)
            extra = " Events without a collinear solution are not drawn." if feature == "m_tautau" else ""
            yield Picture(f"data_mc_{feature}", feature, "Data and simulation", figure, caption + extra)

    def _shown(self, sample: ScoredSample) -> NDArray[np.bool_]:
        """Events outside the signal bins, or all when unblinded."""
        if self.unblind:
            return np.ones(len(sample), dtype=bool)
        signal_like = sample.signal_score() >= self.card.binning.lower
        return ~(sample.in_region(self.card.signal_region) & signal_like)

    def _data_mc_of(
        self, feature: str, shown: Sequence[NDArray[np.bool_]], scale: float, label: FigureLabel
    ) -> Figure:
        bins, lower, upper, _ = AXES[feature]
        edges = np.linspace(lower, upper, bins // 2 + 1)
        simulated, data = shown
        processes = {}
        for name in self.results.events:
            rows = simulated & (self.simulation.process == name)
            values, weight = self.simulation.columns[feature][rows], self.simulation.weight[rows] * scale
            processes[name] = (
                np.histogram(values, edges, weights=weight)[0],
                np.histogram(values, edges, weights=weight**2)[0],
            )
        counts = np.histogram(self.data.columns[feature][data], edges)[0]
        return inputs.data_mc(
            counts,
            processes,
            edges,
            variable=feature,
            label=label,
            signal=self.card.signal,
            data_name="Pseudo-data" if self.card.simulation is not None else "Data",
        )


OVERLAY = (
    "Training events are scored by the one network that did not see them, test events by the mean of all: a "
    "mean of networks is the steadier estimate, so the tails need not agree even without overtraining."
)


def _impacts(found: FitSummary) -> list[fit.NuisanceImpact]:
    entries = []
    for name, impact in found.impacts.items():
        _, error, pull = found.pulls[name]
        entries.append(fit.NuisanceImpact(name, pull or 0.0, (error, error), impact))
    return entries


def _density(values: NDArray[np.float32], weight: Floats) -> training.Density:
    return training.Density(
        np.histogram(values, SCORE_EDGES, weights=weight)[0],
        np.histogram(values, SCORE_EDGES, weights=weight**2)[0],
    )


def _defined(sample: ScoredSample, feature: str) -> NDArray[np.bool_]:
    """Events in which an input has a value; only m_ττ may have none."""
    if feature != "m_tautau":
        return np.ones(len(sample), dtype=bool)
    return np.asarray(sample.columns[feature] != M_TAUTAU_UNDEFINED)


def _correlation(sample: ScoredSample, mask: NDArray[np.bool_]) -> Floats:
    """Weighted linear correlation of the inputs where all are defined; weights count with their sign."""
    mask = mask & _defined(sample, "m_tautau")
    values = sample.columns.matrix(FEATURES)[mask].astype(np.float64)
    weight = sample.weight[mask] / sample.weight[mask].sum()
    centred = values - weight @ values
    covariance = (centred * weight[:, None]).T @ centred
    spread = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(spread, spread), dtype=np.float64)


def _keras_names(history: Mapping[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
    """The stopping part under the name that validation metrics have in Keras histories."""
    names = {"loss": "loss", "stop_loss": "val_loss", "stop_auc": "val_auc"}
    return {names[name]: values for name, values in history.items() if name in names}
