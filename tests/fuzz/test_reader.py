"""500 spoiled ROOT files: each gives what plain uproot and awkward give, or one clear line."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from tests.fuzz.files import KINDS, write_mutated
from tests.fuzz.plain import Plain, plain
from tests.fuzz.trial import run_trials
from tests.processors.fixtures import vh_ww_processor
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.facility.ntuples.runner import RunResult, process_fileset
from znought.processors.evaluated import NOMINAL, WHOLE

N_TRIALS = 500
WORKING_POINT = {"nanoaod_v9": 0.0490, "simulation": 0.15}
DECLARED = {"Electron_cutBased": "electron_id", "Muon_tightId": "muon_id", "Jet_jetId": "jet_id"}

pytestmark = pytest.mark.fuzz


def trial(folder: Path, number: int) -> str:
    """What is wrong with the result of one file; empty if nothing is."""
    path, kind = write_mutated(folder, number)
    processor = vh_ww_processor(folder / "columns", selection=VHWWSelection(btag_mode="veto"))
    fileset = {"x": {"files": [str(path)], "metadata": {"era": "2018"}}}
    found = process_fileset(None, fileset, processor, chunk_size=130)
    (dialect,) = found.results["x"].dialects or ("none",)
    if dialect not in WORKING_POINT:
        return f"{kind}: read as {dialect}"
    cuts = {"btag_mode": "veto"}
    expected = plain(str(path), cuts, is_data=False, working_point=WORKING_POINT[dialect])
    wrong = _differences(found, expected)
    return f"{kind}: {wrong}" if wrong else ""


def _differences(found: RunResult, expected: Plain) -> str:
    """The first difference between a result and the plain calculation."""
    result = found.results["x"]
    flow = result.of(WHOLE).cutflows[NOMINAL]
    if list(flow.counts) != expected.counts:
        return f"counts {flow.counts} for {expected.counts}"
    sumw = np.array([float(total) for total in flow.sumw])
    if not np.allclose(sumw, expected.sumw, rtol=1e-9, atol=1e-9 * expected.size):
        return f"sumw {sumw.tolist()} for {expected.sumw}"
    sums = found.sums["x"]
    if (None if sums is None else float(sums.sumw)) != expected.generated:
        return f"generated {sums} for {expected.generated}"
    undeclared = {DECLARED[name] for name in expected.lacking} - set(result.substitutes)
    if undeclared:
        return f"undeclared {undeclared}"
    tables = [pq.read_table(file.path, partitioning=None) for file in result.columns]
    columns: dict[str, NDArray[np.generic]] = {
        name: np.concatenate([table[name].to_numpy() for table in tables])
        for name in ("event", "m_ll", "pt_j0", "met")
    }
    order = np.argsort(columns["event"], kind="stable")
    for name, values in columns.items():
        wanted = getattr(expected, name)
        if not np.allclose(values[order].astype(np.float64), wanted.astype(np.float64), rtol=1e-4, atol=1e-4):
            return f"{name} {values[order].tolist()} for {wanted.tolist()}"
    return ""


def test_spoiled_files_end_right_or_in_one_clear_line(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = run_trials(trial, N_TRIALS)
    bad = {number: verdict for number, verdict in verdicts.items() if verdict[0] not in ("right", "line")}
    shown = "\n".join(f"{number}: {kind}: {text}" for number, (kind, text) in list(bad.items())[:10])
    unnamed = [text for kind, text in verdicts.values() if kind == "line" and ".root" not in text]
    with capsys.disabled():
        kinds = list(KINDS)
        table = Counter((kinds[number % len(kinds)], verdict[0]) for number, verdict in verdicts.items())
        lines = (f"{how:>16} {n:4d} {what}" for (what, how), n in sorted(table.items()))
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert not bad, f"{len(bad)} of {N_TRIALS}:\n{shown}"
    assert not unnamed, f"{len(unnamed)} lines name no file: {unnamed[:5]}"
    # What nothing was done to must be read, and bytes that are gone must not.
    assert all(verdicts[n][0] == "right" for n in verdicts if kinds[n % len(kinds)] == "untouched")
    assert all(verdicts[n][0] == "line" for n in verdicts if kinds[n % len(kinds)] == "truncated")
