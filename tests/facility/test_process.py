"""The process stage writes its books: what was lost, what was cut, and with which scale factors."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from tests.facility.small import N_EVENTS, context_of, small_card, write_ntuples
from tests.processors.fixtures import events, write_nanoaod
from znought.errors import CardError, DataError
from znought.facility.ntuples.account import remarks
from znought.facility.results.ledger import read_ledger
from znought.facility.stages.process import inputs, process


@pytest.fixture(scope="module")
def ntuples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ntuples")
    write_ntuples(folder)
    return folder


def _json(path: Path) -> Any:
    return json.loads(path.read_text())


def _truncated(ntuples: Path, folder: Path) -> Path:
    """A copy of the files in which the second one of data ends in the middle."""
    shutil.copytree(ntuples, folder, dirs_exist_ok=True)
    content = (folder / "e.root").read_bytes()
    (folder / "e.root").write_bytes(content[: len(content) // 2])
    return folder


def _with_data(folder: Path, **data: Any) -> Path:
    card = yaml.safe_load(small_card(folder, processing={"allow_skip": True}).read_text())
    card["datasets"]["data"] |= data
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    return folder / "card.yaml"


def test_a_truncated_data_file_shrinks_the_luminosity(ntuples: Path, tmp_path: Path) -> None:
    folder = _truncated(ntuples, tmp_path / "in")
    context = context_of(_with_data(folder, n_events=2 * N_EVENTS), tmp_path / "out")
    process(context)
    ledger = _json(tmp_path / "out/ledger.json")
    assert ledger["data_lumi_ifb"] == pytest.approx(1.0)
    entry = ledger["datasets"]["data"]
    assert (entry["events"], entry["events_lost"], entry["lost_fraction"]) == (N_EVENTS, N_EVENTS, 0.5)
    assert entry["files_lost"][0]["path"].endswith("e.root")
    assert "its luminosity is 1 of 2 fb⁻¹" in " ".join(remarks(read_ledger(tmp_path / "out/ledger.json")))
    # What is read of it is the whole other file, nothing of this one.
    flow = _json(tmp_path / "out/cutflow.json")["processes"]
    assert flow["data"]["raw"][0] == N_EVENTS
    assert flow["VH"]["raw"][0] == 2 * N_EVENTS


def test_without_a_declared_total_the_run_stops(ntuples: Path, tmp_path: Path) -> None:
    folder = _truncated(ntuples, tmp_path / "in")
    with pytest.raises(DataError, match=r"e\.root does not open.*give n_events"):
        process(context_of(_with_data(folder), tmp_path / "out"))


def test_the_cutflow_is_written_in_three_formats(ntuples: Path, tmp_path: Path) -> None:
    written = process(context_of(small_card(ntuples), tmp_path))
    flow = _json(tmp_path / "cutflow.json")
    signal = flow["processes"]["VH"]
    with (tmp_path / "cutflow.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["process"] == "VH"]
    assert [row["cut"] for row in rows] == flow["cuts"]
    for key, column in (("raw", "count"), ("sumw", "sumw"), ("sumw2", "sumw2"), ("efficiency", "efficiency")):
        assert [float(row[column]) for row in rows] == signal[key]
    assert signal["efficiency"][-1] == pytest.approx(np.prod(signal["relative_efficiency"]))
    assert r"two\_jets" in (tmp_path / "cutflow.tex").read_text()
    assert "vh,all,4000," in (tmp_path / "cutflow_datasets.csv").read_text()
    names = {path.name for path in written}
    assert {"cutflow.json", "cutflow.csv", "cutflow_datasets.csv", "cutflow.tex", "ledger.json"} <= names


# A correction by the pT of the muon, in bins that anyone can check by eye.
CORRECTIONS = {
    "schema_version": 2,
    "corrections": [
        {
            "name": "muon_id",
            "version": 1,
            "inputs": [{"name": "way", "type": "string"}, {"name": "pt", "type": "real"}],
            "output": {"name": "weight", "type": "real"},
            "data": {
                "nodetype": "category",
                "input": "way",
                "content": [
                    {
                        "key": key,
                        "value": {
                            "nodetype": "binning",
                            "input": "pt",
                            "edges": [0.0, 30.0, 1e4],
                            "content": [0.9 * scale, 1.1 * scale],
                            "flow": "clamp",
                        },
                    }
                    for key, scale in (("nominal", 1.0), ("up", 1.2), ("down", 0.8))
                ],
            },
        }
    ],
}
MUON = {
    "file": "sf/muon.json",
    "correction": "muon_id",
    "applies_to": "muon",
    "systematic_input": "way",
    "systematics": {"nominal": "nominal", "up": "up", "down": "down"},
}


def test_scale_factors_stand_beside_the_card_and_in_the_fingerprint(ntuples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    shutil.copytree(ntuples, folder)
    (folder / "sf").mkdir()
    file = folder / "sf/muon.json"
    file.write_text(json.dumps(CORRECTIONS))
    context = context_of(small_card(folder, weights={"muon_id": MUON}), tmp_path / "out")
    assert context.card.varied == ("muon_id",)
    before = inputs(context)
    process(context)
    (found,) = (tmp_path / "out/columns/ttbar/nominal").glob("*.parquet")
    table = pq.read_table(found)
    for way, ratio in (("up", 1.2), ("down", 0.8)):
        varied = table[f"gen_weight_muon_id_{way}"].to_numpy() / table["gen_weight"].to_numpy()
        assert varied == pytest.approx(ratio)
    (data, _) = sorted((tmp_path / "out/columns/data/nominal").glob("*.parquet"))
    assert set(pq.read_table(data)["gen_weight"].to_pylist()) == {1.0}
    assert "gen_weight_muon_id_up" not in pq.read_table(data).column_names
    file.write_text(json.dumps(CORRECTIONS).replace("1.1", "1.3"))
    assert inputs(context) != before
    file.unlink()
    with pytest.raises(CardError, match=r"weights\.muon_id: no such file .*/in/sf/muon\.json"):
        inputs(context)


def test_a_wrong_scale_factor_stops_before_any_event_is_read(ntuples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_nanoaod(folder / "a.root", events(10, seed=1))
    (folder / "muon.json").write_text(json.dumps(CORRECTIONS))
    wrong = MUON | {"file": "muon.json", "correction": "muon_iso"}
    # The other files do not even exist.
    context = context_of(small_card(folder, weights={"muon_id": wrong}), tmp_path / "out")
    with pytest.raises(CardError, match=r"weights\.muon_id: Unknown correction 'muon_iso'"):
        process(context)
    with pytest.raises(CardError, match=r"weights\.jes: this name is that of a variation"):
        context_of(small_card(folder, weights={"jes": wrong}), tmp_path / "out")


def test_the_same_events_in_another_file_are_refused_by_name(ntuples: Path, tmp_path: Path) -> None:
    """Another file by its identity and size, but 500 of its events are those of `ttbar`."""
    folder = tmp_path / "in"
    shutil.copytree(ntuples, folder)
    columns = events(N_EVENTS, seed=10)
    write_nanoaod(folder / "f.root", {name: values[:500] for name, values in columns.items()})
    card = yaml.safe_load(small_card(folder).read_text())
    card["datasets"]["ttbar_ht"] = card["datasets"]["ttbar"] | {
        "files": [str(folder / "f.root")],
        "xsec_pb": 0.5,
    }
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(
        DataError, match=r"datasets\.ttbar_ht holds \d+ selected events that are in datasets\.ttbar"
    ):
        process(context_of(folder / "card.yaml", tmp_path / "out"))
    card["datasets"]["ttbar"]["files"].append(str(folder / "f.root"))
    del card["datasets"]["ttbar_ht"]
    (folder / "card.yaml").write_text(yaml.safe_dump(card))
    with pytest.raises(DataError, match=r"datasets\.ttbar holds \d+ selected events twice"):
        process(context_of(folder / "card.yaml", tmp_path / "out"))


RANGES: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"sample": "one"}, {"sample": "another"}, True),
    ({"generator_range": {"ht": [0, 70]}}, {"generator_range": {"ht": [70, None]}}, True),
    ({"generator_range": {"ht": [0, 70]}}, {"generator_range": {"ht": [60, None]}}, False),
    ({"generator_range": {"ht": [0, 70]}}, {}, False),
    ({"generator_range": {"ht": [0, 70]}}, {"sample": "apart"}, True),
    ({"generator_range": {"ht": [0, 70], "m_ll": [50, None]}}, {"generator_range": {"m_ll": [10, 50]}}, True),
    ({"generator_range": {"ht": [0, 70]}}, {"generator_range": {"m_ll": [10, 50]}}, False),
]


@pytest.mark.parametrize(("one", "two", "fine"), RANGES)
def test_overlapping_ranges_of_one_sample_are_refused_by_the_card(
    tmp_path: Path, one: dict[str, Any], two: dict[str, Any], fine: bool
) -> None:
    card = yaml.safe_load(small_card(tmp_path).read_text())
    ttbar = card["datasets"].pop("ttbar")
    card["datasets"] |= {"ttbar_low": ttbar | one, "ttbar_high": ttbar | two}
    (tmp_path / "card.yaml").write_text(yaml.safe_dump(card, sort_keys=False))
    if fine:
        context_of(tmp_path / "card.yaml", tmp_path)
        return
    with pytest.raises(CardError, match=r"datasets\.ttbar_high: overlaps with datasets\.ttbar_low .*'top'"):
        context_of(tmp_path / "card.yaml", tmp_path)
