"""Small NanoAOD-like files with known content, written by uproot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from znought.analyses.vh_ww.analysis import ANALYSIS
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.processors.chunk import Chunk, open_chunk
from znought.processors.dialects.view import Entries
from znought.processors.evaluated import Request
from znought.processors.processor import AnalysisProcessor
from znought.processors.source import kept_tree
from znought.processors.variations import VariationsConfig
from znought.processors.weights import ScaleFactor

__all__ = ["events", "vh_ww_processor", "whole_chunk", "write_nanoaod", "write_tree"]


def vh_ww_processor(
    columns_directory: str | Path | None = None,
    *,
    selection: VHWWSelection | None = None,
    variations: VariationsConfig | None = None,
    weights: Mapping[str, ScaleFactor] | None = None,
    refuse_substitutes: bool = False,
) -> AnalysisProcessor:
    """The processor of VH(WW) as a card asks for it; nothing given means the card's defaults."""
    request = Request(
        selection or VHWWSelection(),
        variations or VariationsConfig(),
        weights or {},
        refuse_substitutes=refuse_substitutes,
    )
    directory = None if columns_directory is None else str(columns_directory)
    return AnalysisProcessor(ANALYSIS.for_workers, request, directory)


def _jagged(values: np.ndarray[Any, Any], counts: np.ndarray[Any, Any]) -> ak.Array:
    return ak.unflatten(values, counts)


def _leptons(rng: np.random.Generator, counts: np.ndarray[Any, Any]) -> ak.Array:
    n = int(counts.sum())
    return ak.zip(
        {
            "pt": _jagged((10.0 + rng.exponential(30.0, n)).astype(np.float32), counts),
            "eta": _jagged(rng.uniform(-2.7, 2.7, n).astype(np.float32), counts),
            "phi": _jagged(rng.uniform(-np.pi, np.pi, n).astype(np.float32), counts),
            "charge": _jagged(rng.choice(np.array([-1, 1], np.int32), n), counts),
            "pfRelIso03_all": _jagged(rng.exponential(0.05, n).astype(np.float32), counts),
        }
    )


def _jets(rng: np.random.Generator, counts: np.ndarray[Any, Any]) -> ak.Array:
    n = int(counts.sum())
    return ak.zip(
        {
            "pt": _jagged((20.0 + rng.exponential(40.0, n)).astype(np.float32), counts),
            "eta": _jagged(rng.normal(0.0, 1.8, n).astype(np.float32), counts),
            "phi": _jagged(rng.uniform(-np.pi, np.pi, n).astype(np.float32), counts),
            "mass": _jagged(rng.exponential(8.0, n).astype(np.float32), counts),
            "btagDiscriminant": _jagged(rng.beta(0.5, 8.0, n).astype(np.float32), counts),
            "btagProb85": _jagged(rng.beta(0.5, 4.0, n).astype(np.float32), counts),
            "hadronFlavour": _jagged(rng.choice(np.array([0, 4, 5], np.int32), n), counts),
        }
    )


def events(n_events: int, *, seed: int, is_data: bool = False, first_event: int = 0) -> dict[str, Any]:
    """Columns of random NanoAOD-like events: about one in four passes the preselection."""
    rng = np.random.default_rng(seed)
    columns: dict[str, Any] = {
        "run": np.full(n_events, 1, np.uint32),
        "luminosityBlock": ((np.arange(n_events) + first_event) // 100 + 1).astype(np.uint32),
        "event": (np.arange(n_events) + first_event).astype(np.uint64),
        "response": np.zeros(n_events, np.uint8),
        "Electron": _leptons(rng, rng.choice([0, 1, 2], n_events, p=[0.15, 0.75, 0.1])),
        "Muon": _leptons(rng, rng.choice([0, 1, 2], n_events, p=[0.15, 0.75, 0.1])),
        "Jet": _jets(rng, rng.poisson(4.0, n_events)),
        "MET_pt": rng.exponential(40.0, n_events).astype(np.float32),
        "MET_phi": rng.uniform(-np.pi, np.pi, n_events).astype(np.float32),
        "MET_significance": rng.exponential(3.0, n_events).astype(np.float32),
        "TkMET_pt": rng.exponential(35.0, n_events).astype(np.float32),
        "TkMET_phi": rng.uniform(-np.pi, np.pi, n_events).astype(np.float32),
        "SoftActivity_ht": rng.gamma(4.0, 20.0, n_events).astype(np.float32),
    }
    if not is_data:
        sign = np.where(rng.uniform(size=n_events) < 0.1, -1.0, 1.0)
        columns["genWeight"] = (sign * rng.lognormal(0.0, 0.7, n_events)).astype(np.float32)
    return columns


def write_tree(file: Any, tree: str, columns: Mapping[str, Any]) -> None:
    """Write a TTree into an open file; plain assignment would make an RNTuple."""
    file.mktree(tree, {name: ak.type(ak.Array(values[:0])).content for name, values in columns.items()})
    file[tree].extend(dict(columns))


def write_nanoaod(
    path: Path, columns: Mapping[str, Any], *, runs: Mapping[str, float] | None = None, tree: str = "Events"
) -> str:
    """Write events, and a tree Runs whose sums are three times those of the events unless given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if runs is None and "genWeight" in columns:
        weight = np.asarray(columns["genWeight"], np.float64)
        runs = {
            "genEventCount": 3 * len(weight),
            "genEventSumw": 3.0 * float(weight.sum()),
            "genEventSumw2": 3.0 * float((weight**2).sum()),
            "genFilterAttempted": 12 * len(weight),
        }
    with uproot.recreate(path) as file:
        write_tree(file, tree, columns)
        row: dict[str, Any] = {"run": np.array([1], np.uint32)}
        for name, value in (runs or {}).items():
            kind = np.int64 if isinstance(value, int) else np.float64
            row[name] = np.array([value], kind)
        write_tree(file, "Runs", row)
        if "luminosityBlock" in columns:
            blocks = np.unique(np.asarray(columns["luminosityBlock"]))
            write_tree(file, "LuminosityBlocks", {"run": np.ones_like(blocks), "luminosityBlock": blocks})
    return str(path)


def whole_chunk(path: str, *, tree: str = "Events", **metadata: Any) -> Chunk:
    """All events of a file as one chunk, fields to be asked for one by one."""
    opened = kept_tree(path, tree)
    known = {"dataset": "toy", "filename": path, "treename": tree, "fileuuid": opened.uuid}
    entries = Entries(opened, 0, opened.n_entries, {**known, **metadata})
    return open_chunk(entries, refuse_substitutes=False, complete=False)
