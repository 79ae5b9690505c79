"""Scores of any event: the out-of-fold network for training events, the mean of all K otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.models.artefacts import Manifest, load, read_verified
from znought.models.folds import UNTRAINED
from znought.models.scaling import RobustScaler, check_finite
from znought.models.training import TrainedFold

__all__ = ["BATCH", "Scorer", "scores_of"]

BATCH = 1024
"""Events per ONNX call: the activations of all layers stay in the second-level cache."""


@dataclass(frozen=True)
class Scorer:
    """The K networks of one model folder, through ONNX Runtime on one thread.

    Attributes:
        manifest: classes, feature names and fold rule.
        sessions: ONNX Runtime sessions by fold.
    """

    manifest: Manifest
    sessions: tuple[Any, ...]

    @classmethod
    def load(cls, directory: Path | str) -> "Scorer":
        """Scorer of a model folder, verified and loaded once per process and content.

        Raises:
            DataError: a file is missing or differs from the manifest.
        """
        path = Path(directory).resolve()
        manifest_file = path / "manifest.json"
        return _load(path, manifest_file.read_text() if manifest_file.is_file() else "")

    def features(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        """Inputs in the network's order from named columns, shape (n_events, n_features).

        Raises:
            DataError: a column is missing, naming it.
        """
        for name in self.manifest.feature_names:
            if name not in columns:
                raise DataError(f"Missing feature {name!r}. {unknown_name('column', name, columns)}")
        return np.stack(
            [np.asarray(columns[name], np.float32) for name in self.manifest.feature_names], axis=1
        )

    def score(self, features: NDArray[np.float32], fold: NDArray[np.integer]) -> NDArray[np.float32]:
        """Softmax scores, shape (n_events, n_classes).

        Args:
            features: unscaled, in the manifest's order, shape (n_events, n_features).
            fold: shape (n_events,): k gives network k, which has not seen the event; −1 (test part,
                data, untrained process) gives the mean over the K networks.

        Raises:
            DataError: NaN or infinity in a feature; a fold that does not exist; wrong shapes.
        """
        features = np.asarray(features, np.float32)
        check_finite(features, self.manifest.feature_names)
        if fold.shape != features.shape[:1]:
            raise DataError(f"fold: expected shape {features.shape[:1]}. Received: {fold.shape}.")
        n_folds = len(self.sessions)
        if len(fold) and not (fold.min() >= UNTRAINED and fold.max() < n_folds):
            raise DataError(f"fold: expected −1 … {n_folds - 1}. Received: {fold.min()} … {fold.max()}.")
        scores = np.empty((len(features), len(self.manifest.classes)), np.float32)
        untrained = np.flatnonzero(fold == UNTRAINED)
        total = np.zeros((len(untrained), scores.shape[1]), np.float64)
        for network in range(n_folds):
            held_out = _held_out(fold, network)
            scores[held_out] = self.score_with(network, features[held_out])
            total += self.score_with(network, features[untrained])
        scores[untrained] = total / n_folds
        return scores

    def score_with(self, network: int, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of one network for every event, whatever its fold."""
        scaler, session = self.manifest.scalers[network], self.sessions[network]
        return _run(session, scaler, features, self.manifest.feature_names)


def scores_of(
    trained: TrainedFold, features: NDArray[np.float32], feature_names: tuple[str, ...]
) -> NDArray[np.float32]:
    """Scores of one network that has not been saved yet, shape (n_events, n_classes).

    Args:
        trained: the network.
        features: unscaled, shape (n_events, n_features).
        feature_names: of the columns.
    """
    return _run(_session(trained.onnx_model), trained.scaler, features, feature_names)


def _run(
    session: Any, scaler: RobustScaler, features: NDArray[np.float32], feature_names: tuple[str, ...]
) -> NDArray[np.float32]:
    name = session.get_inputs()[0].name
    scores = np.empty((len(features), session.get_outputs()[0].shape[1]), np.float32)
    for start in range(0, len(features), BATCH):
        batch = scaler.scale(features[start : start + BATCH], feature_names)
        scores[start : start + len(batch)] = session.run(None, {name: batch})[0]
    return scores


def _session(content: bytes) -> Any:
    """ONNX Runtime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _held_out(fold: NDArray[np.integer], network: int) -> NDArray[np.intp]:
    """Rows that network `network` was kept from."""
    return np.flatnonzero(fold == network)


@lru_cache(maxsize=4)
def _load(path: Path, manifest_text: str) -> Scorer:
    manifest = load(path)
    contents = (read_verified(path, f"fold_{fold}.onnx", manifest) for fold in range(manifest.n_folds))
    return Scorer(manifest, tuple(_session(content) for content in contents))
