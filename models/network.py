"""The network of the analysis, as configuration and as a Keras model.

Only standard Keras layers: the artefact loads in Keras' safe mode without this package.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from znought.errors import CardError

if TYPE_CHECKING:
    import keras

__all__ = ["LossConfig", "NetworkConfig", "build_network", "build_optimiser", "elu", "fold_normalisation"]

Activation = Literal["elu", "relu", "tanh", "sigmoid"]
Optimiser = Literal["adam", "rmsprop", "sgd", "adagrad", "adadelta", "adamax", "nadam"]


@dataclass(frozen=True)
class LossConfig:
    """Card section `network.loss`.

    Attributes:
        kind: categorical cross-entropy, or one of the significances of `znought.models.losses`.
        pretraining_epochs: epochs with `significance` before `asimov`, which is flat without signal.
        signal_class: class whose score selects events; the other losses' fields are for significances only.
        signal_events, background_events: expected events before any cut on the score.
        relative_uncertainty, minimum_background: of the background, in `asimov`.
    """

    kind: Literal["cross_entropy", "significance", "asimov"] = "cross_entropy"
    pretraining_epochs: int = 5
    signal_class: str = ""
    signal_events: float = 1.0
    background_events: float = 1.0
    relative_uncertainty: float = 0.5
    minimum_background: float = 1.0

    def __post_init__(self) -> None:
        if self.pretraining_epochs < 0:
            raise CardError(
                f"network.loss.pretraining_epochs: expected ≥ 0. Received: {self.pretraining_epochs}."
            )
        for name in ("signal_events", "background_events", "relative_uncertainty", "minimum_background"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise CardError(
                    f"network.loss.{name}: expected a number > 0. Received: {getattr(self, name)}."
                )


@dataclass(frozen=True)
class NetworkConfig:
    """Card section `network`; the defaults are the best six-class network of Basso, CAP 2020.

    Attributes:
        hidden_nodes: nodes of each hidden layer.
        activation: of the hidden layers.
        batch_normalisation: after each hidden layer.
        normalisation_momentum: of its running means; they forget over 1/(1 − momentum) batches, which
            must be fewer than a training has.
        input_noise, hidden_noise: standard deviation of the Gaussian noise that training adds to the
            scaled inputs and behind every hidden layer.
        dropout: rate behind every hidden layer.
        l1, l2: penalty on the weights of hidden layers.
        optimiser, learning_rate: as Keras names them.
        learning_rate_decay: factor on the learning rate from one epoch to the next.
        loss: what is minimised.
    """

    hidden_nodes: tuple[int, ...] = (20, 20, 40, 70, 20, 50, 40, 30, 40, 30)
    activation: Activation = "elu"
    batch_normalisation: bool = True
    normalisation_momentum: float = 0.99
    input_noise: float = 0.05
    hidden_noise: float = 0.05
    dropout: float = 0.0
    l1: float = 0.0
    l2: float = 0.0
    optimiser: Optimiser = "adam"
    learning_rate: float = 0.00222
    learning_rate_decay: float = 1.0
    loss: LossConfig = LossConfig()

    def __post_init__(self) -> None:
        if not self.hidden_nodes or min(self.hidden_nodes) < 1:
            raise CardError(
                f"network.hidden_nodes: expected positive numbers. Received: {self.hidden_nodes}."
            )
        for name in ("input_noise", "hidden_noise", "l1", "l2"):
            if not 0.0 <= getattr(self, name) < np.inf:
                raise CardError(f"network.{name}: expected a number ≥ 0. Received: {getattr(self, name)}.")
        for name in ("dropout", "normalisation_momentum"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise CardError(f"network.{name}: expected 0 ≤ value < 1. Received: {getattr(self, name)}.")
        if not 0.0 < self.learning_rate < np.inf:
            raise CardError(f"network.learning_rate: expected a number > 0. Received: {self.learning_rate}.")
        if not 0.0 < self.learning_rate_decay <= 1.0:
            raise CardError(
                f"network.learning_rate_decay: expected 0 < factor ≤ 1. Received: {self.learning_rate_decay}."
            )


def build_network(config: NetworkConfig, *, n_features: int, n_classes: int, seed: int) -> "keras.Sequential":
    """Untrained network: scaled inputs (n_events, n_features) → softmax scores (n_events, n_classes).

    The last layer is the softmax alone, so that the layers before it give the logits.

    Args:
        config: the network's card section.
        n_features, n_classes: widths of input and output.
        seed: of the initial weights; no global random state is touched.
    """
    import keras

    seeds = np.random.SeedSequence(seed).generate_state(len(config.hidden_nodes) + 1).tolist()
    penalty = keras.regularizers.L1L2(config.l1, config.l2) if config.l1 or config.l2 else None
    layers = [keras.layers.Input((n_features,), name="inputs")]
    if config.input_noise:
        layers.append(keras.layers.GaussianNoise(config.input_noise, seed=0, name="input_noise"))
    for depth, nodes in enumerate(config.hidden_nodes):
        start = keras.initializers.GlorotUniform(seed=seeds[depth])
        layers.append(
            keras.layers.Dense(
                nodes,
                activation=config.activation,
                kernel_initializer=start,
                kernel_regularizer=penalty,
                name=f"hidden_{depth}",
            )
        )
        if config.batch_normalisation:
            layers.append(
                keras.layers.BatchNormalization(
                    momentum=config.normalisation_momentum, name=f"normalisation_{depth}"
                )
            )
        if config.dropout:
            layers.append(keras.layers.Dropout(config.dropout, seed=0, name=f"dropout_{depth}"))
        if config.hidden_noise:
            layers.append(keras.layers.GaussianNoise(config.hidden_noise, seed=0, name=f"noise_{depth}"))
    start = keras.initializers.GlorotUniform(seed=seeds[-1])
    layers.append(keras.layers.Dense(n_classes, kernel_initializer=start, name="logits"))
    layers.append(keras.layers.Activation("softmax", name="scores"))
    return keras.Sequential(layers, name="network")


def build_optimiser(config: NetworkConfig) -> "keras.optimizers.Optimizer":
    """Optimiser of the card section, with its learning rate as a variable."""
    import keras

    return keras.optimizers.get(
        {"class_name": config.optimiser, "config": {"learning_rate": config.learning_rate}}
    )


def elu(values: Any) -> Any:
    """ELU as max(x, exp(min(x, 0)) − 1): ONNX Runtime does these four faster than its own ELU."""
    from keras import ops

    return ops.maximum(values, ops.exp(ops.minimum(values, 0.0)) - 1.0)


def fold_normalisation(model: "keras.Sequential") -> "keras.Sequential":
    """The same scores from dense layers and activations alone, for ONNX and C++.

    At inference a batch normalisation is x → a·x + c per node, and the dense layer behind it takes it
    in: W → diag(a)·W, b → b + c·W. Noise and dropout do nothing at inference.

    Raises:
        ValueError: a layer that `build_network` does not make.
    """
    import keras

    scale = np.ones(model.input_shape[1], dtype=np.float64)
    shift = np.zeros(model.input_shape[1], dtype=np.float64)
    layers, weights = [keras.layers.Input((model.input_shape[1],), name="inputs")], []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dense):
            kernel, bias = (np.asarray(value, dtype=np.float64) for value in layer.get_weights())
            weights.append((scale[:, None] * kernel, bias + shift @ kernel))
            activation = elu if layer.activation is keras.activations.elu else layer.activation
            layers.append(keras.layers.Dense(layer.units, activation=activation, name=layer.name))
            scale, shift = np.ones(layer.units), np.zeros(layer.units)
        elif isinstance(layer, keras.layers.BatchNormalization):
            gamma, beta, mean, variance = (np.asarray(v, dtype=np.float64) for v in layer.get_weights())
            scale = gamma / np.sqrt(variance + layer.epsilon)
            shift = beta - mean * scale
        elif isinstance(layer, keras.layers.Activation):
            layers.append(keras.layers.Activation(layer.activation, name=layer.name))
        elif not isinstance(layer, keras.layers.GaussianNoise | keras.layers.Dropout):
            raise ValueError(f"Cannot fold a layer of class {type(layer).__name__}.")
    folded = keras.Sequential(layers, name="network")
    dense = [layer for layer in folded.layers if isinstance(layer, keras.layers.Dense)]
    for layer, values in zip(dense, weights, strict=True):
        layer.set_weights([value.astype(np.float32) for value in values])
    # Keras exports only a model that was called once.
    folded(np.zeros((1, model.input_shape[1]), np.float32))
    return folded
