"""Systematic copies of TopCPToolkit, from its ntuples to the likelihood, against awkward and uproot alone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml

from tests.facility.small import context_of
from tests.processors.topcp_files import columns_of, write_topcp
from znought.errors import CardError, DataError
from znought.facility.cards.checking import check_card
from znought.facility.cards.reading import load_card
from znought.facility.cards.standard import StandardCard
from znought.facility.context import Context
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.ntuples.inspection import describe
from znought.facility.stages.process import process
from znought.facility.starting.from_files import start_from_files
from znought.stats.workspace import build_workspace

ANALYSIS = """
import awkward as ak

from znought import Analysis, Cuts, Variable


def objects(events, cuts):
    jets = events.Jet[events.Jet.is_good & (events.Jet.pt > 30)]
    return {"jets": jets, "met": events.MET, "passed": events.pass_jets}


def select(o, cuts):
    return {"pass": o.passed, "jets": ak.num(o.jets) >= 2}


ANALYSIS = Analysis(
    "copies",
    selection=Cuts,
    objects=objects,
    select=select,
    variables=[
        Variable("ht", lambda o: ak.sum(o.jets.pt, axis=1), bins=(5, 60, 360), unit="GeV"),
        Variable("met", lambda o: o.met.pt, bins=(5, 0, 150), unit="GeV"),
        Variable("m_jets", lambda o: ak.sum(o.jets.mass, axis=1), bins=(5, 0, 150), unit="GeV"),
        Variable("n_tagged", lambda o: ak.sum(o.jets.is_btagged, axis=1), bins="integer"),
    ],
)
"""
LUMI_IFB, XSEC_PB = 10.0, {"signal": 0.1, "background": 1.0}
SUMW = {"signal": 9000.0, "background": 7000.0}
EDGES = {"low": np.array([60.0, 120.0, 400.0]), "high": np.array([60.0, 400.0])}
RATES = {"GEN_muR05": 1.25, "GEN_muR20": 0.8}
JETS, PILEUP, MET = "JET_Pileup_RhoTopology", "PRW_DATASF", "MET_SoftTrk_ResoPara"


def _write(folder: Path) -> None:
    """Two files of the background, whose sums of weights are of two runs."""
    sums = {"346343_300000_NOSYS": (4000.0, 9000.0, 40_000.0)} | _generated("346343_300000", 9000.0)
    write_topcp(folder / "signal.root", columns_of(800, seed=1), sums)
    for i, (run, sumw) in enumerate((("300000", 3000.0), ("310000", 4000.0))):
        columns = columns_of(600, seed=2 + i, first=600 * i)
        sums = {f"410470_{run}_NOSYS": (2000.0, sumw, 20_000.0)} | _generated(f"410470_{run}", sumw)
        write_topcp(folder / f"b{i}.root", columns, sums)
    data = columns_of(200, seed=5, is_data=True)
    write_topcp(folder / "data.root", data, {"0_340000_NOSYS": (200.0, 200.0, 200.0)})


def _generated(key: str, sumw: float) -> dict[str, tuple[float, float, float]]:
    """Sums of the copies of the generator's weight."""
    return {f"{key}_{name}": (2000.0, rate * sumw, 30_000.0) for name, rate in RATES.items()}


def _content(folder: Path) -> dict[str, Any]:
    none = {"smoothing": "none", "pruned": False}
    return {
        "analysis": "copies.py",
        "title": "copies",
        "lumi_ifb": LUMI_IFB,
        "processes": {"signal": {}, "background": {}, "data": {"kind": "data"}},
        "signal": "signal",
        "datasets": {
            "sig": {"process": "signal", "xsec_pb": 0.1, "files": [str(folder / "signal.root")]},
            "bkg": {"process": "background", "xsec_pb": 1.0, "files": [str(folder / "b*.root")]},
            "data": {"process": "data", "lumi_ifb": LUMI_IFB, "files": [str(folder / "data.root")]},
        },
        "processing": {"weights": ["weight_pileup", "weight_leptonSF_tight"]},
        "variations": {"copies": ["*", "!GEN_*"], "one_sided": ["MET_SoftTrk_Reso*"]},
        "theory": {"scale": {"copies": ["GEN_muR*"], "combination": "pair"}},
        "regions": {"low": {"met": [None, 40.0]}, "high": {"met": [40.0, None]}},
        "discriminants": {
            name: {"variable": "ht", "edges": edges.tolist(), "role": role}
            for (name, edges), role in zip(EDGES.items(), ("control", "signal"), strict=True)
        },
        "likelihood": {"workspace": {"systematics": dict.fromkeys((JETS, PILEUP, MET), none)}},
        "validation": {"action": "report"},
    }


def _card(folder: Path, content: dict[str, Any]) -> Path:
    (folder / "copies.py").write_text(ANALYSIS)
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Context[StandardCard]:
    folder = tmp_path_factory.mktemp("topcp")
    _write(folder)
    context = context_of(_card(folder, _content(folder)), folder / "out")
    process(context)
    return context


