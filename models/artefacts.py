"""One folder per model: networks as `.keras` and `.onnx`, scalers, and a manifest that binds them.

No pickle anywhere; loading compares every file with the manifest's sha256 and refuses by name.
"""

import hashlib
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from znought.errors import DataError
from znought.models import backend
from znought.models.network import NetworkConfig
from znought.models.scaling import RobustScaler
from znought.models.training import TrainedFold, TrainingConfig

__all__ = ["Manifest", "load", "load_keras", "network_name", "read_verified", "save"]

FORMAT = 2


@dataclass(frozen=True)
class Manifest:
    """What the folder holds and where it came from.

    Attributes:
        classes, feature_names: of the scores and of the inputs, in order.
        n_folds, n_repeats, salt, test_fraction: the fold rule.
        scalers, quantiles, histories, best_epochs: by network, all folds of repeat 0 first; quantiles are
            those of each class's own output in the part that stopped the training.
        network, training: card sections.
        data_sha256: fingerprint of the training data, by repeat.
        versions: of the packages that made it.
        files: sha256 by file name.
    """

    classes: tuple[str, ...]
    feature_names: tuple[str, ...]
    n_folds: int
    n_repeats: int
    salt: str
    test_fraction: float
    scalers: tuple[RobustScaler, ...]
    quantiles: tuple[tuple[tuple[float, ...], ...], ...]
    network: dict[str, Any]
    training: dict[str, Any]
    histories: tuple[dict[str, tuple[float, ...]], ...]
    best_epochs: tuple[int, ...]
    data_sha256: tuple[str, ...]
    versions: dict[str, str]
    files: dict[str, str]

    @property
    def network_names(self) -> tuple[str, ...]:
        """Name of the files of each network."""
        return tuple(network_name(*divmod(index, self.n_folds)) for index in range(len(self.scalers)))


def network_name(repeat: int, fold: int) -> str:
    """Name of the files of one network.

    >>> network_name(0, 3), network_name(2, 3)
    ('fold_3', 'repeat_2_fold_3')
    """
    return f"fold_{fold}" if repeat == 0 else f"repeat_{repeat}_fold_{fold}"


def save(
    directory: Path,
    folds: Sequence[TrainedFold],
    *,
    network: NetworkConfig,
    training: TrainingConfig,
    classes: tuple[str, ...],
    feature_names: tuple[str, ...],
) -> Manifest:
    """Write the networks of all folds and repeats; the manifest comes last, so half a folder never loads.

    Raises:
        DataError: not exactly one network per fold and repeat, or networks of different data.
    """
    ordered, fingerprints = _ordered(folds, training)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "manifest.json").unlink(missing_ok=True)
    files = {}
    for trained in ordered:
        contents = {
            f"{network_name(trained.repeat, trained.fold)}.keras": trained.keras_model,
            f"{network_name(trained.repeat, trained.fold)}.onnx": trained.onnx_model,
            f"{network_name(trained.repeat, trained.fold)}.scaler.json": _json_bytes(
                trained.scaler.to_json()
            ),
        }
        for name, content in contents.items():
            _write(directory / name, content)
            files[name] = hashlib.sha256(content).hexdigest()
    manifest = Manifest(
        classes=classes,
        feature_names=feature_names,
        n_folds=training.n_folds,
        n_repeats=training.n_repeats,
        salt=training.salt,
        test_fraction=training.test_fraction,
        scalers=tuple(trained.scaler for trained in ordered),
        quantiles=tuple(trained.quantiles for trained in ordered),
        network=asdict(network),
        training=asdict(training),
        histories=tuple(trained.history for trained in ordered),
        best_epochs=tuple(trained.best_epoch for trained in ordered),
        data_sha256=fingerprints,
        versions=_versions(),
        files=files,
    )
    _write(directory / "manifest.json", _json_bytes({"format": FORMAT, **asdict(manifest)}))
    return manifest


def _ordered(
    networks: Sequence[TrainedFold], training: TrainingConfig
) -> tuple[list[TrainedFold], tuple[str, ...]]:
    """Networks by repeat and fold, and the fingerprint of each repeat's data."""
    ordered = sorted(networks, key=lambda trained: (trained.repeat, trained.fold))
    for repeat in range(training.n_repeats):
        found = [trained.fold for trained in ordered if trained.repeat == repeat]
        if found != list(range(training.n_folds)):
            raise DataError(
                f"folds: expected one network for each of 0 … {training.n_folds - 1} in repeat {repeat}. "
                f"Received: {found}."
            )
    if len(ordered) != training.n_networks:
        raise DataError(f"folds: expected {training.n_repeats} repeats. Received: {ordered[-1].repeat + 1}.")
    fingerprints = sorted({(trained.repeat, trained.data_sha256) for trained in ordered})
    if len(fingerprints) != training.n_repeats:
        raise DataError("folds: the networks of one repeat were trained on different data.")
    return ordered, tuple(sha256 for _, sha256 in fingerprints)


def load(directory: Path) -> Manifest:
    """Manifest of a model folder, after a look at every file that it names.

    Raises:
        DataError: no manifest, another format, or a file that is missing or differs from it.
    """
    path = directory / "manifest.json"
    if not path.is_file():
        raise DataError(f"{path}: no model manifest.")
    content: dict[str, Any] = json.loads(path.read_text())
    if content.pop("format", None) != FORMAT:
        raise DataError(f"{path}: expected manifest format {FORMAT}.")
    for name in ("classes", "feature_names", "best_epochs", "data_sha256"):
        content[name] = tuple(content[name])
    content["scalers"] = tuple(RobustScaler.from_json(scaler) for scaler in content["scalers"])
    content["quantiles"] = tuple(tuple(tuple(row) for row in quantiles) for quantiles in content["quantiles"])
    content["histories"] = tuple(
        {name: tuple(values) for name, values in history.items()} for history in content["histories"]
    )
    manifest = Manifest(**content)
    for name in manifest.files:
        read_verified(directory, name, manifest)
    return manifest


def read_verified(directory: Path, name: str, manifest: Manifest) -> bytes:
    """Content of one file of the folder, refused unless it is what the manifest says."""
    path = directory / name
    if not path.is_file():
        raise DataError(f"{path}: missing, though the model manifest names it.")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != manifest.files[name]:
        raise DataError(f"{path}: does not match the sha256 in the model manifest.")
    return content


def load_keras(directory: Path, fold: int) -> Any:
    """The Keras model of one fold of repeat 0, loaded in safe mode after verification."""
    backend.start()
    import keras

    name = f"{network_name(0, fold)}.keras"
    read_verified(directory, name, load(directory))
    return keras.saving.load_model(directory / name, compile=False, safe_mode=True)


def _versions() -> dict[str, str]:
    packages = ("znought", "keras", "tensorflow", "onnx", "onnxruntime", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _json_bytes(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
