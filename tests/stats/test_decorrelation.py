"""Names of parameters, extrapolation from a control region, and what every process must have."""

from typing import Any

import numpy as np
import pytest

from tests.stats.regions import regions, yields
from znought.errors import CardError, DataError
from znought.stats.decorrelation import ParameterNames, extrapolated, parameter_names
from znought.stats.requirements import missing_uncertainties, required_of
from znought.stats.systematics import Pruning, SystematicConfig
from znought.stats.templates import RegionTemplates
from znought.stats.workspace import NormConfig, WorkspaceConfig, build_workspace


def test_one_parameter_for_all_unless_asked_for() -> None:
    common = parameter_names("jes", SystematicConfig(), process="top", region="SR")
    assert common == ParameterNames("jes", "jes")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (SystematicConfig(decorrelate=("process",)), ("ps_top", "ps_top")),
        (SystematicConfig(decorrelate=("era", "region")), ("ps_SR_2018", "ps_SR_2018")),
        (SystematicConfig(separate=True), ("ps_norm", "ps_shape")),
        (SystematicConfig(part="norm"), ("ps", None)),
        (SystematicConfig(part="shape"), (None, "ps")),
        (SystematicConfig(processes=("WW",)), (None, None)),
        (SystematicConfig(regions=("CR",)), (None, None)),
    ],
)
def test_parameters_apart(config: SystematicConfig, expected: tuple[str | None, str | None]) -> None:
    names = parameter_names("ps", config, process="top", region="SR", era="2018")
    assert (names.norm, names.shape) == expected


def test_apart_by_era_needs_eras() -> None:
    with pytest.raises(CardError, match="names no era"):
        parameter_names("ps", SystematicConfig(decorrelate=("era",)), process="top", region="SR")


def test_extrapolation_leaves_the_control_region_its_rate() -> None:
    config = SystematicConfig(kind="two_point", processes=("top",), extrapolate_from="CR_top")
    signal, control = extrapolated(regions(), "shower", config)
    before = regions()[0]
    assert control.variation("shower").sumw[1].sum() == pytest.approx(2000)
    factor = 2060 / 2000
    assert signal.variation("shower").sumw[1] == pytest.approx(np.array([310, 88, 17]) / factor)
    assert np.array_equal(signal.variation("shower").sumw[2], before.variation("shower").sumw[2])
    assert np.array_equal(signal.variation("jes_up").sumw, before.variation("jes_up").sumw)
    untouched = extrapolated(regions(), "shower", SystematicConfig(kind="two_point"))
    assert np.array_equal(untouched[0].variation("shower").sumw, before.variation("shower").sumw)


def test_extrapolation_from_nowhere_is_refused() -> None:
    config = SystematicConfig(kind="two_point", extrapolate_from="CR_to")
    with pytest.raises(CardError, match="did you mean 'CR_top'"):
        extrapolated(regions(), "shower", config)
    nothing = RegionTemplates(
        "CR_top", yields([[1.0], [0.0], [100]]), {"shower": yields([[1.0], [0.0], [100]])}
    )
    with pytest.raises(DataError, match="top has a yield of 0"):
        extrapolated(
            (regions()[0], nothing), "shower", SystematicConfig("two_point", extrapolate_from="CR_top")
        )


def test_a_missing_uncertainty_is_named() -> None:
    required = required_of({"all": ["scale", "pdf"], "top": ["shower", "scale"]}, ["top", "WW"])
    assert required == {"top": ("scale", "pdf", "shower"), "WW": ("scale", "pdf")}
    missing = missing_uncertainties(
        required, {"top": ["scale", "shower", "pdf"], "WW": ["scale_factor", "pdf"]}
    )
    assert [one.text for one in missing] == ["WW has no uncertainty 'scale', which is required of it."]
    with pytest.raises(CardError, match="did you mean 'top'"):
        required_of({"topp": ["scale"]}, ["top"])


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(CardError, match="two_point"):
        SystematicConfig(weight="w_ps")
    with pytest.raises(CardError, match="both"):
        SystematicConfig("two_point", weight="w_ps", datasets={"a": "b"})
    with pytest.raises(CardError, match="Unknown axis of decorrelation 'proces'"):
        SystematicConfig(decorrelate=("proces",))  # type: ignore[arg-type]
    with pytest.raises(CardError, match="smoothing"):
        SystematicConfig(smoothing="353qh")  # type: ignore[arg-type]


def _modifiers(config: WorkspaceConfig) -> dict[tuple[str, str], list[str]]:
    """Names of the modifiers of each sample that a systematic of `shower` or a norm gives."""
    spec: Any = build_workspace(regions(), config)
    return {
        (channel["name"], sample["name"]): [
            modifier["name"]
            for modifier in sample["modifiers"]
            if modifier["name"].startswith(("shower", "extrapolation"))
        ]
        for channel in spec["channels"]
        for sample in channel["samples"]
    }


def test_the_likelihood_has_the_parameters_apart() -> None:
    shower = SystematicConfig(kind="two_point", decorrelate=("process",), separate=True)
    found = _modifiers(WorkspaceConfig(("VH",), systematics={"shower": shower}, pruning=Pruning(0.0, 0.0)))
    assert found["SR", "top"] == ["shower_norm_top", "shower_shape_top"]
    assert found["CR_top", "WW"] == ["shower_norm_WW", "shower_shape_WW"]
    only = SystematicConfig(kind="two_point", processes=("top",), part="shape")
    found = _modifiers(WorkspaceConfig(("VH",), systematics={"shower": only}))
    assert found["SR", "top"] == ["shower"]
    assert found["SR", "WW"] == []


def test_a_rate_measured_in_the_control_region_is_extrapolated() -> None:
    shower = SystematicConfig(kind="two_point", processes=("top",), extrapolate_from="CR_top", part="norm")
    norms = {"extrapolation": NormConfig(("top",), 0.05, ("SR",))}
    spec: Any = build_workspace(
        regions(), WorkspaceConfig(("VH",), norms=norms, systematics={"shower": shower})
    )
    top = {
        channel["name"]: {
            modifier["name"]: modifier["data"]
            for sample in channel["samples"]
            if sample["name"] == "top"
            for modifier in sample["modifiers"]
        }
        for channel in spec["channels"]
    }
    assert "shower" not in top["CR_top"]
    assert "extrapolation" not in top["CR_top"]
    assert top["SR"]["shower"]["hi"] == pytest.approx((415 / 410) / (2060 / 2000))
    assert top["SR"]["extrapolation"]["hi"] == pytest.approx(1.05)
    with pytest.raises(CardError, match="shower: Unknown region 'SR2', did you mean 'SR'"):
        build_workspace(
            regions(),
            WorkspaceConfig(("VH",), systematics={"shower": SystematicConfig("two_point", regions=("SR2",))}),
        )


@pytest.mark.parametrize(("side", "hi"), [("up", 415 / 410), ("down", 2 - 415 / 410)])
def test_a_one_sided_systematic_is_mirrored(side: str, hi: float) -> None:
    tables = [
        RegionTemplates(region.name, region.nominal, {f"jer_{side}": region.variation("shower")})
        for region in regions()
    ]
    config = SystematicConfig("one_sided", side=side)  # type: ignore[arg-type]
    spec: Any = build_workspace(tables, WorkspaceConfig(("VH",), systematics={"jer": config}))
    norm = [m for m in spec["channels"][0]["samples"][1]["modifiers"] if m["type"] == "normsys"]
    factors = {m["name"]: m["data"] for m in norm}
    assert factors["jer"]["hi"] == pytest.approx(hi)
    assert factors["jer"]["lo"] == pytest.approx(2 - hi)
