"""Two-point systematics switched on in a card: another dataset, or another weight; and one-sided ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.facility.sliced import assert_the_same_in_slices
from tests.facility.small import FILES, N_EVENTS, context_of, small_card, write_ntuples
from tests.facility.test_likelihood import _score
from tests.plots.drawn import points
from tests.processors.fixtures import events, write_nanoaod
from znought.errors import CardError
from znought.facility.context import Context
from znought.facility.events.store import read_events
from znought.facility.figures.alternatives import alternative_pictures, ratios_of_shapes
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.stages.process import process
from znought.plots.style import FigureLabel
from znought.stats.workspace import build_workspace

BINS = {"SR": np.array([0.2, 0.4, 1.0]), "CR_top": np.array([0.0, 1.0])}
ALTERNATIVE: dict[str, Any] = {
    "processes": {
        "VH": {"class": "VH"},
        "top": {"class": "top"},
        "top_other": {"kind": "alternative"},
        "data": {"kind": "data"},
    },
    "likelihood": {
        "control_regions": ["top"],
        "workspace": {
            "systematics": {
                "shower": {
                    "kind": "two_point",
                    "datasets": {"ttbar": "ttbar_other"},
                    "processes": ["top"],
                    "separate": True,
                }
            }
        },
    },
    "variations": {"enabled": ["jer"]},
}


def _card(folder: Path) -> Path:
    """The small card with a second tt̄ sample of 1.3 times the cross section."""
    write_ntuples(folder)
    columns = events(N_EVENTS, seed=77)
    columns["genWeight"] = np.ones(N_EVENTS, np.float32)
    write_nanoaod(folder / "other.root", columns)
    datasets = {
        "vh": {"process": "VH", "xsec_pb": 0.1, "files": [str(folder / f"{x}.root") for x in FILES["vh"]]},
        "ttbar": {"process": "top", "xsec_pb": 1.0, "files": [str(folder / "c.root")]},
        "ttbar_other": {"process": "top_other", "xsec_pb": 1.3, "files": [str(folder / "other.root")]},
        "data": {"process": "data", "files": [str(folder / "d.root")], "lumi_ifb": 2.0},
    }
    return small_card(folder, **ALTERNATIVE, datasets=datasets)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Context[Any]:
    folder = tmp_path_factory.mktemp("two_point")
    context = context_of(_card(folder), folder / "out")
    process(context)
    _score(context)
    return context


def test_shapes_of_another_dataset_are_drawn_over_the_nominal(scored: Context[Any]) -> None:
    ratios = ratios_of_shapes(scored.card, scored.workspace, {"ttbar": "ttbar_other"})
    assert list(ratios) == list(scored.card.binned)
    one = ratios["m_jj"]
    sums = []
    for name in ("ttbar", "ttbar_other"):
        events = read_events(scored.workspace.columns, [name], ["m_jj", "gen_weight"])
        for power in (1, 2):
            weights = events["gen_weight"].astype(float) ** power
            inside = np.clip(events["m_jj"].astype(float), one.edges[0], one.edges[-1])
            sums.append(np.histogram(inside, one.edges, weights=weights)[0])
    a, a2, b, b2 = sums
    assert one.ratio == pytest.approx((b / b.sum()) / (a / a.sum()))
    of_bins_alone = one.ratio * np.sqrt(a2 / a**2 + b2 / b**2)
    assert np.all((one.error < of_bins_alone) & (one.error > 0.9 * of_bins_alone))
    assert (one.ndf, one.chi2 < 30.0) == (one.ratio.size - 1, True)
    label = FigureLabel(lumi_ifb=None)
    (picture,) = alternative_pictures(scored.card, scored.workspace, label=label)
    assert picture.name == "alternative_shower_top"
    ((_, drawn),) = points(picture.figure.axes[list(ratios).index("m_jj")])
    assert drawn.tolist() == one.ratio[(one.ratio > 0.3) & (one.ratio < 1.7)].tolist()


def test_another_dataset_stands_in_the_place_of_the_nominal(scored: Context[Any]) -> None:
    found = templates(scored.card, scored.workspace, BINS, with_data=False)
    for region in found.regions:
        assert region.nominal.processes == ("VH", "top")
        signal, top = region.variation("shower").sumw / region.nominal.sumw
        assert signal == pytest.approx(np.ones_like(signal))
        assert np.mean(top) == pytest.approx(1.3, abs=0.35)
    spec: Any = build_workspace(found.regions, fit_settings(scored.card, scored.workspace))
    names = {
        (sample["name"], modifier["name"])
        for channel in spec["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
        if modifier["name"].startswith("shower")
    }
    assert ("top", "shower_norm") in names
    assert "VH" not in {process for process, _ in names}
    json.dumps([record.to_dict() for record in found.records])


def test_resolution_is_one_sided_in_the_fit(scored: Context[Any]) -> None:
    settings = fit_settings(scored.card, scored.workspace).systematics
    assert (settings["jer"].kind, settings["jer"].side) == ("one_sided", "up")
    found = templates(scored.card, scored.workspace, BINS, with_data=False)
    assert set(found.regions[0].variations) == {"jer_up", "shower"}


def test_an_alternative_that_stands_for_nothing_is_refused(tmp_path: Path) -> None:
    path = _card(tmp_path)
    text = path.read_text().replace("ttbar: ttbar_other", "ttbar: ttbar_othr")
    path.write_text(text)
    with pytest.raises(CardError, match="did you mean 'ttbar_other'"):
        context_of(path, tmp_path / "out")
    path.write_text(text.replace("ttbar: ttbar_othr", "ttbar_other: ttbar_other"))
    with pytest.raises(CardError, match="simulated dataset"):
        context_of(path, tmp_path / "out")


def test_other_datasets_give_the_same_in_slices(
    scored: Context[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert_the_same_in_slices(scored, BINS, monkeypatch)
