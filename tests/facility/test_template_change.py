"""A function of the analysis between templates and fit: ABCD, against a calculation by hand."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from numpy.typing import NDArray

from znought.errors import DataError
from znought.facility.cards.reading import load_with_analysis
from znought.facility.context import Context, RunOptions
from znought.facility.fitting.change import changed
from znought.facility.fitting.templates import templates
from znought.facility.pipeline import run_stages, standing, whole
from znought.facility.progress import Silent
from znought.facility.workspace import Workspace
from znought.stats.templates import RegionTemplates

REGIONS = {
    "A": {"x": [None, 0.0], "y": [None, 0.0]},
    "B": {"x": [0.0, None], "y": [None, 0.0]},
    "C": {"x": [None, 0.0], "y": [0.0, None]},
    "D": {"x": [0.0, None], "y": [0.0, None]},
}
BINS = {name: np.array([0.0, 1.0]) for name in REGIONS}


def frame() -> pd.DataFrame:
    """Signal and top of simulation, fakes whose simulation is wrong, and data with other fakes."""
    rng = np.random.default_rng(4)
    parts = []
    for process, n_events, mean, weight in (
        ("signal", 500, 1.0, 0.1),
        ("top", 1000, 0.3, 0.2),
        ("fakes", 400, 0.0, 3.0),
        ("data", 2000, -0.2, 1.0),
    ):
        columns: dict[str, Any] = {name: rng.normal(mean, 1.0, n_events) for name in ("x", "y")}
        parts.append(pd.DataFrame(columns | {"m": 0.5, "process": process, "expected": weight}))
    return pd.concat(parts, ignore_index=True)


def _fakes(region: RegionTemplates) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Observed less simulated events of other processes, and the variance; of fakes' own where blinded."""
    nominal = region.nominal
    if region.observed is None:
        return nominal.total(["fakes"])
    others, variance = nominal.total(["top"])
    return region.observed - others, region.observed + variance


def abcd(regions: Mapping[str, RegionTemplates]) -> dict[str, RegionTemplates]:
    """Fakes in D as B · C / A."""
    (a, var_a), (b, var_b), (c, var_c) = (_fakes(regions[name]) for name in "ABC")
    d = b * c / a
    variance = d**2 * (var_a / a**2 + var_b / b**2 + var_c / c**2)
    region = regions["D"]
    return {**regions, "D": replace(region, nominal=region.nominal.with_process("fakes", d, variance))}


def _context(folder: Path, change: Callable[..., Any] | None) -> Context[Any]:
    """A card of the table whose analysis has the function."""
    frame().to_parquet(folder / "events.parquet")
    content = {
        "title": "fakes",
        "lumi_ifb": 1.0,
        "table": {"files": ["events.parquet"], "label": "process", "weight": "expected"},
        "processes": {"signal": {}, "top": {}, "fakes": {}, "data": {"kind": "data"}},
        "signal": "signal",
        "signal_region": "D",
        "regions": REGIONS,
        "discriminants": {name: {"variable": "m", "edges": [0.0, 1.0]} for name in REGIONS},
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    card, found = load_with_analysis(folder / "card.yaml")
    analysis = replace(found.analysis, templates=change)
    return Context(
        card.of(analysis),
        Workspace(folder / "out"),
        RunOptions(),
        Silent(),
        lambda: None,  # type: ignore[arg-type, return-value]  # no cluster
        replace(found, analysis=analysis, digest=str(change)),
    )


def _by_hand(events: pd.DataFrame) -> float:
    """B · C / A of data less top."""

    def fakes(x: bool, y: bool) -> float:
        inside = ((events.x >= 0) == x) & ((events.y >= 0) == y)
        data, top = (inside & (events.process == name) for name in ("data", "top"))
        return float(data.sum() - 0.2 * top.sum())

    return fakes(True, False) * fakes(False, True) / fakes(False, False)


def test_fakes_of_abcd_are_those_by_hand(tmp_path: Path) -> None:
    context = _context(tmp_path, abcd)
    stages = {stage.name: stage for stage in whole(context)}
    run_stages(context, [stages["process"]])
    for with_data in (True, False):
        found = templates(context.card, context.workspace, BINS, with_data=with_data)
        regions = {region.name: region for region in found.regions}
        events = frame()
        if with_data:
            expected = _by_hand(events)
        else:
            n = [regions[name].nominal.total(["fakes"])[0][0] for name in "ABC"]
            expected = n[1] * n[2] / n[0]
        (value,), (variance,) = regions["D"].nominal.total(["fakes"])
        assert value == pytest.approx(expected, rel=1e-12)
        assert 0 < variance < value**2
        inside = (events.x >= 0) & (events.y >= 0) & (events.process == "top")
        assert regions["D"].nominal.total(["top"])[0][0] == pytest.approx(0.2 * inside.sum())


def test_the_fit_is_of_the_changed_templates_and_redone_with_them(tmp_path: Path) -> None:
    context = _context(tmp_path, abcd)
    stages = {stage.name: stage for stage in whole(context)}
    wanted = [stages[name] for name in ("process", "validate", "optimise", "fit")]
    run_stages(context, wanted)
    spec = json.loads((context.workspace.fit / "workspace.json").read_text())
    (channel,) = (one for one in spec["channels"] if one["name"] == "D")
    (sample,) = (one for one in channel["samples"] if one["name"] == "fakes")
    n = [_n_fakes(name) for name in "ABC"]
    assert sample["data"] == [pytest.approx(3.0 * n[1] * n[2] / n[0])]
    assert all(standing(context, wanted).values())
    other = _context(tmp_path, lambda regions: regions)
    assert [name for name, holds in standing(other, wanted).items() if not holds] == ["fit"]


def _n_fakes(region: str) -> int:
    events = frame()
    fakes = events[events.process == "fakes"]
    is_right, is_above = region in "BD", region in "CD"
    return int((((fakes.x >= 0) == is_right) & ((fakes.y >= 0) == is_above)).sum())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda regions: {"D": regions["D"]}, r"expected templates of the regions A, B, C, D; received D"),
        (lambda regions: None, "received NoneType"),
        (lambda regions: regions["E"], r"test_template_change\.py:\d+, templates: KeyError: 'E'"),
        (lambda regions: {**regions, "D": 1.0}, "expected templates of D, received float"),
        (
            lambda regions: {**regions, "D": replace(regions["D"], observed=np.ones(1))},
            "other observed counts",
        ),
        (
            lambda regions: {**regions, "D": replace(regions["D"], variations={"a": regions["D"].nominal})},
            "variations",
        ),
        (
            lambda regions: {
                **regions,
                "D": replace(regions["D"], nominal=regions["D"].nominal.with_process("fakes", np.nan, 0.0)),
            },
            "D, nominal: yields of fakes are not finite",
        ),
        (
            lambda regions: {**regions, "D": regions["D"].nominal.with_process("fake", 0.0, 0.0)},
            "did you mean 'fakes'",
        ),
    ],
)
def test_what_is_no_change_of_templates_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    context = _context(tmp_path, None)
    stages = {stage.name: stage for stage in whole(context)}
    run_stages(context, [stages["process"]])
    regions = templates(context.card, context.workspace, BINS, with_data=False).regions
    with pytest.raises(DataError, match=message):
        changed(regions, change)
