"""Whole jobs on a few hundred events: determinism, counts, resume, layout."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import awkward as ak
import numpy as np
import pytest
import uproot

from znought.analyses.vh_ww.recipes import RECIPES
from znought.errors import CardError
from znought.simulation.config import DetectorConfig, PseudoDataConfig, SimulationConfig
from znought.simulation.jobs import (
    BATCH_SIZE,
    SampleRequest,
    SimulationJob,
    job_path,
    plan,
    pseudo_data_lumi_ifb,
    run_job,
)

JOB = SimulationJob(
    "top", RECIPES["ttbar_ll"], 0, n_events=60, n_responses=3, seed=5, detector=DetectorConfig()
)


def _arrays(path: str, tree: str = "Events") -> ak.Array:
    with uproot.open(path) as file:
        return file[tree].arrays()


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> str:
    return run_job(JOB, str(tmp_path_factory.mktemp("top"))).path


def test_same_job_gives_the_same_arrays(top: str, tmp_path: Path) -> None:
    again = _arrays(run_job(JOB, str(tmp_path)).path)
    assert ak.array_equal(again, _arrays(top))


def test_another_index_or_seed_gives_other_events(top: str, tmp_path: Path) -> None:
    first = ak.to_numpy(_arrays(top).MET_pt)
    for other in (replace(JOB, index=1), replace(JOB, seed=6)):
        assert not np.any(np.isin(ak.to_numpy(_arrays(run_job(other, str(tmp_path)).path).MET_pt), first))


def test_rows_hold_one_electron_and_one_muon_and_two_jets(top: str) -> None:
    events = _arrays(top)
    assert len(events) > 10
    assert ak.all(events.nElectron == 1)
    assert ak.all(events.nMuon == 1)
    assert ak.all(events.nJet >= 2)
    charge = events.Electron_charge[:, 0] * events.Muon_charge[:, 0]
    assert ak.all(charge == -1)
    assert ak.all(events.Jet_pt[:, :-1] >= events.Jet_pt[:, 1:])
    assert ak.all((events.Jet_btagDiscriminant >= 0.0) & (events.Jet_btagDiscriminant <= 1.0))


def test_identities_are_unique_over_batches_and_files(tmp_path: Path) -> None:
    job = SimulationJob(
        "VBF", RECIPES["vbf_ww"], 0, n_events=30, n_responses=6, seed=5, detector=DetectorConfig()
    )
    long = replace(job, n_events=BATCH_SIZE + 20)
    identities = []
    for one in (long, replace(job, index=1), replace(job, dataset="other")):
        events = _arrays(run_job(one, str(tmp_path)).path)
        identities += list(
            zip(*(events[n].tolist() for n in ("run", "luminosityBlock", "event", "response")), strict=True)
        )
    assert len(set(identities)) == len(identities) > 200
    assert max(event for run, lumi, event, response in identities) > BATCH_SIZE


def test_weights_and_sums(top: str) -> None:
    events, runs = _arrays(top), _arrays(top, "Runs")
    assert ak.all(events.genWeight >= 1.0 / 3.0)
    assert ak.all(events.genWeight <= 20.0 / 3.0)
    assert set(events.response.tolist()) == {0, 1, 2}
    assert runs.genEventSumw[0] == runs.genEventSumw2[0] == runs.genEventCount[0] == 60
    assert runs.genFilterAttempted[0] == 60
    assert ak.max(events.event) <= 60


def test_a_whole_file_of_the_same_job_is_kept(tmp_path: Path) -> None:
    job = replace(JOB, n_events=5)
    path = job_path(job, tmp_path)
    summary = run_job(job, str(tmp_path))
    stamp = path.stat().st_mtime_ns
    assert replace(run_job(job, str(tmp_path)), seconds=summary.seconds) == summary
    assert path.stat().st_mtime_ns == stamp
    assert run_job(replace(job, seed=9), str(tmp_path)).seconds > 0.0
    assert path.stat().st_mtime_ns != stamp


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    job = replace(JOB, n_events=5)
    path = Path(run_job(job, str(tmp_path)).path)
    path.write_bytes(path.read_bytes()[:2000])
    assert run_job(job, str(tmp_path)).seconds > 0.0
    assert len(_arrays(str(path))) > 0


def test_the_generator_filter_is_counted(tmp_path: Path) -> None:
    job = SimulationJob(
        "ww", RECIPES["ww_ll"], 0, n_events=20, n_responses=1, seed=2, detector=DetectorConfig()
    )
    summary = run_job(job, str(tmp_path))
    runs = _arrays(summary.path, "Runs")
    assert runs.genEventCount[0] == summary.n_events == 20
    assert 0.05 < 20 / runs.genFilterAttempted[0] < 0.6


def test_data_stop_at_the_attempts_and_carry_no_truth(tmp_path: Path) -> None:
    job = SimulationJob(
        "data",
        RECIPES["ztautau"],
        0,
        n_events=0,
        n_responses=1,
        seed=2,
        detector=DetectorConfig(),
        n_attempts=3000,
    )
    summary = run_job(job, str(tmp_path))
    assert summary.n_attempted == 3000
    assert 250 < summary.n_events < 600
    with uproot.open(summary.path) as file:
        assert file["Runs"].keys() == ["run"]
        assert not {"genWeight", "response", "Jet_hadronFlavour", "Jet_btagProb85"} & set(
            file["Events"].keys()
        )


def test_data_drop_what_was_generated_beyond_the_attempts(tmp_path: Path) -> None:
    # The smallest batch holds ten events behind the filter, some 75 attempts.
    job = SimulationJob("data", RECIPES["ztautau"], 0, 0, 1, seed=2, detector=DetectorConfig(), n_attempts=20)
    kept = [run_job(replace(job, seed=seed), str(tmp_path)).n_events for seed in range(3)]
    assert 1 <= sum(kept) < 20


REQUESTS = (
    SampleRequest("ttbar", "top", RECIPES["ttbar_ll"], 25_000, 4, cross_section_pb=10.0),
    SampleRequest("Ztautau", "Zjets", RECIPES["ztautau"], 5_000, 10, cross_section_pb=100.0),
)


def _attempts(scale: Mapping[str, float]) -> dict[str, int]:
    data = PseudoDataConfig(lumi_ifb=3.0, scale=dict(scale))
    jobs = [job for job in plan(REQUESTS, SimulationConfig(pseudo_data=data)) if job.is_data]
    return {
        r: sum(job.n_attempts or 0 for job in jobs if job.recipe.name == r) for r in ("ttbar_ll", "ztautau")
    }


def test_data_of_which_nothing_passes_make_a_file_without_rows(tmp_path: Path) -> None:
    job = SimulationJob("data", RECIPES["ztautau"], 0, 0, 1, seed=2, detector=DetectorConfig(), n_attempts=1)
    summary = run_job(job, str(tmp_path))
    assert (summary.n_attempted, summary.n_events, summary.n_rows) == (1, 0, 0)
    with uproot.open(summary.path) as file:
        assert file["Events"].num_entries == 0
        assert {"event", "Electron_pt", "Jet_pt"} <= set(file["Events"].keys())


def test_plan_covers_every_event_once_and_data_follow_the_cross_sections() -> None:
    jobs = plan(REQUESTS, SimulationConfig(), events_scale=0.5)
    assert sum(job.n_events for job in jobs if job.dataset == "ttbar") == 12_500
    assert len({(job.dataset, job.index) for job in jobs}) == len(jobs)
    assert pseudo_data_lumi_ifb(SimulationConfig(), events_scale=0.5) == 2.0
    attempts = _attempts({"Zjets": 1.1})
    assert abs(attempts["ttbar_ll"] - 30_000) < 5 * 30_000**0.5
    assert abs(attempts["ztautau"] - 330_000) < 5 * 330_000**0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_events": 0}, "n_events from 1"),
        ({"n_responses": 256}, "from 1 to 255"),
    ],
)
def test_plan_refuses(change: dict[str, object], words: str) -> None:
    with pytest.raises(CardError, match=words):
        plan([replace(REQUESTS[0], **change)], SimulationConfig())  # type: ignore[arg-type]  # on purpose


def test_config_refuses_nonsense() -> None:
    with pytest.raises(CardError, match=r"lumi_ifb must be positive\. Received: -1"):
        PseudoDataConfig(lumi_ifb=-1)
    with pytest.raises(CardError, match="jet_noise_gev"):
        DetectorConfig(jet_noise_gev=-0.1)
