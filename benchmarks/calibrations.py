"""CPU time and memory per event of official calibrations: jets with 11 sources, weights, and leptons.

    ZNOUGHT_OPEN_DATA=FOLDER python -m benchmarks.calibrations --events 20000

writes one file of NanoAOD-like events (four jets, two leptons) and processes it as one chunk by an analysis
of plain functions, each time with more of 2018's corrections; those of leptons are files of the tests, in the
layouts of 2022. Memory is the peak of what Python and numpy hold.
"""

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import yaml

from tests.facility.official import WEIGHTS, columns_of, official_card
from tests.processors.fixtures import write_nanoaod
from tests.processors.lepton_files import lepton_columns, write_electron_energies, write_muon_momenta
from tests.processors.test_missing_momentum import met_columns
from znought.facility.cards.base import Card
from znought.facility.cards.reading import load_with_analysis
from znought.processors.dialects.view import Entries
from znought.processors.processor import AnalysisProcessor
from znought.processors.source import kept_tree

JETS = {
    "file": "2018_UL/jet_jerc.json.gz",
    "simulation": "Summer19UL18_V5_MC",
    "resolution": "Summer19UL18_JRV2_MC",
}
SOURCES = (
    "FlavorQCD",
    "RelativeBal",
    "HF",
    "BBEC1",
    "EC2",
    "Absolute",
    "Absolute_2018",
    "HF_2018",
    "EC2_2018",
    "RelativeSample_2018",
    "BBEC1_2018",
)


LEPTONS = ("electron_scale", "electron_resolution", "muon_scale", "muon_resolution")
MET = 'Variable("met", lambda o: o.events.MET.pt, bins=(10, 0, 200)), '


def _events(n_events: int) -> dict[str, Any]:
    """The hundred events of the tests, repeated, each with an identity of its own."""
    columns = lepton_columns({**met_columns("2018"), **columns_of("2018")})
    times = -(-n_events // len(columns["event"]))
    many = {
        name: ak.concatenate([values] * times) if isinstance(values, ak.Array) else np.tile(values, times)
        for name, values in columns.items()
    }
    many["event"] = np.arange(len(many["event"]), dtype=np.uint64)
    return many


def _card(folder: Path, changed: dict[str, Any]) -> Card:
    path = official_card(folder)
    source = folder / "tagged.py"
    source.write_text(source.read_text().replace("variables=[", "variables=[" + MET))
    content = yaml.safe_load(path.read_text())
    content["eras"] = {"2018": content["eras"]["2018"] | changed.get("era", {})}
    content["datasets"] = {"tt_2018": content["datasets"]["tt_2018"]}
    content["weights"] = changed.get("weights", {})
    content["variations"] = changed.get("variations", {})
    path.write_text(yaml.safe_dump(content))
    card, _ = load_with_analysis(path)
    assert isinstance(card, Card)
    return card


def _lepton_files(folder: Path) -> dict[str, Any]:
    electrons = write_electron_energies(folder / "electrons.json", "2022 by energy")
    return {"electrons": electrons, "muons": write_muon_momenta(folder / "muons.json")}


def _work(folder: Path, card: Card, path: Path) -> Callable[[], Any]:
    """Processing of the whole file as one chunk."""
    _, found = load_with_analysis(folder / "card.yaml")
    processor = AnalysisProcessor(found.analysis.for_workers, card.request)
    tree = kept_tree(str(path), "Events")
    of_file = {"dataset": "tt_2018", "filename": str(path), "treename": "Events", "fileuuid": tree.uuid}
    metadata = card.metadata("tt_2018") | of_file
    return lambda: processor.process(Entries(tree, 0, tree.n_entries, metadata))


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--profile", action="store_true", help="say where the time of the last row goes")
    options = parser.parse_args()
    os.environ["ZNOUGHT_CORRECTIONS"] = str(Path(os.environ["ZNOUGHT_OPEN_DATA"]) / "pog")
    weights = {name: one | {"eras": ["2018"]} for name, one in WEIGHTS.items() if name != "btag"}
    weights["btag"] = {"kind": "btag_shape", "tagger": "deepJet"}
    weights["muon_iso"] |= {"name": "NUM_TightRelIso_DEN_TightIDandIPCut"}
    measured: dict[str, Any] = {
        "jets": "measured",
        "enabled": ["jer", "met_soft", *(f"jes_Regrouped_{one}" for one in SOURCES)],
    }
    jets, type1 = {"jets": JETS}, {"jets": JETS | {"raw_met": "RawMET"}}
    steps: dict[str, dict[str, Any]] = {
        "as the file has them": {},
        "jets calibrated and smeared, MET with them": {"era": jets},
        "MET of type 1": {"era": type1},
        "and eight weights, 34 variations": {"era": type1, "weights": weights},
        "and 11 sources, resolution, unclustered": {"era": type1, "weights": weights, "variations": measured},
    }
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        steps["and electrons and muons, four uncertainties"] = {
            "era": type1 | _lepton_files(folder),
            "weights": weights,
            "variations": measured | {"leptons": "measured", "enabled": [*measured["enabled"], *LEPTONS]},
        }
        path = folder / "2018.root"
        write_nanoaod(path, _events(options.events))
        for name, changed in steps.items():
            card = _card(folder, changed)
            work = _work(folder, card, path)
            work()  # opens files of corrections
            begin = time.process_time()
            work()
            seconds = time.process_time() - begin
            tracemalloc.start()
            work()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            per_event = f"{seconds / options.events * 1e6:8.1f} µs, {peak / options.events / 1024:6.2f} kB"
            sys.stdout.write(f"{name:45} {per_event} per event\n")
        if options.profile:
            profile = cProfile.Profile()
            profile.runcall(work)
            pstats.Stats(profile).sort_stats("tottime").print_stats(14)


if __name__ == "__main__":
    main()
