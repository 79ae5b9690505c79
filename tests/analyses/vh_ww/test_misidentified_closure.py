"""Fake factors of simulated W + jets: the planted share of tight ones comes back, and the method closes."""

from dataclasses import replace
from typing import Any

import awkward as ak
import numpy as np
import pytest
import uproot
import yaml
from numpy.typing import NDArray

from tests.facility.small import context_of
from znought.analyses.vh_ww.recipes import RECIPES
from znought.facility.context import Context
from znought.facility.fake_leptons.events import read_leptons
from znought.facility.fake_leptons.method import Measurement, Sources
from znought.facility.pipeline import run_stages, whole
from znought.facility.results.fake_leptons import read_fake_leptons
from znought.simulation import misidentified
from znought.simulation.config import DetectorConfig, MisidentificationConfig
from znought.simulation.detector import PROMPT
from znought.simulation.jobs import SimulationJob, run_job

TIGHT = {"electron": 0.3, "muon": 0.4}
CONFIG = MisidentificationConfig(light_jet_muon=0.02)


def _planted(
    pt: NDArray[np.float64], eta: NDArray[np.float64], is_electron: NDArray[np.bool_], config: Any
) -> NDArray[np.float64]:
    return np.where(is_electron, TIGHT["electron"], TIGHT["muon"])


def _card(files: dict[str, str]) -> dict[str, Any]:
    definition = {"tight": {"isolation": [None, 0.15]}, "loose": {"isolation": [0.15, 0.6]}}
    one = {name: {"xsec_pb": 1.0, "files": [file], "filter_efficiency": 1.0} for name, file in files.items()}
    return {
        "analysis": "vh_ww",
        "title": "closure",
        "lumi_ifb": 1.0,
        "signal": "VH",
        "signal_region": "signal",
        "processes": {"VH": {}, "misid": {}, "W": {"kind": "alternative"}},
        "datasets": {"vh": {"process": "VH", **one["vh"]}, "w_jets": {"process": "W", **one["w_jets"]}},
        "selection": {"charges": "any", "isolation_max": 0.6},
        "regions": {
            "signal": {"m_jj": [84.0, 86.0]},
            "fakes": {"same_sign": [1, None], "m_ll": [None, 80.0]},
        },
        "discriminants": {"signal": {"variable": "m_t", "edges": [0.0, 1000.0]}},
        "fake_leptons": {
            "process": "misid",
            "leptons": {"electron": definition, "muon": definition},
            "region": "fakes",
            "pt_edges_gev": [15.0, 25.0],
            "simulation": ["W"],
            "composition": 0.5,
        },
        "variations": {"enabled": []},
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[Context[Any], ak.Array]:
    folder = tmp_path_factory.mktemp("closure")
    job = SimulationJob(
        "w_jets", RECIPES["w_jets"], 0, 500, 2, seed=8, detector=DetectorConfig(), misidentification=CONFIG
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(misidentified, "tight_share", _planted)
        path = run_job(job, str(folder)).path
    card = folder / "card.yaml"
    signal = run_job(replace(job, dataset="vh", recipe=RECIPES["ttbar_lj"], n_events=20), str(folder)).path
    card.write_text(yaml.safe_dump(_card({"vh": signal, "w_jets": path}), sort_keys=False))
    context = context_of(card, folder / "out")
    run_stages(context, [stage for stage in whole(context) if stage.name in ("process", "fake_leptons")])
    with uproot.open(path) as file:
        return context, file["Events"].arrays()


def _softest_is_prompt(rows: ak.Array) -> dict[tuple[int, int], bool]:
    """By number of the event and of its row in the file."""
    leptons = [rows.Electron_pt[:, 0], rows.Muon_pt[:, 0]]
    origins = [rows.Electron_genPartFlav[:, 0], rows.Muon_genPartFlav[:, 0]]
    softest = np.asarray(leptons[0] > leptons[1], np.int64)
    prompt = np.where(softest == 0, origins[0] == PROMPT, origins[1] == PROMPT)
    names = zip(rows.event.tolist(), rows.response.tolist(), strict=True)
    return dict(zip(names, prompt.tolist(), strict=True))


def test_the_planted_share_comes_back(done: tuple[Context[Any], ak.Array]) -> None:
    """As F/(1 − h), with the share h of events whose softest lepton is the prompt one."""
    context, rows = done
    card, workspace = context.card, context.workspace
    tight, loose = (
        read_leptons(card, workspace, ["w_jets"], is_loose=is_loose, lumi_share=1.0)
        for is_loose in (False, True)
    )
    sources = Sources(card, tight, loose)
    factors = Measurement.of(sources).factors.values
    is_prompt = _softest_is_prompt(rows)
    names = zip(tight.table["event"].tolist(), tight.table["response"].tolist(), strict=True)
    prompt = np.array([is_prompt[name] for name in names])
    inside = sources.inside("fakes", tight)
    for place, share in enumerate(TIGHT.values()):
        mine = inside & (tight.table["probe_flavour"] == place)
        h = tight.weight[mine & prompt].sum() / tight.weight[mine].sum()
        assert mine.sum() > 10
        assert h < 0.7
        assert factors[place] == pytest.approx(share / (1.0 - share) / (1.0 - h), rel=1e-4)


def test_the_method_predicts_the_tight_ones(done: tuple[Context[Any], ak.Array]) -> None:
    found = read_fake_leptons(done[0].workspace.fake_leptons)
    assert found.source == "simulation"
    assert found.closure is not None
    # Tight and loose rows are of the same events, so that their ratio is known better than its error says.
    assert found.closure.ratio == pytest.approx(1.0, abs=0.25)
