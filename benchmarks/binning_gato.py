"""gato-hep's side of benchmarks/binning.py; runs in an environment of its own, never imported.

Its own 1-D toy data, its own sigmoid model and the settings of its own 1-D example. Writes the
events that it trained on, an independent sample of the same size, its edges and its time.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from gatohep.data_generation import generate_toy_data_1D
from gatohep.losses import high_bkg_uncertainty_penalty
from gatohep.models import gato_sigmoid_model
from gatohep.utils import LearningRateScheduler, SteepnessScheduler, df_dict_to_tensors

PENALTY = 10.0


class OneDimensional(gato_sigmoid_model):
    """gato-hep's 1-D example."""

    def __init__(self, n_bins):
        discriminant = [{"name": "NN_output", "bins": n_bins, "range": (0.0, 1.0)}]
        super().__init__(variables_config=discriminant, global_steepness=50.0)

    def call(self, data):
        return self.get_differentiable_significance(data, signal_labels=["signal"], return_details=True)


def write_sample(path, data):
    scores = np.concatenate([frame["NN_output"].to_numpy() for frame in data.values()])
    weights = np.concatenate([frame["weight"].to_numpy() for frame in data.values()])
    is_signal = np.concatenate([np.full(len(frame), name == "signal") for name, frame in data.items()])
    np.savez(path, scores=scores, weights=weights, is_signal=is_signal)


def train(data, n_bins, epochs, mc_error):
    model = OneDimensional(n_bins)
    optimizer = tf.keras.optimizers.RMSprop(learning_rate=0.1)
    rate = LearningRateScheduler(
        optimizer, lr_initial=0.1, lr_final=0.001, total_epochs=epochs, mode="cosine"
    )
    steepness = SteepnessScheduler(model, t_initial=50.0, t_final=10000.0, total_epochs=epochs, mode="cosine")

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            z, background, sumw2 = model.call(data)
            excess = high_bkg_uncertainty_penalty(sumw2, background, rel_threshold=mc_error)
            loss = -z["signal"] + PENALTY * excess
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))

    for epoch in range(epochs):
        rate.update(epoch)
        steepness.update(epoch)
        step()
    return [0.0, *sorted(float(edge) for edge in model.calculate_boundaries().numpy()), 1.0]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory", type=Path)
    parser.add_argument("--events", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--bins", type=int, nargs="+", required=True)
    parser.add_argument("--mc-error", type=float, required=True)
    arguments = parser.parse_args()
    sizes = {"n_signal": arguments.events // 4, "n_bkg": arguments.events - arguments.events // 4}
    tuned_on = generate_toy_data_1D(**sizes, seed=42)
    write_sample(arguments.directory / "tuned_on.npz", tuned_on)
    write_sample(arguments.directory / "held_out.npz", generate_toy_data_1D(**sizes, seed=4242))
    results = []
    for n_bins in arguments.bins:
        start = time.perf_counter()
        edges = train(df_dict_to_tensors(tuned_on), n_bins, arguments.epochs, arguments.mc_error)
        results.append({"n_bins": n_bins, "seconds": time.perf_counter() - start, "edges": edges})
    (arguments.directory / "gato.json").write_text(json.dumps(results))


main()
