"""Misidentified leptons with a known rate in files of data: the estimate finds them, and a card says how."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from tests.facility.small import context_of
from tests.plots.drawn import points, texts
from tests.processors.fixtures import events, write_nanoaod
from znought.errors import CardError, DataError
from znought.facility.cards.checking import check_card
from znought.facility.context import Context
from znought.facility.events.store import read_events
from znought.facility.figures.measured import fake_factor_pictures
from znought.facility.fitting.placement import likelihood_bins
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.pipeline import run_stages, whole
from znought.facility.regions import comparison
from znought.facility.regions.books import read_region_books
from znought.facility.regions.comparison import validated
from znought.facility.regions.validation import Validation, read_validation
from znought.facility.results.fake_leptons import read_fake_leptons
from znought.plots.style import FigureLabel
from znought.stats.workspace import build_workspace

N_FAKES, N_PROMPT, N_SIMULATED = 30_000, 4000, 8000
TIGHT = {"Electron": 0.3, "Muon": 0.4}
"""Probability of a misidentified lepton to be tight."""
PROMPT_LOOSE = 0.05
STAGES = ("process", "fake_leptons", "validate")


def _good(columns: dict[str, Any], flavour: str) -> ak.Array:
    """pT of the leptons that can be selected."""
    leptons = columns[flavour]
    abs_eta = abs(leptons.eta)
    gap = (abs_eta > 1.37) & (abs_eta < 1.52) & (flavour == "Electron")
    return leptons.pt[(leptons.pt > 10) & (abs_eta < 2.5) & ~gap]


def _event(n: int, seed: int, first: int, *, is_fake: bool, is_data: bool) -> dict[str, Any]:
    """Events whose softest lepton is misidentified, or all of whose leptons are prompt."""
    found = events(n, seed=seed, is_data=is_data, first_event=first)
    rng = np.random.default_rng(1000 + seed)
    softest = np.minimum(
        *(ak.to_numpy(ak.fill_none(ak.min(_good(found, one), axis=1), np.inf)) for one in TIGHT)
    )
    for flavour, rate in TIGHT.items():
        leptons = found[flavour]
        size = int(ak.sum(ak.num(leptons)))
        loose = rng.uniform(size=size) < (0.0 if is_fake else PROMPT_LOOSE)
        if is_fake:
            mine = ak.to_numpy(ak.flatten(leptons.pt == softest))
            loose = mine & (rng.uniform(size=size) > rate)
        isolation = ak.unflatten(np.where(loose, 0.3, 0.01).astype(np.float32), ak.num(leptons))
        found[flavour] = ak.with_field(leptons, isolation, "pfRelIso03_all")
    if not is_data:
        found["genWeight"] = np.ones(n, np.float32)
    return found


def _write(folder: Path) -> None:
    for name, n, seed, first, is_fake, is_data in (
        ("data_fakes", N_FAKES, 11, 0, True, True),
        ("data_prompt", N_PROMPT, 12, N_FAKES, False, True),
        ("prompt", N_SIMULATED, 13, 0, False, False),
        ("signal", 2000, 9, 0, False, False),
        ("wjets", N_FAKES, 14, 0, True, False),
    ):
        write_nanoaod(folder / f"{name}.root", _event(n, seed, first, is_fake=is_fake, is_data=is_data))


def _content(folder: Path, **changes: Any) -> dict[str, Any]:
    lumi = 10.0
    per_event = 3.0 / (1000.0 * lumi)  # the files' sums are three times those of their events
    files = {name: [str(folder / f"{name}.root")] for name in ("prompt", "signal", "wjets")}
    definition = {"tight": {"isolation": [None, 0.15]}, "loose": {"isolation": [0.15, 0.6]}}
    return {
        "analysis": "vh_ww",
        "title": "misidentified leptons",
        "lumi_ifb": lumi,
        "signal": "VH",
        "signal_region": "signal",
        "processes": {
            "VH": {},
            "top": {},
            "misid": {},
            "W": {"kind": "alternative"},
            "data": {"kind": "data"},
        },
        "datasets": {
            "vh": {
                "process": "VH",
                "xsec_pb": 1e-4 * per_event,
                "files": files["signal"],
                "filter_efficiency": 1.0,
            },
            "ttbar": {
                "process": "top",
                "xsec_pb": N_PROMPT * per_event,
                "files": files["prompt"],
                "filter_efficiency": 1.0,
            },
            "wjets": {
                "process": "W",
                "xsec_pb": N_FAKES * per_event,
                "files": files["wjets"],
                "filter_efficiency": 1.0,
            },
            "data": {
                "process": "data",
                "lumi_ifb": lumi,
                "files": [str(folder / f"data_{kind}.root") for kind in ("fakes", "prompt")],
            },
        },
        "selection": {"btag_mode": "regions", "charges": "any", "isolation_max": 0.6},
        "regions": {
            "signal": {"same_sign": [None, 1]},
            "fakes": {"same_sign": [1, None], "m_ll": [None, 80.0]},
            "same_sign": {"same_sign": [1, None], "m_ll": [80.0, None]},
        },
        "discriminants": {
            "signal": {"variable": "m_t", "edges": [0.0, 80.0, 160.0, 1000.0]},
            "same_sign": {"variable": "m_ll", "edges": [80.0, 130.0, 1000.0], "role": "validation"},
        },
        "fake_leptons": {
            "process": "misid",
            "leptons": {"electron": definition, "muon": definition},
            "region": "fakes",
            "validation_regions": ["same_sign"],
            "pt_edges_gev": [15.0, 25.0, 40.0],
            "simulation": ["W"],
            "composition": "closure",
        },
        "variations": {"enabled": ["jes"]},
        "validation": {"action": "report"},
    } | changes


def _context(folder: Path, output: Path, content: dict[str, Any]) -> Context[Any]:
    path = folder / f"{output.name}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return context_of(path, output)


def _run(context: Context[Any], names: Sequence[str] = STAGES) -> None:
    run_stages(context, [stage for stage in whole(context) if stage.name in names])


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fakes")
    _write(folder)
    return folder


@pytest.fixture(scope="module")
def done(files: Path) -> Context[Any]:
    content = _content(files)
    context = _context(files, files / "out", content)
    _run(context)
    return context


def _true_fakes(context: Context[Any], *, same_sign: bool) -> int:
    """Tight events of data whose softest lepton is misidentified."""
    table = read_events(context.workspace.columns, ["data"], ["same_sign", "m_ll"])
    mine = (table["event"] < N_FAKES) & (table["same_sign"] == same_sign)
    return int((mine & (table["m_ll"] >= 80.0) if same_sign else mine).sum())


def _shifts(context: Context[Any], *, same_sign: bool) -> list[float]:
    """By how much the error of each factor moves the estimate."""
    card = context.card
    names = [f"gen_weight_misid_factor_{name}_up" for name in card.fake_leptons.bins]
    variables = ["gen_weight", "same_sign", "m_ll", *names]
    table = read_events(context.workspace.columns, card.estimated, variables)
    mine = table["same_sign"] == same_sign
    mine &= (table["m_ll"] >= 80.0) | (not same_sign)
    return [float((table[name] - table["gen_weight"])[mine].sum()) for name in names]


def test_the_factors_are_the_rates_that_were_put_in(done: Context[Any]) -> None:
    found = read_fake_leptons(done.workspace.fake_leptons)
    assert [one.name for one in found.bins] == [
        f"{flavour}_eta0_pt{pt}" for flavour in ("electron", "muon") for pt in (0, 1)
    ]
    for one in found.bins:
        rate = TIGHT[one.name.split("_")[0].capitalize()]
        assert one.value == pytest.approx(rate / (1 - rate), abs=3.5 * one.error), one
        assert one.error < 0.3 * one.value
        assert one.prompt_tight > 0 < one.prompt_loose


def test_the_factors_are_drawn_by_flavour(done: Context[Any]) -> None:
    found = read_fake_leptons(done.workspace.fake_leptons)
    section = done.card.fake_leptons
    (picture,) = fake_factor_pictures(section, found, label=FigureLabel())
    heights = np.concatenate([values for _, values in points(picture.figure.axes[0])])
    assert heights.tolist() == [one.value for one in found.bins]
    assert "electron, 0 ≤ $|\\eta|$ < 2.5" in texts(picture.figure)
    simulated = found.model_copy(update={"source": "simulation", "bins": ()})
    assert [*fake_factor_pictures(section, simulated, label=FigureLabel())] == []


def test_the_estimate_is_the_number_of_misidentified_leptons(done: Context[Any]) -> None:
    regions = read_region_books(done.workspace.regions)
    for name, same_sign in (("signal", False), ("same_sign", True)):
        expected = _true_fakes(done, same_sign=same_sign)
        found = regions[name].processes["misid"]
        errors = [found.mc_stat_error[-1], np.sqrt(expected), *_shifts(done, same_sign=same_sign)]
        assert expected > 500
        assert found.sumw[-1] == pytest.approx(expected, abs=3 * float(np.linalg.norm(errors)))
        assert np.linalg.norm(errors) < 0.15 * expected
    validated = read_fake_leptons(done.workspace.fake_leptons).validation["same_sign"]
    assert validated.p_value > 1e-3
    assert validated.ratio == pytest.approx(1.0, abs=3 * validated.ratio_error)


def test_the_bands_of_the_validation_hold_the_parameters_of_the_estimate(
    done: Context[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    card, workspace = done.card, done.workspace
    found = read_validation(workspace)
    monkeypatch.setattr(comparison, "_shifts_of_estimate", lambda *_, **__: {})
    without = validated(card, workspace, unblind=False)
    assert isinstance(found, Validation)
    assert isinstance(without, Validation)
    assert found.systematics == ("jes", "luminosity", *card.systematics_of_estimate)
    sides = {name: [f"gen_weight_{name}_{way}" for way in ("up", "down")] for name in found.systematics[2:]}
    names = ["same_sign", "m_ll", *(one for ways in sides.values() for one in ways)]
    table = read_events(workspace.columns, card.estimated, names)
    rows = table["same_sign"] == 1  # outside of the signal region
    entry, edges = found.inputs["m_ll"], np.asarray(found.inputs["m_ll"].edges)
    values = np.clip(table["m_ll"][rows], edges[0], edges[-1])
    moved = [0.5 * (table[up] - table[down])[rows] for up, down in sides.values()]
    added = np.sum([np.histogram(values, edges, weights=one)[0] ** 2 for one in moved], axis=0)
    assert added.max() > 10.0 < entry.systematic[4] ** 2
    np.testing.assert_allclose(
        np.square(entry.systematic) - np.square(without.inputs["m_ll"].systematic),
        added,
        rtol=1e-6,
        atol=1e-9,
    )


def test_the_method_closes_in_simulation(done: Context[Any]) -> None:
    found = read_fake_leptons(done.workspace.fake_leptons)
    assert found.closure is not None
    assert found.closure.p_value > 1e-3
    assert found.closure.ratio == pytest.approx(1.0, abs=3 * found.closure.ratio_error)
    assert found.composition == pytest.approx(
        max(abs(found.closure.ratio - 1), found.closure.ratio_error), rel=1e-9
    )
    assert sum(found.closure.observed) > 500


def test_the_estimate_is_fitted_like_any_process(done: Context[Any]) -> None:
    card, workspace = done.card, done.workspace
    found = templates(card, workspace, likelihood_bins(card, {}), with_data=False)
    signal = next(one for one in found.regions if one.name == "signal")
    row = signal.nominal.processes.index("misid")
    nominal = signal.nominal.sumw[row]
    others = np.arange(len(signal.nominal.processes)) != row
    composition = read_fake_leptons(workspace.fake_leptons).composition
    up = signal.variation("misid_composition_up")
    np.testing.assert_allclose(up.sumw[row], nominal * (1 + composition))
    np.testing.assert_allclose(up.sumw[others], signal.nominal.sumw[others])
    np.testing.assert_allclose(signal.variation("jes_up").sumw[row].sum(), nominal.sum(), rtol=0.02)
    factor = [signal.variation(f"misid_factor_{name}_up").sumw[row] for name in card.fake_leptons.bins]
    assert all(one.sum() > nominal.sum() for one in factor)
    assert signal.variation("misid_prompt_up").sumw[row].sum() < nominal.sum()
    spec = build_workspace(found.regions, fit_settings(card, workspace))
    channels: Any = spec["channels"]
    sample = next(one for one in channels[0]["samples"] if one["name"] == "misid")
    names = {modifier["name"] for modifier in sample["modifiers"]}
    assert "misid_composition" in names
    assert "luminosity" not in names


def test_stages_hold_and_the_estimate_is_made_again_where_it_is_gone(done: Context[Any]) -> None:
    from znought.facility.pipeline import standing

    wanted = [stage for stage in whole(done) if stage.name in STAGES]
    assert set(standing(done, wanted).values()) == {True}
    (file,) = (done.workspace.columns / "misid_of_data" / "nominal").glob("*.parquet")
    before = file.read_bytes()
    file.unlink()
    assert standing(done, wanted)["fake_leptons"] is False
    _run(done)
    assert file.read_bytes() == before
    # The selection again, to the same columns: nothing stands in its way.
    run_stages(done, [stage for stage in wanted if stage.name == "process"])
    done.workspace.cutflow.unlink()
    _run(done)
    assert file.read_bytes() == before


def test_without_data_the_simulation_stands_for_it(files: Path, done: Context[Any]) -> None:
    content = _content(files, validation={})
    del content["datasets"]["data"], content["processes"]["data"]
    content["fake_leptons"] |= {"composition": 0.5, "validation_regions": []}
    context = _context(files, files / "simulated", content)
    _run(context)
    found = read_fake_leptons(context.workspace.fake_leptons)
    assert found.source == "simulation"
    assert "simulated as W: the card has no data" in found.notes[0]
    assert found.closure is not None
    table = read_events(context.workspace.columns, ["wjets"], ["same_sign"])
    book = read_region_books(context.workspace.regions)["signal"]
    assert book.processes["misid"].sumw[-1] == pytest.approx((table["same_sign"] == 0).sum(), rel=1e-6)
    signal = templates(context.card, context.workspace, likelihood_bins(context.card, {}), with_data=False)
    row = signal.regions[0].nominal.processes.index("misid")
    ratio = (
        signal.regions[0].variation("misid_composition_up").sumw[row] / signal.regions[0].nominal.sumw[row]
    )
    np.testing.assert_allclose(ratio, 1.5)


ANALYSIS = """
import awkward as ak
from znought import Analysis, Variable


