"""Files of the page on real data: simulation, and data of two primary datasets, as CMS would have them."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.processors.fixtures import events, write_nanoaod

__all__ = ["write_real_data"]

CERTIFICATION = "Cert_314472-325175_13TeV_Legacy2018_Collisions18_JSON.txt"
RUN, N_CERTIFIED = 315257, 30
FILES = {"ttbar": (4000, 4000), "MuonEG_2018": (3000, 1000), "MET_2018": (4000,)}


def write_real_data(folder: Path) -> None:
    """Folders of ROOT files below `ntuples`, and a certification of most of their blocks."""
    for place, (dataset, sizes) in enumerate(FILES.items()):
        first = 0
        for i, n_events in enumerate(sizes):
            seed = 100 * place + i
            columns = _columns(n_events, seed=seed, is_data=dataset != "ttbar", first=first)
            write_nanoaod(folder / "ntuples" / dataset / "0000" / f"nano_{i}.root", columns)
            first += n_events
    (folder / CERTIFICATION).write_text(json.dumps({str(RUN): [[1, N_CERTIFIED]]}))


def _columns(n_events: int, *, seed: int, is_data: bool, first: int) -> dict[str, Any]:
    rng = np.random.default_rng(7000 + seed)
    columns = events(n_events, seed=seed, is_data=is_data, first_event=first)
    if is_data:
        columns["run"] = np.full(n_events, RUN, np.uint32)
    columns["HLT_Mu23_TrkIsoVVL_Ele12_CaloIdL_TrackIdL_IsoVL"] = rng.random(n_events) < 0.9
    columns["HLT_PFMETNoMu120_PFMHTNoMu120_IDTight"] = rng.random(n_events) < 0.6
    columns["Flag_goodVertices"] = rng.random(n_events) < 0.99
    return columns
