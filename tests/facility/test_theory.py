"""Generator weights of ntuples become uncertainties of acceptance and shape by a section of the card."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pytest

from tests.facility.sliced import assert_the_same_in_slices
from tests.facility.small import N_EVENTS, context_of, small_card, write_ntuples
from tests.facility.test_likelihood import _score
from tests.processors.fixtures import events, write_nanoaod
from znought.errors import CardError, DataError
from znought.facility.context import Context
from znought.facility.fitting.required import missing
from znought.facility.fitting.templates import fit_settings, templates
from znought.facility.stages.process import process
from znought.facility.workspace import read_json
from znought.processors.weight_branches import WeightBranch
from znought.stats.workspace import build_workspace

BINS = {"SR": np.array([0.2, 0.4, 1.0]), "CR_top": np.array([0.0, 1.0])}
THEORY: dict[str, Any] = {
    "scale": {"branch": "LHEScaleWeight", "members": [0, 2], "combination": "scale", "processes": ["top"]},
    "alphas": {
        "branch": "LHEPdfWeight",
        "range": [1, 2],
        "combination": "pair",
        "spread": 2.0,
        "processes": ["top"],
    },
}
RATE = 1.5


def _top(folder: Path, *, skim: float = 1.0) -> None:
    """tt̄ with weights: one that doubles the rate of everything, one that follows the missing momentum."""
    columns: dict[str, Any] = events(N_EVENTS, seed=20)
    columns["genWeight"] = np.ones(N_EVENTS, np.float32)
    slope = np.where(np.arange(N_EVENTS) % 2 == 0, 1.2, 0.8)
    scale = np.column_stack([np.full(N_EVENTS, 2.0), np.ones(N_EVENTS), RATE * slope])
    pdf = np.column_stack([np.ones(N_EVENTS), slope, 2.0 - slope])
    columns["LHEScaleWeight"] = ak.from_regular(ak.Array(scale.astype(np.float32)))
    columns["LHEPdfWeight"] = ak.from_regular(ak.Array(pdf.astype(np.float32)))
    total = skim * N_EVENTS
    runs = {"genEventCount": int(total), "genEventSumw": total, "genEventSumw2": total}
    write_nanoaod(folder / "c.root", columns, runs=runs)


def _context(folder: Path, theory: dict[str, Any]) -> Context[Any]:
    card = small_card(folder, theory=theory, likelihood={"control_regions": ["top"]})
    return context_of(card, folder / "out")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Context[Any]:
    folder = tmp_path_factory.mktemp("theory")
    write_ntuples(folder)
    _top(folder)
    context = _context(folder, THEORY)
    process(context)
    _score(context)
    return context


def test_each_member_is_normalised_by_its_own_sum(scored: Context[Any]) -> None:
    found = read_json(scored.workspace.normalisation)
    theory = found["ttbar"]["theory"]
    assert theory["scale_0"] == pytest.approx(1 / 2, rel=1e-6)
    assert theory["scale_1"] == pytest.approx(1 / RATE, rel=1e-6)
    # Files without the weights may be a skim: nothing of theirs is normalised anew.
    assert "theory" not in found["vh"]
    assert "theory" not in found["data"]


def test_envelopes_change_shape_and_acceptance_and_no_rate(scored: Context[Any]) -> None:
    found = templates(scored.card, scored.workspace, BINS, with_data=False)
    for region in found.regions:
        signal, top = (region.nominal.sumw[i] for i in range(2))
        for name in ("scale", "alphas"):
            up, down = (region.variation(f"{name}_{way}").sumw for way in ("up", "down"))
            np.testing.assert_allclose(up[0], signal)
            # A member that multiplies all weights alike changes nothing; the other one moves by its slope.
            assert np.all(up[1] <= 1.2001 * top)
            assert np.all(down[1] >= 0.7999 * top)
            assert np.any(np.abs(up[1] - down[1]) > 1e-3 * top)
        # Half of the difference over two standard deviations.
        alphas = region.variation("alphas_up").sumw[1] - top
        slope = region.variation("scale_up").sumw[1] + region.variation("scale_down").sumw[1] - 2 * top
        np.testing.assert_allclose(2 * np.abs(alphas), np.abs(slope), rtol=1e-4)


def test_they_are_systematics_of_the_fit_and_count_as_acceptance(scored: Context[Any]) -> None:
    settings = fit_settings(scored.card, scored.workspace)
    assert settings.systematics["scale"].processes == ("top",)
    found = templates(scored.card, scored.workspace, BINS, with_data=False)
    spec: Any = build_workspace(found.regions, settings)
    acting = {
        (sample["name"], modifier["name"])
        for channel in spec["channels"]
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
    }
    assert {process for process, name in acting if name == "scale"} == {"top"}
    required = {"required_acceptance": {"all": ("scale",)}}
    likelihood = scored.card.likelihood.model_copy(update=required)
    card = scored.card.model_copy(update={"likelihood": likelihood})
    assert missing(card, settings) == ("Acceptance: VH has no uncertainty 'scale', which is required of it.",)


@pytest.mark.parametrize(
    ("changes", "skim", "message"),
    [
        ({"processes": []}, 1.0, "Unknown branch 'LHEScaleWeight'.*out of theory.scale.processes"),
        ({"members": [0, 7]}, 1.0, "an event has 3 weights in LHEScaleWeight, member 7 is asked for"),
        ({}, 3.0, "a skim, in which the sums of the weights scale"),
    ],
)
def test_what_cannot_be_normalised_stops(
    tmp_path: Path, changes: dict[str, Any], skim: float, message: str
) -> None:
    write_ntuples(tmp_path)
    _top(tmp_path, skim=skim)
    with pytest.raises(DataError, match=message):
        process(_context(tmp_path, {"scale": THEORY["scale"] | changes}))


def test_a_title_says_where_the_members_are() -> None:
    nine = [(r, f) for r in ("0.5", "1", "2") for f in ("0.5", "1", "2")]
    title = " ".join(f'[{i}] is muR="{r}" muF="{f}"' for i, (r, f) in enumerate(nine))
    assert WeightBranch("LHEScaleWeight", vary="scales").places(title) == (0, 1, 3, 5, 7, 8)
    showers = "[0] is ISR=0.5 FSR=1; [1] is ISR=1 FSR=0.5; [2] is ISR=2 FSR=1; [3] is ISR=1 FSR=2"
    assert WeightBranch("PSWeight", vary="isr").places(showers) == (2, 0)
    assert WeightBranch("PSWeight", vary="fsr", central=4).places(showers) == (3, 1, 4)
    with pytest.raises(DataError, match="0 weights with"):
        WeightBranch("PSWeight", vary="fsr").places("[0] is ISR=2 FSR=1; [1] is ISR=0.5 FSR=1")


def test_a_card_says_what_the_members_are(tmp_path: Path) -> None:
    write_ntuples(tmp_path)
    for entry, message in (
        ({"branch": "PSWeight"}, "one of members, range and vary"),
        ({"branch": "PSWeight", "range": [3, 1], "combination": "pair"}, "range must rise"),
        ({"branch": "PSWeight", "members": [0, 1]}, "combination is needed"),
        ({"branch": "PSWeight", "vary": "isr", "processes": ["topp"]}, "did you mean 'top'"),
    ):
        with pytest.raises(CardError, match=message):
            _context(tmp_path, {"isr": entry})


def test_members_give_the_same_in_slices(scored: Context[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    assert_the_same_in_slices(scored, BINS, monkeypatch)
