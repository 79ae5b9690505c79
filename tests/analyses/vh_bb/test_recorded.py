"""VH(bb) with recorded data: blinded and compared outside, then unblinded, with the log of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from distributed import Client

from tests.analyses.vh_bb.test_columns import write
from tests.analyses.vh_bb.test_variations import CARD, measured, some_events
from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.figures_limits import LimitAlbum
from znought.analyses.vh_bb.results import LimitResults, SmeftResults, read_smeft_results
from znought.analyses.vh_bb.stages import limits as stage
from znought.analyses.vh_bb.stages.limits import set_limits
from znought.analyses.vh_bb.summary import smeft_tables
from znought.errors import CardError, DataError
from znought.facility.context import Context, RunOptions
from znought.facility.figures.inputs import validation_pictures
from znought.facility.regions.validation import read_validation
from znought.facility.stages.validate import validate

LUMI_IFB = 40.0
LOW, HIGH = 80.0, 120.0
NO_LIMITS = LimitResults(
    intervals=(),
    scans=(),
    truncations=(),
    calibrations=(),
    breakdown=(),
    contour=None,
    observed=(),
    observed_scans=(),
    notes=(),
)


@dataclass(frozen=True)
class Recorded:
    """What two runs leave: blinded, then not."""

    context: Context[VHBBCard]
    blinded: dict[str, Any]
    closed: SmeftResults
    shown: SmeftResults


def _content(folder: Path, **data: Any) -> dict[str, Any]:
    """A card with half the expected luminosity recorded."""
    files = [write(folder / "data.root", some_events(240, seed=7), weights=False)]
    return CARD | {
        "processes": {**CARD["processes"], "data": {"kind": "data"}},
        "datasets": {"recorded": {"process": "data", "lumi_ifb": LUMI_IFB, "files": files} | data},
        "regions": {"inclusive": {"m_bb": [LOW, HIGH]}},
        "variations": {},
    }


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Everything but networks, first blinded."""
    folder = tmp_path_factory.mktemp("recorded")
    with Client(
        processes=False, n_workers=1, threads_per_worker=1, dashboard_address="127.0.0.1:0"
    ) as client:
        context = measured(folder, _content(folder), client)
        validate(context)
        with pytest.MonkeyPatch.context() as patch:
            # Expected limits have tests of their own.
            patch.setattr(stage, "found_limits", lambda context: NO_LIMITS)
            set_limits(context)
        files = {path.name: json.loads(path.read_text()) for path in (folder / "out").glob("*.json")}
        closed = read_smeft_results(context.workspace.results)
        opened = replace(context, options=RunOptions(opened="signal"))
        validate(opened)
        set_limits(opened)
        yield Recorded(opened, files, closed, read_smeft_results(context.workspace.results))


def _selected(recorded: Recorded, low: float = LOW, high: float = HIGH) -> int:
    """Recorded events with a mass between two values, counted by hand."""
    (file,) = (recorded.context.workspace.columns / "0L/recorded/nominal").glob("*.parquet")
    m_bb = pq.read_table(file, partitioning=None)["m_bb"].to_numpy()
    return int(((m_bb >= low) & (m_bb < high)).sum())


def test_blinded_data_are_compared_outside_the_signal_region_alone(recorded: Recorded) -> None:
    books = recorded.blinded["regions_0L.json"]
    assert books["inclusive"]["data"] is None
    found = recorded.blinded["validation_0L.json"]
    assert found["where"] == "0L, after the preselection, outside the signal region"
    inside, everything = _selected(recorded), _selected(recorded, 0.0, np.inf)
    assert 0 < inside < everything
    assert found["events"][0] == everything - inside
    assert found["ratio"][0] == pytest.approx(1.0, abs=3 * found["ratio"][1])
    assert found["lumi_ifb"] == LUMI_IFB
    assert set(found["systematics"]) == {"rate_vh", "rate_ttbar"}
    assert {"m_bb", "ptb1", "dphib1met"} <= set(found["inputs"])
    assert recorded.closed.observed == ()
    assert recorded.closed.unblinding_log is None
    assert recorded.closed.fit is not None
    assert recorded.closed.fit.data == "expected"
    assert any(note.startswith("Validation 0L, after the preselection") for note in recorded.closed.notes)


