"""The preselection and the 17 inputs of hand-made events, against `vector` and by hand."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import vector
from numpy.typing import NDArray

from znought.analyses.vh_ww.final_state import FinalState, Visible
from znought.analyses.vh_ww.selection import (
    Dijet,
    Dilepton,
    VHWWSelection,
    candidates,
    clean_jets,
    counted,
    cut_weight,
    leading_jets,
    select_dilepton,
    veto_weight,
)
from znought.analyses.vh_ww.variables import FEATURES, columns_of
from znought.errors import CardError
from znought.processors.kinematics import Momentum
from znought.processors.objects import Jets, Leptons

_GAP = (1.37, 1.52)


def _leptons(*events: Sequence[tuple[float, float, float, int]]) -> Leptons:
    """Leptons of each event as (pt, eta, phi, charge), isolated and identified."""
    flat = [lepton for event in events for lepton in event]
    columns = np.array(flat, np.float64).reshape(-1, 4)
    return Leptons(
        np.array([len(event) for event in events]),
        columns[:, 0],
        columns[:, 1],
        columns[:, 2],
        columns[:, 3].astype(np.int32),
        np.zeros(len(flat)),
        np.ones(len(flat), np.bool_),
    )


def _pairs(electrons: Leptons, muons: Leptons, *, gap: tuple[float, float] | None = None) -> Dilepton:
    """The pairs of events, from all of their leptons."""
    selection = VHWWSelection()
    return select_dilepton(*candidates(electrons, muons, selection, gap=gap), selection)


def _leading(jets: Jets) -> Dijet:
    """The two leading ones of the jets that count."""
    return leading_jets(jets, counted(jets, VHWWSelection()), VHWWSelection())


def _jets(*events: Sequence[tuple[float, float, float]], btag: float = 0.1) -> Jets:
    """Jets of each event as (pt, eta, phi), mass 5 GeV, b-tag 0.1."""
    flat = np.array([jet for event in events for jet in event], np.float64).reshape(-1, 3)
    n = len(flat)
    return Jets(
        np.array([len(event) for event in events]),
        flat[:, 0],
        flat[:, 1],
        flat[:, 2],
        np.full(n, 5.0),
        np.ones(n, np.bool_),
        np.full(n, btag),
        np.arange(n),
    )


@pytest.mark.parametrize(
    ("electrons", "muons", "passed"),
    [
        pytest.param([(30, 0, 0, 1)], [(20, 0, 2, -1)], 7, id="passes"),
        pytest.param([(30, 0, 0, 1)], [], 1, id="one lepton"),
        pytest.param([(30, 0, 0, 1)], [(20, 0, 2, -1), (11, 1, 1, 1)], 1, id="third lepton"),
        pytest.param([(30, 0, 0, 1)], [(20, 0, 2, -1), (9, 1, 1, 1)], 7, id="soft third lepton"),
        pytest.param([(30, 0, 0, 1), (25, 0, 2, -1)], [], 2, id="same flavour"),
        pytest.param([(30, 0, 0, 1)], [(20, 0, 2, 1)], 3, id="same sign"),
        pytest.param([(22, 0, 0, 1)], [(20, 0, 2, -1)], 4, id="leading lepton exactly at the cut"),
        pytest.param([(22.1, 0, 0, 1)], [(15, 0, 2, -1)], 5, id="subleading at the cut"),
        pytest.param([(30, 0, 0, 1)], [(20, 0, 0.1, -1)], 6, id="light pair"),
        pytest.param([(30, 1.4, 0, 1)], [(20, 0, 2, -1)], 1, id="electron in the gap"),
        pytest.param([(20, 0, 0, 1)], [(30, 1.4, 2, -1)], 7, id="muon there"),
        pytest.param([(30, 2.5, 0, 1)], [(20, 0, 2, -1)], 1, id="outside acceptance"),
    ],
)
def test_lepton_cuts(electrons: list[Any], muons: list[Any], passed: int) -> None:
    pairs = _pairs(_leptons(electrons), _leptons(muons), gap=_GAP)
    assert pairs.passed.tolist() == [passed]
    assert len(pairs.event) == (passed == 7)


def test_pairs_know_their_events_and_order() -> None:
    electrons = _leptons([(30, 0, 0, 1)], [], [(25, 1, 1, -1)], [(40.0, 0, 0, 1)])
    muons = _leptons([(50, 0, 2, -1)], [(60, 0, 0, 1)], [(20, 0, 2, 1)], [(40.0, 1, 3, -1)])
    pairs = _pairs(electrons, muons)
    assert pairs.event.tolist() == [0, 2, 3]
    assert pairs.leading.pt.tolist() == [50.0, 25.0, 40.0]
    # At exactly equal pT the electron leads.
    assert pairs.leading.mass[2] < pairs.subleading.mass[2]


def test_jets_at_leptons_are_dropped() -> None:
    pairs = _pairs(_leptons([(30, 0, 0, 1)]), _leptons([(20, 0, 2, -1)]))
    jets = _jets([(90, 0, 0.39), (80, 0, 0.41), (70, 0.39, 2), (60, 1, -3)])
    assert clean_jets(jets, pairs, dr_min=0.4).pt.tolist() == [80.0, 60.0]


def test_leading_jets_of_unsorted_and_equal_jets() -> None:
    jets = _jets(
        [(40, 0, 0), (90, 1, 1), (60, 2, 2)],
        [(50, 0, 0)],
        [],
        [(50, 1, 0), (50, 2, 1), (50, 3, 2)],
        [(31, 4.4, 0), (99, 4.6, 0), (30, 0, 0), (32, 0, 0)],
    )
    dijet = _leading(jets)
    assert dijet.event.tolist() == [0, 3, 4]
    assert dijet.leading.pt.tolist() == [90.0, 50.0, 32.0]
    assert dijet.subleading.pt.tolist() == [60.0, 50.0, 31.0]
    assert (dijet.leading.eta[1], dijet.subleading.eta[1]) == (1.0, 2.0)
    assert len(_leading(_jets([], [(50, 0, 0)])).event) == 0


def test_b_veto_as_cut_and_as_weight() -> None:
    jets = _jets([(40, 0, 0), (21, 2.4, 1), (19, 0, 0), (50, 2.6, 2)], [(50, 3, 0)], btag=0.2)
    selection = VHWWSelection()
    assert veto_weight(jets, selection).tolist() == pytest.approx([0.64, 1.0])
    assert cut_weight(jets, selection, working_point=0.15).tolist() == [0.0, 1.0]
    assert cut_weight(jets, selection, working_point=0.2).tolist() == [1.0, 1.0]


def test_inputs_agree_with_vector() -> None:
    rng = np.random.default_rng(4)

    def momenta(pt_min: float, mass: float, spread: float) -> NDArray[np.float64]:
        n = 50
        columns = (pt_min + rng.exponential(40, n), rng.normal(0, spread, n), rng.uniform(-3, 3, n))
        return np.stack([*columns, np.full(n, mass)], axis=1)

    objects = [momenta(22, 0.000511, 1), momenta(15, 0.105658, 1), momenta(30, 7.0, 2), momenta(30, 4.0, 2)]
    met, track = rng.normal(0, 40, (2, 50)), rng.normal(0, 40, (2, 50))
    m0, m1, j0, j1 = (Momentum.of(*columns.T) for columns in objects)
    seen = Visible(
        (m0, m1),
        (j0, j1),
        np.full(50, 2),
        np.zeros(50, np.int64),
        np.zeros(50, np.bool_),
        m0.pt + m1.pt + j0.pt + j1.pt,
        (j0.px + j1.px, j0.py + j1.py),
    )
    state = FinalState(seen, (met[0], met[1]), (track[0], track[1]), np.full(50, 60.0), None)
    inputs = columns_of(state)
    assert tuple(inputs) == (*FEATURES, "met", "n_jets", "n_b", "n_leptons", "m_sf", "same_sign")
    for i in range(50):
        vectors: list[Any] = [
            vector.obj(pt=p[0], eta=p[1], phi=p[2], mass=p[3]) for p in (o[i] for o in objects)
        ]
        l0, l1, q0, q1 = vectors
        nu: Any = vector.obj(px=met[0, i], py=met[1, i])
        tk: Any = vector.obj(px=track[0, i], py=track[1, i])
        ll = l0 + l1
        ht = l0.pt + l1.pt + q0.pt + q1.pt + 60.0
        e_ll = np.hypot(ll.pt, ll.mass)
        total = ll.to_Vector2D() + q0.to_Vector2D() + q1.to_Vector2D()
        expected = {
            "pt_l0": l0.pt,
            "dphi_ll": abs(l0.deltaphi(l1)),
            "dy_ll": abs(l0.rapidity - l1.rapidity),
            "m_ll": ll.mass,
            "dphi_jj": abs(q0.deltaphi(q1)),
            "dy_jj": abs(q0.rapidity - q1.rapidity),
            "m_jj": (q0 + q1).mass,
            "m_t": np.sqrt((e_ll + nu.rho) ** 2 - (ll.to_Vector2D() + nu).rho ** 2),
            "met_track": tk.rho,
            "ht_soft": ht,
            "met_significance": nu.rho / np.sqrt(ht),
            "pt_total_track": (total + tk).rho,
            "sum_m_lj": sum((a + b).mass for a in (l0, l1) for b in (q0, q1)),
            "m_tautau": _collinear(l0, l1, nu),
        }
        for name, value in expected.items():
            assert inputs[name][i] == pytest.approx(value, rel=1e-5, abs=1e-5), name


def _collinear(l0: Any, l1: Any, nu: Any) -> float:
    """m_ττ by solving the 2×2 system as it stands."""
    ratios = np.linalg.solve(np.array([[l0.px, l1.px], [l0.py, l1.py]]), np.array([nu.px, nu.py]))
    fractions = 1.0 / (1.0 + ratios)
    inside = np.all((fractions > 0.0) & (fractions <= 1.0))
    return float((l0 + l1).mass / np.sqrt(np.prod(fractions))) if inside else -1.0


def test_mistakes_in_the_card_are_named() -> None:
    with pytest.raises(CardError, match="n_jets_min"):
        VHWWSelection(n_jets_min=1)
    with pytest.raises(CardError, match="pt_l0_min_gev"):
        VHWWSelection(pt_l0_min_gev=10.0)
    with pytest.raises(CardError, match="isolation_max"):
        VHWWSelection(isolation_max=-0.1)
