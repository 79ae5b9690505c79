"""What is written is read back by the programs that it is written for."""

import json
import subprocess
import sys
from pathlib import Path

import cabinetry
import hist
import numpy as np
import pytest
import uhi.io.json
import uproot
import yaml

from tests.stats.regions import PROCESSES, config, regions
from znought.errors import DataError
from znought.stats.exchange import write_root, write_uhi, write_workspace
from znought.stats.formats.card_writer import write_datacard
from znought.stats.tables import latex_yields, write_hepdata
from znought.stats.workspace import Spec, build_workspace

pytestmark = pytest.mark.filterwarnings(
    # pyhf and hepdata-validator validate with a class that jsonschema has since deprecated.
    "ignore:jsonschema.RefResolver:DeprecationWarning"
)


@pytest.fixture(scope="module")
def spec() -> Spec:
    return build_workspace(regions(), config())


def test_pyhf_command_line_reads_the_workspace(spec: Spec, tmp_path: Path) -> None:
    path = tmp_path / "workspace.json"
    write_workspace(path, spec)
    command = [sys.executable, "-c", "from pyhf.cli import cli; cli()", "inspect", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "SR" in shown
    assert "norm_top" in shown
    assert list(tmp_path.iterdir()) == [path]


def test_cabinetry_reads_and_fits_the_workspace(spec: Spec, tmp_path: Path) -> None:
    path = tmp_path / "workspace.json"
    write_workspace(path, spec)
    model, data = cabinetry.model_utils.model_and_data(cabinetry.workspace.load(path))
    prediction = cabinetry.model_utils.prediction(model)
    signal_region = np.array(prediction.model_yields[model.config.channels.index("SR")])
    assert signal_region.sum() == pytest.approx(715.0)
    assert len(data) > 4


def test_root_histograms_keep_values_and_variances(tmp_path: Path) -> None:
    write_root(tmp_path / "templates.root", regions())
    with uproot.open(tmp_path / "templates.root") as file:
        read = file["SR/top_jes_up"]
        assert read.values().tolist() == [318, 97, 22]
        assert read.variances() == pytest.approx(regions()[0].variations["jes_up"].sumw2[1])
        assert read.axis().edges() == pytest.approx(regions()[0].nominal.edges)


def test_uhi_json_round_trips(tmp_path: Path) -> None:
    write_uhi(tmp_path / "templates.json", regions())
    text = (tmp_path / "templates.json").read_text()
    cube = hist.Hist(json.loads(text, object_hook=uhi.io.json.object_hook)["SR"])
    assert cube.values()[:, 0, :] == pytest.approx(regions()[0].nominal.sumw)
    variances = cube.variances()
    assert variances is not None
    assert variances[:, 0, :] == pytest.approx(regions()[0].nominal.sumw2)


def test_text_card_has_every_word_and_its_shapes_exist(spec: Spec, tmp_path: Path) -> None:
    write_datacard(tmp_path / "card.txt", spec)
    rows = [line.split() for line in (tmp_path / "card.txt").read_text().splitlines()]
    rates = next(row for row in rows if row[0] == "rate")
    processes = [row for row in rows if row[0] == "process"]
    assert processes[0][1:] == [*PROCESSES, *PROCESSES]
    assert processes[1][1:4] == ["0", "1", "2"]
    assert [float(rate) for rate in rates[1:4]] == [27, 410, 278]
    assert ["norm_top", "rateParam", "SR", "top", "1", "[0,10]"] in rows
    luminosity = next(row for row in rows if row[0] == "luminosity")
    assert luminosity[1] == "lnN"
    assert luminosity[3] == "-"
    jes = next(row for row in rows if row[0] == "jes")
    assert jes[1].startswith("shape")
    with uproot.open(tmp_path / "card_shapes.root") as file:
        assert file["SR/top_jesUp"].values() == pytest.approx([318, 97, 22])
        assert file["SR/top_jesDown"].values() == pytest.approx([283, 84, 18])
        assert file["SR/data_obs"].values() == pytest.approx([504, 159, 52])


def test_text_card_keeps_a_shape_that_has_no_norm_and_templates_without_error(tmp_path: Path) -> None:
    shape = {"name": "jes", "type": "histosys", "data": {"hi_data": [12.0, 30.0], "lo_data": [9.0, 25.0]}}
    signal = {
        "name": "VH",
        "data": [1.0, 2.0],
        "modifiers": [{"name": "mu", "type": "normfactor", "data": None}],
    }
    background = {"name": "top", "data": [10.0, 28.0], "modifiers": [shape]}
    spec: Spec = {
        "channels": [{"name": "SR", "samples": [signal, background]}],
        "observations": [{"name": "SR", "data": [11.0, 30.0]}],
        "measurements": [{"name": "znought", "config": {"poi": "mu", "parameters": []}}],
        "version": "1.0.0",
    }
    write_datacard(tmp_path / "card.txt", spec)
    with uproot.open(tmp_path / "card_shapes.root") as file:
        assert file["SR/top_jesUp"].values().tolist() == [12, 30]
        assert file["SR/top_jesDown"].values().tolist() == [9, 25]
        assert file["SR/top"].variances().tolist() == [0, 0]


def test_hepdata_submission_is_valid(tmp_path: Path) -> None:
    write_hepdata(tmp_path, {"Yields SR": ("Signal region", regions()[0].nominal)}, discriminant="VH score")
    # They come with the "hepdata" extra.
    submissions = pytest.importorskip("hepdata_validator.submission_file_validator")
    files = pytest.importorskip("hepdata_validator.data_file_validator")
    submission = submissions.SubmissionFileValidator(schema_version="1.1.0")
    assert submission.validate(file_path=str(tmp_path / "submission.yaml")), submission.get_messages()
    data = files.DataFileValidator(schema_version="1.1.0")
    assert data.validate(file_path=str(tmp_path / "yields_sr.yaml")), data.get_messages()
    table = yaml.safe_load((tmp_path / "yields_sr.yaml").read_text())
    assert [entry["value"] for entry in table["dependent_variables"][1]["values"]] == [300, 90, 20]


def test_latex_table_sums_the_background() -> None:
    text = latex_yields(regions()[0].nominal, bin_names=["low", "middle", "high_s"], signal=["VH"])
    assert r"Total background & $500 \pm 11$" in text
    assert r"high\_s" in text
    assert text.index("Total") < text.index("VH")
    assert text.count(r"\\") == 5


def test_bad_input_is_one_clear_line(spec: Spec, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a pyhf workspace"):
        write_workspace(tmp_path / "bad.json", {"channels": []})
    lumi = {"name": "lumi", "type": "lumi", "data": None}
    mu = {"name": "mu", "type": "normfactor", "data": None}
    sample = {"name": "VH", "data": [1.0], "modifiers": [mu, lumi]}
    observed = [{"name": "SR", "data": [1.0]}]
    odd: Spec = {**spec, "channels": [{"name": "SR", "samples": [sample]}], "observations": observed}
    with pytest.raises(DataError, match="no word for 'lumi' on sample 'VH'"):
        write_datacard(tmp_path / "card.txt", odd)
    assert not list(tmp_path.iterdir())
