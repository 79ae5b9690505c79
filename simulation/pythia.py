"""Pythia 8 behind one small class: filtered batches of event records and the count of attempts."""

from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol

import awkward as ak
import numpy as np
import pythia8mc
from numpy.typing import NDArray

from znought.errors import DataError
from znought.simulation import lepton_filter
from znought.simulation.batch import GeneratedBatch, refuse_losses
from znought.simulation.decays import boosted
from znought.simulation.recipe import COMMON, BPairFilter, LeptonPart, PartonFilter, Recipe

__all__ = ["Partons", "PythiaGenerator", "charges", "higgs_decays", "started"]

_QUIET = ("Print:quiet = on", "Random:setSeed = on")
# The hard process as it stands, without shower, remnants and hadrons.
_PROCESS_ONLY = (
    "PartonLevel:ISR = off",
    "PartonLevel:FSR = off",
    "PartonLevel:Remnants = off",
    "HadronLevel:all = off",
)
_N_LEADING = 3  # record entries before the hard process: system and two beams


def _outgoing(event: Any) -> Iterator[int]:
    """Entries of a record that are there at its stage, incoming partons left out."""
    return (i for i in range(_N_LEADING, event.size()) if event[i].status() > 0)


class _Filter(pythia8mc.UserHooks):  # type: ignore[misc]  # the library carries no types
    """Counts attempted events and vetoes the hopeless ones before they are showered to the end."""

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.attempted = 0
        self.captured: dict[int, Any] = {}
        self.pair: LeptonPart | None = None

    @property
    def _shower_filter(self) -> PartonFilter | BPairFilter | None:
        return self.recipe.parton_filter or self.recipe.b_pair

    def canVetoProcessLevel(self) -> bool:  # noqa: N802  (the library's name, as below)
        return True

    def doVetoProcessLevel(self, process: Any) -> bool:  # noqa: N802
        recipe = self.recipe
        entries = range(_N_LEADING, process.size())
        if recipe.w_charge is not None and not any(process[i].id() == 24 * recipe.w_charge for i in entries):
            return True
        if recipe.n_taus is not None and recipe.n_taus != sum(process[i].idAbs() == 15 for i in entries):
            return True
        self.attempted += 1
        if recipe.lepton_filter is not None:
            found = lepton_filter.leptons(process)
            if not lepton_filter.passes_hard(found, recipe.lepton_filter):
                return True
            self.pair = lepton_filter.pair_of(found, recipe.lepton_filter)
        # The system line travels with the record: it carries the attempt that the event came from.
        process[0].scale(float(self.attempted))
        if recipe.weigher is not None:
            self.captured[self.attempted] = recipe.weigher.capture(process)
        return False

    def canVetoPT(self) -> bool:  # noqa: N802
        return self._shower_filter is not None

    def scaleVetoPT(self) -> float:  # noqa: N802
        return 0.0 if self._shower_filter is None else self._shower_filter.scale_gev

    def doVetoPT(self, i_pos: int, event: Any) -> bool:  # noqa: N802
        if self.recipe.b_pair is not None:
            return sum(bool(event[i].idAbs() == 5) for i in _outgoing(event)) < 2
        cut = self.recipe.parton_filter
        if cut is None:
            return False
        n_partons = 0
        for i in range(event.size() - 1, _N_LEADING - 1, -1):
            parton = event[i]
            if parton.status() > 0 and parton.colType() != 0:
                pt = parton.pT()
                n_partons += (pt > cut.pt_gev) + (pt > cut.pt_single_gev)
                if n_partons >= cut.n_partons:
                    return False
        return True

    def canVetoPartonLevel(self) -> bool:  # noqa: N802
        return self.recipe.b_pair is not None or self.recipe.lepton_filter is not None

    def doVetoPartonLevel(self, event: Any) -> bool:  # noqa: N802
        by_leptons = self.recipe.lepton_filter
        if by_leptons is not None and not lepton_filter.passes_shower(
            lepton_filter.leptons(event), by_leptons, self.pair
        ):
            return True
        cut = self.recipe.b_pair
        if cut is None:
            return False
        quarks = [event[i] for i in _outgoing(event) if event[i].idAbs() == 5]
        quarks = [b for b in quarks if b.pT() > cut.pt_gev and abs(b.eta()) < cut.abs_eta]
        if len(quarks) < 2:
            return True
        first, second = sorted(quarks, key=lambda b: -float(b.pT()))[:2]
        return not cut.m_min_gev < (first.p() + second.p()).mCalc() < cut.m_max_gev


class Partons(Protocol):
    """Hard processes from elsewhere, an `LHAup` of Pythia."""

    @property
    def sigma_pb(self) -> float:
        """Cross section of the hard process, pb."""

    @property
    def sigma_error_pb(self) -> float:
        """Its statistical error, pb."""

    def close(self) -> None:
        """Ends what they come from."""


