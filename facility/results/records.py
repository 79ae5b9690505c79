"""What the records of both analyses' results are made of."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from znought.errors import DataError
from znought.facility.workspace import read_json

__all__ = ["DiscriminantTest", "Estimate", "OneDiscriminantResult", "Record", "read_record"]

RecordT = TypeVar("RecordT", bound=BaseModel)


class Record(BaseModel):
    """What a file of a stage holds, or a part of it: no key that nobody knows, no change once it is made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Estimate(Record):
    """A value with its 68 % bootstrap interval."""

    value: float
    interval: tuple[float, float]


class DiscriminantTest(Record):
    """χ² of test events against the others, one output among the events of one class.

    Attributes:
        process, output: the class, and whose output.
        chi2, n_dof, p_value: in bins between quantiles of both.
        above: quantile → share of test events above it less that of the others, and its error.
    """

    process: str
    output: str
    chi2: float
    n_dof: int
    p_value: float
    above: dict[str, tuple[float, float]]


class OneDiscriminantResult(Record):
    """Whether test events have the discriminant of out-of-fold events.

    Attributes:
        fisher, p_value: −2 Σ ln p of all tests, and its probability (see `znought.stats.one_discriminant`).
        tests: by class and output.
    """

    fisher: float
    p_value: float
    tests: tuple[DiscriminantTest, ...]


def read_record(path: Path, kind: type[RecordT]) -> RecordT:
    """What a stage has written, every field there and of its kind.

    Raises:
        DataError: the file does not exist, or was left by another version.
    """
    try:
        return kind.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: {where}: {first['msg']}; run the stage that writes it again.") from error
