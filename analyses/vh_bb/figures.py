"""From scored events and results of VH(bb) to the arguments of figures: which events, weights and cuts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channel_scores import ChannelScores
from znought.analyses.vh_bb.channels import point_of
from znought.analyses.vh_bb.figures_limits import AXES_TITLES
from znought.analyses.vh_bb.results import ProjectionResult, SmeftResults
from znought.analyses.vh_bb.summary import MODEL_TITLES
from znought.errors import DataError
from znought.facility.figures.network import sizes
from znought.facility.figures.picture import Picture
from znought.facility.figures.writing import CardFigures
from znought.facility.ntuples.flows import FlowTable
from znought.models.evaluation import roc_curve
from znought.plots import cutflow, inputs, smeft
from znought.plots.style import FigureLabel
from znought.plots.training import Density, importance, search_history
from znought.stats.eft.channel import hypothesis
from znought.stats.eft.counting import channel_z
from znought.stats.eft.measurement import significance

__all__ = ["NetworkAlbum"]

Floats = NDArray[np.float64]
SCORE_EDGES = np.linspace(0.0, 1.0, 41)
SYSTEMATICS = (0.0, 0.1, 0.25, 0.5)
"""Relative uncertainties of the curves of Z_A against the cut, beside the card's own."""
DEFINITIONS = {"paper": "whole yield as signal (paper)", "excess": "excess over the SM as signal"}
CUT_TITLES = {"pt_b1": "$p_{T}^{b_{1}}$", "met": "$E_{T}^{miss}$", "pt_v": "$p_{T}^{V}$", "n_jets": "jets"}


