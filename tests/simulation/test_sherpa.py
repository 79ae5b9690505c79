"""Sherpa beside Pythia: refused where it is missing, one line where it fails, equal files where it runs."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot

from znought.analyses.vh_ww.recipes import RECIPES
from znought.errors import CardError, DataError
from znought.facility.stages.simulate import lost_events
from znought.simulation import jobs
from znought.simulation.config import DetectorConfig, SimulationConfig
from znought.simulation.hadrons import Hadronisation
from znought.simulation.jobs import SampleRequest, SimulationJob, plan, run_job
from znought.simulation.recipe import JetFilter, MatrixElement, PartonFilter, Recipe
from znought.simulation.recipe_file import read_recipes
from znought.simulation.sherpa import child, generator, installed, integration, worker
from znought.simulation.sherpa.run_card import run_card, run_digest

CUTS = (("Mass", 15, -15, 66.0, "E_CMS"),)
ELEMENT = MatrixElement(("93 93 -> 15 -15",), {"QCD": 0, "EW": 2}, cuts=CUTS, particles={15: {"Stable": 1}})
RECIPE = Recipe("taus", "", ("15:mayDecay = off",), "tau_pair", matrix_element=ELEMENT)
JOB = SimulationJob("taus", RECIPE, 0, n_events=40, n_responses=5, seed=5, detector=DetectorConfig())

needs_sherpa = pytest.mark.skipif(
    not installed.is_installed(), reason="Sherpa is not installed: it has wheels for Python 3.12 and 3.13"
)


def test_without_sherpa_a_recipe_is_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "is_installed", lambda: False)
    with pytest.raises(CardError, match=r"'taus' needs Sherpa.*pip install 'znought\[simulation\]'.*3\.12"):
        run_job(JOB, "nowhere")
    installed.check_installed(RECIPES["ztautau"])


def test_an_integration_is_that_of_a_run_card_and_a_version() -> None:
    digest = run_digest(ELEMENT, "3.0.3")
    assert run_digest(replace(ELEMENT), "3.0.3") == digest
    others = (run_digest(ELEMENT, "3.0.4"), run_digest(replace(ELEMENT, jets=1), "3.0.3"))
    assert digest not in others
    merged = replace(ELEMENT, jets=1)
    assert run_digest(replace(merged, enhance={1: 5.0}), "3.0.3") == run_digest(merged, "3.0.3")
    assert "Enhance_Factor: 5.0" in run_card(replace(merged, enhance={1: 5}))
    assert "93 93 -> 15 -15 93{2}:\n    2->3:" in run_card(replace(ELEMENT, jets=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parton_filter": PartonFilter()}, "parton_filter is Pythia's"),
        ({"n_taus": 0}, "n_taus is Pythia's"),
    ],
)
def test_options_of_pythia_do_not_go_with_sherpas_shower(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CardError, match=message):
        replace(RECIPE, **options)
    replace(RECIPE, **options, matrix_element=replace(ELEMENT, shower="pythia"))


def test_a_filter_behind_sherpas_shower_does_not_go_with_pythias() -> None:
    with pytest.raises(CardError, match="'ztautau': jet_filter stands behind Sherpa's shower only"):
        replace(RECIPES["ztautau"], jet_filter=JetFilter())
    replace(RECIPE, jet_filter=JetFilter())


def test_pseudo_data_are_made_as_often_as_by_nature() -> None:
    recipe = replace(RECIPE, matrix_element=replace(ELEMENT, jets=1, enhance={1: 5.0}))
    request = SampleRequest("taus", "taus", recipe, n_events=10, cross_section_pb=1.0)
    enhanced = {job.is_data: job.recipe.matrix_element for job in plan([request], SimulationConfig())}
    assert enhanced == {False: recipe.matrix_element, True: replace(ELEMENT, jets=1)}
    for wrong in ({1: 5.0}, {0: 5.0}):
        with pytest.raises(CardError, match=r"positive factors by number .* up to 0. Received: {\d: 5.0}"):
            replace(ELEMENT, enhance=wrong)
    with pytest.raises(CardError, match="up to 1"):
        replace(ELEMENT, jets=1, enhance={1: 0.0})


@pytest.mark.parametrize("options", [{"jets": 1}, {"decays": ("24,12,-11",)}])
def test_what_only_sherpas_shower_does_is_refused_with_pythias(options: dict[str, Any]) -> None:
    with pytest.raises(CardError, match="matrix_element"):
        replace(ELEMENT, shower="pythia", **options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {description: x, leptons: record, matrx: 1}", r"a\.matrx"),
        ("a: {leptons: record}", r"a\.description: Field required"),
        ("a: {description: x, leptons: record, matrix_element: {process: 1}}", r"a\.matrix_element\.proc"),
        ("a: {description: x, leptons: rec}", "a.leptons: Input should be"),
    ],
)
def test_a_mistake_in_a_file_of_recipes_is_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipes.yaml"
    path.write_text(text)
    with pytest.raises(CardError, match=message):
        read_recipes(path)


@pytest.fixture
def as_sherpa(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script in the place of Sherpa's process: written by a test, and run with its cache here."""
    script = tmp_path / "as_sherpa.py"
    monkeypatch.setattr(child, "_WORKER", script)
    monkeypatch.setattr(child, "environment", lambda: None)
    monkeypatch.setattr(installed, "is_installed", lambda: True)
    for module in (integration, jobs):
        monkeypatch.setattr(module, "sherpa_version", lambda: "0")
    monkeypatch.setattr(integration, "program", lambda: Path("Sherpa"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return script


ANSWER = """
import io, os, sys
import numpy as np
def send(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    sys.stdout.buffer.write(len(buffer.getvalue()).to_bytes(8, "little") + buffer.getvalue())
    sys.stdout.flush()
"""
INTEGRATE = """
os.makedirs("Process", exist_ok=True)
with open("Results.zip", "a") as kept:
    kept.write("{step} ")
"""


def test_sherpas_end_is_one_line_with_its_reason(as_sherpa: Path) -> None:
    told = "\x1b[31mCritical error\x1b[0m thrown:\n\x1b[31mPDF 'x' does not exist.\x1b[0m\nGoodbye"
    as_sherpa.write_text(f"import sys; sys.exit({told!r})")
    with pytest.raises(DataError, match=r"^Sherpa stopped on recipe 'taus': PDF 'x' does not exist\. \(st"):
        generator.SherpaGenerator(RECIPE, 1)


def test_an_interrupted_integration_goes_on_and_is_made_once(as_sherpa: Path) -> None:
    merged = replace(ELEMENT, jets=1)
    unfinished = "if '93{1}' in open('Sherpa.yaml').read(): sys.exit('cannot go on')"
    as_sherpa.write_text(ANSWER + INTEGRATE.format(step="first") + unfinished)
    with pytest.raises(DataError, match=r"'taus': cannot go on \(status 1\)"):
        integration.integrated(merged, "taus")
    assert not [path for path in integration.kept_in().iterdir() if path.is_dir() and not path.suffix]
    as_sherpa.write_text(ANSWER + INTEGRATE.format(step="second"))
    folder = integration.integrated(merged, "taus")
    assert (folder / "Results.zip").read_text() == "first second "
    as_sherpa.write_text("import sys; sys.exit(1)")
    assert integration.integrated(merged, "taus") == folder
    assert folder.name == f"taus-{run_digest(merged, '0')}"
    assert not list(integration.kept_in().glob("*.part"))


SHOWERED = """
if sys.argv[1] == "integrate":
    os.makedirs("Process")
    open("Results.zip", "w").close()
    sys.exit()
send()
taus = [[15, 0, 0, 0, 40, 0, 41], [-15, 0, 0, 0, -40, 0, 41]]
jets = [[2, 501, 0, 60, 0, 10, 61], [21, 502, 501, 5, 0, -300, 301], [-2, 0, 502, -65, 0, 9, 66]]
soft = [[2, 501, 0, 6, 0, 400, 401], [-2, 0, 501, -6, 0, -400, 401]]
for line in sys.stdin:
    n = int(line)
    kinds = [taus + (jets if i % 3 == 2 else soft) for i in range(n)]
    weights = np.arange(n) % 3 + 1.0
    counts = np.array([len(kind) for kind in kinds])
    send(rows=np.concatenate(kinds), counts=counts, weights=weights, sigma_pb=3.0, sigma_error_pb=0.5)
"""


def test_events_that_pass_become_hadrons_and_all_are_counted(as_sherpa: Path) -> None:
    as_sherpa.write_text(ANSWER + SHOWERED)
    recipe = replace(RECIPE, jet_filter=JetFilter(pt_gev=15.0))
    made = generator.SherpaGenerator(recipe, 1)
    batch = made.batch(3)
    made.close()
    assert batch.attempt.tolist() == [3, 6, 9]
    assert batch.weights.tolist() == [3.0, 3.0, 3.0]
    assert batch.counted.tolist() == [1.0, 2.0, 3.0] * 3
    assert (made.attempted, made.sigma_pb, made.sigma_error_pb) == (9, 3.0, 0.5)
    final = batch.records[batch.records.status > 0]
    assert ak.sum(final.p.e, axis=1).to_list() == pytest.approx([510.0] * 3, abs=0.1)
    assert ak.to_list(ak.sum(abs(final.id) == 15, axis=1)) == [2, 2, 2]
    assert ak.all(ak.sum(abs(final.id) > 100, axis=1) >= 4)
    assert not ak.any((abs(final.id) <= 6) | (final.id == 21))


def test_weights_of_dropped_events_are_in_the_sums(as_sherpa: Path, tmp_path: Path) -> None:
    as_sherpa.write_text(ANSWER + SHOWERED)
    recipe = replace(RECIPE, jet_filter=JetFilter(pt_gev=15.0))
    summary = run_job(replace(JOB, recipe=recipe, n_events=4, n_responses=1), str(tmp_path / "made"))
    with uproot.open(summary.path) as file:
        runs = file["Runs"].arrays(library="np")
    assert (summary.n_events, summary.n_attempted) == (4, 12)
    assert (runs["genEventSumw"], runs["genEventSumw2"]) == (4 * 6.0, 4 * 14.0)
    assert (runs["genEventCount"], runs["genFilterAttempted"]) == (12, 12)


LONE = [[2.0, 501.0, 0.0, 0.0, 0.0, 50.0, 50.0]]


def test_partons_without_a_partner_are_given_up() -> None:
    assert Hadronisation((), 1).record(np.array(LONE)) is None


def test_events_without_hadrons_are_counted_and_too_many_refused(as_sherpa: Path, tmp_path: Path) -> None:
    lone = f"taus + (jets if i % 3 == 2 else {LONE} if i == 0 else soft)"
    as_sherpa.write_text(ANSWER + SHOWERED.replace("taus + (jets if i % 3 == 2 else soft)", lone))
    assert lone in as_sherpa.read_text()
    job = replace(JOB, recipe=RECIPE, n_events=300, n_responses=1)
    summary = run_job(job, str(tmp_path / "made"))
    assert (summary.n_events, summary.n_attempted, summary.n_lost) == (300, 302, 2)
    assert [*lost_events([summary])] == [
        f"{job.dataset}: the generator gave up on 2 of 302 events; they are left out."
    ]
    assert [*lost_events([replace(summary, n_lost=0)])] == []
    as_sherpa.write_text(
        ANSWER + SHOWERED.replace("taus + (jets if i % 3 == 2 else soft)", f"{LONE} if i % 3 else jets")
    )
    with pytest.raises(DataError, match=r"gave up on \d+ of \d+ events behind the filter; 1% at most"):
        run_job(job, str(tmp_path / "bad"))
    assert not (tmp_path / "bad").exists()


def _particle(pdg_id: int, colours: tuple[int, int], *, state: int = 1, has_decayed: bool = False) -> Any:
    flavour = SimpleNamespace(Kfcode=lambda: abs(pdg_id), IsAnti=lambda: pdg_id < 0)
    return SimpleNamespace(
        Flav=lambda: flavour,
        Stat=lambda: state,
        HasDecBlob=lambda: has_decayed,
        GetFlow=lambda i: colours[i - 1],
        Momentum=lambda: (4.0, 1.0, 2.0, 3.0),
    )


def test_partons_are_those_that_nothing_decays() -> None:
    first = [
        _particle(5, (501, 0), has_decayed=True),
        _particle(-5, (0, 502)),
        _particle(2212, (0, 0), state=3),
    ]
    then = [_particle(15, (0, 0), state=2), _particle(21, (502, 501))]
    blobs = [SimpleNamespace(NOutP=lambda o=out: len(o), OutPart=out.__getitem__) for out in (first, then)]
    assert worker._showered(blobs) == [(-5, 0, 502, 1.0, 2.0, 3.0, 4.0), (21, 502, 501, 1.0, 2.0, 3.0, 4.0)]


def _arrays(path: str) -> ak.Array:
    with uproot.open(path) as file:
        return file["Events"].arrays()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of integrations for the tests that run Sherpa."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@needs_sherpa
def test_the_same_files_from_one_process_and_from_two(kept: None, tmp_path: Path) -> None:
    two = [replace(JOB, index=index) for index in (0, 1)]
    alone = [run_job(job, str(tmp_path / "alone")) for job in two]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        both = list(pool.map(partial(run_job, directory=str(tmp_path / "both")), two))
    for one, other in zip(alone, both, strict=True):
        assert ak.array_equal(_arrays(one.path), _arrays(other.path))
        assert one.sigma_pb == other.sigma_pb
    first, second = (ak.to_numpy(_arrays(summary.path).MET_pt) for summary in alone)
    assert not np.any(np.isin(first, second))
    again = run_job(two[0], str(tmp_path / "alone"))
    assert again.seconds == 0.0


@needs_sherpa
def test_taus_of_sherpa_have_their_mass_and_no_jet(kept: None) -> None:
    from znought.simulation.truth import truth_of

    made = generator.SherpaGenerator(RECIPE, 3)
    truth = truth_of(made.batch(50).records, "tau_pair")
    made.close()
    mass = np.sqrt(truth.source[..., 3] ** 2 - np.sum(truth.source[..., :3] ** 2, axis=-1))
    assert np.allclose(mass, 1.777, atol=0.01)
    assert np.array_equal(truth.source_id, np.tile([-15, 15], (50, 1)))
    assert np.allclose(truth.recoil, -truth.source[..., :2].sum(axis=1), atol=20.0)


@needs_sherpa
def test_pythia_showers_single_top_of_sherpa(kept: None, tmp_path: Path) -> None:
    job = replace(JOB, dataset="wt", recipe=RECIPES["wt_ll"], n_events=60)
    summary = run_job(job, str(tmp_path))
    events = _arrays(summary.path)
    assert summary.n_events == summary.n_attempted == 60
    assert 45.0 < summary.sigma_pb < 62.0
    n_b = ak.sum(events.Jet_hadronFlavour == 5, axis=1)
    assert 0.6 < float(ak.mean(n_b)) < 1.6
    assert ak.all(events.Electron_charge[:, 0] * events.Muon_charge[:, 0] == -1)


def test_the_worker_is_a_script_without_the_package() -> None:
    imports = [line for line in Path(worker.__file__).read_text().splitlines() if "import" in line]
    assert imports
    assert not [line for line in imports if "znought" in line]