def started(
    commands: tuple[str, ...], seed: int, hooks: _Filter | None = None, partons: Partons | None = None
) -> Any:
    """A Pythia at work with settings and a seed.

    Raises:
        DataError: it refuses a setting.
    """
    pythia = pythia8mc.Pythia("", False)
    for command in (*_QUIET, f"Random:seed = {seed}", *commands):
        if not pythia.readString(command):
            raise DataError(f"Pythia refuses the setting {command!r}.")
    if hooks is not None:
        pythia.setUserHooksPtr(hooks)
    if partons is not None:
        pythia.readString("Beams:frameType = 5")
        pythia.setLHAupPtr(partons)
    if not pythia.init():
        raise DataError("Pythia does not initialise; its settings contradict each other.")
    return pythia


class PythiaGenerator:
    """One seeded Pythia for one recipe, with a hard process of its own or with partons from elsewhere."""

    def __init__(self, recipe: Recipe, seed: int, partons: Partons | None = None) -> None:
        self._filter = _Filter(recipe)
        self._partons = partons
        self._recipe = recipe.name
        self._kept = self._lost = 0
        self._pythia = started((*COMMON, *recipe.commands), seed, self._filter, partons)

    @property
    def attempted(self) -> int:
        """Events tried so far, before the generator filter."""
        return self._filter.attempted

    @property
    def sigma_pb(self) -> float:
        """The leading-order cross section of the hard process before any branching ratio, pb."""
        if self._partons is not None:
            return self._partons.sigma_pb
        return float(self._pythia.infoPython().sigmaGen(0)) * 1e9

    @property
    def sigma_error_pb(self) -> float:
        """Its statistical error, pb."""
        if self._partons is not None:
            return self._partons.sigma_error_pb
        return float(self._pythia.infoPython().sigmaErr(0)) * 1e9

    @property
    def lost(self) -> int:
        """Events so far that passed the filter and that Pythia gave up on."""
        return self._lost

    def batch(self, n_events: int) -> GeneratedBatch:
        """The next events after the filter (fewer, where Pythia gave up on one)."""
        records = self._pythia.nextBatch(n_events).prt
        attempt = np.asarray(records.scale[:, 0], dtype=np.int64)
        captured = tuple(self._filter.captured[int(i)] for i in attempt if self._filter.captured)
        self._filter.captured.clear()
        self._kept += len(attempt)
        self._lost += n_events - len(attempt)
        refuse_losses(self._recipe, n_lost=self._lost, n_kept=self._kept)
        weights = np.ones(len(attempt))
        return GeneratedBatch(records, attempt, captured, weights, counted=weights)

    def close(self) -> None:
        """Ends what its partons come from."""
        if self._partons is not None:
            self._partons.close()


def charges(pdg_id: NDArray[np.int32]) -> NDArray[np.float32]:
    """Electric charges of particles, same shape as the identifiers."""
    unique, inverse = np.unique(pdg_id, return_inverse=True)
    table = np.array([_charge(int(code)) for code in unique], dtype=np.float32)
    return table[inverse]


@cache
def _charge(pdg_id: int) -> float:
    return float(_particle_data().charge(pdg_id))


@cache
def _particle_data() -> Any:
    return pythia8mc.Pythia("", False).particleData


def higgs_decays(n_decays: int, seed: int) -> NDArray[np.float64]:
    """H → W⁺W⁻* → ℓ⁺ν ℓ⁻ν̄ in the Higgs boson's rest frame, with Pythia's full spin correlations.

    Returns:
        Four-momenta (px, py, pz, E) of ℓ⁺, ν, ℓ⁻, ν̄ in GeV, shape (n_decays, 4, 4).
    """
    commands = (
        "HiggsSM:gg2H = on",
        "25:onMode = off",
        "25:onIfMatch = 24 -24",
        "24:onMode = off",
        "24:onIfAny = 11",
    )
    pythia = started((*COMMON, *_PROCESS_ONLY, *commands), seed)
    records = pythia.nextBatch(n_decays).prt
    higgs = _momenta(records[records.id == 25][:, :1])
    legs = np.concatenate(
        [_momenta(records[records.id == code][:, :1]) for code in (-11, 12, 11, -12)], axis=1
    )
    boost = higgs.copy()
    boost[..., :3] *= -1.0
    return boosted(legs, boost)


def _momenta(particles: ak.Array) -> NDArray[np.float64]:
    parts = [ak.to_numpy(getattr(particles.p, name)) for name in ("px", "py", "pz", "e")]
    return np.stack(parts, axis=-1).astype(np.float64)