@dataclass(frozen=True)
class NetworkAlbum(CardFigures[VHBBCard]):
    """Figures of the classifiers and of their significances.

    Attributes:
        channels: scored events, by channel.
        cutflows: channel → expected events after each cut.
        trials: what each network of a search was worth; none where there was no search.
    """

    results: SmeftResults
    channels: Mapping[str, ChannelScores]
    cutflows: Mapping[str, FlowTable]
    trials: tuple[float, ...] = ()

    @property
    def value(self) -> float:
        """The coefficient that figures of one value are drawn for."""
        return self.card.discriminants.classifier_value

    @cached_property
    def main(self) -> ChannelScores:
        """The channel that figures of one channel show: the card's main one."""
        return self.channels[self.card.main_channel]

    def pictures(self) -> Iterator[Picture]:
        """Every figure, in the order of the report."""
        yield from self._selection()
        for one in self.channels.values():
            yield from self._outputs(one)
            yield from self._rocs(one)
        yield from self._importance()
        for definition in DEFINITIONS:
            yield from self._cuts(definition)
        yield from self._luminosities()
        yield from self._combinations()
        for one in self.channels.values():
            yield self._predicted(one)
        if self.trials:
            objective = {"z0": "$Z_{A}$", "auc": "AUC"}[self.card.search.objective]
            figure = search_history(
                self.trials, objective=f"{objective}, part of the search", label=self.shapes
            )
            title = f"{self.card.main_channel}: search of the network, c̄_HW = {self.value:g}"
            yield Picture("search", title, "Networks", figure)

    def _selection(self) -> Iterator[Picture]:
        for channel, flow in self.cutflows.items():
            titles, label = [CUT_TITLES.get(name, name) for name in flow.cuts], _of(self.label, channel)
            figure = cutflow.cutflow(titles, flow.expected, label=label)
            yield Picture(f"cutflow_{channel}", f"{channel}: cutflow", "Selection", figure)
        for channel, one in self.channels.items():
            title = f"{channel}: inputs, unit area"
            caption = f"VH in the SM and at c̄_HW = {self.value:g} (SMEFT), and the backgrounds."
            yield Picture(f"inputs_{channel}", title, "Selection", self._inputs(one), caption)

    def _inputs(self, one: ChannelScores) -> Figure:
        events, table = one.sample.events, one.sample.table
        at = events.weight_at(point_of(events.morphing, self.value))
        kinds = {"SM": (events.is_vh, events.weight), "BSM": (events.is_vh, at)}
        for process in np.unique(events.process[~events.is_vh]):
            kinds[str(process)] = (events.process == process, events.weight)
        features = one.sample.plan.features
        values = {
            name: {feature: table[feature][rows] for feature in features} for name, (rows, _) in kinds.items()
        }
        weights = {name: weight[rows] for name, (rows, weight) in kinds.items()}
        return inputs.input_overview(values, weights, features=features, label=_of(self.shapes, one.name))

    def _importance(self) -> Iterator[Picture]:
        for one in self.results.importance:
            drops = {AXES_TITLES.get(name, name): drop for name, drop in sizes(one.inputs).items()}
            label = _of(self.shapes, one.channel)
            figure = importance(drops, metric="AUC", label=label, title="input shuffled")
            title = f"{one.channel}: importance of the inputs, {one.model.replace('_', ' ')}"
            caption = "Mean and standard deviation of three shuffles, events out of fold, VH alone."
            if one.model.startswith("parametrised"):
                caption = "Mean and standard deviation of three shuffles, events out of fold, all values."
            yield Picture(f"importance_{one.channel}_{one.model}", title, "Networks", figure, caption)

    def _outputs(self, one: ChannelScores) -> Iterator[Picture]:
        """The Asimov network as its pretraining leaves it, and as its training does."""
        label, at, stages = _of(self.shapes, one.name), f"\n{smeft.CHW} = {self.value:g}", {}
        if self.card.network.pretraining_epochs:
            stages[f"after pretraining{at}"] = self._densities(one, "pretraining")
        stages[f"after training{at}"] = self._densities(one, "asimov")
        figure = smeft.network_outputs(stages, SCORE_EDGES, label=label)
        title = f"{one.name}: output of the network under the Asimov loss, c̄_HW = {self.value:g}"
        caption = "VH alone, events out of fold; unit area."
        yield Picture(f"outputs_{one.name}", title, "Networks", figure, caption)
        stages = {f"cross-entropy{at}": self._densities(one, "cross_entropy")}
        figure = smeft.network_outputs(stages, SCORE_EDGES, label=label)
        title = f"{one.name}: output of the network under cross-entropy, c̄_HW = {self.value:g}"
        yield Picture(f"outputs_cross_entropy_{one.name}", title, "Networks", figure, caption)

    def _densities(self, one: ChannelScores, model: str) -> dict[str, Density]:
        events = one.sample.events
        vh, output = events.is_vh, one.output(model, self.value)
        at = events.weight_at(point_of(events.morphing, self.value))
        return {
            name: Density(
                np.histogram(output[vh], SCORE_EDGES, weights=weight[vh])[0],
                np.histogram(output[vh], SCORE_EDGES, weights=weight[vh] ** 2)[0],
            )
            for name, weight in (("SM", events.weight), ("BSM", at))
        }

    def _rocs(self, one: ChannelScores) -> Iterator[Picture]:
        published = self.card.published
        quoted = published.auc if published and published.channel == one.name else None
        for model in ("asimov", "cross_entropy", "trees"):
            with_backgrounds = model == "trees"
            figure = smeft.roc_by_coefficient(
                self._curves(one, model, with_backgrounds=with_backgrounds),
                label=_of(self.shapes, one.name),
                published=None if with_backgrounds else quoted,
                note=MODEL_TITLES[model] + ("" if with_backgrounds else ", VH alone"),
            )
            what = "against SM VH and all backgrounds" if with_backgrounds else "against SM VH"
            title = f"{one.name}: ROC, {MODEL_TITLES[model]}"
            yield Picture(f"roc_{model}_{one.name}", title, "Networks", figure, f"c̄_HW ≠ 0 {what}.")

    def _curves(
        self, one: ChannelScores, model: str, *, with_backgrounds: bool
    ) -> dict[float, tuple[Floats, Floats, float]]:
        events, found = one.sample.events, {}
        for value in sorted(self.card.smeft.values, reverse=True):
            tested = hypothesis(events, point_of(events.morphing, value), with_backgrounds=with_backgrounds)
            curve = roc_curve(one.output(model, value)[tested.row], tested.is_signal, tested.weight)
            every = max(1, len(curve.signal_efficiency) // 2000)
            found[value] = (
                np.append(curve.background_efficiency[::every], 1.0),
                np.append(curve.signal_efficiency[::every], 1.0),
                curve.auc,
            )
        return found

    def _cuts(self, definition: Any) -> Iterator[Picture]:
        """Z_A against the cut, with its systematic curves, without and with all backgrounds."""
        for model, with_backgrounds in (("cross_entropy", False), ("trees", True)):
            curves = []
            for sigma in sorted({*SYSTEMATICS, self.card.smeft.sigma_rel}):
                try:
                    scan = significance(
                        self.main.scored(self.card.training_region, model),
                        self.value,
                        replace(self.card.smeft, sigma_rel=sigma),
                        signal_definition=definition,
                        with_backgrounds=with_backgrounds,
                    ).scan
                except DataError:
                    # Said by the notes of the results.
                    continue
                curves.append(smeft.CutCurve(f"systematic {sigma:.0%}", scan.cuts, scan.z, scan.background))
            if not curves:
                continue
            what = "all backgrounds" if with_backgrounds else "VH alone"
            output = MODEL_TITLES[model].partition(",")[0]
            note = f"{self.main.name}, {output}, $\\bar{{c}}_{{HW}}$ = {self.value:g}, {what}"
            note += f"\n{DEFINITIONS[definition]}"
            figure = smeft.z_against_cut(curves, label=self.label, note=note)
            title = f"Z_A against the cut, {MODEL_TITLES[model]}, {definition}"
            yield Picture(
                f"z_cut_{model}_{definition}",
                title,
                "Significance",
                figure,
                "The best cut of each curve is marked; it was chosen on these very events.",
            )

    def _luminosities(self) -> Iterator[Picture]:
        for model, with_backgrounds, definition in (
            ("cross_entropy", False, "paper"),
            ("cross_entropy", False, "excess"),
            ("trees", True, "excess"),
        ):
            curves: dict[str, dict[float, tuple[float, ...]]] = {}
            for line in self._lines(model, definition, with_backgrounds=with_backgrounds):
                curves.setdefault(line.scaling, {})[line.value] = line.z
            if not curves:
                continue
            what = "all backgrounds" if with_backgrounds else "VH alone"
            figure = smeft.z_against_luminosity(
                self.card.smeft.luminosities_ifb,
                curves,
                label=self.shapes,
                note=f"all channels, {what}\n{DEFINITIONS[definition]}",
            )
            title = f"Z_A against luminosity, {MODEL_TITLES[model]}, {definition}"
            yield Picture(f"z_luminosity_{model}_{definition}", title, "Significance", figure)

    def _lines(self, model: str, definition: str, *, with_backgrounds: bool) -> list[ProjectionResult]:
        wanted = (self.card.training_region, model, definition, with_backgrounds, "combined")
        return [
            one
            for one in self.results.projections
            if (one.region, one.model, one.signal_definition, one.with_backgrounds, one.channel) == wanted
        ]

    def _combinations(self) -> Iterator[Picture]:
        for region in self.card.regions:
            for model, with_backgrounds in (("cross_entropy", False), ("trees", True)):
                z: dict[str, dict[str, float]] = {}
                for one in self.results.significances:
                    found = (one.region, one.model, one.with_backgrounds, one.value)
                    if found == (region, model, with_backgrounds, self.value):
                        z.setdefault(one.channel, {})[one.signal_definition] = one.z
                if not z:
                    continue
                definitions = {name for by_name in z.values() for name in by_name}
                z["combined"] = {
                    name: channel_z([by_name[name] for by_name in z.values() if name in by_name])
                    for name in sorted(definitions)
                }
                what = "all backgrounds" if with_backgrounds else "VH alone"
                note = (
                    f"$\\bar{{c}}_{{HW}}$ = {self.value:g}, {region}, {what},\n"
                    f"{self.results.sigma_background:.0%} background uncertainty"
                )
                figure = smeft.channel_combination(z, label=self.label, note=note)
                title = f"Z_A by channel and combined, {region}, {MODEL_TITLES[model]}"
                yield Picture(f"combination_{model}_{region}", title, "Significance", figure, COMBINATION)

    def _predicted(self, one: ChannelScores) -> Picture:
        """True signal events against each input, by what the network calls them at a cut of one half."""
        events, table = one.sample.events, one.sample.table
        vh = events.is_vh
        weights = events.weight_at(point_of(events.morphing, self.value))[vh]
        figure = smeft.predicted_class_inputs(
            {name: table[name][vh] for name in one.sample.plan.features},
            one.output("cross_entropy", self.value)[vh] > 0.5,
            weights,
            label=self.shapes,
            note=f"{one.name}, $\\bar{{c}}_{{HW}}$ = {self.value:g}, output above and below 0.5",
            called=("SM", "SMEFT"),
        )
        title = f"{one.name}: true signal by predicted class"
        return Picture(
            f"predicted_{one.name}", title, "Networks", figure, MODEL_TITLES["cross_entropy"] + "."
        )


def _of(label: FigureLabel, channel: str) -> FigureLabel:
    """The label of a figure of one channel."""
    return replace(label, label=f"{label.label}, {channel}")


COMBINATION = "Cuts chosen on one half of the events, Z_A quoted on the other; channels in quadrature."
