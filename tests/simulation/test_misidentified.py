"""Jets taken for leptons and wrong charges: rows of weights, against random picks and what was put in."""

from dataclasses import replace
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot
from numpy.typing import NDArray

from znought.analyses.vh_ww.recipes import RECIPES
from znought.errors import CardError, DataError
from znought.simulation import detector as d
from znought.simulation.config import DetectorConfig, MisidentificationConfig, SimulationConfig
from znought.simulation.detector import PROMPT, Jets, Leptons, Response
from znought.simulation.jobs import SampleRequest, SimulationJob, plan, run_job
from znought.simulation.misidentification import candidate_rate, flip_rate, momentum_share, tight_share
from znought.simulation.misidentified import (
    SHARE_MIN,
    Copies,
    misidentified_leptons,
    with_drawn_charges,
    with_flipped_charges,
)

CONFIG, DETECTOR = MisidentificationConfig(), DetectorConfig()
OFTEN = MisidentificationConfig(light_jet_electron=10.0, light_jet_muon=0.5, heavy_jet=4.0, tight=5.0)
N = 4000


def _seen(n: int = N) -> Response:
    """A muon or an electron of 40 GeV, and four jets: b, light, light beyond the tracker, c."""
    rng = np.random.default_rng(4)
    muon = np.arange(n) % 2 == 0
    pt = np.tile([120.0, 80.0, 60.0, 40.0], (n, 1)) * rng.uniform(0.7, 1.3, (n, 4))
    eta = np.column_stack([rng.uniform(-2.4, 2.4, (n, 2)), np.full(n, 3.0), rng.uniform(-2.4, 2.4, n)])
    one = np.ones((n, 1))
    return Response(
        event=np.arange(n),
        leptons=Leptons(
            40.0 * one,
            0.3 * one,
            0.1 * one,
            np.where(muon, 13, -11)[:, None].astype(np.int32),
            0.01 * one,
            np.full((n, 1), PROMPT, np.int32),
        ),
        jets=Jets(
            pt=pt,
            eta=eta,
            phi=rng.uniform(-np.pi, np.pi, (n, 4)),
            mass=0.1 * pt,
            flavour=np.tile(np.array([5, 0, 0, 4], np.int32), (n, 1)),
            discriminant=np.full((n, 4), 0.5),
            probability_85=np.tile([0.8, 0.05, 0.0, 0.3], (n, 1)),
            jvt=np.ones((n, 4)),
        ),
        met=np.tile([20.0, -10.0], (n, 1)),
        track_met=np.tile([15.0, -5.0], (n, 1)),
        met_significance=np.full(n, 2.0),
        soft_activity=np.full(n, 60.0),
        pile_up_mean=np.full(n, 33.7),
        n_pile_up=np.full(n, 30),
        n_vertices=np.full(n, 20),
    )


