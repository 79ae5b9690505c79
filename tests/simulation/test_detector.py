"""The response of the detector to events made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from znought.simulation import detector as d
from znought.simulation import pile_up
from znought.simulation.config import DetectorConfig
from znought.simulation.decays import LeptonDraw
from znought.simulation.recipe import Skim
from znought.simulation.truth import Truth

N = 4000
PERFECT = DetectorConfig(
    jet_noise_gev=0.0,
    jet_stochastic=0.0,
    jet_constant=0.0,
    jet_angle_gev=0.0,
    met_soft_response=1.0,
    met_soft_sigma_gev=0.5,
    pile_up_mean=0.0,
    track_met_sigma_gev=0.0,
)


def _truth(n: int = N) -> Truth:
    """Two jets of 60 (b) and 40 GeV along +x and −y, one soft neutral particle of 5 GeV along +y."""
    pt = np.tile(np.array([60.0, 40.0, 5.0], dtype=np.float32), (n, 1))
    phi = np.tile(np.array([0.0, -np.pi / 2, np.pi / 2], dtype=np.float32), (n, 1))
    return Truth(
        source=np.zeros((n, 2, 4)),
        source_id=np.zeros((n, 2), dtype=np.int32),
        jet_pt=pt[:, :2].astype(np.float64),
        jet_eta=np.tile([0.5, -1.0], (n, 1)),
        jet_phi=phi[:, :2].astype(np.float64),
        jet_mass=np.full((n, 2), 8.0),
        jet_flavour=np.tile(np.array([5, 0], dtype=np.int32), (n, 1)),
        pt=pt,
        eta=np.tile(np.array([0.5, -1.0, 0.0], dtype=np.float32), (n, 1)),
        phi=phi,
        is_charged=np.tile([True, True, False], (n, 1)),
        recoil=np.tile([60.0, -35.0], (n, 1)),
    )


def _draw(n: int = N) -> LeptonDraw:
    """An electron of 50 GeV along −x and a muon of 30 GeV at 135°, central."""
    leptons = [[-50.0, 0.0, 10.0, np.hypot(50.0, 10.0)], [-21.213203, 21.213203, -10.0, np.hypot(30.0, 10.0)]]
    return LeptonDraw(np.tile([leptons], (n, 1, 1)), np.tile(np.array([-11, 13], dtype=np.int32), (n, 1)))


def _respond(config: DetectorConfig = PERFECT, skim: Skim = "emu", seed: int = 1) -> d.Response:
    return d.respond(_truth(), _draw(), config, skim=skim, rng=np.random.default_rng(seed))


def test_a_perfect_calorimeter_leaves_the_neutrinos_and_lepton_smearing() -> None:
    seen = _respond()
    # Visible: 60, −35 (recoil) and leptons −71.2, +21.2; MET is minus their sum.
    assert np.allclose(seen.met.mean(axis=0), [11.213, 13.787], atol=0.1)
    assert seen.met.std(axis=0).max() < 2.0


def test_track_met_misses_the_neutral_particle_and_lost_tracks() -> None:
    seen = _respond()
    assert np.allclose(seen.track_met.mean(axis=0), [71.213 - 60 * 0.95, 40 * 0.95 - 21.213], atol=1.2)


def test_only_events_with_both_leptons_are_kept() -> None:
    seen = _respond()
    expected = 0.95 * 0.95 * 0.99 * 0.95
    assert abs(len(seen.event) / N - expected) < 5 * np.sqrt(expected * (1 - expected) / N)
    assert np.all(seen.leptons.pt > 0)
    assert len(_respond(skim="dijet").event) == N


def test_jets_have_the_declared_resolution_and_scale() -> None:
    config = DetectorConfig(jet_energy_scale=1.02)
    pt = _respond(config).jets.pt
    jets = _respond(config).jets
    leading = pt[jets.flavour == 5]
    sigma = d.jet_resolution(np.array([60.0]), np.zeros(1), config)[0]
    assert abs(leading.mean() / 60.0 - 1.02) < 0.01
    assert abs(leading.std() / 60.0 / 1.02 - sigma) < 0.01
    assert np.all(pt[:, :-1] >= pt[:, 1:])


def test_jets_below_threshold_join_the_soft_term() -> None:
    truth = replace(_truth(), jet_pt=np.tile([60.0, 15.0], (N, 1)))
    config = replace(PERFECT, jet_energy_scale=1.0)
    seen = d.respond(truth, _draw(), config, skim="dijet", rng=np.random.default_rng(1))
    assert len(seen.event) == 0


def test_isolation_sees_particles_near_the_lepton_only() -> None:
    particles = ([60.0, 40.0, 5.0], [0.5, -1.0, 0.2], [0.0, np.pi, np.pi])  # the second: same φ, far in η
    pt, eta, phi = (np.tile(np.array(values, dtype=np.float32), (N, 1)) for values in particles)
    truth = replace(_truth(), pt=pt, eta=eta, phi=phi)
    config = replace(PERFECT, isolation_noise_gev=0.0)
    seen = d.respond(truth, _draw(), config, skim="emu", rng=np.random.default_rng(1))
    is_electron = np.abs(seen.leptons.pdg_id) == 11
    assert np.allclose((seen.leptons.isolation * seen.leptons.pt)[is_electron], 5.0)
    assert np.all(seen.leptons.isolation[~is_electron] == 0.0)


def test_met_significance_falls_with_resolution_and_grows_with_met() -> None:
    sharp, blunt = _respond(DetectorConfig()), _respond(DetectorConfig(jet_noise_gev=12.0))
    assert np.median(sharp.met_significance) > 1.1 * np.median(blunt.met_significance)
    met = np.hypot(sharp.met[:, 0], sharp.met[:, 1])
    assert np.corrcoef(met, sharp.met_significance)[0, 1] > 0.9
    # Along MET alone the soft term is an upper bound of the significance.
    soft = DetectorConfig().met_soft_sigma_gev * pile_up.soft_noise(sharp.n_pile_up)
    assert np.all(sharp.met_significance <= met / soft + 1e-9)


@pytest.mark.parametrize("floor", [0.5, 0.9])
def test_thinned_rows_keep_every_mean(floor: float) -> None:
    seen = _respond(DetectorConfig())
    left, factor = d.thinned(seen, floor, np.random.default_rng(2), weight=np.ones(len(seen.event)))
    veto = np.prod(1.0 - left.jets.probability_85, axis=1)
    before = np.prod(1.0 - seen.jets.probability_85, axis=1)
    assert len(left.event) < len(seen.event)
    assert abs(factor.sum() / len(seen.event) - 1.0) < 5 * np.sqrt(np.sum(factor**2)) / len(seen.event)
    assert abs((factor * veto).sum() / before.sum() - 1.0) < 0.1
    assert np.all(factor[veto > floor] == 1.0)


@pytest.mark.parametrize(("pt", "expected", "error"), [(20.0, 0.24, 0.015), (300.0, 0.06, 0.005)])
def test_jet_resolution_is_the_published_one(pt: float, expected: float, error: float) -> None:
    """Particle-flow jets of arXiv:2007.02645."""
    assert abs(d.jet_resolution(np.array([pt]), np.zeros(1), DetectorConfig())[0] - expected) < error


def test_more_interactions_blur_the_missing_momentum_but_not_the_tracks() -> None:
    few, many = (_respond(replace(PERFECT, met_soft_sigma_gev=10.0, pile_up_mean=n)) for n in (5.0, 60.0))
    ratio = np.sqrt(61.0 / 6.0)
    found = [np.percentile(seen.met[:, 0], [16.0, 84.0]) for seen in (few, many)]
    # A little more than the soft term's: jets of the other interactions.
    assert ratio < np.diff(found[1])[0] / np.diff(found[0])[0] < 1.4 * ratio
    assert many.soft_activity.mean() - 5.0 > 8.0 * (few.soft_activity.mean() - 5.0)
    assert many.leptons.isolation.mean() > few.leptons.isolation.mean()
    tracks = [np.percentile(seen.track_met[:, 0], [16.0, 84.0]) for seen in (few, many)]
    assert abs(np.diff(tracks[1])[0] / np.diff(tracks[0])[0] - 1.0) < 0.1


def test_jets_of_other_interactions_are_written_where_the_tag_cannot_see_them() -> None:
    seen = _respond(replace(PERFECT, pile_up_mean=60.0), skim="dijet")
    central = np.abs(seen.jets.eta) < pile_up.JVT_ETA_MAX
    assert np.sum(seen.jets.pt[~central] > 0.0) / len(seen.event) == pytest.approx(0.38, abs=0.04)
    tagged = central & (seen.jets.pt > 0.0) & (seen.jets.pt < pile_up.JVT_PT_MAX_GEV)
    assert np.all(seen.jets.jvt[tagged] > pile_up.JVT_MIN)
    assert len(seen.event) < N  # jets of the hard interaction that fail the tag are gone
    assert np.all(seen.n_vertices <= 1 + seen.n_pile_up)
    again = _respond(replace(PERFECT, pile_up_mean=60.0), skim="dijet")
    assert np.array_equal(again.jets.pt, seen.jets.pt)
    assert np.array_equal(again.n_pile_up, seen.n_pile_up)


def test_without_pile_up_nothing_of_it_is_left() -> None:
    seen = _respond(skim="dijet")
    assert len(seen.event) == N
    assert np.all(seen.n_pile_up == 0)
    assert np.all(seen.n_vertices == 1)
    assert seen.jets.pt.shape[1] == 2
