"""The card with samples of Sherpa: the plain one but for them, and refused where they cannot be made."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from znought.analyses.vh_ww.recipes import RECIPES
from znought.errors import CardError
from znought.facility.cards.base import Card
from znought.facility.cards.checking import check_card
from znought.facility.cards.reading import load_with_analysis
from znought.facility.context import Context, RunOptions
from znought.facility.progress import Silent
from znought.facility.stages.simulate import sample_requests, simulate
from znought.facility.workspace import Workspace
from znought.simulation.sherpa import installed

ANALYSES = Path(__file__).parents[3] / "analyses"
SAMPLES = ("z_tautau", "wt", "ww")
LARGER = "ttbar"
OTHERS = {"ttbar": "ttbar_merged", "z_tautau": "z_shower", "ww": "ww_shower"}
MISIDENTIFIED = ("w_jets", "ttbar_lj")


def _content(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ANALYSES / name).read_text(encoding="utf-8"))
    return content


def test_it_differs_in_its_samples_alone() -> None:
    merged, plain = _content("vh_ww_merged.yaml"), _content("vh_ww.yaml")
    of_merged, of_plain = merged.pop("datasets"), plain.pop("datasets")
    assert merged["processes"].pop("Fakes") == {}
    assert merged["likelihood"]["workspace"]["norms"].pop("misidentified")["processes"] == ["Fakes"]
    assert merged["simulation"].pop("misidentification") == {"charges": True}
    for name in ("top_merged", "Zjets_shower", "WW_shower"):
        assert merged["processes"].pop(name) == {"kind": "alternative"}
    merged["likelihood"]["workspace"].pop("systematics")
    assert merged["simulation"]["pseudo_data"].pop("lumi_ifb") < plain["simulation"]["pseudo_data"].pop(
        "lumi_ifb"
    )
    assert merged == plain
    more = (*SAMPLES, *MISIDENTIFIED, *OTHERS.values(), LARGER)
    assert {name: entry for name, entry in of_merged.items() if name not in more} == {
        name: entry for name, entry in of_plain.items() if name not in more
    }
    assert [of_merged[name]["process"] for name in SAMPLES] == ["Zjets", "top", "WW"]
    for name in SAMPLES:
        assert RECIPES[of_merged[name]["recipe"]].matrix_element is not None
    for name in MISIDENTIFIED:
        assert of_merged[name]["process"] == "Fakes"
        assert RECIPES[of_merged[name]["recipe"]].skim == "misidentified"
    assert of_merged[LARGER] == {**of_plain[LARGER], "n_events": 2 * of_plain[LARGER]["n_events"]}
    assert not any(
        RECIPES[entry["recipe"]].matrix_element for entry in of_plain.values() if "recipe" in entry
    )


def test_the_other_generator_has_the_cross_sections_of_the_nominal() -> None:
    content = _content("vh_ww_merged.yaml")
    systematics = content["likelihood"]["workspace"]["systematics"].values()
    assert {k: v for one in systematics for k, v in one["datasets"].items()} == OTHERS
    for nominal, other in OTHERS.items():
        first, second = content["datasets"][nominal], content["datasets"][other]
        assert all(first[key] == second[key] for key in ("xsec_pb", "branching_ratio"))
        generators = {RECIPES[one["recipe"]].matrix_element is None for one in (first, second)}
        assert generators == {True, False}


def test_pseudo_data_hold_one_generator_alone(tmp_path: Path) -> None:
    card, found = load_with_analysis(ANALYSES / "vh_ww_merged.yaml")
    assert isinstance(card, Card)
    no_cluster = partial(pytest.fail, "it asked for workers")
    context = Context(card, Workspace(tmp_path), RunOptions(), Silent(), no_cluster, found)
    requests = {request.dataset: request.in_data for request in sample_requests(context)}
    assert {name for name, in_data in requests.items() if not in_data} == set(OTHERS.values())


def test_a_check_names_each_dataset_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installed, "is_installed", lambda: False)
    problems = check_card(ANALYSES / "vh_ww_merged.yaml").problems
    assert sorted(problem.text.split(": ")[0] for problem in problems) == [
        f"datasets.{name}" for name in ("ttbar_merged", "wt", "ww", "z_tautau")
    ]
    assert all("needs Sherpa" in problem.text and "pip install" in problem.text for problem in problems)
    assert check_card(ANALYSES / "vh_ww.yaml").problems == ()


def test_nothing_is_simulated_where_a_recipe_cannot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(installed, "is_installed", lambda: False)
    card, found = load_with_analysis(ANALYSES / "vh_ww_merged.yaml")
    assert isinstance(card, Card)
    no_cluster = partial(pytest.fail, "it asked for workers")
    context = Context(card, Workspace(tmp_path), RunOptions(), Silent(), no_cluster, found)
    with pytest.raises(CardError, match="'wt_ll' needs Sherpa"):
        simulate(context)
