"""Data against simulation before training: told apart, blinded, and refused by name beyond limits."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.facility.small import context_of, small_card, write_ntuples
from tests.facility.test_process import CORRECTIONS, MUON
from znought.errors import CardError, DataError
from znought.facility.regions.validation import read_validation, summarised
from znought.facility.stages.process import process
from znought.facility.stages.validate import validate
from znought.facility.workspace import Workspace

LIMITS = {"min_p_value": 1e-4, "max_correlation_difference": 0.08, "action": "refuse"}
SECTIONS = {"selection": {"btag_mode": "veto"}, "variations": {"enabled": ["jes"], "jes_relative": 0.02}}


@pytest.fixture(scope="module")
def ntuples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ntuples")
    write_ntuples(folder)
    (folder / "sf").mkdir()
    (folder / "sf/muon.json").write_text(json.dumps(CORRECTIONS))
    return folder


def _card(folder: Path, **sections: Any) -> Path:
    """Top alone makes as many events as the data hold: 4000 generated."""
    path = small_card(folder, **(SECTIONS | sections))
    card = yaml.safe_load(path.read_text())
    for name, xsec in (("vh", 0.02), ("ttbar", 7.5)):
        card["datasets"][name] |= {"xsec_pb": xsec, "filter_efficiency": 1.0}
    path.write_text(yaml.safe_dump(card, sort_keys=False))
    return path


@pytest.fixture(scope="module")
def columns(ntuples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("processed")
    process(context_of(_card(ntuples, weights={"muon_id": MUON}), output))
    return output


@pytest.fixture
def output(columns: Path, tmp_path: Path) -> Path:
    """A copy whose columns may be changed."""
    for file in columns.rglob("*"):
        if file.is_file():
            target = tmp_path / "out" / file.relative_to(columns)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    return tmp_path / "out"


def _validate(ntuples: Path, output: Path, *, unblind: bool = False, **sections: Any) -> Any:
    card = _card(ntuples, weights={"muon_id": MUON}, **sections)
    validate(context_of(card, output, opened="signal" if unblind else None))
    return json.loads((output / "validation.json").read_text())


def _distort(output: Path, name: str, factor: float) -> None:
    """Data with one input scaled."""
    for file in (output / "columns/data/nominal").glob("*.parquet"):
        table = pq.read_table(file)
        column = table.column_names.index(name)
        scaled = table[name].to_numpy() * np.float32(factor)
        pq.write_table(table.set_column(column, name, pa.array(scaled)), file)


def test_the_same_physics_passes_and_is_summarised(ntuples: Path, output: Path) -> None:
    found = _validate(ntuples, output, validation=LIMITS)
    assert found["findings"] == []
    assert found["where"] == "after the preselection, outside the signal region"
    assert set(found["systematics"]) == {"jes", "muon_id", "luminosity"}
    assert len(found["inputs"]) == 17
    probabilities = [entry["p_value"] for entry in found["inputs"].values()]
    assert 0.05 < np.median(probabilities) < 0.95
    text = summarised(read_validation(Workspace(output)))  # type: ignore[arg-type]  # it was just written
    assert re.search(r"data/simulation [\d.]+ ± [\d.]+; least probable input \w+ \(p = ", text)
    assert "largest difference of correlations" in text


def test_a_distorted_input_is_refused_by_name_value_and_limit(ntuples: Path, output: Path) -> None:
    _distort(output, "pt_j0", 1.3)
    with pytest.raises(DataError) as error:
        _validate(ntuples, output, validation=LIMITS)
    line = str(error.value)
    assert re.search(r"pt_j0: the χ² has probability \S+ \(limit 0\.0001\)", line)
    assert "\n" not in line
    assert "m_ll:" not in line
    assert (output / "figures/data_mc_pt_j0.png").is_file()
    assert json.loads((output / "validation.json").read_text())["suspects"] == ["pt_j0"]
    # The same limits, told not to stop; and an input that the network is not given breaks none.
    report = _validate(ntuples, output, validation=LIMITS | {"action": "report"})
    assert report["suspects"] == ["pt_j0"]
    others = ["m_ll", "m_jj", "m_t"]
    assert _validate(ntuples, output, validation=LIMITS, features=others)["findings"] == []


def test_the_command_leaves_with_one_line_and_nothing_trained(ntuples: Path, output: Path) -> None:
    _distort(output, "pt_j0", 1.3)
    card = _card(ntuples, weights={"muon_id": MUON}, validation=LIMITS)
    command = [sys.executable, "-m", "znought.facility.cli", "validate", str(card), "--output", str(output)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Validation refuses the inputs after the preselection, outside the signal region" in done.stderr
    assert "pt_j0: the χ² has probability" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_lost_correlation_is_refused(ntuples: Path, output: Path) -> None:
    """Values of one input dealt out anew: every shape stays, the correlations go."""
    rng = np.random.default_rng(1)
    for file in (output / "columns/data/nominal").glob("*.parquet"):
        table = pq.read_table(file)
        values = rng.permutation(table["sum_m_lj"].to_numpy())
        column = table.column_names.index("sum_m_lj")
        pq.write_table(table.set_column(column, "sum_m_lj", pa.array(values)), file)
    with pytest.raises(DataError, match=r"sum_m_lj and \w+: correlation in simulation − data is \+0\."):
        _validate(ntuples, output, validation=LIMITS)
    found = read_validation(Workspace(output))
    assert found is not None
    assert "sum_m_lj" in found.correlations.largest[:2]


def test_a_wrong_yield_is_refused_only_when_asked(ntuples: Path, output: Path) -> None:
    ledger = json.loads((output / "ledger.json").read_text())
    (output / "ledger.json").write_text(json.dumps(ledger | {"data_lumi_ifb": 6.0}))
    assert _validate(ntuples, output, validation=LIMITS)["findings"] == []
    limits = {"max_yield_difference": 0.1, "n_sigma": 2.0, "action": "refuse"}
    with pytest.raises(DataError, match=r"data/simulation is 0\.\d+ ± 0\.\d+ \(limit 0\.1 from 1\)"):
        _validate(ntuples, output, validation=limits)


def test_the_signal_region_is_blinded_until_it_is_not(ntuples: Path, output: Path) -> None:
    blinded = _validate(ntuples, output)
    shown = _validate(ntuples, output, unblind=True)
    control = _validate(ntuples, output, validation={"region": "low_m_ll"})
    tables = [pq.read_table(file) for file in (output / "columns/data/nominal").glob("*.parquet")]
    m_jj, dy_jj, m_ll = (
        np.concatenate([table[name].to_numpy() for table in tables]) for name in ("m_jj", "dy_jj", "m_ll")
    )
    inside = (m_jj >= 70) & (m_jj < 100) & (dy_jj < 2.0)
    assert blinded["events"][0] == np.sum(~inside)
    assert shown["events"][0] == len(m_jj)
    assert control["events"][0] == np.sum(~inside & (m_ll < 80))
    assert "in low_m_ll, outside the signal region" in control["where"]
    for entry in blinded["inputs"].values():
        assert sum(entry["data"]) == blinded["events"][0]


def test_the_band_holds_weights_objects_and_luminosity(ntuples: Path, output: Path) -> None:
    entry = _validate(ntuples, output)["inputs"]["pt_l0"]
    total = np.sum([sumw for sumw, _ in entry["processes"].values()], axis=0)
    # The muon's factor moves every event by 20 %, and nothing else moves them so far.
    filled = total > 20
    assert np.asarray(entry["systematic"])[filled] / total[filled] == pytest.approx(0.2, abs=0.04)


def test_the_books_of_the_regions(ntuples: Path, output: Path) -> None:
    _validate(ntuples, output)
    books = json.loads((output / "regions.json").read_text())
    assert books["signal"]["cuts"] == ["preselection", "m_jj", "dy_jj"]
    top = books["signal"]["processes"]["top"]
    flow = json.loads((output / "cutflow.json").read_text())["processes"]["top"]
    assert top["raw"][0] == flow["raw"][-1]
    assert top["sumw"][0] == pytest.approx(flow["sumw"][-1])
    # What a cut keeps of its own n − 1 distribution is what all cuts together leave: no bin holds both sides.
    for one, limits in (("m_jj", [70.0, 100.0]), ("dy_jj", [None, 2.0])):
        drawn = books["signal"]["n_minus_one"][one]
        assert drawn["limits"] == limits
        low, high = (None if limit is None else drawn["edges"].index(limit) for limit in limits)
        assert sum(drawn["processes"]["top"][0][low:high]) == pytest.approx(top["sumw"][-1])
    with (output / "regions.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if (row["region"], row["process"]) == ("signal", "top")]
    assert [float(row["count"]) for row in rows] == top["raw"]
    assert [float(row["sumw2"]) for row in rows] == top["sumw2"]
    assert (output / "regions.tex").read_text().count(r"\begin{tabular}") == 2
    assert "data" not in books["signal"]["processes"]


def test_a_gate_that_cannot_work_is_refused(ntuples: Path, tmp_path: Path) -> None:
    with pytest.raises(
        CardError, match=r"validation\.region: Unknown region 'low_mll', did you mean 'low_m_ll'"
    ):
        context_of(_card(ntuples, validation={"region": "low_mll"}), tmp_path)
    with pytest.raises(CardError, match="needs a limit"):
        context_of(_card(ntuples, validation={"action": "refuse"}), tmp_path)
    path = _card(ntuples, validation=LIMITS)
    card = yaml.safe_load(path.read_text())
    del card["datasets"]["data"], card["processes"]["data"]
    path.write_text(yaml.safe_dump(card, sort_keys=False))
    with pytest.raises(CardError, match="refuse needs data to compare with"):
        context_of(path, tmp_path)
