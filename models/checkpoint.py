"""Epoch checkpoints of a training: arrays and JSON in one file, replaced atomically, no pickle."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["State", "load", "save"]


@dataclass(frozen=True)
class State:
    """All that the next epoch depends on, besides data and configuration.

    Attributes:
        weights: of the model, in Keras' order.
        optimiser: variables of the optimiser.
        best_weights: of the model after the best epoch so far.
        best_epoch: counted from 0.
        history: one list per metric, one entry per finished epoch.
    """

    weights: tuple[NDArray[np.float32], ...]
    optimiser: tuple[NDArray[np.float32], ...]
    best_weights: tuple[NDArray[np.float32], ...]
    best_epoch: int
    history: dict[str, list[float]]

    @property
    def n_epochs(self) -> int:
        """Number of finished epochs."""
        return len(self.history.get("loss", ()))


_ARRAYS = ("weights", "optimiser", "best_weights")


def save(path: Path, state: State, fingerprint: str) -> None:
    """Write the state under a temporary name and put it in place in one step."""
    header = {"fingerprint": fingerprint, "best_epoch": state.best_epoch, "history": state.history}
    arrays = {
        f"{name}_{index:03d}": array for name in _ARRAYS for index, array in enumerate(getattr(state, name))
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    with temporary.open("wb") as stream:
        np.savez(
            stream, allow_pickle=False, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays
        )
    temporary.replace(path)


def load(path: Path, fingerprint: str) -> State | None:
    """The state of an interrupted training of the same thing, or None to begin anew.

    A checkpoint of other data, configuration or fold is not resumed.
    """
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as content:
        header = json.loads(content["header"].tobytes())
        if header["fingerprint"] != fingerprint:
            return None
        names = sorted(content.files)
        arrays = {
            group: tuple(content[name] for name in names if name.rsplit("_", 1)[0] == group)
            for group in _ARRAYS
        }
    return State(**arrays, best_epoch=header["best_epoch"], history=header["history"])
