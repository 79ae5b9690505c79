"""Sherpa's events: showered partons whose hadrons are Pythia's, or the hard process for Pythia's shower."""

import shutil
from collections.abc import Iterator
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.simulation.batch import GeneratedBatch, refuse_losses
from znought.simulation.hadrons import Hadronisation
from znought.simulation.recipe import JetFilter, MatrixElement, Recipe
from znought.simulation.sherpa.child import Child, Mode
from znought.simulation.sherpa.installed import check_installed
from znought.simulation.sherpa.integration import run_folder
from znought.simulation.truth import jets_of

__all__ = ["SherpaGenerator", "SherpaRun"]

_COLUMNS = {"id": np.int32, "status": np.int32, "mother1": np.int32}
_BLOCK = 250


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
    """One seeded Sherpa for one recipe to showered partons, and Pythia for their hadrons."""

    def __init__(self, recipe: Recipe, seed: int) -> None:
        self._hadrons = Hadronisation(recipe.commands, seed)
        self._filter = recipe.jet_filter
        self._run = SherpaRun(recipe, seed, "showered")
        self._showered = self._unlimited()
        self._recipe = recipe.name
        self._attempted = self._kept = self._lost = 0

    @property
    def attempted(self) -> int:
        """Events so far, those that the filter dropped among them."""
        return self._attempted

    @property
    def sigma_pb(self) -> float:
        """Cross section of the merged process within the recipe's cuts, pb."""
        return self._run.sigma_pb

    @property
    def sigma_error_pb(self) -> float:
        """Its statistical error, pb."""
        return self._run.sigma_error_pb

    @property
    def lost(self) -> int:
        """Events so far that passed the filter and of which no hadrons could be made."""
        return self._lost

    def batch(self, n_events: int) -> GeneratedBatch:
        """The next events that pass the filter."""
        records: list[NDArray[np.float64]] = []
        attempts: list[int] = []
        counted: list[float] = []
        while len(records) < n_events:
            partons, weight, passes = next(self._showered)
            self._attempted += 1
            counted.append(weight)
            if not passes:
                continue
            record = self._hadrons.record(partons)
            if record is None:
                self._lost += 1
                refuse_losses(self._recipe, n_lost=self._lost, n_kept=self._kept)
                continue
            self._kept += 1
            records.append(record)
            attempts.append(self._attempted)
        attempt, weights = np.array(attempts, np.int64), np.array(counted)
        first = self._attempted - len(counted) + 1
        return GeneratedBatch(_records(records), attempt, (), weights[attempt - first], counted=weights)

    def close(self) -> None:
        """Ends Sherpa."""
        self._run.close()

    def _unlimited(self) -> Iterator[tuple[NDArray[np.float64], float, bool]]:
        """Partons of each event, its weight, and whether the filter lets it pass."""
        while True:
            found = self._run.events(_BLOCK)
            partons = np.split(found["rows"], np.cumsum(found["counts"])[:-1])
            passes = _passes(found["rows"], found["counts"], self._filter)
            yield from zip(partons, found["weights"].tolist(), passes.tolist(), strict=True)


def _passes(
    rows: NDArray[np.float64], counts: NDArray[np.int64], wanted: JetFilter | None
) -> NDArray[np.bool_]:
    """Which events have the jets of partons that are asked for."""
    if wanted is None:
        return np.ones(len(counts), np.bool_)
    event = np.repeat(np.arange(len(counts)), counts)
    coloured = np.any(rows[:, 1:3] != 0.0, axis=1)
    pt = jets_of(rows[coloured, 3:], event[coloured], len(counts))[0]
    return np.asarray(np.sum(pt > wanted.pt_gev, axis=1) >= wanted.n_jets)


def _records(records: list[NDArray[np.float64]]) -> ak.Array:
    """Event records with the fields of Pythia's that are read."""
    rows = np.concatenate(records)
    integers = {name: rows[:, i].astype(kind) for i, (name, kind) in enumerate(_COLUMNS.items())}
    momenta = ak.zip({name: rows[:, 3 + i] for i, name in enumerate(("px", "py", "pz", "e"))})
    return ak.unflatten(
        ak.zip({**integers, "p": momenta}, depth_limit=1), [len(record) for record in records]
    )
