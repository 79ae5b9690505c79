"""The compiled training loop: many optimiser steps in one XLA call, with noise that costs next to nothing.

What binds a small, deep network on a CPU is neither arithmetic nor dispatch but the memory traffic
of unfused element-wise operations and the drawing of noise. XLA fuses activation, normalisation and
their gradients. Noise is read from a table of standard normal deviates, drawn anew for every call, of
which each layer takes a stretch at a random place in each step. One call does up to `STEPS_PER_CALL`
steps on batches that already lie in memory, so no input pipeline runs.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "SCORE_BATCH",
    "STEPS_PER_CALL",
    "Loss",
    "compile_scores",
    "compile_steps",
    "n_deviates",
    "random_widths",
]

STEPS_PER_CALL = 64
SCORE_BATCH = 8192

Loss = Callable[[Any, Any, Any], Any]
"""(class_index (batch,), logits (batch, n_classes), weights (batch,)) → scalar tensor."""


def random_widths(model: Any) -> tuple[int, ...]:
    """Nodes of every layer that draws random numbers in training: each takes a place per step."""
    return tuple(int(layer.output.shape[-1]) for layer in model.layers if _is_random(layer))


def n_deviates(widths: tuple[int, ...], batch: int) -> int:
    """Length of the table of deviates: eight times what the widest layer takes in a step.

    >>> n_deviates((17, 70), 1024)
    573440
    """
    return max(2**16, 8 * batch * max(widths, default=0))


def compile_steps(model: Any, optimiser: Any, loss: Loss) -> Callable[..., Any]:
    """Function of (features, class_index, weights, places, deviates, n_steps): trains and returns Σ loss.

    Its arguments have shapes (steps, batch, n_features), (steps, batch), (steps, batch),
    (steps, n_random_layers), (n_deviates,) and (); only the first `n_steps` steps are done. Places are
    indices into `deviates`, such that the layer's stretch ends within it.
    """
    import tensorflow as tf

    variables = model.trainable_variables

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]  # no stubs
    def steps(features: Any, class_index: Any, weights: Any, places: Any, deviates: Any, n_steps: Any) -> Any:
        def step(index: Any, total: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                logits = _noisy_logits(model, features[index], places[index], deviates)
                value = loss(class_index[index], logits, weights[index])
                penalised = tf.add_n([value, *model.losses])
            gradients = tape.gradient(penalised, [variable.value for variable in variables])
            optimiser.apply(gradients, variables)
            return index + 1, total + value

        start = (tf.constant(0), tf.constant(0.0))
        return tf.while_loop(lambda index, _: index < n_steps, step, start)[1]

    return steps  # type: ignore[no-any-return]  # no stubs


def compile_scores(model: Any) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """Function from scaled features (n_events, n_features) to softmax scores (n_events, n_classes)."""
    import tensorflow as tf

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]  # no stubs
    def batch_scores(features: Any) -> Any:
        return model(features, training=False)

    def scores(features: NDArray[np.float32]) -> NDArray[np.float32]:
        parts = []
        for start in range(0, len(features), SCORE_BATCH):
            batch = features[start : start + SCORE_BATCH]
            padding = SCORE_BATCH - len(batch)
            padded = np.pad(batch, ((0, padding), (0, 0)))
            parts.append(batch_scores(padded).numpy()[: len(batch)])
        return np.concatenate(parts)

    return scores


def _is_random(layer: Any) -> bool:
    import keras

    return isinstance(layer, keras.layers.GaussianNoise | keras.layers.Dropout)


def _noisy_logits(model: Any, features: Any, places: Any, deviates: Any) -> Any:
    """Logits in training mode, the layers' own random draws replaced by stretches of the table."""
    import keras
    import tensorflow as tf
    from scipy.special import ndtri
    from tensorflow.compiler.tf2xla.python import xla

    values, drawn = features, 0
    for layer in model.layers[:-1]:
        if not _is_random(layer):
            values = layer(values, training=True)
            continue
        batch, width = values.shape
        # TensorFlow's own slice would have XLA compile anew for every value of the place.
        stretch = xla.dynamic_slice(deviates, places[drawn : drawn + 1], [batch * width])
        normal = tf.reshape(stretch, (batch, width))
        drawn += 1
        if isinstance(layer, keras.layers.GaussianNoise):
            values = values + layer.stddev * normal
        else:
            kept = normal >= np.float32(ndtri(layer.rate))
            values = tf.where(kept, values / np.float32(1.0 - layer.rate), 0.0)
    return values
