"""One name, one parameter; what is left out is said; exports say where their data come from."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
import pytest
import uproot

from tests.stats.regions import PROCESSES, config, regions, yields
from znought.errors import CardError, DataError
from znought.stats.exchange import write_workspace
from znought.stats.fit import pyhf_session
from znought.stats.formats.card_writer import write_datacard
from znought.stats.hs3 import hs3_document
from znought.stats.inference import fit_workspace
from znought.stats.significance import asimov_z0, quadrature_sum
from znought.stats.systematics import SystematicConfig
from znought.stats.templates import RegionTemplates
from znought.stats.workspace import (
    BinModelling,
    NormConfig,
    Spec,
    WorkspaceConfig,
    asimov_channels,
    build_workspace,
    prepared_workspace,
)
from znought.stats.yields import Yields

pytestmark = pytest.mark.filterwarnings(
    # pyhf validates with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)


@pytest.mark.parametrize("name", ["luminosity", "mu", "norm_top", "mcstat_SR", "shower"])
def test_a_name_is_given_once(name: str) -> None:
    with pytest.raises(CardError, match=repr(name)):
        replace(config(), norms={name: NormConfig(("WW",), 0.5)})
    with pytest.raises(CardError, match="no space"):
        WorkspaceConfig(("VH",), systematics={"jet scale": SystematicConfig()})


def doubled() -> Spec:
    """A second, smaller effect of the same kind and name, which pyhf would let replace the first."""
    spec = json.loads(json.dumps(build_workspace(regions(), config())))
    second = {"name": "luminosity", "type": "normsys", "data": {"lo": 0.5, "hi": 1.5}}
    spec["channels"][0]["samples"][0]["modifiers"].append(second)
    return dict(spec)


def test_doubled_modifiers_are_refused_everywhere(tmp_path: Path) -> None:
    uses: list[Callable[[Spec], object]] = [
        fit_workspace,
        hs3_document,
        lambda spec: write_datacard(tmp_path / "card.txt", spec),
        lambda spec: write_workspace(tmp_path / "workspace.json", spec),
    ]
    for use in uses:
        with pytest.raises(DataError, match=r"modifier luminosity \(normsys\) stands twice in sample 'VH'"):
            use(doubled())
    assert not list(tmp_path.iterdir())
    with pytest.raises(DataError, match="region SR stands twice"):
        build_workspace([regions()[0], regions()[0]], config())


@pytest.mark.parametrize("relative", [-1.0, 0.0, 25.0, float("nan")])
def test_norms_are_relative(relative: float) -> None:
    with pytest.raises(CardError, match="relative of a norm must lie above 0"):
        NormConfig(("WW",), relative)
    with pytest.raises(CardError, match="luminosity_rel"):
        WorkspaceConfig(("VH",), luminosity_rel=relative if relative else 1.7)


def emptied() -> tuple[RegionTemplates, RegionTemplates]:
    signal_region, control_region = regions()
    gone = yields([[4.2, 9.3, 14.5], [318, 97, 22], [0, 0, 0]])
    return replace(signal_region, variations=signal_region.variations | {"jes_down": gone}), control_region


def test_a_variation_that_empties_a_process_is_pruned_by_name() -> None:
    prepared = prepared_workspace(emptied(), config())
    (pruned,) = prepared.pruned
    assert (pruned.region, pruned.process, pruned.systematic) == ("SR", "WW", "jes")
    assert pruned.text.startswith("jes is left out for WW in SR: a variation changes the yield")
    assert fit_workspace(prepared.spec).z0 is not None


def test_a_process_without_yield_is_left_out_with_its_parameter() -> None:
    signal_region = regions()[0]
    empty = [replace(r, nominal=replace(r.nominal, sumw=r.nominal.sumw * [[1], [0], [1]])) for r in regions()]
    prepared = prepared_workspace(empty, config())
    assert prepared.remarks == ("top has no positive yield in any region.",)
    names = {parameter.name for parameter in fit_workspace(prepared.spec).parameters}
    assert "norm_top" not in names
    no_signal = [
        replace(r, nominal=replace(r.nominal, sumw=r.nominal.sumw * [[0], [1], [1]])) for r in regions()
    ]
    with pytest.raises(DataError, match="no signal: VH has no positive yield in any region"):
        build_workspace(no_signal, config())
    with pytest.raises(DataError, match="not finite"):
        build_workspace(
            [replace(signal_region, nominal=yields([[4, 9, np.nan], [1, 1, 1], [1, 1, 1]]))], config()
        )
    with pytest.raises(DataError, match="at least one region"):
        build_workspace([], config())


def test_the_exported_bound_lets_other_programs_find_the_minimum() -> None:
    sumw = np.array([[0.5], [50.0], [0.0]])
    excess = RegionTemplates(
        "SR",
        Yields(PROCESSES, np.array([0.0, 1.0]), sumw, 1e-6 * sumw, np.full((3, 1), 100)),
        observed=np.array([80.0]),
    )
    spec = build_workspace([excess], WorkspaceConfig(("VH",), luminosity_rel=0.0))
    with pyhf_session():
        workspace = pyhf.Workspace(spec)
        model = workspace.model()
        theirs = pyhf.infer.mle.fit(workspace.data(model), model)
        found = float(theirs[model.config.poi_index])
    assert found == pytest.approx(60.0, rel=1e-2)
    measurement: Any = build_workspace(regions(), config())["measurements"]
    assert measurement[0]["config"]["parameters"][0]["bounds"] == [[0.0, 20.0]]


def test_exports_say_that_their_data_are_asimov(tmp_path: Path) -> None:
    signal_region, control_region = regions()
    blinded = build_workspace([signal_region, replace(control_region, observed=np.array([2150.0]))], config())
    assert asimov_channels(blinded) == ("SR",)
    write_workspace(tmp_path / "workspace.json", blinded)
    read: dict[str, Any] = json.loads((tmp_path / "workspace.json").read_text())
    assert read["measurements"][0]["name"] == "znought, Asimov data in SR"
    assert asimov_channels(read) == ("SR",)
    assert "Asimov data" in hs3_document(blinded)["metadata"]["description"]
    write_datacard(tmp_path / "card.txt", blinded)
    comments = [line for line in (tmp_path / "card.txt").read_text().splitlines() if line.startswith("#")]
    assert comments == ["# data_obs in SR: Asimov, the expectation at mu = 1, no recorded data"]
    with uproot.open(tmp_path / "card_shapes.root") as file:
        assert file["SR/data_obs"].title.startswith("Asimov")
        assert file["CR_top/data_obs"].title == "observed data"


def test_observed_data_are_not_called_asimov() -> None:
    observed = [replace(r, observed=r.nominal.sumw.sum(axis=0).round()) for r in regions()]
    spec = build_workspace(observed, config())
    assert asimov_channels(spec) == ()
    assert hs3_document(spec)["metadata"]["description"] == "Observed data."


def test_modelling_of_each_bin_gives_the_quadrature_sum() -> None:
    sumw = np.array([[5.0, 4.0], [80.0, 20.0], [20.0, 5.0]])
    region = RegionTemplates(
        "SR", Yields(PROCESSES, np.array([0.0, 1.0, 2.0]), sumw, 0 * sumw, np.full((3, 2), 100))
    )
    settings = WorkspaceConfig(
        ("VH",),
        luminosity_rel=0.0,
        mc_stat=False,
        bin_modelling={"model": BinModelling(tuple(p for p in PROCESSES if p != "VH"), 0.1)},
    )
    spec = build_workspace([region], settings)
    found = fit_workspace(spec)
    assert {p.name for p in found.parameters} == {"mu", "model_SR_0", "model_SR_1"}
    expected = quadrature_sum(asimov_z0([5.0, 4.0], [100.0, 25.0], [10.0, 2.5]))
    assert found.z0 == pytest.approx(expected, rel=1e-4)
    elsewhere = replace(settings, bin_modelling={"model": BinModelling(("top",), 0.1, ("CR",))})
    with pytest.raises(CardError, match="model: Unknown region 'CR'"):
        build_workspace([region], elsewhere)
    with pytest.raises(CardError, match="above 0 and below 1"):
        BinModelling(("top",), 1.5)
    with pytest.raises(CardError, match="is in bin_modelling and elsewhere"):
        replace(settings, norms={"model": NormConfig(("top",), 0.1)})
