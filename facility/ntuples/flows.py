"""Events after each cut, as `cutflow.json` holds them."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from znought.facility.results.records import Record, read_entries, read_record
from znought.facility.workspace import read_json, write_json
from znought.processors.cutflow import Cutflow
from znought.processors.evaluated import WHOLE

__all__ = ["FlowEntry", "FlowTable", "flow_entry", "read_cutflows", "write_cutflows"]

Vector = tuple[float, ...]
_CHANNELS = "channels"


class FlowEntry(Record):
    """One process: a value after each cut.

    Attributes:
        raw: events.
        mc_stat_error: of the expected events, responses of one event as one.
        sumw, sumw2: expected events, and the sum of their squared weights.
        efficiency, relative_efficiency: of all cuts so far, and of the last one.
        before_acceptance: expected events before generator filter and skim, where that is known.
        datasets: whose events these are, where the selection is told.
    """

    raw: tuple[int, ...]
    mc_stat_error: Vector
    sumw: Vector
    sumw2: Vector
    efficiency: Vector
    relative_efficiency: Vector
    before_acceptance: float | None = None
    datasets: tuple[str, ...] = ()


class FlowTable(Record):
    """One channel.

    Attributes:
        cuts: their names.
        processes: by process.
    """

    cuts: tuple[str, ...]
    processes: dict[str, FlowEntry]

    @property
    def expected(self) -> dict[str, Vector]:
        """Process → expected events after each cut."""
        return {name: entry.sumw for name, entry in self.processes.items()}


def flow_entry(
    flow: Cutflow, *, datasets: Iterable[str] = (), before_acceptance: float | None = None
) -> FlowEntry:
    """A cutflow as files hold it."""
    rows = flow.rows()
    known = {} if before_acceptance is None else {"before_acceptance": before_acceptance}
    return FlowEntry(
        raw=tuple(flow.counts),
        mc_stat_error=tuple(float(row["error"]) for row in rows),
        sumw=tuple(float(row["sumw"]) for row in rows),
        sumw2=tuple(float(row["sumw2"]) for row in rows),
        efficiency=tuple(float(row["efficiency"]) for row in rows),
        relative_efficiency=tuple(float(row["relative_efficiency"]) for row in rows),
        datasets=tuple(datasets),
        **known,
    )


def write_cutflows(path: Path, found: Mapping[str, FlowTable]) -> None:
    """Writes `cutflow.json`: of each channel, or of all events where there is none."""
    content = {name: one.model_dump(mode="json", exclude_unset=True) for name, one in found.items()}
    write_json(path, content.get(WHOLE, {_CHANNELS: content}))


def read_cutflows(path: Path) -> dict[str, FlowTable]:
    """Channel → its cutflow; without a name where there are no channels.

    Raises:
        DataError: the file does not exist, or is of another version.
    """
    if _CHANNELS in read_json(path):
        return read_entries(path, FlowTable, _CHANNELS)
    return {WHOLE: read_record(path, FlowTable)}
