"""A classifier that was trained elsewhere: Keras or ONNX files, applied to events as they are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.models import backend
from znought.models.scaling import check_finite
from znought.models.scoring import BATCH, onnx_session

__all__ = ["SUFFIXES", "BroughtClassifier"]

SUFFIXES = (".keras", ".onnx")
Floats = NDArray[np.float32]
Network = Callable[[Floats], NDArray[np.floating]]
_ONNX_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


@dataclass(frozen=True)
class BroughtClassifier:
    """One network, or one for each fold.

    Attributes:
        names: of the files, for messages.
        networks: from inputs, shape (n_events, n_inputs), to outputs, shape (n_events, n_outputs).
        inputs: names, in the networks' order.
        classes: of the outputs, in their order; two classes where a single output is that of the first.
    """

    names: tuple[str, ...]
    networks: tuple[Network, ...]
    inputs: tuple[str, ...]
    classes: tuple[str, ...]

    @classmethod
    def load(
        cls,
        files: Sequence[Path],
        *,
        inputs: Sequence[str],
        classes: Sequence[str],
        output: str | None = None,
    ) -> "BroughtClassifier":
        """The networks of some files, loaded once per process and content; nothing in a file is executed.

        Args:
            files: `.keras` or `.onnx`, network k that of fold k.
            inputs: names, in the networks' order.
            classes: of the outputs, in their order.
            output: name of the ONNX output with the scores, where there are several.

        Raises:
            DataError: a file is missing or no model, or takes or gives other numbers of values.
        """
        networks = tuple(_network(path, len(inputs), len(classes), output) for path in files)
        return cls(tuple(path.name for path in files), networks, tuple(inputs), tuple(classes))

    def score(self, features: Floats, folds: NDArray[np.integer] | None = None) -> Floats:
        """Score of every class for every event, shape (n_events, n_classes).

        Args:
            features: unscaled, in the order of `inputs`, shape (n_events, n_inputs).
            folds: network of each event, shape (n_events,); None where there is one network.

        Raises:
            DataError: NaN or infinity in an input, a fold without a network, or scores outside 0 … 1.
        """
        features = np.asarray(features, np.float32)
        check_finite(features, self.inputs)
        network_of = np.zeros(len(features), np.int64) if folds is None else np.asarray(folds, np.int64)
        if network_of.size and not 0 <= network_of.min() <= network_of.max() < len(self.networks):
            raise DataError(
                f"model: folds {network_of.min()} … {network_of.max()} for {len(self.networks)} networks; "
                "expected one file for each fold."
            )
        scores = np.empty((len(features), len(self.classes)), np.float32)
        for number, network in enumerate(self.networks):
            rows = np.flatnonzero(network_of == number)
            if rows.size:
                scores[rows] = self._checked(number, network(features[rows]))
        return scores

    def _checked(self, number: int, found: NDArray[np.floating]) -> NDArray[np.floating]:
        """Scores of all classes: a single output leaves the rest to the second."""
        if not np.isfinite(found).all() or found.min() < 0.0 or found.max() > 1.0:
            raise DataError(
                f"model {self.names[number]}: scores from {np.nanmin(found):g} to {np.nanmax(found):g}, "
                "expected 0 to 1: its last layer must be a softmax or sigmoid."
            )
        return found if found.shape[1] == len(self.classes) else np.hstack([found, 1.0 - found])


def _network(path: Path, n_inputs: int, n_classes: int, output: str | None) -> Network:
    if not path.is_file():
        raise DataError(f"model: no such file {path}.")
    if path.suffix not in SUFFIXES:
        raise DataError(f"model: {path.name} is no {' or '.join(SUFFIXES)} file.")
    status = path.stat()
    read = _keras if path.suffix == ".keras" else _onnx
    return read(path, (status.st_size, status.st_mtime_ns), n_inputs, n_classes, output)


@lru_cache(maxsize=32)
def _keras(path: Path, _state: object, n_inputs: int, n_classes: int, _output: str | None) -> Network:
    """A Keras model, in safe mode: layers that hold Python code are refused."""
    backend.start()
    import keras

    try:
        model: Any = keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # whatever Keras finds wrong
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"model: {path.name} cannot be loaded ({type(error).__name__}: {reason}).") from error
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        found = f"{len(model.inputs)} inputs and {len(model.outputs)} outputs"
        raise DataError(f"model: {path.name} has {found}, expected one array of values in and one out.")
    _check_shapes(path.name, tuple(model.inputs[0].shape), tuple(model.outputs[0].shape), n_inputs, n_classes)

    def network(features: Floats) -> NDArray[np.floating]:
        parts = (features[first : first + BATCH] for first in range(0, len(features), BATCH))
        return np.concatenate([np.asarray(model(part, training=False)) for part in parts])

    return network


@lru_cache(maxsize=32)
def _onnx(path: Path, _state: object, n_inputs: int, n_classes: int, output: str | None) -> Network:
    """An ONNX model through ONNX Runtime on one thread."""
    try:
        session = onnx_session(path.read_bytes())
    except Exception as error:  # whatever ONNX Runtime finds wrong
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"model: {path.name} cannot be loaded ({type(error).__name__}: {reason}).") from error
    given = session.get_inputs()
    if len(given) != 1 or given[0].type not in _ONNX_TYPES:
        found = ", ".join(f"{one.name} ({one.type})" for one in given)
        raise DataError(f"model: {path.name} has the inputs {found}; expected one tensor of numbers.")
    scores = _scores_output(path.name, session.get_outputs(), output)
    _check_shapes(path.name, tuple(given[0].shape), tuple(scores.shape), n_inputs, n_classes)
    kind, fixed = _ONNX_TYPES[given[0].type], given[0].shape[0]
    size = fixed if isinstance(fixed, int) else BATCH

    def network(features: Floats) -> NDArray[np.floating]:
        found = []
        for first in range(0, len(features), size):
            part = features[first : first + size].astype(kind)
            missing = size - len(part) if isinstance(fixed, int) else 0
            padded = np.pad(part, ((0, missing), (0, 0)))
            found.append(session.run([scores.name], {given[0].name: padded})[0][: len(part)])
        return np.concatenate(found)

    return network


def _scores_output(name: str, outputs: Sequence[Any], wanted: str | None) -> Any:
    """The output that holds the scores: the one named, or the only tensor of numbers."""
    tensors = {one.name: one for one in outputs if one.type in _ONNX_TYPES}
    if wanted is not None:
        if wanted not in tensors:
            raise DataError(f"model {name}: {unknown_name('output', wanted, tensors)}")
        return tensors[wanted]
    if len(tensors) != 1:
        found = ", ".join(f"{one.name} ({one.type})" for one in outputs)
        raise DataError(f"model {name} has the outputs {found}; name the tensor of scores (model.output).")
    return next(iter(tensors.values()))


def _check_shapes(
    name: str, given: tuple[Any, ...], found: tuple[Any, ...], n_inputs: int, n_classes: int
) -> None:
    """Refuse a model of other numbers of inputs and outputs; sizes that it leaves open may be any."""
    if len(given) != 2 or given[1] not in (n_inputs, None):
        shape = "×".join(map(str, given[1:]))
        raise DataError(f"model {name} takes {shape} inputs, the card names {n_inputs} (model.inputs).")
    allowed = (n_classes, 1) if n_classes == 2 else (n_classes,)
    if len(found) != 2 or found[1] not in allowed:
        shape = "×".join(map(str, found[1:]))
        raise DataError(f"model {name} gives {shape} outputs, the card names {n_classes} classes for them.")
