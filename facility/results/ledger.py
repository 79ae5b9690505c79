"""What a run read of its input and left out, as `ledger.json` holds it."""

from pathlib import Path

from pydantic import Field

from znought.facility.results.records import Record, read_record
from znought.facility.workspace import write_json

__all__ = [
    "CertifiedEvents",
    "DatasetAccount",
    "Ledger",
    "LostFile",
    "PartOfInput",
    "read_ledger",
    "write_ledger",
]


class LostFile(Record):
    """A file that was left out; `events` is None where it never opened."""

    path: str
    events: int | None
    reason: str


class PartOfInput(Record):
    """A dataset of which a part was read, by `--max-files` or `--max-chunks`.

    Attributes:
        share: of its events.
        files_listed: of the whole dataset.
    """

    share: float
    files_listed: int


class CertifiedEvents(Record):
    """Luminosity blocks and events of recorded data that were read, and those that are certified.

    Attributes:
        lists: that certify them: file, and in XML of ATLAS what the list calls itself.
    """

    blocks: int
    certified_blocks: int
    events: int
    certified_events: int
    certified_fraction: float
    lists: tuple[str, ...] = ()


class DatasetAccount(Record):
    """The account of one dataset.

    Attributes:
        is_data: None where a processor that the user brought says what its events weigh.
        files, events: that were to be read, and that were read.
        files_lost: left out.
        substitutes: input → what stands in for it.
        replicas: file → where its chunks were read, for files read elsewhere than they are listed.
        partial: where a part of the dataset was read.
        events_lost, lost_fraction: of data, in files that were left out.
        lumi_ifb, analysed_lumi_ifb: of data: declared, and without what was lost or not read.
        certified: of data that must be certified.
    """

    is_data: bool | None = None
    files: int
    events: int
    files_lost: tuple[LostFile, ...] = ()
    substitutes: dict[str, str] = Field(default_factory=dict)
    replicas: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    partial: PartOfInput | None = None
    events_lost: int = 0
    lost_fraction: float | None = None
    lumi_ifb: float | None = None
    certified: CertifiedEvents | None = None
    analysed_lumi_ifb: float | None = None


class Ledger(Record):
    """The closed books of a run.

    Attributes:
        rounds: that reading needed.
        data_lumi_ifb: luminosity of all data together, without what was lost; None without data.
        datasets: by name.
    """

    rounds: int
    data_lumi_ifb: float | None = None
    datasets: dict[str, DatasetAccount]


def write_ledger(path: Path, ledger: Ledger) -> None:
    """Writes `ledger.json`, without what does not concern a dataset."""
    write_json(path, ledger.model_dump(mode="json", exclude_unset=True))


def read_ledger(path: Path) -> Ledger:
    """Reads `ledger.json`.

    Raises:
        DataError: it does not exist, or is of another version.
    """
    return read_record(path, Ledger)
