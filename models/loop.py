"""The compiled training loop: many optimiser steps in one XLA call, with cheap counter-based noise.

What binds a small, deep network on a CPU is neither arithmetic nor dispatch but the memory traffic
of unfused element-wise operations and the drawing of noise. XLA fuses activation, normalisation,
noise and their gradients; a hash of (key, element) replaces the stateful random generator. One call
does up to `STEPS_PER_CALL` steps on batches that already lie in memory, so no input pipeline runs.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SCORE_BATCH", "STEPS_PER_CALL", "Loss", "compile_scores", "compile_steps", "n_random_layers"]

STEPS_PER_CALL = 64
SCORE_BATCH = 8192

Loss = Callable[[Any, Any, Any], Any]
"""(class_index (batch,), logits (batch, n_classes), weights (batch,)) → scalar tensor."""


def n_random_layers(model: Any) -> int:
    """Number of layers that draw random numbers in training: each needs a key per step."""
    return sum(_is_random(layer) for layer in model.layers)


def compile_steps(model: Any, optimiser: Any, loss: Loss) -> Callable[..., Any]:
    """Function of (features, class_index, weights, keys, n_steps) that trains and returns Σ loss.

    Its arguments have shapes (steps, batch, n_features), (steps, batch), (steps, batch),
    (steps, n_random_layers) and (); only the first `n_steps` steps are done.
    """
    import tensorflow as tf

    variables = model.trainable_variables

    @tf.function(jit_compile=True, autograph=False)  # type: ignore[untyped-decorator]  # no stubs
    def steps(features: Any, class_index: Any, weights: Any, keys: Any, n_steps: Any) -> Any:
        def step(index: Any, total: Any) -> tuple[Any, Any]:
            with tf.GradientTape() as tape:
                logits = _noisy_logits(model, features[index], keys[index])
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


def _noisy_logits(model: Any, features: Any, keys: Any) -> Any:
    """Logits in training mode, the layers' own random draws replaced by hashed ones of the same law."""
    import keras
    import tensorflow as tf

    values, drawn = features, 0
    for layer in model.layers[:-1]:
        if not _is_random(layer):
            values = layer(values, training=True)
            continue
        symmetric = _hashed_uniform(tuple(values.shape), keys[drawn])
        drawn += 1
        if isinstance(layer, keras.layers.GaussianNoise):
            values = values + layer.stddev * np.float32(np.sqrt(2.0)) * tf.math.erfinv(symmetric)
        else:
            kept = symmetric >= np.float32(2.0 * layer.rate - 1.0)
            values = tf.where(kept, values / np.float32(1.0 - layer.rate), 0.0)
    return values


def _hashed_uniform(shape: tuple[int, int], key: Any) -> Any:
    """Uniform numbers in (−1, 1) from a 32-bit integer hash of (key, element).

    References:
        C. Wellons, "Prospecting for hash functions" (2018): the constants of `lowbias32`.
    """
    import tensorflow as tf

    def shifted(state: Any, bits: int) -> Any:
        return tf.bitwise.bitwise_xor(state, tf.bitwise.right_shift(state, np.uint32(bits)))

    elements = tf.cast(tf.range(shape[0] * shape[1]), tf.uint32)
    state = tf.reshape(elements * np.uint32(0x9E3779B9) + tf.bitcast(key, tf.uint32), shape)
    state = shifted(state, 16) * np.uint32(0x7FEB352D)
    state = shifted(state, 15) * np.uint32(0x846CA68B)
    bits = tf.bitwise.right_shift(shifted(state, 16), np.uint32(8))
    # 24 bits at the centres of their cells: never ±1, whose inverse error function is infinite.
    return tf.cast(tf.cast(bits, tf.int32), tf.float32) * np.float32(2**-23) + np.float32(2**-24 - 1)
