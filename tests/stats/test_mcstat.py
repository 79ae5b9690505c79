"""MC statistics by effective events: which bins are Gaussian, and what the exports make of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.stats.regions import config, regions
from tests.stats.test_hs3 import pyhs3_log_density
from znought.errors import DataError
from znought.stats.formats.card_writer import write_datacard
from znought.stats.hs3 import hs3_document, write_hs3
from znought.stats.inference import fit_workspace, loaded_model
from znought.stats.mcstat import effective_events, mc_modifiers
from znought.stats.templates import RegionTemplates
from znought.stats.workspace import Spec, build_workspace
from znought.stats.yields import Yields

pytestmark = pytest.mark.filterwarnings(
    # pyhf validates with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)


def few() -> Yields:
    """Three bins, the last with 4 effective background events: 3 of top, 1 of WW."""
    sumw = np.array([[4.0, 9.0, 14.0], [300.0, 90.0, 6.0], [200.0, 60.0, 2.0]])
    events = np.array([[400.0, 400.0, 400.0], [900.0, 300.0, 3.0], [700.0, 300.0, 1.0]])
    return Yields(("VH", "top", "WW"), np.linspace(0, 1, 4), sumw, sumw**2 / events, events.astype(np.int64))


def spec(threshold: float = 10.0) -> Spec:
    control_region = regions()[1]
    return build_workspace(
        [RegionTemplates("SR", few()), RegionTemplates("CR_top", control_region.nominal)],
        replace(config(), systematics={}, mc_stat_threshold=threshold),
    )


def test_effective_events_scale_out_of_the_weights() -> None:
    assert effective_events(few().sumw[1], few().sumw2[1]) == pytest.approx([900, 300, 3])
    assert effective_events(np.zeros(1), np.zeros(1)).tolist() == [0.0]


def test_bins_with_few_events_have_a_poisson_factor_per_process() -> None:
    found = mc_modifiers(few(), "SR", ("VH",), 10.0)
    common = {process: modifiers[0]["data"] for process, modifiers in found.items()}
    own: Any = {process: modifiers[1] for process, modifiers in found.items()}
    assert common["top"] == pytest.approx([10, 90 / np.sqrt(300), 0])
    assert own["top"]["type"] == "shapesys"
    assert own["top"]["data"] == pytest.approx([0, 0, 6 / np.sqrt(3)])
    assert own["VH"]["data"] == pytest.approx([0, 0, 14 / 20])
    assert all(len(modifiers) == 1 for modifiers in mc_modifiers(few(), "SR", ("VH",), 0.0).values())


def test_poisson_factor_is_constrained_by_its_effective_events() -> None:
    with loaded_model(spec(), "expected", 1.0) as (model, _):
        group = model.config.param_set("mcstat_SR_top")
        assert group.pdf_type == "poisson"
        assert group.factors == pytest.approx((1.0, 1.0, 3.0))
        assert list(group.suggested_fixed) == [True, True, False]


def test_both_kinds_agree_where_the_sample_is_large() -> None:
    large = replace(config(), mc_stat_threshold=1e9)
    gaussian, poisson = (
        fit_workspace(build_workspace(regions(), c)) for c in (replace(large, mc_stat_threshold=0.0), large)
    )
    assert poisson.z0 == pytest.approx(gaussian.z0, rel=5e-3)
    few_gaussian, few_poisson = fit_workspace(spec(0.0)), fit_workspace(spec())
    assert few_poisson.z0 is not None
    assert few_gaussian.z0 is not None
    assert few_poisson.z0 != pytest.approx(few_gaussian.z0, rel=5e-3)


def test_the_card_has_the_threshold_that_makes_combine_choose_the_same(tmp_path: Path) -> None:
    write_datacard(tmp_path / "card.txt", spec())
    lines = [line.split() for line in (tmp_path / "card.txt").read_text().splitlines()]
    # (8 expected)² / (6²/3 + 2²/1) = 4.
    assert ["SR", "autoMCStats", "4"] in lines
    assert ["CR_top", "autoMCStats", "0"] in lines


def test_pyhs3_reads_the_same_likelihood(tmp_path: Path) -> None:
    write_hs3(tmp_path / "hs3.json", spec())
    read = pyhs3_log_density(tmp_path / "hs3.json")
    rng = np.random.default_rng(1)
    with loaded_model(spec(), "observed", 1.0) as (model, data):
        start, held = np.array(model.config.suggested_init()), np.array(model.config.suggested_fixed())
        differences = []
        for _ in range(6):
            point = start + rng.normal(0, np.where(start == 0, 1.0, 0.05)) * ~held
            values = dict(zip(model.config.par_names, point.tolist(), strict=True))
            differences.append(read(values) - float(model.logpdf(point, data)[0]))
    assert differences == pytest.approx([0.0] * 6, abs=1e-7)
    points = hs3_document(spec())["parameter_points"][0]["parameters"]
    constant = {entry["name"] for entry in points if entry.get("const")}
    assert constant == {"mcstat_SR[2]", *(f"mcstat_SR_{p}[{i}]" for p in ("VH", "top", "WW") for i in (0, 1))}


def test_a_region_named_like_a_process_of_another_is_refused() -> None:
    clash = [RegionTemplates("SR", few()), RegionTemplates("SR_top", regions()[1].nominal)]
    with pytest.raises(
        DataError, match="factors mcstat_SR_top of MC statistics would serve channel SR, sample top"
    ):
        build_workspace(clash, replace(config(), systematics={}))
