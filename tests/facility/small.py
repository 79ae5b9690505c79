"""A small VH(WW) card on files of random NanoAOD-like events, processed without a cluster."""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.processors.fixtures import events, write_nanoaod
from znought.facility.cards.reading import StandardCard, load_with_analysis
from znought.facility.context import Context, RunOptions, Step
from znought.facility.progress import Silent
from znought.facility.workspace import Workspace

__all__ = ["N_EVENTS", "card_content", "context_of", "small_card", "write_ntuples"]

N_EVENTS = 2000
FILES = {"vh": ("a", "b"), "ttbar": ("c",), "data": ("d", "e")}


def write_ntuples(folder: Path) -> None:
    """Two files of each dataset but one; no two events are the same."""
    for seed, (dataset, names) in enumerate(FILES.items()):
        for i, name in enumerate(names):
            columns = events(
                N_EVENTS, seed=10 * seed + i, is_data=dataset == "data", first_event=i * N_EVENTS
            )
            if "genWeight" in columns:
                columns["genWeight"] = np.ones(N_EVENTS, np.float32)
            write_nanoaod(folder / f"{name}.root", columns)


def card_content(folder: Path) -> dict[str, Any]:
    """What a card of the files in a folder says."""
    return {
        "analysis": "vh_ww",
        "title": "test",
        "lumi_ifb": 10.0,
        "signal": "VH",
        "signal_class": "VH",
        "signal_region": "signal",
        "cut_based": {"region": "signal", "variable": "m_t", "lower": 50.0, "upper": 125.0},
        "classes": ["VH", "top"],
        "network": {},
        "processes": {"VH": {"class": "VH"}, "top": {"class": "top"}, "data": {"kind": "data"}},
        "datasets": {
            "vh": {"process": "VH", "xsec_pb": 0.1, "files": [str(folder / f"{x}.root") for x in "ab"]},
            "ttbar": {"process": "top", "xsec_pb": 1.0, "files": [str(folder / "c.root")]},
            "data": {"process": "data", "files": [str(folder / f"{x}.root") for x in "de"], "lumi_ifb": 2.0},
        },
        "regions": {
            "signal": {"m_jj": [70.0, 100.0], "dy_jj": [None, 2.0]},
            "low_m_ll": {"m_ll": [None, 80.0]},
        },
    }


def small_card(folder: Path, **changes: Any) -> Path:
    """A card beside the files; `changes` replace or add sections."""
    path = folder / "card.yaml"
    path.write_text(yaml.safe_dump(card_content(folder) | changes, sort_keys=False))
    return path


def context_of(path: Path, output: Path, *, opened: Step | None = None) -> Context[StandardCard]:
    """A context in which everything is computed here."""
    card, found = load_with_analysis(path)
    assert isinstance(card, StandardCard)
    options = RunOptions(opened=opened)
    return Context(card, Workspace(output), options, Silent(), lambda: None, found)  # type: ignore[arg-type, return-value]  # no cluster
