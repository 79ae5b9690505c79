"""Scores of any event: mean of the networks of its own folds, one in each repeat, which have not seen it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.models.alignment import aligned, common_quantiles
from znought.models.artefacts import Manifest, load, read_verified
from znought.models.folds import UNTRAINED
from znought.models.scaling import RobustScaler, check_finite
from znought.models.training import TrainedFold

__all__ = ["BATCH", "OnNetwork", "Scorer", "onnx_session", "scores_of"]

OnNetwork = Callable[[int, NDArray[np.intp], NDArray[np.float32]], None]
"""(number of the network, rows that it has scored, their scores)."""

BATCH = 1024
"""Events per ONNX call: the activations of all layers stay in the second-level cache."""


@dataclass(frozen=True)
class Scorer:
    """The R × K networks of one model folder, through ONNX Runtime on one thread.

    Attributes:
        manifest: classes, feature names and fold rule.
        sessions: ONNX Runtime sessions by network, as in the manifest.
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

    def score(
        self,
        features: NDArray[np.float32],
        folds: NDArray[np.integer],
        *,
        on_network: OnNetwork | None = None,
    ) -> NDArray[np.float32]:
        """Mean softmax scores of the networks of each event's own folds, shape (n_events, n_classes).

        Args:
            features: unscaled, in the manifest's order, shape (n_events, n_features).
            folds: of every event in every repeat, shape (n_events, n_repeats), or (n_events,) for one
                repeat: k gives network k of the repeat, which has not seen the event; −1 gives the mean
                over its K networks (the published way, for comparison only).
            on_network: called with what each network gave to the mean.

        Raises:
            DataError: NaN or infinity in a feature; a fold that does not exist; wrong shapes.
        """
        features, folds = np.asarray(features, np.float32), self._checked(features, folds)
        check_finite(features, self.manifest.feature_names)
        n_folds, n_repeats = self.manifest.n_folds, self.manifest.n_repeats
        total = np.zeros((len(features), len(self.manifest.classes)), np.float64)
        for network in range(n_repeats * n_folds):
            fold = folds[:, network // n_folds]
            rows = _rows_of(fold, network % n_folds)
            scores = self.score_with(network, features[rows])
            share = np.where(fold[rows] == UNTRAINED, n_folds, 1)
            total[rows] += scores / share[:, None]
            if on_network:
                on_network(network, rows, scores)
        return (total / n_repeats).astype(np.float32)

    def score_with(self, network: int, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Scores of one network for every event, whatever its fold; aligned where the training says so."""
        scaler, session = self.manifest.scalers[network], self.sessions[network]
        scores = _run(session, scaler, features, self.manifest.feature_names)
        if not self.manifest.training["align"]:
            return scores
        quantiles = np.asarray(self.manifest.quantiles)
        return aligned(scores, quantiles[network], common_quantiles(quantiles))

    def _checked(self, features: NDArray[np.float32], folds: NDArray[np.integer]) -> NDArray[np.integer]:
        """Folds as a table of events and repeats."""
        n_folds, expected = self.manifest.n_folds, (len(features), self.manifest.n_repeats)
        table = folds[:, None] if folds.ndim == 1 else folds
        if table.shape != expected:
            raise DataError(f"folds: expected shape {expected}. Received: {folds.shape}.")
        if table.size and not (table.min() >= UNTRAINED and table.max() < n_folds):
            raise DataError(f"folds: expected −1 … {n_folds - 1}. Received: {table.min()} … {table.max()}.")
        return table


def scores_of(
    trained: TrainedFold, features: NDArray[np.float32], feature_names: tuple[str, ...]
) -> NDArray[np.float32]:
    """Scores of one network that has not been saved yet, shape (n_events, n_classes).

    Args:
        trained: the network.
        features: unscaled, shape (n_events, n_features).
        feature_names: of the columns.
    """
    return _run(onnx_session(trained.onnx_model), trained.scaler, features, feature_names)


def _run(
    session: Any, scaler: RobustScaler, features: NDArray[np.float32], feature_names: tuple[str, ...]
) -> NDArray[np.float32]:
    name = session.get_inputs()[0].name
    scores = np.empty((len(features), session.get_outputs()[0].shape[1]), np.float32)
    for start in range(0, len(features), BATCH):
        batch = scaler.scale(features[start : start + BATCH], feature_names)
        scores[start : start + len(batch)] = session.run(None, {name: batch})[0]
    return scores


def onnx_session(content: bytes) -> Any:
    """ONNX Runtime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _rows_of(fold: NDArray[np.integer], network: int) -> NDArray[np.intp]:
    """Rows whose own fold it is, and those that ask for the mean over all."""
    return np.flatnonzero((fold == network) | (fold == UNTRAINED))


@lru_cache(maxsize=4)
def _load(path: Path, manifest_text: str) -> Scorer:
    manifest = load(path)
    contents = (read_verified(path, f"{name}.onnx", manifest) for name in manifest.network_names)
    return Scorer(manifest, tuple(onnx_session(content) for content in contents))
