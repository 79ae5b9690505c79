"""What was lost is counted, and the luminosity of the data shrinks by it or the run stops."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from znought.errors import CardError, DataError
from znought.facility.cards.base import Card
from znought.facility.ntuples.account import account, data_lumi_ifb, remarks
from znought.facility.ntuples.fileset import Fileset
from znought.facility.ntuples.ledger import Skipped
from znought.facility.ntuples.runner import RunResult
from znought.facility.results.ledger import write_ledger
from znought.facility.workspace import Workspace


@dataclass(frozen=True)
class _Read(RunResult):
    """A run of which only the events read matter."""

    read: Mapping[str, int] = field(default_factory=dict)

    def n_events(self, dataset: str) -> int:
        return self.read[dataset]


def _found(read: Mapping[str, int], *skipped: Skipped) -> RunResult:
    """A run in which each dataset read so many events, and left out these files."""
    return _Read({}, {}, (), skipped, 1, read=read)


def _card() -> Card:
    processes = {"data": {"kind": "data"}, "top": {}}
    datasets = {
        "data": {"process": "data"},
        "more": {"process": "data"},
        "top": {"process": "top", "xsec_pb": 1},
    }
    content = {"analysis": "x", "title": "x", "lumi_ifb": 100, "processes": processes, "datasets": datasets}
    return Card.model_validate(content)


def _fileset(**metadata: dict[str, Any]) -> Fileset:
    return {
        name: {"files": {"a.root": None, "b.root": None}, "metadata": {"is_data": name != "top"} | entry}
        for name, entry in metadata.items()
    }


LOST = Skipped("data", "b.root", 250, "OSError: truncated")
UNOPENED = Skipped("data", "b.root", None, "OSError: no keys")


def test_nothing_lost_is_nothing_said() -> None:
    books = account(_card(), _fileset(data={"lumi_ifb": 2.0}, top={}), _found({"data": 1000, "top": 5}))
    assert books.data_lumi_ifb == 2.0
    assert books.datasets["data"].lost_fraction == 0.0
    assert remarks(books) == []


def test_the_luminosity_shrinks_by_the_share_of_events(tmp_path: Path) -> None:
    fileset = _fileset(data={"lumi_ifb": 2.0}, more={"lumi_ifb": 3.0})
    books = account(_card(), fileset, _found({"data": 750, "more": 10}, LOST))
    assert books.data_lumi_ifb == pytest.approx(2.0 * 0.75 + 3.0)
    (remark,) = remarks(books)
    assert "data: 1 of 2 files left out, b.root (OSError: truncated): 250 events, 25.00% of the" in remark
    assert "its luminosity is 1.5 of 2 fb⁻¹" in remark
    write_ledger(Workspace(tmp_path).ledger, books)
    assert data_lumi_ifb(Workspace(tmp_path)) == pytest.approx(4.5)


def test_without_own_luminosities_that_of_the_card_shrinks() -> None:
    books = account(_card(), _fileset(data={}, more={}), _found({"data": 750, "more": 1000}, LOST))
    assert books.data_lumi_ifb == pytest.approx(100 * 1750 / 2000)
    assert account(_card(), _fileset(top={}), _found({"top": 1})).data_lumi_ifb is None


def test_a_file_that_never_opened_needs_the_declared_total() -> None:
    lumi = {"lumi_ifb": 2.0}
    with pytest.raises(DataError, match=r"b\.root does not open.*give n_events"):
        account(_card(), _fileset(data=lumi), _found({"data": 750}, UNOPENED))
    books = account(_card(), _fileset(data=lumi | {"n_events": 1000}), _found({"data": 750}, UNOPENED))
    assert books.data_lumi_ifb == pytest.approx(1.5)
    assert books.datasets["data"].events_lost == 250


def test_wrong_declarations_are_refused() -> None:
    for lost, read in (((), 750), ((UNOPENED,), 1200)):
        with pytest.raises(DataError, match="n_events says 1,000 events"):
            account(_card(), _fileset(data={"n_events": 1000}), _found({"data": read}, *lost))
    with pytest.raises(CardError, match=r"datasets\.more has no lumi_ifb"):
        account(_card(), _fileset(data={"lumi_ifb": 1.0}, more={}), _found({"data": 1, "more": 1}))


def test_lost_simulation_needs_no_correction() -> None:
    lost = Skipped("top", "b.root", 10, "gone")
    books = account(_card(), _fileset(data={"lumi_ifb": 2.0}, top={}), _found({"data": 5, "top": 5}, lost))
    assert books.data_lumi_ifb == 2.0
    assert remarks(books)[0].endswith("its normalisation follows from the files that remain.")
