"""What the records of both analyses' results are made of."""

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from znought.errors import DataError
from znought.facility.workspace import read_json

__all__ = [
    "ClassEvents",
    "DiscriminantTest",
    "Estimate",
    "OneDiscriminantResult",
    "Record",
    "SizedSignificance",
    "read_entries",
    "read_record",
]

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


class SizedSignificance(Record):
    """Held-out Z₀ on a part of the generated events, weights scaled up to all of them.

    Attributes:
        share: of the generated events.
        generated: how many these are.
        z0: by method, as far as there are events enough.
    """

    share: float
    generated: int
    z0: dict[str, Estimate]


class ClassEvents(Record):
    """How much simulation stands behind one class, after preselection.

    Attributes:
        raw: rows, detector responses counted each.
        generated: distinct generated events among them.
        effective: (Σw)²/Σw² with the responses of one event as one.
        weighted: expected events at the card's luminosity.
        negative_fraction: rows with a negative weight.
    """

    raw: int
    generated: int
    effective: float
    weighted: float
    negative_fraction: float


def read_record(path: Path, kind: type[RecordT]) -> RecordT:
    """What a stage has written, every field there and of its kind.

    Raises:
        DataError: the file does not exist, or was left by another version.
    """
    return _checked(path, kind, read_json(path))


def read_entries(path: Path, kind: type[RecordT], *keys: str) -> dict[str, RecordT]:
    """Records by name, as `read_record`.

    Args:
        path: of the file.
        kind: of each record.
        keys: below which they stand; none where they are all of the file.

    Raises:
        DataError: the file does not exist, or was left by another version.
    """
    content = read_json(path)
    for key in keys:
        content = content[key]
    if not isinstance(content, dict):
        raise DataError(f"{path}: expected records by name; run the stage that writes it again.")
    return {name: _checked(path, kind, one, name) for name, one in content.items()}


def _checked(path: Path, kind: type[RecordT], content: object, *place: str) -> RecordT:
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in (*place, *first["loc"]))
        raise DataError(f"{path}: {where}: {first['msg']}; run the stage that writes it again.") from error
