"""Templates that someone brings: histograms of three formats, and the description beside them."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import hist
import numpy as np
import pytest
import uhi.io.json
import uproot
import yaml

from znought.errors import CardError, DataError
from znought.stats.formats.histograms import open_histograms
from znought.stats.formats.likelihood import Factor, Likelihood, McStat, Rate, Shape
from znought.stats.formats.pyhf_json import to_spec
from znought.stats.formats.reading import holds_likelihood, read_likelihood
from znought.stats.inference import fit_workspace
from znought.stats.spec import asimov_channels

DESCRIPTION: dict[str, Any] = {
    "templates": "templates.root",
    "signal": ["sig"],
    "backgrounds": ["bkg"],
    "regions": {"SR": {"edges": [0, 20, 40]}},
    "floating": ["bkg"],
    "norms": {"lumi": {"up": 1.02, "processes": ["sig"]}},
    "systematics": {
        "jes": {"up": "_jesUp", "down": "_jesDown"},
        "shower": {"up": "_shower", "processes": ["bkg"]},
    },
}
TEMPLATES = {
    "SR/data": [22.0, 12.0, 6.0, 9.0],
    "SR/sig": [0.5, 1.5, 3.0, 5.0],
    "SR/sig_jesUp": [0.5, 1.5, 3.0, 6.0],
    "SR/sig_jesDown": [0.5, 1.5, 3.0, 4.0],
    "SR/bkg": [20.0, 10.0, 4.0, 2.0],
    "SR/bkg_jesUp": [20.0, 10.0, 4.0, 2.0],
    "SR/bkg_jesDown": [20.0, 10.0, 4.0, 2.0],
    "SR/bkg_shower": [24.0, 12.0, 1.0, 1.4],
}


def _filled(values: list[float]) -> Any:
    histogram = hist.Hist(hist.axis.Regular(len(values), 0, 40), storage=hist.storage.Weight())
    histogram.values()[:] = values
    histogram.variances()[:] = np.abs(values) / 10
    return histogram


def _brought(folder: Path, change: Any = None, templates: dict[str, list[float]] | None = None) -> Path:
    """Templates and their description, written to a folder."""
    with uproot.recreate(folder / "templates.root") as file:
        for name, values in (templates or TEMPLATES).items():
            file[name] = _filled(values)
    description = deepcopy(DESCRIPTION)
    if change is not None:
        change(description)
    (folder / "fit.yaml").write_text(yaml.safe_dump(description))
    return folder / "fit.yaml"


def _read(folder: Path, change: Any = None, templates: dict[str, list[float]] | None = None) -> Likelihood:
    return read_likelihood(_brought(folder, change, templates))


def test_root_uhi_and_plain_json_hold_the_same_histogram(tmp_path: Path) -> None:
    filled = _filled([1.0, 2.5, 4.0])
    filled[hist.overflow] = (7.0, 1.0)
    with uproot.recreate(tmp_path / "x.root") as file:
        file["a/b"] = filled
    (tmp_path / "uhi.json").write_text(json.dumps({"a/b": filled}, default=uhi.io.json.default))
    edges = np.linspace(0, 40, 4).tolist()
    plain = {"edges": edges, "contents": [0, 1.0, 2.5, 4.0, 7.0], "variances": [0.1, 0.25, 0.4]}
    (tmp_path / "plain.json").write_text(json.dumps({"a/b": plain}))
    for name in ("x.root", "uhi.json", "plain.json"):
        found = open_histograms(tmp_path / name)["a/b"]
        assert found.values.tolist() == [1.0, 2.5, 4.0]
        assert found.edges == pytest.approx(edges)
        assert found.variances == pytest.approx([0.1, 0.25, 0.4])


def test_a_description_makes_a_likelihood(tmp_path: Path) -> None:
    likelihood = _read(tmp_path, lambda d: d.update(data="data"))
    (channel,) = likelihood.channels
    signal, background = channel.samples
    assert channel.observed.tolist() == [34, 15]
    assert channel.edges == pytest.approx([0, 20, 40])
    assert channel.mc_stat == McStat("mcstat_SR", 10.0)
    assert background.errors == pytest.approx([np.sqrt(3.0), np.sqrt(0.6)])
    assert signal.effects[:3] == (Factor("mu"), Rate("lumi", 1 / 1.02, 1.02), Rate("jes", 0.9, 1.1))
    assert background.effects[0] == Factor("norm_bkg")
    shape = signal.effects[3]
    assert isinstance(shape, Shape)
    assert shape.up == pytest.approx([2 / 1.1, 9 / 1.1])
    assert asimov_channels(to_spec(likelihood)) == ()


def test_a_one_sided_variation_is_mirrored_in_yield_and_shape(tmp_path: Path) -> None:
    background = _read(tmp_path).channels[0].samples[1]
    rate, shape = background.effects[-2:]
    assert isinstance(rate, Rate)
    assert isinstance(shape, Shape)
    factor = 38.4 / 36
    assert (rate.down, rate.up) == pytest.approx((2 - factor, factor))
    assert shape.up == pytest.approx([36 / factor, 2.4 / factor])
    assert shape.down == pytest.approx([60 - 36 / factor, 12 - 2.4 / factor])


def test_without_data_the_expectation_stands_for_them_and_is_called_so(tmp_path: Path) -> None:
    likelihood = _read(tmp_path)
    assert likelihood.channels[0].observed == pytest.approx([32, 14])
    spec = to_spec(likelihood)
    assert asimov_channels(spec) == ("SR",)
    assert fit_workspace(spec, data="observed").mu == pytest.approx(1.0, abs=1e-3)


def test_negative_bins_and_empty_processes_are_said(tmp_path: Path) -> None:
    templates = TEMPLATES | {"SR/bkg": [20.0, 10.0, 8.0, -9.0], "SR/none": [0.0, 0.0, 0.0, 0.0]}
    likelihood = _read(tmp_path, lambda d: d.update(backgrounds=["bkg", "none"]), templates)
    assert likelihood.remarks == (
        "Negative bins count as empty: bkg in SR.",
        "none has no positive yield in SR and is left out there.",
    )
    assert likelihood.channels[0].samples[1].nominal == pytest.approx([29, 0])


def test_what_holds_a_likelihood_is_seen_by_suffix_and_key(tmp_path: Path) -> None:
    path = _brought(tmp_path)
    assert holds_likelihood(path)
    assert holds_likelihood(Path("card.txt"))
    (tmp_path / "analysis.yaml").write_text("analysis: vh_ww\ntemplates: 1\n")
    assert not holds_likelihood(tmp_path / "analysis.yaml")
    assert not holds_likelihood(tmp_path / "nothing.yaml")
    with pytest.raises(CardError, match="--mass is for text cards"):
        read_likelihood(path, mass=125)
    with pytest.raises(CardError, match="a likelihood comes as"):
        read_likelihood(tmp_path / "templates.root")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("signal"), "signal: this key is missing"),
        (lambda d: d.update(sigal=["x"]), "Unknown key 'sigal', did you mean 'signal'"),
        (lambda d: d["systematics"]["jes"].update(uo="x"), "Unknown key 'systematics.jes.uo', did you mean"),
        (
            lambda d: d["systematics"]["jes"].update(processes=["bgk"]),
            "systematics.jes: Unknown process 'bgk'",
        ),
        (lambda d: d["norms"]["lumi"].update(regions=["CR"]), "norms.lumi: Unknown region 'CR'"),
        (lambda d: d["norms"]["lumi"].update(up="much"), "norms.lumi.up: .* Received: 'much'"),
        (lambda d: d["norms"].update(jes={"up": 1.1}), "norms.jes: another parameter has this name"),
        (lambda d: d.update(floating=["sig"]), "floating: Unknown background 'sig'"),
        (lambda d: d.update(backgrounds=["sig"]), "'sig' is both in signal and in backgrounds"),
        (lambda d: d.update(pattern="{region}"), "pattern must hold {process}"),
        (lambda d: d.update(regions={}), "regions must name at least one"),
    ],
)
def test_a_mistake_in_the_description_is_one_line(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(CardError, match=message) as caught:
        _read(tmp_path, change)
    assert "\n" not in str(caught.value)
    assert "fit.yaml" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(templates="temp.root"), "no file of histograms at"),
        (lambda d: d.update(templates="fit.yaml"), "histograms come as .root or .json"),
        (
            lambda d: d.update(backgrounds=["bgk"], floating=[], systematics={}),
            "Unknown histogram 'SR/bgk', did",
        ),
        (lambda d: d["regions"]["SR"].update(edges=[0, 15, 40]), "15 is no edge of histogram 'SR/sig'"),
        (lambda d: d["regions"]["SR"].update(edges=[20, 0]), "edges must increase"),
        (lambda d: d["norms"]["lumi"].update(down=-1.0), "'lumi' scales a yield by -1/1.02"),
    ],
)
def test_templates_that_do_not_fit_stop(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        _read(tmp_path, change)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("SR/sig", [1.0, np.nan, 1.0, 1.0], "'SR/sig' holds a value that is not a finite number"),
        ("SR/sig_jesDown", [0.0, 0.0, 0.0, 0.0], "sig_jesDown in SR leaves a yield of 0"),
        ("SR/bkg_shower", [90.0, 30.0, 4.0, 2.0], "bkg in SR: 'shower' scales a yield by -1.5/3.5"),
        ("SR/data", [22.0, 12.0, 6.0], "is no edge of histogram 'SR/data'"),
    ],
)
def test_a_damaged_template_stops(tmp_path: Path, name: str, values: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _read(tmp_path, lambda d: d.update(data="data"), TEMPLATES | {name: values})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[1]", "must map names to histograms"),
        ('{"a": {"contents": [1]}}', "has no 'edges'"),
        ('{"a": {"edges": [0, 1], "contents": [1, 2]}}', "has 2 bins and 2 edges"),
        ('{"a": {"uhi_schema": 1}}', "is no UHI histogram"),
    ],
)
def test_a_file_that_holds_no_histogram_says_why(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match=message):
        open_histograms(tmp_path / "x.json")["a"]
    (tmp_path / "x.root").write_text(content)
    with pytest.raises(DataError, match="is no readable ROOT file"):
        open_histograms(tmp_path / "x.root")
    (tmp_path / "plain.json").write_text('{"SR/sig": {"edges": [0, 1], "contents": [1]}}')
    with pytest.raises(DataError, match="holds no variances; give them, or set mc_stat: false"):
        _read(
            tmp_path,
            lambda d: d.update(
                templates="plain.json", regions={"SR": None}, backgrounds=[], floating=[], systematics={}
            ),
        )
