"""Sherpa's partons for Pythia, one event at a time, without a file between them."""

import math
from collections.abc import Iterator

import numpy as np
import pythia8mc
from numpy.typing import NDArray

from znought.errors import DataError
from znought.simulation.recipe import Recipe
from znought.simulation.sherpa.generator import SherpaRun

__all__ = ["PartonFeed", "colour_flow"]

Rows = NDArray[np.float64]

_BEAM_GEV = 6500.0
_BLOCK = 500


class PartonFeed(pythia8mc.LHAup):  # type: ignore[misc]  # the library carries no types
    """Hard processes of a recipe's matrix element, as Pythia asks for them."""

    def __init__(self, recipe: Recipe, seed: int) -> None:
        super().__init__(3)  # events of weight one, taken as they come
        self._run = SherpaRun(recipe, seed, "partons")
        self._events = self._unlimited()

    @property
    def sigma_pb(self) -> float:
        """Cross section of the hard process, pb."""
        return self._run.sigma_pb

    @property
    def sigma_error_pb(self) -> float:
        """Its statistical error, pb."""
        return self._run.sigma_error_pb

    def setInit(self) -> bool:  # noqa: N802  (the library's name, as below)
        self.setBeamA(2212, _BEAM_GEV)
        self.setBeamB(2212, _BEAM_GEV)
        self.setStrategy(3)
        self.addProcess(1, 1.0, 0.0, 1.0)
        return True

    def setEvent(self, idProcess: int = 0) -> bool:  # noqa: N802
        particles = _ordered(next(self._events))
        self.setProcess(1, 1.0, _scale_gev(particles), 1.0 / 128.0, 0.118)
        for row, colours in zip(particles, colour_flow(particles), strict=True):
            pdg_id, side, px, py, pz, e = (float(value) for value in row)
            mass = math.sqrt(max(e * e - px * px - py * py - pz * pz, 0.0))
            mothers = (0, 0) if side < 0 else (1, 2)
            self.addParticle(int(pdg_id), int(side), *mothers, *colours, px, py, pz, e, mass)
        return True

    def close(self) -> None:
        """Ends Sherpa."""
        self._run.close()

    def _unlimited(self) -> Iterator[Rows]:
        while True:
            found = self._run.events(_BLOCK)
            yield from np.split(found["rows"], np.cumsum(found["counts"])[:-1])


def _ordered(particles: Rows) -> Rows:
    """The incoming parton along +z first, as Pythia expects."""
    is_incoming = particles[:, 1] < 0
    incoming = particles[is_incoming]
    return np.concatenate([incoming[np.argsort(-incoming[:, 4])], particles[~is_incoming]])


def colour_flow(particles: Rows) -> list[tuple[int, int]]:
    """Colour and anticolour of each particle of g q → q' and colourless ones, which has one flow only.

    Args:
        particles: identifier, -1 (incoming) or 1 and momentum, a row for each.

    Raises:
        DataError: other coloured particles, whose colour flow Sherpa does not say.

    >>> rows = np.zeros((4, 6))
    >>> rows[:, :2] = [[21, -1], [5, -1], [6, 1], [-24, 1]]
    >>> colour_flow(rows)
    [(501, 502), (502, 0), (501, 0), (0, 0)]
    """
    codes = [(int(pdg_id), int(side)) for pdg_id, side in particles[:, :2]]
    coloured = sorted((side, -abs(pdg_id)) for pdg_id, side in codes if pdg_id == 21 or abs(pdg_id) <= 6)
    quarks = [pdg_id for pdg_id, _ in codes if abs(pdg_id) <= 6]
    if [side for side, _ in coloured] != [-1, -1, 1] or len(quarks) != 2 or quarks[0] * quarks[1] < 0:
        raise DataError(f"Pythia takes Sherpa's g q -> q' alone, with one colour flow. Received: {codes}.")
    of_quark = {-1: (502, 0), 1: (501, 0)} if quarks[0] > 0 else {-1: (0, 501), 1: (0, 502)}
    of = {21: {-1: (501, 502)}, **{abs(quark): of_quark for quark in quarks}}
    return [of.get(abs(pdg_id), {}).get(side, (0, 0)) for pdg_id, side in codes]


def _scale_gev(particles: Rows) -> float:
    """Where Pythia's shower starts: the mean transverse mass of the outgoing particles."""
    outgoing = particles[particles[:, 1] > 0]
    return float(np.mean(np.sqrt(np.maximum(outgoing[:, 5] ** 2 - outgoing[:, 4] ** 2, 0.0))))