def _expected(folder: Path, name: str, systematic: str) -> dict[str, Any]:
    """Yields of one process by region under one systematic, by nothing of ours."""
    found = {region: np.zeros(len(edges) - 1) for region, edges in EDGES.items()}
    files = ["signal.root"] if name == "signal" else ["b0.root", "b1.root"]
    for tree in (uproot.open(folder / file)["reco"] for file in files):

        def read(base: str, tree: Any = tree) -> Any:
            copy = f"{base}_{systematic}"
            return tree[copy if copy in tree.keys() else f"{base}_NOSYS"].array()  # noqa: SIM118  # no dict

        good = (read("jet_select_baselineJvt") != 0) & (read("jet_select_passesOR") != 0)
        pt = read("jet_pt") / 1e3
        pt = pt[good & (pt > 30)]
        passed = (read("pass_jets") != 0) & (ak.num(pt) >= 2)
        ht, met = (np.asarray(one, np.float64) for one in (ak.sum(pt, axis=1), read("met_met") / 1e3))
        weight = read("weight_mc") * read("weight_pileup") * read("weight_leptonSF_tight")
        weight = np.asarray(weight, np.float64) * LUMI_IFB * 1e3 * XSEC_PB[name] / SUMW[name]
        for region, inside in (("low", met < 40), ("high", met >= 40)):
            mine = passed & inside
            found[region] += np.histogram(ht[mine], EDGES[region], weights=weight[mine])[0]
    return found


def test_templates_equal_an_independent_calculation(finished: Context[StandardCard]) -> None:
    made = templates(finished.card, finished.workspace, EDGES, with_data=False)
    processes = made.regions[0].nominal.processes
    folder = finished.card.folder
    for region in made.regions:
        for i, name in enumerate(processes):
            nominal = _expected(folder, name, "NOSYS")[region.name]
            np.testing.assert_allclose(region.nominal.sumw[i], nominal, rtol=1e-5)
            for systematic in (JETS, PILEUP):
                for side in ("up", "down"):
                    wanted = _expected(folder, name, f"{systematic}__1{side}")[region.name]
                    found = region.variation(f"{systematic}_{side}").sumw[i]
                    np.testing.assert_allclose(found, wanted, rtol=1e-5)
                    assert np.abs(wanted / nominal - 1.0).max() > 0.01
            wanted = _expected(folder, name, MET)[region.name]
            np.testing.assert_allclose(region.variation(f"{MET}_up").sumw[i], wanted, rtol=1e-5)


def test_generator_weights_are_normalised_by_their_own_sums(finished: Context[StandardCard]) -> None:
    made = templates(finished.card, finished.workspace, EDGES, with_data=False)
    for region in made.regions:
        for i, name in enumerate(made.regions[0].nominal.processes):
            low, high = (
                _expected(finished.card.folder, name, one)[region.name] / r for one, r in RATES.items()
            )
            up, down = (region.variation(f"scale_{side}").sumw[i] for side in ("up", "down"))
            np.testing.assert_allclose(np.abs(up - down), np.abs(low - high), rtol=1e-4)


def test_workspace_holds_both_sides(finished: Context[StandardCard]) -> None:
    made = templates(finished.card, finished.workspace, EDGES, with_data=False)
    settings = fit_settings(finished.card, finished.workspace)
    spec: dict[str, Any] = build_workspace(made.regions, settings)
    assert {JETS, PILEUP, MET} <= {*settings.systematics}
    assert settings.systematics[MET].kind == "one_sided"
    (high,) = (channel for channel in spec["channels"] if channel["name"] == "high")
    for sample in high["samples"]:
        norms = {one["name"]: one["data"] for one in sample["modifiers"] if one["type"] == "normsys"}
        (nominal,) = _expected(finished.card.folder, sample["name"], "NOSYS")["high"]
        for systematic, up, down in ((JETS, "__1up", "__1down"), (PILEUP, "__1up", "__1down"), (MET, "", "")):
            for side, suffix in (("hi", up), ("lo", down)):
                (varied,) = _expected(finished.card.folder, sample["name"], systematic + suffix)["high"]
                mirrored = 2.0 * nominal - varied if (side, suffix) == ("lo", "") else varied
                assert norms[systematic][side] == pytest.approx(mirrored / nominal, rel=1e-5)


def _problems(folder: Path, content: dict[str, Any]) -> list[str]:
    return [problem.text for problem in check_card(_card(folder, content)).problems]


