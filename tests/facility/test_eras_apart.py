"""A systematic that is apart by era has a parameter for each, which moves the datasets of that era alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.facility.small import card_content, context_of, small_card, write_ntuples
from tests.facility.test_likelihood import _score
from znought.errors import CardError
from znought.facility.cards.era import Era
from znought.facility.context import Context
from znought.facility.fitting.templates import fit_settings, systematics_of, templates
from znought.facility.referee.eras import other_correlations
from znought.facility.stages.process import process
from znought.stats.inference import fit_workspace
from znought.stats.referee.likelihood import correlations
from znought.stats.workspace import build_workspace

BINS = {"SR": np.array([0.2, 0.4, 1.0]), "CR_top": np.array([0.0, 1.0])}
ERAS = {"vh": "2017", "ttbar": "2018"}


def _context(folder: Path, *, decorrelate: list[str], eras: dict[str, str]) -> Context[Any]:
    datasets = card_content(folder)["datasets"]
    for name, era in eras.items():
        datasets[name]["era"] = era
    likelihood = {
        "control_regions": ["top"],
        "workspace": {"systematics": {"jes": {"decorrelate": decorrelate, "smoothing": "none"}}},
    }
    sections = {"likelihood": likelihood, "variations": {"enabled": ["jes"]}}
    sections["selection"] = {"btag_mode": "veto"}
    return context_of(small_card(folder, datasets=datasets, **sections), folder / "out")


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Context[Any]:
    folder = tmp_path_factory.mktemp("eras")
    write_ntuples(folder)
    context = _context(folder, decorrelate=["era"], eras=ERAS)
    process(context)
    _score(context)
    return context


def test_each_era_has_a_parameter_that_moves_its_datasets_alone(scored: Context[Any]) -> None:
    settings = fit_settings(scored.card, scored.workspace)
    assert list(settings.systematics) == ["jes_2017", "jes_2018"]
    apart = templates(scored.card, scored.workspace, BINS, with_data=False)
    together = scored.card.likelihood.workspace.systematics["jes"]
    together = type(together)(smoothing="none")
    workspace = type(settings)(systematics={"jes": together})
    likelihood = scored.card.likelihood.model_copy(update={"workspace": workspace})
    card = scored.card.model_copy(update={"likelihood": likelihood})
    common = templates(card, scored.workspace, BINS, with_data=False)
    for one, both in zip(apart.regions, common.regions, strict=True):
        for way in ("up", "down"):
            # VH is of 2017, top of 2018.
            varied = both.variation(f"jes_{way}").sumw
            first, second = (one.variation(f"jes_{era}_{way}").sumw for era in ("2017", "2018"))
            np.testing.assert_allclose(first[0], varied[0])
            np.testing.assert_allclose(first[1], one.nominal.sumw[1])
            np.testing.assert_allclose(second[0], one.nominal.sumw[0])
            np.testing.assert_allclose(second[1], varied[1])
    names = {p.name for p in fit_workspace(build_workspace(apart.regions, settings)).parameters}
    assert {"jes_2017", "jes_2018"} & names
    assert "jes" not in names


def test_the_fit_is_compared_with_other_correlations(scored: Context[Any]) -> None:
    """The card has jes apart by era: the alternative is together, and nothing else."""

    def spec(card: Any) -> Any:
        treated = templates(card, scored.workspace, BINS, with_data=False)
        return build_workspace(treated.regions, fit_settings(card, scored.workspace))

    others = other_correlations(scored.card)
    assert list(others) == ["all eras together"]
    (together,) = others.values()
    assert list(fit_settings(together, scored.workspace).systematics) == ["jes"]
    back = other_correlations(together)
    assert list(back) == ["each era apart"]
    assert spec(back["each era apart"]) == spec(scored.card)
    check = correlations(spec(scored.card), {"together": spec(together)}, data="expected")
    card, other = (fit_workspace(spec(one)) for one in (scored.card, together))
    error = 0.5 * (card.mu_high - card.mu_low)
    moved = max(abs(other.mu_low - card.mu_low), abs(other.mu_high - card.mu_high)) / error
    assert check.value == pytest.approx(moved)
    assert moved > 0.0
    assert check.verdict == ("warn" if moved > 0.3 else "pass")
    assert check.parts["together"][0] == pytest.approx(other.mu)


def test_one_era_has_nothing_to_correlate(scored: Context[Any]) -> None:
    one = {name: entry.model_copy(update={"era": "2017"}) for name, entry in scored.card.datasets.items()}
    assert other_correlations(scored.card.model_copy(update={"datasets": one})) == {}
    check = correlations({}, {}, data="expected")
    assert (check.verdict, check.name) == ("not applicable", "correlation across eras")


def test_a_dataset_without_an_era_is_named(tmp_path: Path) -> None:
    write_ntuples(tmp_path)
    context = _context(tmp_path, decorrelate=["era", "process"], eras={"vh": "2017"})
    with pytest.raises(CardError, match=r"datasets\.ttbar: jes is apart by era, but the dataset names none"):
        systematics_of(context.card, context.workspace)


def test_luminosities_of_eras_are_parameters_with_their_correlations(scored: Context[Any]) -> None:
    eras = {
        "2017": Era(lumi_uncertainties={"lumi_correlated": 0.009, "lumi_2017": 0.02}),
        "2018": Era(lumi_uncertainties={"lumi_correlated": 0.02, "lumi_2018": 0.001}),
    }
    card = scored.card.model_copy(update={"eras": eras})
    treated = templates(card, scored.workspace, BINS, with_data=False)
    # VH is of 2017, top of 2018.
    effects = {"lumi_correlated": (0.009, 0.02), "lumi_2017": (0.02, 0.0), "lumi_2018": (0.0, 0.001)}
    for region in treated.regions:
        for name, shifts in effects.items():
            for way, sign in (("up", 1.0), ("down", -1.0)):
                factor = 1.0 + sign * np.array(shifts)[:, None]
                np.testing.assert_allclose(
                    region.variation(f"{name}_{way}").sumw, region.nominal.sumw * factor, rtol=1e-12
                )
    settings = fit_settings(card, scored.workspace)
    assert settings.luminosity_rel == 0.0
    spec: dict[str, Any] = dict(build_workspace(treated.regions, settings))
    signal = {
        (modifier["name"], sample["name"]): (modifier["data"]["lo"], modifier["data"]["hi"])
        for channel in spec["channels"]
        if channel["name"] == "SR"
        for sample in channel["samples"]
        for modifier in sample["modifiers"]
        if modifier["name"].startswith("lumi")
    }
    # However small: 0.1 % is kept, and no parameter stands where its era has no events.
    assert signal == {
        ("lumi_correlated", "VH"): pytest.approx((0.991, 1.009)),
        ("lumi_correlated", "top"): pytest.approx((0.98, 1.02)),
        ("lumi_2017", "VH"): pytest.approx((0.98, 1.02)),
        ("lumi_2018", "top"): pytest.approx((0.999, 1.001)),
    }
