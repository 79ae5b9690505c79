"""Data are shown step by step: what is closed reaches neither files nor numbers."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.facility.small import context_of, small_card, write_ntuples
from tests.facility.test_likelihood import _score
from znought.errors import CardError, DataError
from znought.facility.context import Context, RunOptions, Step, opened_step
from znought.facility.fitting import opening
from znought.facility.fitting.placement import likelihood_bins
from znought.facility.fitting.stepwise import Stepped, data_in_steps
from znought.facility.fitting.templates import Part, fit_settings, templates
from znought.facility.results.binned import BinnedSelection, Quoted
from znought.facility.stages import fit as stage
from znought.facility.stages.process import process
from znought.stats.fit_report import full_fit
from znought.stats.inference import fit_workspace
from znought.stats.workspace import build_workspace

EDGES = [0.2, 0.4, 0.6, 1.0]
BINNING = {"mva_greedy": BinnedSelection.model_construct(edges=EDGES)}
LIKELIHOOD: dict[str, Any] = {
    "control_regions": ["top"],
    "region_edges": {"top": [0.5, 0.8, 0.9, 1.0]},
    "tail_below": 0.15,
}


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Context[Any]:
    """Scored events; the stand-in's score of the signal grows with the dilepton mass."""
    folder = tmp_path_factory.mktemp("opening")
    write_ntuples(folder)
    context = context_of(small_card(folder, likelihood=LIKELIHOOD), folder / "out")
    process(context)
    _score(context)
    return context


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fits without ranking, which no test here looks at."""
    monkeypatch.setattr(stage, "full_fit", partial(full_fit, ranked=False))


def _with(context: Context[Any], upto: Step | None, **changes: Any) -> Context[Any]:
    likelihood = context.card.likelihood.model_copy(update=changes)
    card = context.card.model_copy(update={"likelihood": likelihood})
    return replace(context, card=card, options=RunOptions(opened=upto))


def _made(context: Context[Any], upto: Step | None, **changes: Any) -> Any:
    changed = _with(context, upto, **changes)
    return stage._likelihood(changed, likelihood_bins(changed.card, BINNING))


def _stepped(context: Context[Any], upto: Step | None, **changes: Any) -> Stepped:
    changed = _with(context, upto, **changes)
    bins = likelihood_bins(changed.card, BINNING)
    fitted = templates(changed.card, changed.workspace, bins, with_data=changed.options.unblind)
    return data_in_steps(changed, bins, fitted.regions)


def test_control_regions_are_binned_by_their_own_output(scored: Context[Any]) -> None:
    bins = likelihood_bins(scored.card, BINNING)
    assert bins["CR_top"].tolist() == LIKELIHOOD["region_edges"]["top"]
    signal, control = templates(scored.card, scored.workspace, bins, with_data=False).regions
    assert control.nominal.sumw.shape == (2, 3)
    # The stand-in's outputs add up to one: below 0.2 for the signal is above 0.8 for top.
    assert control.nominal.sumw[:, 0].sum() > 0
    assert signal.nominal.sumw.sum() > 0


def test_each_step_opens_its_bins_and_no_other(scored: Context[Any]) -> None:
    opened: dict[str, dict[str, dict[str, tuple[int, ...]]]] = {}
    for upto in ("control", "tails", "signal"):
        made = _made(scored, upto)
        opened[upto] = {step.name: step.bins for step in made.unblinding.steps}
        workspace = json.loads((scored.workspace.fit / "workspace.json").read_text())
        name = workspace["measurements"][0]["name"]
        # The exported likelihood holds data once all of them are shown.
        assert ("Asimov" in name) == (upto != "signal")
        assert made.summary.data == ("observed" if upto == "signal" else "expected")
        signal = made.prediction.regions["SR"]
        assert signal.role == "signal"
        shown = sum(count is not None for count in signal.observed or ())
        assert (
            shown
            == {"control": 0, "tails": len(opened[upto].get("tails", {}).get("SR", ())), "signal": 3}[upto]
        )
        assert made.prediction.data == "observed"
        assert made.prediction.lumi_ifb == 2.0
    assert opened["control"] == {"control": {"CR_top": (0, 1, 2)}}
    assert set(opened["tails"]) == {"control", "tails"}
    assert 0 < len(opened["tails"]["tails"]["SR"]) < 3
    everything = [*opened["signal"]["tails"]["SR"], *opened["signal"]["signal"]["SR"]]
    assert sorted(everything) == [0, 1, 2]
    assert len(scored.workspace.unblinding.read_text().splitlines()) == 3
    closed = _stepped(scored, None)
    assert closed.unblinding is None
    assert any(note.startswith("Data were shown before, 3 times") for note in closed.notes)
    assert closed.prediction is not None
    assert closed.prediction.data == "expected"
    assert closed.prediction.regions["SR"].observed is None


def test_closed_bins_reach_no_number(scored: Context[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Other data in the closed bins change nothing that a step says."""
    honest = _stepped(scored, "tails")

    def spoiled(regions: Any, steps: Any) -> Any:
        found = opening.shown(regions, steps)
        other = [replace(r, observed=None if r.observed is None else r.observed * 7 + 3) for r in regions]
        return tuple(
            one
            if one.observed is None
            else replace(
                one,
                observed=np.where(_is_open(steps, one), one.observed, two.observed),
            )
            for one, two in zip(found, other, strict=True)
        )

    monkeypatch.setattr("znought.facility.fitting.stepwise.shown", spoiled)
    other = _stepped(scored, "tails")
    assert other.unblinding is not None
    assert honest.unblinding is not None
    assert other.unblinding.steps == honest.unblinding.steps
    assert other.prediction == honest.prediction