def _with(section: str, **values: Any) -> Callable[[dict[str, Any]], None]:
    def change(content: dict[str, Any]) -> None:
        content[section] |= values

    return change


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    _write(folder)
    return folder


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            _with("variations", one_sided=[]),
            f"copies: {MET} has one side alone, {MET}: name it in variations",
        ),
        (
            _with("variations", copies=["*"]),
            "GEN_muR05 changes the generator's weight, and with it the sum of",
        ),
        (
            _with("variations", copies=["PRW_DATASFS"]),
            "copies: Unknown systematic 'PRW_DATASFS', did you mean",
        ),
        (_with("variations", one_sided=["MET*", "M"]), "variations.one_sided: Unknown systematic 'M'"),
        (
            _with("processing", weights=["weight_pilup"]),
            "weights: Unknown column 'weight_pilup', did you mean",
        ),
        (_with("processing", weights=["jet_eta"]), "weights: jet_eta is not one finite number per event"),
        (
            _with("theory", scale={"copies": ["GEN_x*"], "combination": "pair"}),
            "theory.scale.copies: Unknown sys",
        ),
        (
            _with("theory", scale={"copies": ["*"], "central": 1}),
            "theory.scale: copies are the members: members",
        ),
        (
            _with("theory", **{JETS: {"branch": "x", "vary": "isr"}}),
            "is the name of another systematic of the",
        ),
    ],
)
def test_wrong_cards_get_one_line(change: Callable[..., None], line: str, small: Path) -> None:
    content = _content(small)
    change(content)
    (problem, *_) = _problems(small, content)
    assert line in problem
    assert "\n" not in problem


def test_an_analysis_with_its_own_columns_is_refused(small: Path) -> None:
    path = small / "own.yaml"
    content = yaml.safe_load((Path(__file__).parents[2] / "analyses/vh_ww.yaml").read_text())
    content["variations"] = {"copies": ["*"]}
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(CardError, match="'vh_ww' makes its own columns, from nominal ones alone"):
        load_card(path)


def _changed(folder: Path, columns: dict[str, Any], *, without: str = "") -> Context[StandardCard]:
    """A run over a second file of the background with other columns; None leaves one out."""
    _write(folder)
    given = columns_of(600, seed=3, first=600) | columns
    kept = {name: values for name, values in given.items() if values is not None}
    sums = {"410470_310000_NOSYS": (2000.0, 4000.0, 20_000.0)} | _generated("410470_310000", 4000.0)
    write_topcp(folder / "b1.root", kept, {name: one for name, one in sums.items() if name != without})
    return context_of(_card(folder, _content(folder)), folder / "out")


def test_a_file_that_lacks_one_side_is_named(tmp_path: Path) -> None:
    lost = {f"weight_pileup_{PILEUP}__1down": None}
    with pytest.raises(
        DataError, match=r"b1.root: has no copy of any column for PRW_DATASF__1down, but for the"
    ):
        process(_changed(tmp_path, lost))


def test_a_file_without_the_sum_of_a_generator_weight_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"bkg: theory.scale.copies: a file has no histogram CutBook.*_GEN_muR20"
    ):
        process(_changed(tmp_path, {}, without="410470_310000_GEN_muR20"))


def test_a_file_in_which_weights_become_objects_is_named(tmp_path: Path) -> None:
    moved = {f"met_met_{PILEUP}__1up": np.zeros(600, np.float32)}
    with pytest.raises(DataError, match=r"b1.root: PRW_DATASF moves objects here, but in the first file"):
        process(_changed(tmp_path, moved))


def test_a_file_without_a_systematic_keeps_its_nominal_columns(tmp_path: Path) -> None:
    lost = {name: None for name in columns_of(1, seed=0) if PILEUP in name or MET in name}
    context = _changed(tmp_path, lost)
    process(context)
    made = templates(context.card, context.workspace, EDGES, with_data=False)
    for systematic in (f"{PILEUP}__1up", MET):
        wanted = _expected(tmp_path, "background", systematic)["high"]
        name = f"{systematic.removesuffix('__1up')}_up"
        np.testing.assert_allclose(made.regions[1].variation(name).sumw[1], wanted, rtol=1e-5)
    ledger = context.workspace.ledger.read_text()
    assert "nominal columns: the file has no copy of any for this systematic" in ledger


@pytest.mark.parametrize(
    ("sums", "line"),
    [
        (
            {"1_2_NOSYS": (1.0, 2.0, 3.0), "4_2_NOSYS": (1.0, 2.0, 3.0)},
            "they are of samples 1, 4, each with a",
        ),
        ({}, "keeps no sum of generated weights: give generated_sumw"),
    ],
)
def test_wrong_sums_get_one_line(sums: dict[str, Any], line: str, tmp_path: Path) -> None:
    _write(tmp_path)
    write_topcp(tmp_path / "signal.root", columns_of(100, seed=1), sums)
    assert any(line in problem for problem in _problems(tmp_path, _content(tmp_path)))


def test_files_are_recognised_and_started_from(small: Path, tmp_path: Path) -> None:
    lines = [*describe(str(small / "signal.root"))]
    assert "dialect topcptoolkit" in lines[0]
    assert "  systematics with up and down: JET_Pileup_RhoTopology, PRW_DATASF" in lines
    assert lines[-1] == "  generated events 4000, sum of weights 9000"
    _, card = start_from_files(tmp_path / "mine", [str(small / "signal.root"), str(small / "data.root")])
    assert load_card(card).varied == (JETS, MET, PILEUP)  # type: ignore[attr-defined]  # a standard card
