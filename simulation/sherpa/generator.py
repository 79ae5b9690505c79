"""Sherpa's events: batches of hadrons, or partons one by one for Pythia."""

import shutil
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.simulation.batch import GeneratedBatch
from znought.simulation.recipe import MatrixElement, Recipe
from znought.simulation.sherpa.child import Child, Mode
from znought.simulation.sherpa.installed import check_installed
from znought.simulation.sherpa.integration import run_folder

__all__ = ["SherpaGenerator", "SherpaRun"]

_COLUMNS = {"id": np.int32, "status": np.int32, "mother1": np.int32}


class SherpaRun:
    """A seeded Sherpa in a folder of its own, with a kept integration; `close` removes both.

    Attributes:
        sigma_pb, sigma_error_pb: cross section by the events so far, with the vetoes of merging, pb.
    """

    def __init__(self, recipe: Recipe, seed: int, mode: Mode) -> None:
        check_installed(recipe)
        assert isinstance(recipe.matrix_element, MatrixElement)
        self._folder = run_folder(recipe.matrix_element, recipe.name)
        self.sigma_pb = self.sigma_error_pb = 0.0
        self._child = Child(mode, self._folder, recipe.name, f"RANDOM_SEED: {seed}")
        try:
            self._child.answer()
        except BaseException:
            self.close()
            raise

    def events(self, n_events: int) -> dict[str, NDArray[Any]]:
        """The next events: `rows` of all, `counts` and `weights` of each."""
        found = self._child.events(n_events)
        self.sigma_pb, self.sigma_error_pb = float(found["sigma_pb"]), float(found["sigma_error_pb"])
        return found

    def close(self) -> None:
        """Ends the process and removes its folder."""
        self._child.close()
        shutil.rmtree(self._folder, ignore_errors=True)


class SherpaGenerator:
    """One seeded Sherpa for one recipe, to hadrons; every attempt passes."""

    def __init__(self, recipe: Recipe, seed: int) -> None:
        self._run = SherpaRun(recipe, seed, "hadrons")
        self._n_events = 0

    @property
    def attempted(self) -> int:
        """Events so far."""
        return self._n_events

    @property
    def sigma_pb(self) -> float:
        """Cross section of the merged process within the recipe's cuts, pb."""
        return self._run.sigma_pb

    @property
    def sigma_error_pb(self) -> float:
        """Its statistical error, pb."""
        return self._run.sigma_error_pb

    def batch(self, n_events: int) -> GeneratedBatch:
        """The next events."""
        found = self._run.events(n_events)
        first = self._n_events + 1
        self._n_events += n_events
        attempt = np.arange(first, first + n_events)
        return GeneratedBatch(_records(found["rows"], found["counts"]), attempt, (), found["weights"])

    def close(self) -> None:
        """Ends Sherpa."""
        self._run.close()


def _records(rows: NDArray[np.float64], counts: NDArray[np.int64]) -> ak.Array:
    """Event records with the fields of Pythia's that are read."""
    integers = {name: rows[:, i].astype(kind) for i, (name, kind) in enumerate(_COLUMNS.items())}
    momenta = ak.zip({name: rows[:, 3 + i] for i, name in enumerate(("px", "py", "pz", "e"))})
    return ak.unflatten(ak.zip({**integers, "p": momenta}, depth_limit=1), counts)
