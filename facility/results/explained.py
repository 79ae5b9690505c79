"""What networks have learned, as `explanation.json` holds it."""

from pathlib import Path

from pydantic import AliasChoices, Field

from znought.facility.results.records import Record, read_record
from znought.facility.workspace import write_json

__all__ = ["Explanation", "InputImportance", "Learned", "Tail", "read_explanation", "write_explanation"]


class InputImportance(Record):
    """Loss of macro AUC when an input is shuffled: mean and standard deviation over repetitions."""

    mean: float
    stdev: float


class Learned(Record):
    """What one network has learned, all of its folds and repeats together.

    Attributes:
        importance: by input.
        attribution: class → input → mean |∂score/∂input| of network 0 on its own fold, inputs scaled.
    """

    importance: dict[str, InputImportance]
    attribution: dict[str, dict[str, float]]


class Tail(Record):
    """Training events of one class above some outputs of one single network, on the fold it has not seen.

    Attributes:
        model: the network's name.
        repeat, fold: which one of it.
        output: whose output.
        class_name: class, or process, of the events (`class` in the file).
        above: cut → share of the class's events above it.
    """

    model: str
    repeat: int
    fold: int
    output: str
    class_name: str = Field(validation_alias=AliasChoices("class", "class_name"), serialization_alias="class")
    above: dict[str, float]


class Explanation(Record):
    """The network of classes.

    Attributes:
        importance, attribution: as of `Learned`.
        tails: of every single network; none of a model that was trained elsewhere.
    """

    importance: dict[str, InputImportance]
    attribution: dict[str, dict[str, float]]
    tails: tuple[Tail, ...]


def write_explanation(path: Path, found: Record) -> None:
    """Writes `explanation.json`."""
    write_json(path, found.model_dump(mode="json", by_alias=True))


def read_explanation(path: Path) -> Explanation:
    """Reads `explanation.json`.

    Raises:
        DataError: it does not exist, or is of another version.
    """
    return read_record(path, Explanation)
