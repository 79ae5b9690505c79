"""Regions of b-tagged jets and of like charges, which the preselection leaves to the card."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest
import yaml

from tests.facility.small import N_EVENTS, card_content, context_of, write_ntuples
from tests.processors.calibrated import calibrated_columns
from tests.processors.fixtures import events, whole_chunk, write_nanoaod
from znought.analyses.vh_ww.columns import columns
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.facility.context import Context
from znought.facility.fitting.placement import likelihood_bins
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.stages.process import process
from znought.processors.chunk import Chunk
from znought.processors.evaluated import NOMINAL, WHOLE, Evaluated, Request
from znought.processors.variations import VariationsConfig
from znought.stats.inference import fit_workspace
from znought.stats.workspace import build_workspace

pytestmark = pytest.mark.filterwarnings(
    # pyhf validates with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)
OPEN = VHWWSelection(btag_mode="regions", charges="any")


@pytest.fixture(scope="module")
def chunk(tmp_path_factory: pytest.TempPathFactory) -> Chunk:
    content = calibrated_columns(9, seed=5, n_events=1500, every_id=True)
    path = write_nanoaod(tmp_path_factory.mktemp("control") / "a.root", content)
    return whole_chunk(path, era="2018")


def _made(chunk: Chunk, cuts: VHWWSelection, *varied: str) -> dict[str, Evaluated]:
    variations = VariationsConfig(varied, btag_relative=0.4)
    return dict(columns(chunk, Request(cuts, variations))[WHOLE])


def test_what_is_left_without_tags_and_of_unlike_charges_is_the_selection(chunk: Chunk) -> None:
    veto = _made(chunk, VHWWSelection(btag_mode="veto"))[NOMINAL]
    found = _made(chunk, OPEN)[NOMINAL]
    inside = (found.columns["n_b"] == 0) & (found.columns["same_sign"] == 0)
    assert np.array_equal(found.event[inside], veto.event)
    for name, values in veto.columns.items():
        assert np.array_equal(found.columns[name][inside], values), name
    assert set(veto.columns["n_b"]) == {0}
    assert set(veto.columns["same_sign"]) == {0}
    assert {0, 1} == set(found.columns["same_sign"].tolist())


def test_tagged_jets_are_those_of_the_file(chunk: Chunk) -> None:
    """Away from the leptons, in the acceptance, above the working point."""
    found = _made(chunk, OPEN)[NOMINAL]
    view = chunk.view.only(found.event)
    counts = view.counts("jet_pt")
    pt, eta, phi = (ak.unflatten(view.flat(f"jet_{name}"), counts) for name in ("pt", "eta", "phi"))
    btag = ak.unflatten(chunk.dialect.btag(view), counts)
    close = False
    for flavour in ("electron", "muon"):
        lepton_counts = view.counts(f"{flavour}_pt")
        parts = (view.flat(f"{flavour}_{name}") for name in ("pt", "eta", "phi", "isolation"))
        lepton = ak.zip(dict(zip("phzi", (ak.unflatten(part, lepton_counts) for part in parts), strict=True)))
        lepton = lepton[(lepton.p > 10) & (lepton.i < 0.15) & (abs(lepton.h) < 2.5)]
        if flavour == "electron":
            lepton = lepton[(abs(lepton.h) <= 1.4442) | (abs(lepton.h) >= 1.566)]
        dphi = (phi - lepton.z[:, 0] + np.pi) % (2 * np.pi) - np.pi
        close = close | (np.hypot(eta - lepton.h[:, 0], dphi) < 0.4)
    expected = ak.sum((pt > 20) & (abs(eta) < 2.5) & (btag > 0.0490) & ~close, axis=1)
    assert found.columns["n_b"].tolist() == expected.tolist()
    assert max(expected) > 1


def test_tags_are_lost_one_by_one(chunk: Chunk) -> None:
    """A share of the tags goes, so that events leave the region of tagged ones; mirrored by the fit."""
    found = _made(chunk, OPEN, "btag", "jes")
    assert set(found) == {NOMINAL, "btag_down", "jes_up", "jes_down"}
    nominal, down = found[NOMINAL].columns["n_b"], found["btag_down"].columns["n_b"]
    assert np.array_equal(found[NOMINAL].event, found["btag_down"].event)
    assert np.all(down <= nominal)
    share = 1 - down.sum() / nominal.sum()
    assert share == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / nominal.sum()))


def _card(folder: Path) -> Path:
    """Signal without tags, binned tagged top that floats, and like charges to look at."""
    card = card_content(folder)
    for key in ("classes", "network", "cut_based", "signal_class"):
        del card[key]
    card["processes"] = {name: {"kind": kind} for name, kind in KINDS.items()}
    card["datasets"]["ttbar"]["xsec_pb"] = card["datasets"]["vh"]["xsec_pb"] = 20.0
    plain = {"n_b": [None, 1], "same_sign": [None, 1]}
    card |= {
        "selection": {"btag_mode": "regions", "charges": "any"},
        "regions": {
            "signal": {"m_jj": [60.0, 110.0], **plain},
            "top": {"n_b": [1, None], "same_sign": [None, 1]},
            "same_sign": {"n_b": [None, 1], "same_sign": [1, None]},
        },
        "discriminants": {
            "signal": {"variable": "m_t", "edges": [0.0, 80.0, 400.0]},
            "top": {"variable": "m_jj", "edges": [0.0, 100.0, 200.0, 1000.0], "role": "control"},
            "same_sign": {"variable": "m_ll", "edges": [0.0, 60.0, 500.0], "role": "validation"},
        },
        "variations": {"enabled": ["btag"], "btag_relative": 0.3},
        "likelihood": {"workspace": {"floating": ["top"]}},
    }
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(card, sort_keys=False))
    return path


KINDS = {"VH": "simulation", "top": "simulation", "data": "data"}


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Context[Any]:
    folder = tmp_path_factory.mktemp("regions")
    write_ntuples(folder)
    for i, name in enumerate("ab"):  # of VH, which has no b-jets
        content = events(N_EVENTS, seed=i, first_event=i * N_EVENTS)
        content["genWeight"] = np.ones(N_EVENTS, np.float32)
        jets = content["Jet"]
        content["Jet"] = ak.with_field(jets, jets["btagDiscriminant"] * np.float32(0.1), "btagDiscriminant")
        write_nanoaod(folder / f"{name}.root", content)
    context = context_of(_card(folder), folder / "out")
    process(context)
    return context


def test_a_control_region_constrains_what_floats(processed: Context[Any]) -> None:
    card, workspace = processed.card, processed.workspace
    bins = likelihood_bins(card, {})
    found = templates(card, workspace, bins, with_data=False)
    by_name = {region.name: region for region in found.regions}
    assert [len(region.nominal.edges) - 1 for region in found.regions] == [2, 3, 2]
    assert all(region.nominal.sumw[1].sum() > 0 for region in found.regions)

    tagged = by_name["top"]
    assert tagged.variation("btag_down").sumw.sum() < 0.95 * tagged.nominal.sumw.sum()

    def error(*names: str) -> float:
        spec = build_workspace([by_name[name] for name in names], fit_settings(card, workspace))
        (norm,) = (one for one in fit_workspace(spec).parameters if one.name == "norm_top")
        return norm.error

    assert error("signal", "top") < 0.5 * error("signal")


def test_a_region_of_three_leptons_is_fitted_beside_those_of_two(tmp_path: Path) -> None:
    write_ntuples(tmp_path)
    content = yaml.safe_load(_card(tmp_path).read_text())
    content["selection"] |= {"n_leptons_max": 3}
    for cuts in content["regions"].values():
        cuts["n_leptons"] = [None, 3]
    content["regions"]["three"] = {"n_leptons": [3, None], "m_sf": [0.0, None]}
    edges = {"variable": "m_t", "edges": [0.0, 100.0, 1000.0]}
    content["discriminants"]["three"] = {**edges, "role": "control"}
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(content))
    context = context_of(tmp_path / "card.yaml", tmp_path / "out")
    process(context)
    found = templates(context.card, context.workspace, likelihood_bins(context.card, {}), with_data=False)
    by_name = {region.name: region for region in found.regions}
    assert (by_name["three"].nominal.sumw.sum(axis=1) > 0).all()
    settings = fit_settings(context.card, context.workspace)

    def error(*names: str) -> float:
        spec = build_workspace([by_name[name] for name in names], settings)
        (norm,) = (one for one in fit_workspace(spec).parameters if one.name == "norm_top")
        return norm.error

    assert error("signal", "three") < 0.9 * error("signal")
