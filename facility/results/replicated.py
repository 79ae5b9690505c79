"""Numbers with their bootstrap replicates, by which two results are compared event by event."""

from pathlib import Path

from znought.facility.results.records import Record, read_record
from znought.facility.workspace import write_text

__all__ = ["ReplicatedNumber", "ReplicatedNumbers", "read_replicates", "write_replicates"]


class ReplicatedNumber(Record):
    """One number on resampled events; replicate k draws the same generated events wherever they appear.

    Attributes:
        title: what it is, in words.
        value: on the events as they are.
        replicates: on each drawing.
    """

    title: str
    value: float
    replicates: tuple[float, ...]


class ReplicatedNumbers(Record):
    """What stands in `replicates.json`.

    Attributes:
        quantity: what all of them are, as "held-out Z_A".
        numbers: name → number.
    """

    quantity: str
    numbers: dict[str, ReplicatedNumber]


def write_replicates(path: Path, found: ReplicatedNumbers) -> None:
    """Writes `replicates.json`."""
    write_text(path, found.model_dump_json(indent=1) + "\n")


def read_replicates(path: Path) -> ReplicatedNumbers:
    """Reads `replicates.json`.

    Raises:
        DataError: it does not exist, or is of another version.
    """
    return read_record(path, ReplicatedNumbers)
