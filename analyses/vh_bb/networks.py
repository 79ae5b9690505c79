"""The networks of a card, those of arXiv:1902.05803 and a parametrised one: their settings and data."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.channels import CLASSES, ChannelPlan, ChannelSample, read_channel, training_data
from znought.analyses.vh_bb.observables import observable_data, ratio_at
from znought.facility.learning.training import NetworkTask
from znought.facility.workspace import Workspace
from znought.models.folds import UNTRAINED
from znought.models.network import LossConfig, NetworkConfig
from znought.models.parametrised import parametrised_data
from znought.models.samples import TrainingConfig, TrainingData

__all__ = [
    "ModelSource",
    "NetworkModel",
    "models_of",
    "network_of",
    "network_task",
    "parametrised_model",
    "training_of",
]

Kind = Literal["asimov", "cross_entropy", "pretraining", "parametrised"]


@dataclass(frozen=True)
class NetworkModel:
    """One network: of a channel, for a value of the coefficient, under a loss.

    `pretraining` is the Asimov network as its pretraining leaves it, for the figure that compares them;
    `parametrised` learns all values under cross-entropy, and is evaluated at its own.
    """

    channel: str
    kind: Kind
    value: float

    @property
    def name(self) -> str:
        """Its column among the scores, and its folder: asimov_0.03."""
        return f"{self.kind}_{self.value:g}"

    def folder(self, workspace: Workspace) -> Path:
        """Where its folds are kept."""
        return workspace.models / self.channel / self.name


def models_of(card: VHBBCard, channel: str) -> tuple[NetworkModel, ...]:
    """All networks of one channel."""
    found = []
    for value in card.smeft.values:
        found.append(NetworkModel(channel, "asimov", value))
        # Beside the network that it is a part of: a worker then compiles their common steps once.
        if card.network.pretraining_epochs and value == card.discriminants.classifier_value:
            found.append(NetworkModel(channel, "pretraining", value))
        found.append(NetworkModel(channel, "cross_entropy", value))
    return (*found, parametrised_model(card, channel))


def parametrised_model(card: VHBBCard, channel: str) -> NetworkModel:
    """The network that has the coefficient among its inputs."""
    return NetworkModel(channel, "parametrised", card.discriminants.parametrised_at)


def features_of(card: VHBBCard, sample: ChannelSample, model: NetworkModel) -> tuple[str, ...]:
    """Inputs of a network, in order: those of the channel, and the coefficient where it is one."""
    extra = card.morphing.coefficients[:1] if model.kind == "parametrised" else ()
    return (*sample.plan.features, *extra)


@dataclass(frozen=True)
class ModelSource:
    """Where a network's training data come from.

    Attributes:
        values: coefficients that a parametrised network learns from.
    """

    plan: ChannelPlan
    model: NetworkModel
    values: tuple[float, ...]

    @property
    def columns(self) -> str:
        """Directory of the channel's columns."""
        return self.plan.columns

    def training_data(self) -> tuple[TrainingData, ...]:
        """What the network learns from, with the folds of each repeat."""
        sample = read_channel(self.plan)
        return tuple(self._of(sample, repeat) for repeat in range(self.plan.training.n_repeats))

    def _of(self, sample: ChannelSample, repeat: int) -> TrainingData:
        if self.model.kind != "parametrised":
            return training_data(sample, self.model.value, repeat)
        ratios = {value: ratio_at(sample, value) for value in self.values}
        return parametrised_data(observable_data(sample, repeat), sample.events.identity, ratios)


def network_task(card: VHBBCard, sample: ChannelSample, model: NetworkModel, folder: Path) -> NetworkTask:
    """One network of a channel, as it is trained on workers; it is kept in `folder`."""
    return NetworkTask(
        title=f"{model.channel} {model.name}",
        source=ModelSource(sample.plan, model, card.discriminants.parametrised_values),
        network=network_of(card, sample, model),
        training=training_of(card, sample, model),
        classes=CLASSES,
        features=features_of(card, sample, model),
        folder=folder.resolve(),
    )


def network_of(card: VHBBCard, sample: ChannelSample, model: NetworkModel) -> NetworkConfig:
    """The network of a model."""
    if model.kind != "parametrised":
        return _talk_network(card, sample, model)
    return NetworkConfig(
        hidden_nodes=card.discriminants.parametrised_nodes,
        batch_normalisation=False,
        input_noise=0.0,
        hidden_noise=0.0,
        learning_rate=card.discriminants.parametrised_learning_rate,
    )


def _talk_network(card: VHBBCard, sample: ChannelSample, model: NetworkModel) -> NetworkConfig:
    """The network of arXiv:1902.05803; the Asimov loss is told the yields at the card's luminosity.

    Signal is the whole yield at c̄ ≠ 0, as in arXiv:1902.05803: the excess over the standard model has no
    definite sign event by event, and the best classifier of both is the same.
    """
    settings, data = card.network, training_data(sample, model.value)
    signal = float(data.weights[data.class_index == 1].sum())
    asimov = model.kind != "cross_entropy"
    return NetworkConfig(
        hidden_nodes=(settings.hidden_nodes or len(sample.plan.features),) * settings.hidden_layers,
        activation=settings.activation,
        batch_normalisation=False,
        input_noise=0.0,
        hidden_noise=0.0,
        dropout=settings.dropout,
        l1=settings.asimov_l1 if asimov else 0.0,
        optimiser=settings.optimiser,
        learning_rate=settings.learning_rate,
        loss=LossConfig(
            kind="asimov" if asimov else "cross_entropy",
            pretraining_epochs=settings.pretraining_epochs,
            signal_class=CLASSES[1],
            signal_events=signal,
            background_events=float(data.weights.sum()) - signal,
            relative_uncertainty=card.smeft.sigma_rel,
            minimum_background=settings.minimum_background,
        ),
    )


def training_of(card: VHBBCard, sample: ChannelSample, model: NetworkModel) -> TrainingConfig:
    """The training of a model: `pretraining` ends where the pretraining of `asimov` does.

    A sample that has fewer events than a batch gets smaller batches, of a power of two: were they as large
    as the training part of each fold, each fold would compile its steps anew.
    """
    rule, rows = card.training, 2 * int((sample.events.is_vh & (sample.fold != UNTRAINED)).sum())
    smallest_part = 0.9 * rows * (1.0 - 1.0 / rule.n_folds) * (1.0 - rule.stop_fraction)
    batch_size = min(rule.batch_size, 2 ** max(int(np.log2(max(smallest_part, 1.0))), 4))
    pretrained = model.kind == "pretraining"
    max_epochs = card.network.pretraining_epochs if pretrained else rule.max_epochs
    return replace(rule, batch_size=batch_size, max_epochs=max_epochs)
