"""Events that do not count are gone before an analysis sees any: the same yields otherwise."""

from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.processors.fixtures import events, vh_ww_processor, write_nanoaod
from znought.analyses.vh_bb.analysis import ANALYSIS as VH_BB
from znought.analyses.vh_bb.selection import VHBBSelection
from znought.analysis import Analysis, Cuts, Variable
from znought.errors import DataError
from znought.facility.ntuples.runner import process_fileset
from znought.processors.evaluated import NOMINAL, Request
from znought.processors.processor import AnalysisProcessor
from znought.processors.quality.judged import CLEAN, Quality
from znought.processors.result import DatasetResult
from znought.processors.variations import VariationsConfig

N_EVENTS = 600
FLAGGED = np.arange(N_EVENTS) % 3 > 0
VARIATIONS = VariationsConfig(enabled=("jes", "jer", "lepton_scale"))

PLAIN = Analysis(
    "plain",
    objects=lambda events, cuts: {"jets": events.Jet[events.Jet.pt > 30.0], "met": events.MET},
    select=lambda o, cuts: {"jets": ak.num(o.jets) >= 2},
    split=lambda o: {"even": o.events.event % 2 == 0, "odd": o.events.event % 2 == 1},
    variables=[
        Variable("ht", lambda o: ak.sum(o.jets.pt, axis=1), bins=(20, 0.0, 400.0)),
        Variable("met", lambda o: o.met.pt),
    ],
)


def _plain() -> AnalysisProcessor:
    return AnalysisProcessor(PLAIN, Request(Cuts(), VARIATIONS))


def _vh_bb() -> AnalysisProcessor:
    cuts = VHBBSelection(
        pt_lepton_veto_gev=27.0,
        pt_b1_min_gev=20.0,
        n_jets_max={},
        met_min_gev={},
        pt_v_min_gev={},
        btag_working_points={"simulation": 0.02},
    )
    return AnalysisProcessor(VH_BB.for_workers, Request(cuts, VARIATIONS, channels=("1L",)))


def _vh_ww() -> AnalysisProcessor:
    return vh_ww_processor(variations=VARIATIONS)


def _processed(
    one: AnalysisProcessor, path: str, folder: Path, *, flag: str | None, **metadata: Any
) -> dict[str, DatasetResult]:
    parts = metadata.get("parts", {"x": None})
    quality = {} if flag is None else dict.fromkeys(parts, Quality("2018", (CLEAN,), filters=(flag,)))
    request = Request(
        one.request.cuts, one.request.variations, channels=one.request.channels, quality=quality
    )
    asked = AnalysisProcessor(one.analysis, request, str(folder))
    fileset = {"x": {"files": [path], "metadata": metadata}}
    return dict(process_fileset(None, fileset, asked, chunk_size=250).results)


def _columns(result: DatasetResult, folder: Path) -> dict[str, dict[str, Any]]:
    """Columns of each channel and variation, by event."""
    found: dict[str, dict[str, Any]] = {}
    for file in result.columns:
        where = str(Path(file.path).relative_to(folder).parent)
        table = pq.read_table(file.path).to_pydict()
        into = found.setdefault(where, {})
        for name, values in table.items():
            into[name] = np.concatenate([into.get(name, np.zeros(0)), np.asarray(values)])
    return found


@pytest.mark.parametrize("make", [_plain, _vh_ww, _vh_bb])
def test_the_analysis_sees_only_what_counts(make: Any, tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(N_EVENTS, seed=4) | {"Flag_a": FLAGGED})
    before, after = (
        _processed(make(), path, tmp_path / str(flag), flag=flag)["x"] for flag in (None, "Flag_a")
    )
    for channel, held in after.channels.items():
        for name, flow in held.cutflows.items():
            whole = before.channels[channel].cutflows[name]
            assert flow.names == (whole.names[0], "clean", *whole.names[1:])
            assert flow.counts[:2] == (N_EVENTS, int(FLAGGED.sum()))
            assert float(flow.sumw[0]) == float(whole.sumw[0])
    every, kept = _columns(before, tmp_path / "None"), _columns(after, tmp_path / "Flag_a")
    assert every.keys() == kept.keys()
    n_kept = 0
    for where, columns in kept.items():
        rows = FLAGGED[every[where]["event"].astype(int)]
        n_kept += int(rows.sum())
        for name, values in columns.items():
            np.testing.assert_array_equal(values, every[where][name][rows], err_msg=f"{where} {name}")
    assert n_kept > 20