def test_unblinded_data_are_counted_and_logged(recorded: Recorded) -> None:
    (line,) = recorded.context.workspace.unblinding.read_text().splitlines()
    logged = json.loads(line)
    assert recorded.shown.unblinding is not None
    assert recorded.shown.unblinding_log == recorded.shown.unblinding.sha256 == logged["sha256"]
    assert list(logged["bins"]["signal"]) == ["0L"]
    fit = recorded.shown.fit
    assert fit is not None
    assert (fit.data, fit.lumi_ifb) == ("observed", LUMI_IFB)
    observed = fit.regions["0L"].observed
    assert observed is not None
    assert sum(observed) == _selected(recorded)
    books = json.loads(recorded.context.workspace.regions.with_stem("regions_0L").read_text())
    assert books["inclusive"]["data"] == _selected(recorded)
    found = read_validation(recorded.context.workspace, "0L")
    assert found is not None
    assert found.events[0] == _selected(recorded, 0.0, np.inf)


def test_observed_intervals_are_of_the_data(recorded: Recorded) -> None:
    found = {
        (one.channel, one.region, one.discriminant, one.order, one.method): one
        for one in recorded.shown.observed
    }
    assert {key[:3] for key in found} == {
        (one.channel, one.region, one.discriminant) for one in recorded.shown.intervals
    }
    for one in found.values():
        assert one.lumi_ifb == LUMI_IFB
        assert any(low <= one.best <= high for low, high in one.segments)
        assert any(low <= 0.0 <= high for low, high in one.expected)
    # With more events than expected, counting prefers the coefficient at which just as many are expected.
    counted = found["combined", "inclusive", "counting", "quadratic", "delta_2lnl"]
    vh, ttbar = (
        0.5 * next(one.events for one in recorded.shown.yields if one.process == process)
        for process in ("vh", "ttbar")
    )
    assert _selected(recorded) > vh + ttbar
    # The files' weights are 1, 2 and 3 at 0, 0.01 and −0.01.
    growth = 1.0 - 50.0 * counted.best + 15_000.0 * counted.best**2
    assert vh * growth + ttbar == pytest.approx(_selected(recorded), rel=1e-4)


def test_what_was_observed_is_told_and_drawn(recorded: Recorded) -> None:
    (table,) = [table for table in smeft_tables(recorded.shown) if "observed" in table.title]
    assert "40 fb⁻¹" in table.title
    assert not [table for table in smeft_tables(recorded.closed) if "observed" in table.title]
    album = LimitAlbum(recorded.context.card, recorded.shown)
    drawn = [picture.name for picture in (*album._observed(), *album._scans())]
    assert drawn == ["observed_inclusive", "likelihood_scan", "likelihood_scan_observed"]
    found = read_validation(recorded.context.workspace, "0L")
    assert found is not None
    (picture,) = validation_pictures(recorded.context.card, found, channel="0L", only=["m_bb"])
    assert picture.name == "data_mc_m_bb_0L"


def test_tables_say_the_energies_of_eras(recorded: Recorded) -> None:
    both = recorded.shown.model_copy(update={"energies_tev": {13.0: 0.75, 13.6: 0.25}, "lumi_ifb": 80.0})
    titles = [table.title for table in smeft_tables(both)]
    assert any("60 fb⁻¹ (13 TeV) + 20 fb⁻¹ (13.6 TeV)" in title for title in titles)
    assert any("13 and 13.6 TeV: expected" in title for title in titles)
    assert all("13 TeV" in table.title for table in smeft_tables(recorded.shown))


def test_a_log_that_was_taken_away_is_missed(recorded: Recorded) -> None:
    log = recorded.context.workspace.unblinding
    kept = log.read_text()
    log.unlink()
    try:
        with pytest.raises(DataError, match="the log of it was taken away or rewritten"):
            set_limits(recorded.context)
    finally:
        log.write_text(kept)


def test_data_are_shown_all_at_once_or_not_at_all(recorded: Recorded) -> None:
    with pytest.raises(CardError, match=r"--unblind-to tails opens no bin: .*--unblind"):
        set_limits(replace(recorded.context, options=RunOptions(opened="tails")))
    datasets = {name: entry for name, entry in recorded.context.card.datasets.items() if name != "recorded"}
    without = recorded.context.card.model_copy(update={"datasets": datasets})
    with pytest.raises(CardError, match="--unblind: the card has no dataset of kind data to show"):
        set_limits(replace(recorded.context, card=without))


def test_recorded_events_that_stand_twice_are_refused(tmp_path: Path) -> None:
    again = write(tmp_path / "again.root", some_events(240, seed=7), weights=False)
    content = _content(tmp_path)
    content["datasets"]["recorded"]["files"] += [again]
    with pytest.raises(DataError, match=r"datasets\.recorded holds \d+ selected events twice"):
        measured(tmp_path, content, None)  # type: ignore[arg-type]  # it comes to no worker