def _new_lepton(rows: Response) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of the lepton that is not prompt."""
    row, place = np.nonzero((rows.leptons.pt > 0.0) & (rows.leptons.origin != PROMPT))
    return row, place


def test_weights_are_what_random_picks_give_on_average() -> None:
    """Yields of tight and loose candidates by flavour of the jet, beside hit and miss."""
    seen = _seen()
    copies = misidentified_leptons(seen, OFTEN, DETECTOR, np.random.default_rng(1))
    at = _new_lepton(copies.response)
    found = copies.response.leptons
    is_tight, origin = found.isolation[at] < 0.15, found.origin[at]
    rng = np.random.default_rng(2)
    of_electron = (np.abs(seen.leptons.pdg_id[:, 0]) == 13)[:, None] & np.ones((1, 4), np.bool_)
    picked = np.zeros((2, 6))
    n_times = 100
    for _ in range(n_times):
        jets = seen.jets
        share, _ = momentum_share(jets.pt, jets.eta, jets.flavour, rng, least=0.0)
        pt = jets.pt * share
        loose = rng.random(pt.shape) < candidate_rate(jets.pt, jets.eta, jets.flavour, of_electron, OFTEN)
        loose &= (share > SHARE_MIN) & (pt > OFTEN.pt_min_gev)
        tight = rng.random(pt.shape) < tight_share(pt, jets.eta, of_electron, OFTEN)
        picked[0] += np.bincount(jets.flavour[loose & ~tight], minlength=6)
        picked[1] += np.bincount(jets.flavour[loose & tight], minlength=6)
    for k in (0, 1):
        for flavour in (0, 4, 5):
            mine = (is_tight == k) & (origin == flavour)
            expected, weights = picked[k, flavour] / n_times, copies.weight[mine]
            error = np.hypot(np.sqrt(picked[k, flavour]) / n_times, np.sqrt(2.0 * np.sum(weights**2)))
            assert picked[k, flavour] > 100
            assert weights.sum() == pytest.approx(expected, abs=4.0 * error), (k, flavour)
            assert error < 0.12 * expected


def test_each_row_is_the_event_with_one_jet_as_a_lepton_of_the_other_flavour() -> None:
    seen = _seen(400)
    copies = misidentified_leptons(seen, CONFIG, DETECTOR, np.random.default_rng(1))
    rows, (row, place) = copies.response, _new_lepton(copies.response)
    assert row.tolist() == list(range(len(rows.event)))
    other = np.abs(seen.leptons.pdg_id[rows.event, 0])
    assert np.all(np.abs(rows.leptons.pdg_id[row, place]) == np.where(other == 13, 11, 13))
    assert np.all(rows.leptons.pt[:, :-1] >= rows.leptons.pt[:, 1:])
    assert np.all(np.sum(rows.jets.pt > 0.0, axis=1) == 3)
    gone = (seen.jets.pt[rows.event] > 0.0) & (rows.jets.pt == 0.0)
    assert np.all(rows.jets.probability_85[gone] == 0.0)
    assert np.allclose(rows.leptons.eta[row, place], seen.jets.eta[rows.event][gone])
    assert np.all(rows.leptons.pt[row, place] < seen.jets.pt[rows.event][gone])
    assert np.all(np.abs(rows.leptons.eta[row, place]) < 2.5)
    # Both charges weigh the same, and tight and loose ones of a candidate make its rate.
    positive = rows.leptons.pdg_id[row, place] < 0
    assert copies.weight[positive].sum() == pytest.approx(copies.weight[~positive].sum(), rel=1e-12)
    key = (rows.event, rows.leptons.pt[row, place])
    _, inverse, n = np.unique(np.stack(key), axis=1, return_inverse=True, return_counts=True)
    assert set(n.tolist()) == {4}
    jets = d.rows_at(seen, rows.event).jets
    of = jets.pt[gone], jets.eta[gone], jets.flavour[gone]
    _, chance = momentum_share(*of, np.random.default_rng(3), least=SHARE_MIN)
    rate = chance * candidate_rate(*of, other == 13, CONFIG)
    assert np.allclose(
        np.bincount(inverse.ravel(), copies.weight), rate[np.unique(inverse, return_index=True)[1]]
    )


def test_momentum_is_kept() -> None:
    """Lepton, jets and what is left of the jet in the soft term: MET moves by what that term does not see."""
    seen = _seen(400)
    for response in (1.0, 0.6):
        detector = replace(DETECTOR, met_soft_response=response)
        rows = misidentified_leptons(seen, CONFIG, detector, np.random.default_rng(1)).response
        row, place = _new_lepton(rows)
        gone = (seen.jets.pt[rows.event] > 0.0) & (rows.jets.pt == 0.0)
        left = seen.jets.pt[rows.event][gone] - rows.leptons.pt[row, place]
        moved = np.hypot(*(rows.met - seen.met[rows.event]).T)
        assert np.allclose(moved, (1.0 - response) * left)
        assert np.allclose(rows.soft_activity - 60.0, response * left)
    assert np.std(rows.met_significance) > 0.0


def test_rates_differ_by_flavour_and_follow_the_card() -> None:
    pt, eta = np.full(3, 40.0), np.full(3, 0.2)
    flavour, electron = np.array([0, 4, 5], np.int32), np.ones(3, np.bool_)
    rate = candidate_rate(pt, eta, flavour, electron, CONFIG)
    assert rate.tolist() == pytest.approx([0.0296721, 0.089, 0.192])
    assert candidate_rate(pt, eta, flavour, ~electron, CONFIG).tolist() == pytest.approx([5e-4, 0.089, 0.192])
    changed = MisidentificationConfig(light_jet_electron=2.0, heavy_jet=0.5, tight=0.1)
    assert candidate_rate(pt, eta, flavour, electron, changed).tolist() == pytest.approx(
        [0.0593442, 0.0445, 0.096]
    )
    assert tight_share(np.full(1, 22.0), np.zeros(1), np.ones(1, np.bool_), changed).tolist() == [0.00511]
    assert not np.any(candidate_rate(pt, np.array([1.4, -1.45, 2.6]), flavour, electron, CONFIG))
    with pytest.raises(CardError, match=r"misidentification.tight must be zero or positive"):
        MisidentificationConfig(tight=-1.0)


def test_wrong_charges_are_weights_in_one_response_for_all() -> None:
    seen, n_responses = _seen(600), 3
    parts = [
        with_flipped_charges(Copies(seen, np.ones(600)), times=n_responses if k == 0 else 0.0)
        for k in range(n_responses)
    ]
    assert [len(part.weight) for part in parts] == [900, 600, 600]
    assert sum(part.weight.sum() for part in parts) == pytest.approx(n_responses * 600)
    flipped = parts[0].response.leptons.pdg_id[600:, 0]
    assert np.all(flipped == 11)
    expected = n_responses * flip_rate(seen.leptons.eta[1::2, 0]).sum()
    assert parts[0].weight[600:].sum() == pytest.approx(expected)
    many = _seen(40_000)
    many = replace(many, leptons=replace(many.leptons, eta=np.full((40_000, 1), 2.0)))
    drawn = with_drawn_charges(many, np.random.default_rng(3)).leptons.pdg_id[:, 0]
    expected = 20_000 * flip_rate(np.array([2.0]))[0]
    assert abs(np.sum(drawn == 11) - expected) < 5.0 * np.sqrt(expected)
    assert not np.any(drawn == -13)


WHOLE = replace(RECIPES["ttbar_lj"], veto_floor=0.0)
JOB = SimulationJob("fakes", WHOLE, 0, 60, 2, seed=5, detector=DETECTOR)


def _arrays(job: SimulationJob, folder: Path) -> ak.Array:
    with uproot.open(run_job(job, str(folder)).path) as file:
        return file["Events"].arrays()


def test_files_hold_pairs_with_their_origin_and_rows_of_their_own_number(tmp_path: Path) -> None:
    events = _arrays(JOB, tmp_path)
    assert ak.all((events.nElectron == 1) & (events.nMuon == 1) & (events.nJet >= 2))
    origin = ak.to_numpy(ak.concatenate([events.Electron_genPartFlav, events.Muon_genPartFlav], axis=1))
    assert np.all(np.sum(origin == PROMPT, axis=1) == 1)
    assert set(np.unique(origin).tolist()) == {0, PROMPT, 4, 5}
    numbers = list(zip(events.event.tolist(), events.response.tolist(), strict=True))
    assert len(set(numbers)) == len(numbers) > 4 * len(set(events.event.tolist()))
    same = events.Electron_charge[:, 0] == events.Muon_charge[:, 0]
    assert ak.sum(events.genWeight[same]) == pytest.approx(ak.sum(events.genWeight[~same]), rel=1e-6)
    assert ak.array_equal(_arrays(JOB, tmp_path / "again"), events)


def test_pseudo_data_pick_rows_from_fewer_attempts(tmp_path: Path) -> None:
    recipe = JOB.recipe
    request = SampleRequest("tt", "Fakes", recipe, 10, 1, cross_section_pb=400.0)
    attempts = sum(job.n_attempts or 0 for job in plan([request], SimulationConfig()))
    assert attempts == pytest.approx(4.0 * 400e3 / recipe.data_boost, rel=0.01)
    n_attempts = 150
    data = replace(JOB, dataset="data", n_attempts=n_attempts, n_events=0, n_responses=1)
    events = _arrays(data, tmp_path)
    assert "genWeight" not in events.fields
    assert "Electron_genPartFlav" not in events.fields
    assert len(np.unique(ak.to_numpy(events.event))) == len(events)
    simulated = float(ak.sum(_arrays(JOB, tmp_path).genWeight))
    expected = recipe.data_boost * n_attempts / JOB.n_events * simulated
    assert abs(len(events) - expected) < 5.0 * np.sqrt(2.0 * expected)
    often = replace(data, recipe=replace(recipe, data_boost=20_000.0))
    with pytest.raises(DataError, match=r"lower data_boost of the recipe. Received: 20000"):
        run_job(often, str(tmp_path / "often"))
    with pytest.raises(CardError, match="data_boost, from 1 on, is of misidentified leptons"):
        replace(RECIPES["ttbar_ll"], data_boost=2.0)
