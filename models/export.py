"""Networks as JSON that reconstruction software in C++ reads (lwtnn's format for sequential networks).

References:
    D. Guest et al., "lwtnn", doi:10.5281/zenodo.597221.
"""

from pathlib import Path
from typing import Any

import numpy as np

from znought.models.artefacts import load, load_keras
from znought.models.network import fold_normalisation
from znought.models.scaling import LIMIT, UNDEFINED_SCALED, RobustScaler

__all__ = ["lwtnn_content", "lwtnn_of_fold"]

_ACTIVATIONS: dict[str, Any] = {
    "linear": "linear",
    "relu": "rectified",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
    "softmax": "softmax",
    "elu": {"function": "elu", "alpha": 1.0},
}


def lwtnn_content(model: Any, scaler: RobustScaler, classes: tuple[str, ...]) -> dict[str, Any]:
    """The network of one fold as lwtnn's JSON content.

    Batch normalisation is folded into the dense layers. lwtnn scales inputs as (x + offset)·scale; what
    it cannot express stands under `miscellaneous`: the caller clips scaled inputs to ± `limit` and puts
    undefined ones at `undefined_scaled`, or gives lwtnn the unscaled value that becomes that number.

    Args:
        model: Keras model of one fold.
        scaler: of the same fold.
        classes: names of the scores, in order.
    """
    layers = []
    for layer in fold_normalisation(model).layers:
        activation = _ACTIVATIONS[layer.activation.__name__]
        if hasattr(layer, "kernel"):
            kernel, bias = layer.get_weights()
            layers.append(
                {
                    "architecture": "dense",
                    "activation": activation,
                    # lwtnn stores the transposed matrix row by row.
                    "weights": kernel.T.astype(np.float64).ravel().tolist(),
                    "bias": bias.astype(np.float64).tolist(),
                }
            )
        else:
            layers[-1]["activation"] = activation
    inputs = [
        {"name": name, "offset": -median, "scale": 1.0 / iqr}
        for name, median, iqr in zip(scaler.feature_names, scaler.median, scaler.iqr, strict=True)
    ]
    return {
        "inputs": inputs,
        "layers": layers,
        "outputs": list(classes),
        "defaults": {
            name: scaler.median[column] + UNDEFINED_SCALED * scaler.iqr[column]
            for name in scaler.undefined
            for column in [scaler.feature_names.index(name)]
        },
        "miscellaneous": {
            "limit": str(LIMIT),
            "undefined_scaled": str(UNDEFINED_SCALED),
            **{f"undefined_{name}": str(value) for name, value in scaler.undefined.items()},
        },
    }


def lwtnn_of_fold(directory: Path, fold: int) -> dict[str, Any]:
    """As `lwtnn_content`, from a model folder.

    Raises:
        DataError: the folder does not match its manifest.
    """
    manifest = load(directory)
    return lwtnn_content(load_keras(directory, fold), manifest.scalers[fold], manifest.classes)
