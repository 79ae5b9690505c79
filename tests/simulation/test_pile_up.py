"""Jets of other interactions and their tag against the numbers of ATLAS-CONF-2014-018."""

import numpy as np
import pytest
from numpy.typing import NDArray

from znought.simulation import pile_up

N = 200_000


def _jets(interactions: int, n_events: int = N) -> pile_up.PileUpJets:
    return pile_up.pile_up_jets(np.full(n_events, interactions), np.random.default_rng(1))


@pytest.mark.parametrize(
    ("mu", "central", "forward"),
    [(21, 0.3265373, 0.1001697), (29, 0.511179, 0.1456202), (39, 0.7715489, 0.2198974)],
)
def test_the_rate_is_that_of_the_figure(mu: int, central: float, forward: float) -> None:
    """Fig. 24a: jets above 20 GeV within |η| < 2.4 and from there to 4.5, against the mean μ."""
    interactions = np.random.default_rng(1).poisson(mu, N)
    mean = pile_up.jet_rate(interactions).mean(axis=0)
    assert mean[0] == pytest.approx(central, rel=0.04)
    assert mean[1] + mean[2] == pytest.approx(forward, rel=0.05)


def test_jets_come_at_that_rate_and_with_the_spectra_of_the_figure() -> None:
    """Fig. 24b: per unit of η above 20, 30 and 50 GeV. Central: 1.57 % by the tag, 0.49 % above 60 GeV."""
    jets = _jets(34)
    rate = pile_up.jet_rate(np.array([34]))[0]
    a_eta = np.abs(jets.eta)
    regions = [(2.4, 3.2, rate[1], 0.151, 0.0119), (3.2, 4.5, rate[2], 0.120, 0.0063)]
    for low, high, mean, above_30, above_50 in regions:
        pt = jets.pt[(jets.pt > 0.0) & (a_eta >= low) & (a_eta < high)]
        assert len(pt) / N == pytest.approx(mean, rel=0.03)
        assert np.mean(pt > 30.0) == pytest.approx(above_30, rel=0.06)
        assert np.mean(pt > 50.0) == pytest.approx(above_50, rel=0.25)
    central = (jets.pt > 0.0) & (a_eta < 2.4)
    assert central.sum() / N == pytest.approx(0.0206 * rate[0], rel=0.06)
    assert np.all(jets.pt[jets.pt > 0.0] >= 20.0)
    assert abs(np.mean(jets.eta[jets.pt > 0.0] > 0.0) - 0.5) < 0.01


@pytest.mark.parametrize(
    ("pt", "cuts", "efficiencies"),
    [(22.0, (0.2, 0.4, 0.7), (0.909, 0.872, 0.813)), (52.0, (0.2, 0.4, 0.7), (0.972, 0.957, 0.928))],
)
def test_hard_jets_pass_the_tag_as_published(
    pt: float, cuts: tuple[float, ...], efficiencies: tuple[float, ...]
) -> None:
    """Fig. 15, Z → µµ in simulation."""
    pts = np.full(N, pt)
    tag = pile_up.jvt(pts, np.zeros(N), is_hard=True, rng=np.random.default_rng(2))
    assert [np.mean(tag > cut) for cut in cuts] == pytest.approx(efficiencies, abs=0.004)
    assert tag.max() <= 1.0


def test_the_working_point_keeps_the_hard_jets_and_rejects_the_others() -> None:
    """JVT > 0.59: about 92 % of 20 to 60 GeV; 1.6 % of other interactions' jets at 20 to 30 GeV (fig. 5b)."""
    rng = np.random.default_rng(3)
    pt, eta = rng.uniform(20.0, 60.0, N), np.full(N, 1.0)
    hard = pile_up.jvt(pt, eta, is_hard=True, rng=rng)
    other = pile_up.jvt(pt, eta, is_hard=False, rng=rng)
    assert np.mean(hard > pile_up.JVT_MIN) == pytest.approx(0.91, abs=0.01)
    assert np.mean(other > pile_up.JVT_MIN) == pytest.approx(0.0157, abs=0.001)
    assert np.mean(other == 0.0) == pytest.approx(0.856, abs=0.005)


def test_forward_and_hard_jets_are_not_asked() -> None:
    pt, eta = np.array([25.0, 25.0, 70.0]), np.array([1.0, 3.0, 1.0])
    none = np.full(3, pile_up.NO_TRACKS)
    assert pile_up.passes_jvt(pt, eta, none).tolist() == [False, True, True]
    assert pile_up.jvt(pt, eta, is_hard=True, rng=np.random.default_rng(1))[1] == pile_up.NO_TRACKS


def test_interactions_and_their_vertices() -> None:
    """20 vertices of 34 interactions: 55 % found, and the hard one."""
    crossing = pile_up.crossing(33.7, N, np.random.default_rng(1))
    counts: NDArray[np.int64] = crossing.interactions
    assert counts.mean() == pytest.approx(33.7, rel=0.002)
    assert counts.var() == pytest.approx(33.7, rel=0.02)
    assert crossing.vertices.mean() == pytest.approx(1.0 + 33.7 * 0.547, rel=0.02)
    assert pile_up.soft_noise(np.array([0])) < 0.2 < pile_up.jet_noise(np.array([0]))