def _is_open(steps: Any, region: Any) -> Any:
    return opening._open_bins(steps, region.name, region.nominal.edges.size - 1)


def test_validation_regions_are_predicted_and_not_fitted(scored: Context[Any]) -> None:
    made = _made(scored, None, control_regions=(), validation_regions=("top",))
    assert made.summary.regions["VR_top"].role == "validation"
    assert made.prediction is None
    names = [c["name"] for c in json.loads((scored.workspace.fit / "workspace.json").read_text())["channels"]]
    assert names == ["SR"]
    every = json.loads((scored.workspace.fit / "workspace_validation.json").read_text())
    assert [channel["name"] for channel in every["channels"]] == ["SR", "VR_top"]
    alone = _made(scored, None, control_regions=(), region_edges={})
    assert made.summary.mu_interval == pytest.approx(alone.summary.mu_interval, rel=1e-3)


def test_masked_bins_are_left_out(scored: Context[Any]) -> None:
    made = _made(scored, None, masks={"SR": (0,), "CR_top": True})
    assert list(made.summary.regions) == ["SR"]
    assert made.summary.regions["SR"].bins == (1, 2)
    assert len(made.summary.regions["SR"].after.total) == 2
    assert made.summary.regions["SR"].edges == tuple(EDGES)
    with pytest.raises(CardError, match=r"likelihood\.masks\.SR: bins are 0 to 2\. Received: 3"):
        _made(scored, None, masks={"SR": (3,)})
    with pytest.raises(CardError, match="leave no bin"):
        _made(scored, None, masks={"SR": True, "CR_top": True})


def test_a_step_without_bins_is_refused(scored: Context[Any]) -> None:
    with pytest.raises(CardError, match="opens no bin of the likelihood, which has SR"):
        _stepped(scored, "control", control_regions=(), region_edges={})


def test_a_log_that_was_taken_away_stops_the_fit(scored: Context[Any]) -> None:
    made = _stepped(scored, "control")
    assert made.unblinding is not None
    scored.workspace.results.write_text(json.dumps({"unblinding_log": made.unblinding.sha256}))
    scored.workspace.unblinding.unlink()
    with pytest.raises(DataError, match="taken away or rewritten"):
        _stepped(scored, None)
    scored.workspace.results.unlink()


def test_a_card_names_regions_that_it_has(tmp_path: Path) -> None:
    for changes, message in (
        ({"masks": {"CR_topp": True}}, "did you mean 'CR_top'"),
        ({"validation_regions": ["top"]}, "is a control region already"),
        ({"region_edges": {"VH": [0.0, 1.0]}}, "region_edges"),
        ({"region_edges": {"top": [1.0, 0.0]}}, "must rise"),
    ):
        path = small_card(tmp_path, likelihood=LIKELIHOOD | changes)
        with pytest.raises(CardError, match=message):
            context_of(path, tmp_path / "out")


def test_the_command_line_names_a_step() -> None:
    assert opened_step(None, whole=False) is None
    assert opened_step(None, whole=True) == "signal"
    assert opened_step("tails", whole=False) == "tails"
    with pytest.raises(CardError, match="did you mean 'tails'"):
        opened_step("tail", whole=False)
    with pytest.raises(CardError, match="give one of them"):
        opened_step("control", whole=True)


def test_the_fit_is_cross_fitted_where_edges_were_chosen(scored: Context[Any]) -> None:
    parts = [{"edges": [0.2, 0.5, 1.0]}, {"edges": [0.2, 0.7, 1.0]}]
    tuned = [[0.2, 0.5, 1.0], [0.2, 0.7, 1.0]]
    quoted = [Quoted.model_construct(edges=part["edges"]) for part in parts]
    selection = BinnedSelection.model_construct(edges=EDGES, parts=quoted, tuned_edges=tuned)
    binning = {"mva_greedy": selection}
    context = _with(scored, None, region_edges={})
    bins = likelihood_bins(context.card, binning)
    fitted: Any = stage._likelihood(context, bins, binning)
    found = fitted.summary.cross_fit
    assert found.frozen_z0 == pytest.approx(fitted.summary.z0, rel=1e-4)
    assert any(note.startswith("Cross-fitted Z0") for note in fitted.notes)
    first, second = (
        templates(context.card, context.workspace, bins, with_data=False, part=Part(i, 2, 1)).regions[0]
        for i in range(2)
    )
    whole = templates(context.card, context.workspace, bins, with_data=False).regions[0]
    np.testing.assert_allclose((first.nominal.sumw + second.nominal.sumw) / 2, whole.nominal.sumw)
    seed, exchanged = context.card.crossfit.seed, []
    for i, entry in enumerate(parts):
        edges = {**bins, "SR": np.asarray(entry["edges"])}
        made = templates(context.card, context.workspace, edges, with_data=False, part=Part(i, 2, seed))
        spec = build_workspace(made.regions, fit_settings(context.card, context.workspace))
        exchanged.append(fit_workspace(spec).z0 or 0.0)
    assert found.z0 == pytest.approx(np.mean(exchanged), rel=1e-4)
    assert found.tuned_z0 != pytest.approx(found.z0, rel=1e-4)
    without: Any = stage._likelihood(context, bins)
    assert without.summary.cross_fit is None
