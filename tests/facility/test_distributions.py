"""Variables in the regions of a fit: the same events as the discriminant's bins, moved by the same fit."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.facility.sliced import assert_the_same_in_slices
from tests.facility.small import context_of, small_card, write_ntuples
from tests.facility.test_likelihood import _score
from znought.errors import CardError, DataError
from znought.facility.context import Context
from znought.facility.fitting.distributions import distributions
from znought.facility.fitting.placement import placed
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.stages.optimise import optimise
from znought.facility.stages.process import process
from znought.facility.workspace import Workspace
from znought.stats.workspace import build_workspace

BINS = {"SR": np.array([0.2, 0.4, 1.0]), "CR_top": np.array([0.0, 1.0])}


def _context(folder: Path, *names: str) -> Context[Any]:
    likelihood = {
        "control_regions": ["top"],
        "distributions": list(names),
        "workspace": {"norms": {"rate": {"processes": ["top"], "relative": 0.2}}},
    }
    card = small_card(folder, likelihood=likelihood, variations={"enabled": ["jes"]})
    return context_of(card, folder / "out")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Context[Any]:
    folder = tmp_path_factory.mktemp("distributions")
    write_ntuples(folder)
    context = _context(folder, "m_ll")
    process(context)
    _score(context)
    return context


def test_a_variable_holds_the_events_of_the_fit(scored: Context[Any]) -> None:
    card, workspace = scored.card, scored.workspace
    regions = templates(card, workspace, BINS, with_data=False).regions
    spec = build_workspace(regions, fit_settings(card, workspace))
    found = distributions(card, workspace, BINS, spec, data="expected")["m_ll"]
    events = placed(card, workspace, card.of_kind("simulation"), BINS, further=("m_ll",))
    for region in regions:
        shown = found[region.name]
        assert shown.observed is None
        rows = events.where == region.name
        edges = np.asarray(shown.edges)
        values = np.clip(events.columns["m_ll"][rows], edges[0], np.nextafter(edges[-1], 0.0))
        by_hand = np.histogram(values, edges, weights=events.weight[rows])[0]
        np.testing.assert_allclose(shown.before.total, by_hand)
        assert by_hand.min() > 0
        assert sum(shown.before.total) == pytest.approx(region.nominal.sumw.sum())
        # Asimov data move nothing, and measure the rate of top.
        np.testing.assert_allclose(shown.after.total, shown.before.total, rtol=1e-3)
        assert shown.after.sum_error < shown.before.sum_error


def test_a_variable_without_bins_is_refused(tmp_path: Path) -> None:
    write_ntuples(tmp_path)
    with pytest.raises(CardError, match=r"likelihood\.distributions: Unknown variable with bins 'm_l'"):
        _context(tmp_path, "m_l")


def test_bins_of_nothing_stop_in_one_line(scored: Context[Any], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"columns: no simulated event is in the regions .* `znought run`"):
        tuple(optimise(replace(scored, workspace=Workspace(tmp_path))))


def test_varied_columns_give_the_same_in_slices(
    scored: Context[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    card, workspace = scored.card, scored.workspace
    spec = build_workspace(
        templates(card, workspace, BINS, with_data=False).regions, fit_settings(card, workspace)
    )
    whole = distributions(card, workspace, BINS, spec, data="expected")["m_ll"]
    assert_the_same_in_slices(scored, BINS, monkeypatch)
    found = distributions(card, workspace, BINS, spec, data="expected")["m_ll"]
    for region, one in found.items():
        assert one.edges == whole[region].edges
        np.testing.assert_allclose(one.before.total, whole[region].before.total, rtol=1e-9)
