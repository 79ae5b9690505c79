"""Pythia's own events: the reference growth of the cross section, and its decay angles."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt
import pytest

from znought.analyses.vh_bb import matrix_element as smeft
from znought.analyses.vh_bb.hard_process import Legs, legs, stack
from znought.analyses.vh_bb.matrix_element import Electroweak, HardProcess
from znought.errors import DataError

pythia8mc = pytest.importorskip("pythia8mc")

Floats = npt.NDArray[np.float64]
# Pythia's default mixing angle, so that couplings agree where its decays are compared.
PYTHIA_ELECTROWEAK = Electroweak(m_w_gev=91.1876 * np.sqrt(1.0 - 0.2312))


@cache
def generate(process: str, decays: str, n: int, pt_min: float) -> HardProcess:
    """Parton-level events of one process, `decays` the products allowed to the W or Z."""
    pythia = pythia8mc.Pythia("", False)
    for setting in (
        f"HiggsSM:{process} = on",
        "PartonLevel:all = off",
        "HadronLevel:all = off",
        "Print:quiet = on",
        "Beams:eCM = 13000.",
        f"PhaseSpace:pTHatMin = {pt_min}",
        "23:onMode = off",
        f"23:onIfAny = {decays}",
        "24:onMode = off",
        f"24:onIfAny = {decays}",
        "25:onMode = off",
        "25:onIfAny = 5",
        "Random:setSeed = on",
        "Random:seed = 7",
    ):
        assert pythia.readString(setting), setting
    assert pythia.init()
    events: list[Legs] = []
    while len(events) < n:
        if pythia.next():
            events.append(legs(pythia.process))
    return stack(events)


@pytest.mark.parametrize(
    ("pt_cut", "expected"),
    [(100.0, (1.043, 1.57, 3.62)), (160.0, (1.083, 2.19, 6.98)), (200.0, (1.118, 2.81, 10.7))],
)
def test_growth_of_the_zh_cross_section(pt_cut: float, expected: tuple[float, ...]) -> None:
    hard = generate("ffbar2HZ", "12 14 16", 30_000, 98.0)
    w = smeft.weights(hard, [(0.001, 0.0), (0.01, 0.0), (0.03, 0.0)])[hard.pt_v > pt_cut]
    error = w.std(axis=0) / np.sqrt(len(w))
    # The references carry a few per cent themselves.
    reference_error = 0.03 * (np.array(expected) - 1.0)
    assert (np.abs(w.mean(axis=0) - expected) < 3.0 * np.hypot(error, reference_error)).all()
    assert (error < 0.06 * w.mean(axis=0)).all()


def test_wh_grows_as_the_quoted_0l_yields_within_ten_per_cent() -> None:
    hard = generate("ffbar2HW", "11 13", 30_000, 98.0)
    w = smeft.weights(hard, [(0.001, 0.0), (0.01, 0.0), (0.03, 0.0)])[hard.pt_v > 160.0]
    np.testing.assert_allclose(w.mean(axis=0), [1.083, 2.243, 6.897], rtol=0.15)


def decay_angles(hard: HardProcess) -> tuple[Floats, Floats]:
    """cos θ* of the fermion in the V rest frame: to the line of flight of V, and to the quark."""
    total = hard.fermion + hard.antifermion
    mass2 = smeft.contract(total, total)
    relative = hard.fermion - 0.5 * total

    def cosine(axis: Floats) -> Floats:
        transverse = axis - (smeft.contract(axis, total) / mass2)[:, None] * total
        norm = np.sqrt(smeft.contract(relative, relative) * smeft.contract(transverse, transverse))
        return np.asarray(-smeft.contract(relative, transverse) / norm)

    # The line of flight of V in the VH frame is minus that frame's own motion, seen from V.
    return cosine(-(hard.quark + hard.antiquark)), cosine(hard.quark)


def axes(n: int) -> Floats:
    """Six directions ± along random orthogonal axes per event: they average |M|² over the sphere exactly."""
    frames, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(n, 3, 3)))
    return np.concatenate([frames, -frames], axis=1)


def redecayed(hard: HardProcess, direction: Floats) -> HardProcess:
    """The same V H events with the fermion sent along `direction` (n, 3) in the V rest frame."""
    total = hard.fermion + hard.antifermion
    mass = np.sqrt(smeft.contract(total, total))
    rest = np.column_stack([np.zeros(len(mass)), direction]) * (0.5 * mass)[:, None]
    beta = total[:, 1:] / total[:, :1]
    gamma = total[:, 0] / mass
    along = (rest[:, 1:] * beta).sum(axis=1)
    energy = gamma * along
    space = rest[:, 1:] + ((gamma**2 / (1.0 + gamma)) * along)[:, None] * beta
    half = np.column_stack([energy, space])
    return replace(hard, fermion=0.5 * total + half, antifermion=0.5 * total - half)


def square(hard: HardProcess) -> Floats:
    """Standard-model |M|² of each event, up to a constant."""
    return np.asarray((np.abs(smeft.amplitudes(hard, PYTHIA_ELECTROWEAK)[0]) ** 2).sum(axis=(1, 2)))


def chi2_per_bin(hard: HardProcess, weight: Callable[[HardProcess], Floats], observable: int) -> float:
    """χ² per bin between Pythia's decays and isotropic ones weighted by `weight`, unit mean per event."""
    directions = axes(len(hard.quark_id))
    copies = [redecayed(hard, directions[:, i]) for i in range(6)]
    w = np.array([weight(copy) for copy in copies])
    w /= w.mean(axis=0)
    edges = np.linspace(-1.0, 1.0, 21)
    observed, _ = np.histogram(decay_angles(hard)[observable], edges)
    angles = np.array([decay_angles(copy)[observable] for copy in copies])
    expected, _ = np.histogram(angles, edges, weights=w / len(copies))
    variance = observed + np.histogram(angles, edges, weights=(w / len(copies)) ** 2)[0]
    return float((((observed - expected) ** 2) / variance).sum() / (len(edges) - 1))


@pytest.mark.parametrize(("process", "decays"), [("ffbar2HZ", "11 13"), ("ffbar2HW", "11 13")])
@pytest.mark.parametrize("observable", [0, 1])
def test_pythia_decays_the_vector_with_the_standard_model_matrix_element(
    process: str, decays: str, observable: int
) -> None:
    hard = generate(process, decays, 30_000, 98.0)
    assert chi2_per_bin(hard, square, observable) < 2.0  # p ≈ 0.005 for 20 bins
    # The same test tells isotropic decays apart: it can fail.
    assert chi2_per_bin(hard, lambda h: np.ones(len(h.quark_id)), observable) > 10.0


def test_a_record_of_another_process_is_refused() -> None:
    with pytest.raises(DataError, match="one W or Z"):
        legs([])
