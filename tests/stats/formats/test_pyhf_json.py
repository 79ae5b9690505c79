"""pyhf workspaces in and out: the same likelihood, whatever it is made of."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.stats.formats.third_party import random_points, twice_nll
from tests.stats.regions import config, regions
from znought.errors import DataError
from znought.stats.formats.likelihood import Factor, McStat, Setting, Sideband
from znought.stats.formats.pyhf_json import from_spec, read_workspace, to_spec
from znought.stats.spec import Spec
from znought.stats.workspace import build_workspace

Json = dict[str, Any]


def workspace(background: list[Json] | None = None, signal: list[Json] | None = None) -> Spec:
    """Two bins of signal and background."""
    mu = {"name": "mu", "type": "normfactor", "data": None}
    samples = [
        {"name": "signal", "data": [2.0, 6.0], "modifiers": [mu, *(signal or [])]},
        {"name": "background", "data": [50.0, 9.0], "modifiers": background or []},
    ]
    parameters: list[Json] = [{"name": "mu", "bounds": [[0.0, 20.0]], "inits": [1.0]}]
    if any(modifier["type"] == "lumi" for modifier in background or []):
        lumi = {"auxdata": [1.0], "sigmas": [0.02], "bounds": [[0.5, 1.5]], "inits": [1.0]}
        parameters.append({"name": "lumi", **lumi})
    return {
        "channels": [{"name": "SR", "samples": samples}],
        "observations": [{"name": "SR", "data": [55.0, 13.0]}],
        "measurements": [{"name": "test", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


MODIFIERS: list[Json] = [
    {"name": "scale", "type": "normsys", "data": {"lo": 0.9, "hi": 1.2}},
    {"name": "scale", "type": "histosys", "data": {"lo_data": [48.0, 9.5], "hi_data": [51.0, 8.0]}},
    {"name": "lumi", "type": "lumi", "data": None},
    {"name": "free", "type": "shapefactor", "data": None},
    {"name": "counted", "type": "shapesys", "data": [5.0, 2.0]},
    {"name": "mcstat", "type": "staterror", "data": [3.0, 1.0]},
    {"name": "k", "type": "normfactor", "data": None},
]


def test_every_modifier_comes_back_as_it_was() -> None:
    spec = workspace(MODIFIERS)
    likelihood = from_spec(spec)
    points = random_points(likelihood)
    expected = twice_nll(spec, points)
    assert np.ptp(expected) > 1
    assert twice_nll(to_spec(likelihood), points) == pytest.approx(expected, abs=1e-12)


def test_the_workspaces_of_this_package_come_back(tmp_path: Path) -> None:
    spec = build_workspace(regions(), config())
    (tmp_path / "workspace.json").write_text(json.dumps(spec))
    likelihood = read_workspace(tmp_path / "workspace.json")
    assert likelihood.setting("norm_top") == Setting("norm_top", (1.0,), ((0.0, 10.0),))
    points = random_points(likelihood)
    assert twice_nll(to_spec(likelihood), points) == pytest.approx(twice_nll(spec, points), abs=1e-12)


def test_bins_of_few_effective_events_are_read_as_a_threshold() -> None:
    statistics: list[Json] = [
        {"name": "mcstat_SR", "type": "staterror", "data": [3.0, 0.0]},
        {"name": "mcstat_SR_background", "type": "shapesys", "data": [0.0, 3.0]},
    ]
    signal: list[Json] = [
        {"name": "mcstat_SR", "type": "staterror", "data": [0.1, 0.0]},
        {"name": "mcstat_SR_signal", "type": "shapesys", "data": [0.0, 0.2]},
    ]
    spec = workspace(statistics, signal)
    likelihood = from_spec(spec)
    # (9/3)² = 9 effective events in the second bin.
    assert likelihood.channels[0].mc_stat == McStat("mcstat_SR", 9.0)
    assert not any(
        effect.name.startswith("mcstat") for s in likelihood.channels[0].samples for effect in s.effects
    )
    points = random_points(likelihood)
    assert twice_nll(to_spec(likelihood), points) == pytest.approx(twice_nll(spec, points), abs=1e-12)
    # One bin apart from what its effective events say: no threshold, but the same likelihood.
    statistics[0]["data"], statistics[1]["data"] = [0.0, 3.0], [3.0, 0.0]
    signal[0]["data"], signal[1]["data"] = [0.0, 0.2], [0.1, 0.0]
    spec = workspace(statistics, signal)
    likelihood = from_spec(spec)
    assert likelihood.channels[0].mc_stat == McStat("mcstat_SR", 0.0)
    points = random_points(likelihood)
    assert twice_nll(to_spec(likelihood), points) == pytest.approx(twice_nll(spec, points), abs=1e-12)


def test_a_bin_without_background_is_read_as_a_threshold() -> None:
    own = {"name": "mcstat_SR_signal", "type": "shapesys", "data": [0.0, 0.2]}
    signal = [{"name": "mcstat_SR", "type": "staterror", "data": [0.1, 0.0]}, own]
    spec: Json = workspace([{"name": "mcstat_SR", "type": "staterror", "data": [3.0, 0.0]}], signal)
    spec["channels"][0]["samples"][1]["data"] = [50.0, 0.0]
    likelihood = from_spec(spec)
    assert likelihood.channels[0].mc_stat == McStat("mcstat_SR", 0.5)
    points = random_points(likelihood, 3)
    assert twice_nll(to_spec(likelihood), points) == pytest.approx(twice_nll(spec, points), abs=1e-12)


def test_a_sideband_is_a_channel_of_one_count() -> None:
    likelihood = from_spec(workspace([{"name": "k", "type": "normfactor", "data": None}]))
    with_band = likelihood.__class__(likelihood.channels, sidebands=(Sideband("k", 4),))
    spec = to_spec(with_band)
    point = {"mu": np.array([1.0]), "k": np.array([1.5])}
    apart = to_spec(likelihood)
    expected = float(twice_nll(apart, [point])[0]) - 2 * (4 * np.log(6.0) - 6.0 - np.log(24.0))
    assert twice_nll(spec, [point]) == pytest.approx([expected])
    assert Factor("k") in from_spec(spec).channels[1].samples[0].effects


def test_one_of_several_measurements_is_named() -> None:
    spec: Json = workspace()
    other = deepcopy(spec["measurements"][0]) | {"name": "other"}
    spec["measurements"].append(other)
    assert from_spec(spec).remarks == ("Measurement 'test' is taken, not other.",)
    assert from_spec(spec, measurement="other").title == "other"
    with pytest.raises(DataError, match="Unknown measurement 'othr', did you mean 'other'"):
        from_spec(spec, measurement="othr")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda spec: spec.pop("channels"), "no pyhf workspace"),
        (lambda spec: spec["observations"][0].update(name="CR"), "no observation of channel 'SR'"),
        (lambda spec: spec["measurements"][0]["config"].update(poi=""), "no parameter of interest"),
        (
            lambda spec: spec["measurements"][0]["config"].update(poi="nu"),
            "Unknown parameter of interest 'nu'",
        ),
        (lambda spec: spec["observations"][0].update(data=[1.0]), "must have 1 bins"),
        (lambda spec: spec["channels"][0]["samples"][1].update(data=[50.0, -9.0]), "no sample predicts any"),
    ],
)
def test_what_is_no_workspace_is_refused_in_one_line(change: Any, message: str, tmp_path: Path) -> None:
    spec = workspace()
    change(spec)
    (tmp_path / "workspace.json").write_text(json.dumps(spec))
    with pytest.raises(DataError, match=message) as caught:
        read_workspace(tmp_path / "workspace.json")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    (tmp_path / "workspace.json").write_text("{")
    with pytest.raises(DataError, match="is not JSON"):
        read_workspace(tmp_path / "workspace.json")
    with pytest.raises(DataError, match="cannot read"):
        read_workspace(tmp_path / "nothing.json")