def objects(events, cuts):
    both = events.Electron, events.Muon
    electrons, muons = (l[l.is_tight & (l.pt > 10) & (abs(l.eta) < 2.5)] for l in both)
    return {"e": electrons[(abs(electrons.eta) < 1.37) | (abs(electrons.eta) > 1.52)], "muons": muons}


def select(o, cuts):
    return {"lepton": ak.num(o.e) + ak.num(o.muons) > 0}


VARIABLES = [
    Variable("n", lambda o: ak.num(o.e) + ak.num(o.muons), bins="integer"),
    Variable("met", lambda o: o.events.MET.pt, bins=(5, 0, 200)),
]
ANALYSIS = Analysis("own", objects=objects, select=select, variables=VARIABLES)
"""


def test_an_analysis_of_plain_functions_has_it_from_its_card(files: Path) -> None:
    """Measured in events of one lepton, and applied to those of several."""
    (files / "own.py").write_text(ANALYSIS)
    content = _content(files, analysis="own.py", variations={}, selection={})
    content["regions"] = {"one": {"n": [None, 2]}, "signal": {"n": [2, None]}}
    content["discriminants"] = {"signal": {"variable": "met", "edges": [0.0, 50.0, 1000.0]}}
    electron = {**content["fake_leptons"]["leptons"]["electron"], "objects": "e"}
    content["fake_leptons"]["leptons"]["electron"] = electron
    content["fake_leptons"] |= {"region": "one", "validation_regions": [], "pt_edges_gev": [10.0, 30.0]}
    context = _context(files, files / "plain", content)
    _run(context)
    found = read_fake_leptons(context.workspace.fake_leptons)
    for one in found.bins:
        rate = TIGHT[one.name.split("_")[0].capitalize()]
        assert one.value == pytest.approx(rate / (1 - rate), abs=3.5 * one.error), one
        assert one.error < 0.1 * one.value
    table = read_events(context.workspace.columns, ["data"], ["n"])
    true = int(((table["event"] < N_FAKES) & (table["n"] > 1)).sum())
    estimate = read_region_books(context.workspace.regions)["signal"].processes["misid"]
    error = np.hypot(estimate.mc_stat_error[-1], 0.05 * true)
    assert true > 3000
    assert estimate.sumw[-1] == pytest.approx(true, abs=3 * float(error))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"region": "fake"}, "fake_leptons.region: Unknown region 'fake'.*did you mean 'fakes'"),
        ({"region": "signal"}, "fake_leptons.region: signal is the signal region"),
        ({"region": "same_sign"}, "validation_regions: the factors are measured in same_sign"),
        ({"process": "misd"}, "fake_leptons.process: Unknown process 'misd'.*did you mean 'misid'"),
        ({"process": "VH"}, "fake_leptons.process: VH is the signal"),
        ({"process": "W"}, "fake_leptons.process: W must be of kind simulation"),
        ({"prompt": ["data"]}, "fake_leptons.prompt: Unknown simulated process 'data'"),
        ({"simulation": ["top"]}, "fake_leptons.simulation: Unknown process of kind alternative 'top'"),
        ({"pt_edges_gev": [25.0, 15.0]}, r"pt_edges_gev must rise, received \[25.0, 15.0\]"),
        ({"simulation": []}, "composition: closure needs processes in simulation"),
        ({"leptons": {"muon": {"tight": {}}}}, "fake_leptons.leptons.muon.loose"),
        (
            {"leptons": {"muon": {"tight": {"isolation": [None, 0.2]}, "loose": {"isolation": [0.1, 0.5]}}}},
            "tight and loose overlap: give both a field in which their ranges are disjoint",
        ),
        (
            {"leptons": {"muon": {"loose": {"is_tight": [0, 1]}}}},
            "fake_leptons.leptons: expected electron and muon, received muon",
        ),
    ],
)
def test_mistakes_in_a_card_are_one_line(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    content = _content(tmp_path)
    content["fake_leptons"] |= change
    path = tmp_path / "card.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    texts = [str(problem) for problem in check_card(path).problems]
    assert any(_matches(message, text) and "\n" not in text for text in texts), texts


def _matches(pattern: str, text: str) -> bool:
    import re

    return re.search(pattern, text) is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pt_edges_gev": [15.0, 40.0, 4000.0, 5000.0]}, "pT from 4000 GeV.*no loose leptons are left"),
        ({"pt_edges_gev": [18.0, 40.0]}, "lie outside of the bins, one with pT = 1.*the edges are 18, inf"),
        ({"prompt_relative": 0.99}, "fake_leptons.prompt_relative, prompt leptons × 1.99"),
    ],
)
def test_a_factor_that_cannot_be_measured_is_one_line(
    files: Path, done: Context[Any], change: dict[str, Any], message: str
) -> None:
    content = _content(files)
    if "prompt_relative" in change:
        content["datasets"]["ttbar"]["xsec_pb"] *= 1.8
    content["fake_leptons"] |= change
    content["fake_leptons"] |= {"simulation": [], "composition": 0.1}
    content["processes"].pop("W")
    content["datasets"].pop("wjets")
    context = _context(files, files / "failing", content)
    with pytest.raises(DataError, match=message):
        _run(context)


def test_a_selection_that_cuts_on_loose_leptons_is_told(files: Path, done: Context[Any]) -> None:
    content = _content(files)
    content["selection"]["isolation_max"] = 0.15
    context = _context(files, files / "tight", content)
    with pytest.raises(DataError, match="no selected event has a loose lepton; the selection must not cut"):
        _run(context)


def test_an_estimate_has_no_files_of_its_own(tmp_path: Path) -> None:
    content = _content(tmp_path)
    content["datasets"]["more"] = {"process": "misid", "xsec_pb": 1.0, "files": ["a.root"]}
    with pytest.raises(CardError, match=r"datasets.more: misid is estimated by fake_leptons; take it out"):
        _context(tmp_path, tmp_path / "out", content)
