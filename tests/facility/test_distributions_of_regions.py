"""Distributions in regions: what is blinded, what is left out, and how the card draws them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.facility.small import context_of, small_card, write_ntuples
from znought.errors import CardError
from znought.facility.cards.reading import load_card, load_with_analysis
from znought.facility.events import slices
from znought.facility.events.store import stored_rows
from znought.facility.figures.bins import drawn_bins
from znought.facility.regions import distributions
from znought.facility.regions.books import region_books
from znought.facility.regions.comparison import validated
from znought.facility.regions.distributions import Distribution, region_distributions
from znought.facility.regions.selected import read_selected, same_values
from znought.facility.stages.process import process
from znought.facility.standard import standard_flow
from znought.plots.labels import drawn_as

ANALYSES = Path(__file__).parents[2] / "analyses"
REGIONS = {
    "signal": {"m_jj": [70.0, 100.0], "dy_jj": [None, 2.0]},
    "wide": {"m_jj": [45.0, 155.0]},
    "inner": {"m_jj": [80.0, 90.0], "dy_jj": [None, 1.0]},
    "beside": {"m_jj": [100.0, None]},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("regions")
    write_ntuples(folder)
    process(context_of(small_card(folder, regions=REGIONS), folder / "out"))
    return folder


def _found(folder: Path, **plotting: Any) -> dict[tuple[str, str], Distribution]:
    wanted = {"variables": ["m_jj", "dy_jj", "m_t"]} | plotting
    context = context_of(small_card(folder, regions=REGIONS, plotting=wanted), folder / "out")
    found = region_distributions(context.card, context.workspace, blinded="signal")
    return {(one.region, one.variable): one for one in found}


def test_only_the_window_of_a_cut_is_blinded(folder: Path) -> None:
    one = _found(folder)["wide", "m_jj"]
    assert {45.0, 70.0, 100.0, 155.0} <= set(one.edges.tolist())
    assert (one.edges[0], one.edges[-1]) == (45.0, 155.0)
    inside = (one.edges[:-1] >= 70.0) & (one.edges[1:] <= 100.0)
    np.testing.assert_array_equal(one.blinded, inside)
    assert one.data is not None
    assert one.data[~inside].sum() > 0
    assert one.data[inside].sum() == 0
    assert one.without is None
    assert sum(np.sum(w[inside]) for w in _sumw(one)) > 0


def _sumw(one: Distribution) -> list[Any]:
    return [np.asarray(sumw) for sumw, _ in one.processes.values()]


def test_other_variables_leave_the_same_events_out_of_data_and_simulation(folder: Path) -> None:
    one = _found(folder)["wide", "m_t"]
    context = context_of(small_card(folder, regions=REGIONS), folder / "out")
    sample = read_selected(context.card, context.workspace, ["m_jj", "dy_jj", "m_t"], hidden=None)
    m_jj, dy_jj = sample.table["m_jj"], sample.table["dy_jj"]
    kept = (m_jj >= 45) & (m_jj < 155) & ~((m_jj >= 70) & (m_jj < 100) & (dy_jj < 2.0))
    kept &= (sample.table["m_t"] >= one.edges[0]) & (sample.table["m_t"] <= one.edges[-1])
    assert one.without == "signal"
    assert not one.blinded.any()
    assert sum(np.sum(w) for w in _sumw(one)) == pytest.approx(sample.weight[kept].sum())


def test_a_part_of_the_blinded_region_shows_no_data_and_a_region_beside_it_all(folder: Path) -> None:
    found = _found(folder)
    assert found["inner", "m_t"].data is None
    assert found["inner", "m_t"].blinded.all()
    beside = found["beside", "dy_jj"]
    assert beside.data is not None
    assert not beside.blinded.any()
    assert beside.without is None


def test_the_card_says_how_a_variable_is_drawn(folder: Path) -> None:
    axes = {
        "m_t": {"bins": [12, 0.0, 120.0], "range": [20.0, 110.0], "rebin": 3, "label": "$M$", "log": True}
    }
    one = _found(folder, axes=axes)["beside", "m_t"]
    assert one.edges.tolist() == np.linspace(0.0, 120.0, 13).tolist()
    context = context_of(small_card(folder, plotting={"axes": axes}), folder / "out")
    with drawn_as(context.analysis, context.card.styles, context.card.plotting):
        drawn = drawn_bins("m_t", one.edges)
        cut = drawn_bins("m_t", one.edges, ends=[20.0, 60.0])
    assert drawn.edges.tolist() == [20.0, 50.0, 80.0, 110.0]
    assert cut.edges.tolist() == [20.0, 50.0, 60.0, 90.0, 110.0]
    counts = np.arange(12.0)
    assert drawn.summed(counts).tolist() == [2.0 + 3 + 4, 5.0 + 6 + 7, 8.0 + 9 + 10]
    assert drawn.any(counts == 6).tolist() == [False, True, False]


def test_a_variable_under_a_second_name_is_drawn_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_of(small_card(folder, regions=REGIONS), folder / "out")
    sample = read_selected(context.card, context.workspace, ["m_jj", "dy_jj", "m_t", "m_ll"], hidden=None)
    columns = {**sample.table.columns, "m_ll": sample.table["m_jj"], "m_t": np.zeros(len(sample.table))}
    table = replace(sample.table, columns=columns | {"m_tautau": np.zeros(len(sample.table))})
    names = ["m_ll", "m_jj", "m_t", "m_tautau", "dy_jj"]
    assert same_values(context.card, [table], names) == {"m_jj": "m_ll"}
    assert same_values(context.card, [table], names, preferred=["m_jj"]) == {"m_ll": "m_jj"}
    assert same_values(context.card, [table, sample.table], ["m_ll", "m_jj"]) == {}
    monkeypatch.setattr(
        distributions, "read_selected", lambda *_, **__: replace(sample, table=table, data=None)
    )
    found = region_distributions(context.card, context.workspace, blinded="signal")
    drawn = {one.variable: one for one in found if one.region == "wide"}
    assert drawn.keys() & {"m_ll", "m_jj"} == {"m_jj"}  # what regions cut on
    assert drawn["m_jj"].also == ("m_ll",)


@pytest.mark.parametrize(
    ("plotting", "message"),
    [
        ({"axes": {"m_j": {}}}, r"plotting\.axes: Unknown variable 'm_j', did you mean"),
        ({"axes": {"m_jj": {"bins": [5, 1.0, 0.0]}}}, "bins: expected a lower and a higher end"),
        ({"axes": {"m_jj": {"edges": [1.0, 1.0]}}}, "edges: expected two or more rising numbers"),
        ({"order": ["tops"]}, r"plotting\.order: Unknown process 'tops', did you mean 'top'"),
        ({"formats": ["gif"]}, "formats"),
    ],
)
def test_a_mistake_in_the_section_is_one_line(tmp_path: Path, plotting: Any, message: str) -> None:
    with pytest.raises(CardError, match=message) as caught:
        load_card(small_card(tmp_path, plotting=plotting))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["vh_ww", "vh_bb_smeft", "agc_ttbar"])
def test_a_change_of_the_section_redraws_and_computes_nothing(name: str) -> None:
    card, found = load_with_analysis(ANALYSES / f"{name}.yaml")
    flow = found.analysis.flow
    stages = flow.stages if flow is not None else standard_flow(card).stages  # type: ignore[arg-type]  # then it is one
    assert [stage.name for stage in stages if "plotting" in stage.sections] == ["plot"]


def test_books_of_slices_are_those_of_all_events(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context = context_of(small_card(folder, regions=REGIONS), folder / "out")
    whole, _ = region_books(context.card, context.workspace, blinded="signal")
    monkeypatch.setattr(slices, "AT_A_TIME", 40)
    found, _ = region_books(context.card, context.workspace, blinded="signal")
    assert list(found) == list(REGIONS)
    for name, book in whole.items():
        assert (found[name].cuts, found[name].data) == (book.cuts, book.data)
        for one_process, flow in book.processes.items():
            again = found[name].processes[one_process]
            assert again.raw == flow.raw
            assert again.sumw == pytest.approx(flow.sumw, rel=1e-12)
            assert again.mc_stat_error == pytest.approx(flow.mc_stat_error, rel=1e-12)
        for variable, one in book.n_minus_one.items():
            other = found[name].n_minus_one[variable]
            assert other.edges == one.edges
            for one_process, sums in one.processes.items():
                np.testing.assert_allclose(other.processes[one_process], sums, rtol=1e-9, atol=1e-12)


def test_a_share_of_the_events_stands_for_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = _found(folder)["wide", "m_t"]
    context = context_of(small_card(folder, regions=REGIONS), folder / "out")
    expected = validated(context.card, context.workspace, unblind=False)
    n_rows = stored_rows(context.workspace.columns, context.card.of_kind("simulation"))
    monkeypatch.setattr(slices, "AT_A_TIME", n_rows // 2 + 1)
    found = _found(folder)["wide", "m_t"]
    variance = [sum(np.sum(w2) for _, w2 in one.processes.values()) for one in (whole, found)]
    assert 1.4 < variance[1] / variance[0] < 2.8
    difference = sum(np.sum(w) for w in _sumw(found)) - sum(np.sum(w) for w in _sumw(whole))
    assert 0.0 < abs(difference) < 4.0 * np.sqrt(variance[0])
    compared = validated(context.card, context.workspace, unblind=False)
    assert expected is not None
    assert compared is not None
    assert compared.events[0] == expected.events[0]
    assert compared.events[1] == pytest.approx(expected.events[1], rel=0.25)
    assert compared.events[1] != expected.events[1]
    assert compared.lumi_ifb == expected.lumi_ifb
