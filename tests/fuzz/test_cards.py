"""500 spoiled cards: each gives the yields that a plain calculation gives for it, or one clear line."""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import numpy as np
import pytest
import yaml

from tests.facility.small import FILES, context_of
from tests.fuzz.cards import KINDS, write_mutated_card
from tests.fuzz.plain import DEFAULTS, plain
from tests.fuzz.trial import run_trials
from tests.processors.fixtures import events, write_nanoaod
from znought.facility.stages.process import process

N_TRIALS = 500
N_EVENTS = 200

pytestmark = pytest.mark.fuzz


@cache
def ntuples() -> Path:
    """Files of the card's datasets, once per process; equal in all of them."""
    folder = Path(gettempdir(), f"znought-fuzz-{N_EVENTS}")
    for seed, (dataset, names) in enumerate(FILES.items()):
        for i, name in enumerate(names):
            path = folder / f"{name}.root"
            if not path.exists():
                columns = events(
                    N_EVENTS, seed=10 * seed + i, is_data=dataset == "data", first_event=i * N_EVENTS
                )
                write_nanoaod(path.with_suffix(".part"), columns)
                path.with_suffix(".part").replace(path)
    return folder


def trial(folder: Path, number: int) -> str:
    """What is wrong with the result of one card; empty if nothing is."""
    path, kind = write_mutated_card(folder, ntuples(), number)
    process(context_of(path, folder / "out"))
    found = json.loads((folder / "out/cutflow.json").read_text())["processes"]
    card = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, expected in _expected(card).items():
        ours = found[name]
        if ours["raw"] != expected["raw"]:
            return f"{kind}: {name}: raw {ours['raw']} for {expected['raw']}"
        if not np.allclose(ours["sumw"], expected["sumw"], rtol=1e-9, atol=1e-9 * expected["size"]):
            return f"{kind}: {name}: sumw {ours['sumw']} for {expected['sumw']}"
    return ""


def _expected(card: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Yields of each process by uproot, awkward and the numbers in the card."""
    processes: dict[str, dict[str, Any]] = {}
    cuts = {name: value for name, value in (card.get("selection") or {}).items() if name in DEFAULTS}
    points = (card.get("selection") or {}).get("btag_working_points") or {}
    for dataset in card["datasets"].values():
        name = dataset["process"]
        kind = (card["processes"][name] or {}).get("kind", "simulation")
        flows = [
            plain(str(path), cuts, is_data=kind == "data", working_point=points.get("simulation", 0.15))
            for path in _paths(dataset["files"])
        ]
        scale = 1.0 if kind == "data" else _scale(card, dataset, [flow.generated for flow in flows])
        entry = processes.setdefault(name, {"raw": [0] * 9, "sumw": [0.0] * 9, "size": 0.0})
        for flow in flows:
            entry["raw"] = [a + b for a, b in zip(entry["raw"], flow.counts, strict=True)]
            entry["sumw"] = [a + scale * b for a, b in zip(entry["sumw"], flow.sumw, strict=True)]
            entry["size"] += scale * flow.size
    return processes


def _paths(files: Any) -> Iterator[Path]:
    for given in files:
        first = Path(given if isinstance(given, str) else given[0])
        yield from sorted(first.parent.glob(first.name))


def _scale(card: Mapping[str, Any], dataset: Mapping[str, Any], generated: list[float | None]) -> float:
    """L σ k ε / Σw; the files count a filter of a quarter, where their own sums are taken."""
    given = dataset.get("generated_sumw")
    sumw = sum(total or 0.0 for total in generated) if given is None else float(given)
    efficiency = dataset.get("filter_efficiency")
    if efficiency is None:
        efficiency = 0.25 if given is None else 1.0
    factors = (dataset.get(name) for name in ("branching_ratio", "k_factor"))
    product = float(np.prod([1.0 if factor is None else float(factor) for factor in factors]))
    return float(card["lumi_ifb"]) * 1e3 * float(dataset["xsec_pb"]) * product * float(efficiency) / sumw


def test_spoiled_cards_end_right_or_in_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    ntuples()
    verdicts = run_trials(trial, N_TRIALS)
    bad = {number: verdict for number, verdict in verdicts.items() if verdict[0] not in ("right", "line")}
    shown = "\n".join(f"{number}: {kind}: {text}" for number, (kind, text) in list(bad.items())[:10])
    with capsys.disabled():
        table = Counter((KINDS[number % len(KINDS)], verdict[0]) for number, verdict in verdicts.items())
        lines = (f"{how:>18} {n:4d} {what}" for (what, how), n in sorted(table.items()))
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert not bad, f"{len(bad)} of {N_TRIALS}:\n{shown}"
    assert all(verdicts[n][0] == "right" for n in verdicts if KINDS[n % len(KINDS)] == "unaltered")
    assert sum(verdict[0] == "right" for verdict in verdicts.values()) > N_TRIALS // 5
