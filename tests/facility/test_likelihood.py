"""Weights reach the templates without a second pass, and observed templates stand at the luminosity read."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.facility.sliced import assert_the_same_in_slices
from tests.facility.small import context_of, small_card, write_ntuples
from tests.facility.test_process import CORRECTIONS, MUON
from znought.analyses.vh_ww.variables import FEATURES
from znought.errors import DataError
from znought.facility.context import Context
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.learning.plan import learning_plan
from znought.facility.learning.scoring import scored_files
from znought.facility.stages import fit as stage
from znought.facility.stages.process import process
from znought.facility.stages.score import score_tasks
from znought.stats import fit_report
from znought.stats.templates import RegionTemplates
from znought.stats.treatment import TreatedTemplates
from znought.stats.workspace import build_workspace

EDGES = np.array([0.2, 0.5, 1.0])
BINS = {"SR": EDGES, "CR_top": np.array([0.0, 1.0])}


class _Scores:
    """Stands in for the networks: the score of the signal grows with the dilepton mass."""

    manifest = SimpleNamespace(feature_names=FEATURES, classes=("VH", "top"), n_folds=5, n_repeats=1)

    def features(self, columns: dict[str, Any]) -> Any:
        return columns["m_ll"]

    def score(self, m_ll: Any, folds: Any, *, on_network: Any = None) -> Any:
        signal = np.clip(m_ll / 200.0, 0.0, 1.0)
        return np.column_stack([signal, 1.0 - signal]).astype(np.float32)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Context[Any]:
    """Processed with a scale factor for muons, and scored."""
    folder = tmp_path_factory.mktemp("likelihood")
    write_ntuples(folder)
    (folder / "sf").mkdir()
    (folder / "sf/muon.json").write_text(json.dumps(CORRECTIONS))
    sections = {
        "weights": {"muon_id": MUON},
        "selection": {"btag_mode": "veto"},
        "likelihood": {"control_regions": ["top"]},
    }
    context = context_of(small_card(folder, **sections), folder / "out")
    process(context)
    _score(context)
    return context


def _score(context: Context[Any]) -> None:
    """Scores of every file by the stand-in."""
    for task in score_tasks(learning_plan(context.card, context.workspace), context.workspace):
        scored_files(task, {"network": _Scores()})  # type: ignore[dict-item]  # a stand-in


def _by_name(found: TreatedTemplates) -> dict[str, RegionTemplates]:
    return {region.name: region for region in found.regions}


def test_a_weight_varies_the_templates_without_columns_of_its_own(scored: Context[Any]) -> None:
    assert {path.name for path in scored.workspace.columns.glob("*/*") if path.is_dir()} == {"nominal"}
    found = templates(scored.card, scored.workspace, BINS, with_data=False)
    for region in found.regions:
        assert set(region.variations) == {"muon_id_up", "muon_id_down"}
        for way, factor in (("up", 1.2), ("down", 0.8)):
            varied = region.variation(f"muon_id_{way}").sumw
            np.testing.assert_allclose(varied, factor * region.nominal.sumw)
        assert region.nominal.sumw.sum() > 0
    spec: Any = build_workspace(found.regions, fit_settings(scored.card, scored.workspace))
    modifiers = [m for channel in spec["channels"] for s in channel["samples"] for m in s["modifiers"]]
    muon = [m for m in modifiers if m["name"] == "muon_id"]
    assert muon
    assert {m["type"] for m in muon} == {"normsys"}
    assert muon[0]["data"] == pytest.approx({"lo": 0.8, "hi": 1.2})


def test_templates_of_a_fit_to_data_stand_at_the_luminosity_that_was_read(scored: Context[Any]) -> None:
    expected = _by_name(templates(scored.card, scored.workspace, BINS, with_data=False))
    observed = _by_name(templates(scored.card, scored.workspace, BINS, with_data=True))
    for name, region in observed.items():
        # The data are of 2 fb⁻¹, the card's yields of 10.
        np.testing.assert_allclose(region.nominal.sumw, 0.2 * expected[name].nominal.sumw)
        np.testing.assert_allclose(region.nominal.sumw2, 0.04 * expected[name].nominal.sumw2)
        assert region.observed is not None
        assert expected[name].observed is None
    ledger = json.loads(scored.workspace.ledger.read_text())
    scored.workspace.ledger.write_text(json.dumps(ledger | {"data_lumi_ifb": 1.0}))
    halved = _by_name(templates(scored.card, scored.workspace, BINS, with_data=True))
    np.testing.assert_allclose(halved["SR"].nominal.sumw, 0.5 * observed["SR"].nominal.sumw)


def test_templates_without_a_likelihood_still_give_yields_and_a_reason(
    scored: Context[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = templates(scored.card, scored.workspace, BINS, with_data=False)
    empty = [
        replace(r, nominal=replace(r.nominal, sumw=_without(r, scored.card.signal))) for r in found.regions
    ]
    monkeypatch.setattr(stage, "templates", lambda *_, **__: TreatedTemplates(tuple(empty), ()))
    scored.workspace.fit.mkdir(exist_ok=True)
    (scored.workspace.fit / "workspace.json").write_text("of an earlier run")
    made = stage._likelihood(scored, BINS)
    assert made.summary is None
    assert made.notes == (
        f"No likelihood: no signal: {scored.card.signal} has no positive yield in any region.",
    )
    assert {path.name for path in made.files} >= {"templates.root", "yields.tex"}
    assert not (scored.workspace.fit / "workspace.json").exists()


def test_a_variation_that_empties_a_process_is_a_remark(
    scored: Context[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = templates(scored.card, scored.workspace, BINS, with_data=False)
    process = next(p for p in found.regions[0].nominal.processes if p != scored.card.signal)
    changed = []
    for region in found.regions:
        down = region.variation("muon_id_down")
        gone = {"muon_id_down": replace(down, sumw=_without(region, process))}
        changed.append(replace(region, variations=region.variations | gone))
    monkeypatch.setattr(stage, "templates", lambda *_, **__: TreatedTemplates(tuple(changed), ()))
    made = stage._likelihood(scored, BINS)
    assert any(note.startswith(f"muon_id is left out for {process} in SR:") for note in made.notes)
    assert "workspace.json" in {path.name for path in made.files}


def test_a_limit_that_fails_leaves_signal_strength_and_significance(
    scored: Context[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise DataError("no 95 % CLs limit on mu below 7.")

    monkeypatch.setattr(fit_report, "cls_limit", fails)
    made = stage._likelihood(scored, BINS)
    assert made.summary is not None
    assert made.summary.mu == pytest.approx(1.0, abs=0.01)
    assert made.summary.mu_limit is None
    assert "No upper limit: no 95 % CLs limit on mu below 7." in made.notes
    assert "95 % CLs limit on mu" not in made.notes[0]


def _without(region: RegionTemplates, process: str) -> Any:
    """Yields of the region with one process emptied."""
    rows = np.array([[name != process] for name in region.nominal.processes])
    return region.nominal.sumw * rows


def test_varied_weights_give_the_same_in_slices(
    scored: Context[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_the_same_in_slices(scored, BINS, monkeypatch)