def test_what_does_not_count_may_be_damaged(tmp_path: Path) -> None:
    columns = events(N_EVENTS, seed=4) | {"Flag_a": FLAGGED}
    pt = np.array(columns["MET_pt"])
    pt[3] = np.nan  # an event without the flag
    path = write_nanoaod(tmp_path / "a.root", columns | {"MET_pt": pt})
    for make in (_plain, _vh_ww):
        assert _processed(make(), path, tmp_path / "b", flag="Flag_a")["x"].columns
    pt[4] = np.nan
    path = write_nanoaod(tmp_path / "c.root", columns | {"MET_pt": pt})
    with pytest.raises(DataError, match=r"in entry 4"):
        _processed(_plain(), path, tmp_path / "d", flag="Flag_a")


def test_a_chunk_of_which_nothing_counts_is_counted(tmp_path: Path) -> None:
    flag = np.arange(N_EVENTS) >= 300  # nothing of the first chunk of 250
    path = write_nanoaod(tmp_path / "a.root", events(N_EVENTS, seed=4) | {"Flag_a": flag})
    for make in (_plain, _vh_ww, _vh_bb):
        result = _processed(make(), path, tmp_path / "b", flag="Flag_a")["x"]
        assert all(held.cutflows[NOMINAL].counts[:2] == (600, 300) for held in result.channels.values())


def test_parts_share_what_was_generated(tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(N_EVENTS, seed=4) | {"Flag_a": FLAGGED})
    parts = {"x_even": "even", "x_odd": "odd"}
    plain, found = (
        _processed(_plain(), path, tmp_path / str(flag), flag=flag, parts=parts) for flag in (None, "Flag_a")
    )
    for place, part in enumerate(parts):
        flow = found[part].channels[""].cutflows[NOMINAL]
        assert flow.names == ("all", "clean", "jets")
        assert flow.counts[:2] == (300, int(FLAGGED[place::2].sum()))
        assert flow.sumw[0] == plain[part].channels[""].cutflows[NOMINAL].sumw[0]
        assert 0 < flow.counts[2] < plain[part].channels[""].cutflows[NOMINAL].counts[1]


def test_events_told_apart_by_entry_keep_their_numbers(tmp_path: Path) -> None:
    columns = events(N_EVENTS, seed=4) | {"Flag_a": FLAGGED}
    columns["event"] = np.ones(N_EVENTS, np.uint64)
    path = write_nanoaod(tmp_path / "a.root", columns)
    results = [
        _columns(
            _processed(_plain(), path, tmp_path / str(flag), flag=flag, identity="file")["x"],
            tmp_path / str(flag),
        )
        for flag in (None, "Flag_a")
    ]
    # The Gaussian number of a jet follows from its event's number: the resolution's variation is the same.
    every, kept = (one["x/jer_up"] for one in results)
    rows = FLAGGED[every["event"].astype(int)]
    np.testing.assert_array_equal(kept["ht"], every["ht"][rows])


def test_a_row_of_the_analysis_may_not_take_the_name(tmp_path: Path) -> None:
    path = write_nanoaod(tmp_path / "a.root", events(50, seed=4) | {"Flag_a": np.arange(50) > 3})
    taken = Analysis(
        "taken",
        objects=PLAIN.objects,
        select=lambda o, cuts: {"clean": ak.num(o.jets) >= 2},
        variables=PLAIN.variables,
    )
    with pytest.raises(DataError, match="Row 'clean' of the cutflow is made by znought"):
        _processed(AnalysisProcessor(taken, Request(Cuts())), path, tmp_path, flag="Flag_a")
