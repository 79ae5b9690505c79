"""The card of a table of events: own columns with labels and weights, in place of ntuples and an analysis."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, model_validator

from znought.analysis import RESERVED, Analysis, Variable
from znought.errors import CardError, unknown_name
from znought.facility.cards.finding import Found
from znought.facility.cards.section import Section
from znought.facility.cards.sections import Dataset
from znought.facility.cards.standard import StandardCard

__all__ = ["TableCard", "TableSection", "found_table"]


class TableVariable(Section):
    """How a column is drawn, and what stands for an undefined value.

    Attributes:
        bins: (number, lower, upper) of equal bins, or "integer"; without bins or edges it is not drawn.
        edges: of unequal bins.
        label: in mathtext, without the unit.
        unit: of the values.
        undefined: stands for nulls and NaN; where it is not given they stop the run.
    """

    bins: tuple[int, float, float] | Literal["integer"] | None = None
    edges: tuple[float, ...] = ()
    label: str = ""
    unit: str = ""
    undefined: float | None = None


class TableSection(Section):
    """Columns of a table that are no variables, and how some variables are drawn.

    Attributes:
        files: parquet files beside the card, read one after the other; none for a table in memory.
        label: column with the process of every event.
        weight: column with the expected events of every row at the card's luminosity; not read of data.
        identity: columns of whole numbers that tell the events of a process apart: at most run, block and
            number; folds derive from them. Without them an event is told by its row.
        variables: name → bins, label, unit.
    """

    files: tuple[str, ...] = ()
    label: str
    weight: str
    identity: Annotated[tuple[str, ...], Field(max_length=3)] = ()
    variables: dict[str, TableVariable] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _labels_have_weights(cls, content: Any) -> Any:
        if isinstance(content, Mapping) and "label" in content and "weight" not in content:
            raise ValueError(
                "labels without weights: give `weight`, the column with the expected events of every row"
            )
        return content


class TableCard(StandardCard):
    """The standard card of a table: its datasets are its processes.

    Attributes:
        analysis: what results call it.
        table: files and columns.
    """

    analysis: str = "table"
    datasets: dict[str, Dataset] = Field(default_factory=dict)
    table: TableSection

    _frame: Any = PrivateAttr(default=None)

    @model_validator(mode="before")
    @classmethod
    def _datasets_are_processes(cls, content: Any) -> Any:
        if not isinstance(content, Mapping) or not isinstance(content.get("processes"), Mapping):
            return content
        for key in ("datasets", "selection", "channels", "variations", "weights", "simulation"):
            if key in content:
                raise ValueError(f"{key}: has no effect on a table, whose events are selected and weighted")
        return {**content, "datasets": {name: {"process": name} for name in content["processes"]}}

    @property
    def needs_cross_sections(self) -> bool:
        """The weights of a table are expected events already."""
        return False

    @property
    def origin(self) -> dict[str, Any]:
        """The table that the card is of."""
        return {"table": self.table.model_dump(mode="json"), "analysis": self.analysis}

    @property
    def frame(self) -> Any:
        """The table in memory; None where it stands in files."""
        return self._frame

    def with_frame(self, frame: Any) -> "TableCard":
        """This card of a table in memory."""
        card = self.model_copy()
        card._frame = frame
        return card


def found_table(content: Mapping[str, Any], folder: Path, frame: Any = None) -> Found:
    """The table that a card names, as an analysis whose variables are its columns.

    Args:
        content: of the card, unchecked but for the section `table`.
        folder: of the card.
        frame: a pandas DataFrame in place of files.

    Raises:
        CardError: a file or column that is not there.
    """
    given = content["table"] if isinstance(content["table"], Mapping) else {}
    numbers, others = _columns_of_frame(frame) if frame is not None else _columns_of_files(given, folder)
    identity = given.get("identity") or ()
    for key, name in (
        ("label", given.get("label")),
        ("weight", given.get("weight")),
        *(("identity", n) for n in identity),
    ):
        if name is not None and name not in numbers + others:
            raise CardError(f"table.{key}: {unknown_name('column', name, sorted(numbers + others))}")
    drawn = given.get("variables") or {}
    for name in drawn:
        if name not in numbers:
            raise CardError(f"table.variables: {unknown_name('column of numbers', name, sorted(numbers))}")
    taken = {given.get("label"), given.get("weight"), *identity, *RESERVED}
    variables = [_variable(name, drawn.get(name)) for name in numbers if name not in taken]
    name = str(content.get("analysis", "table"))
    return Found(Analysis(name, columns=_no_columns, variables=variables, card=TableCard))


def _no_columns(*_: Any) -> None:
    raise CardError("table: its columns are there already.")


def _variable(name: str, given: Any) -> Variable:
    checked = TableVariable.model_validate(given or {})
    return Variable(
        name,
        bins=checked.bins,
        edges=checked.edges,
        label=checked.label,
        unit=checked.unit,
        undefined=checked.undefined,
    )


def _columns_of_files(given: Mapping[str, Any], folder: Path) -> tuple[list[str], list[str]]:
    """Names of the columns of numbers, and of the others, that all files have."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = given.get("files") or ()
    if not files:
        raise CardError("table.files: expected parquet files, or a table in memory.")
    found: list[dict[str, bool]] = []
    for name in files:
        path = folder / str(name)
        if not path.is_file():
            raise CardError(f"table.files: no such file {path}.")
        try:
            schema = pq.read_schema(path)
        except (pa.ArrowException, OSError) as error:
            raise CardError(f"table.files: {path} is no parquet file ({error}).") from error
        kinds = {field.name: field.type for field in schema}
        found.append(
            {
                n: pa.types.is_integer(k) or pa.types.is_floating(k) or pa.types.is_boolean(k)
                for n, k in kinds.items()
            }
        )
    common = [name for name in found[0] if all(name in columns for columns in found)]
    numbers = [name for name in common if all(columns[name] for columns in found)]
    return numbers, [name for name in common if name not in numbers]


def _columns_of_frame(frame: Any) -> tuple[list[str], list[str]]:
    """Names of the columns of numbers of a pandas DataFrame, and of the others."""
    names = [str(name) for name in frame.columns]
    numbers = [str(name) for name, kind in frame.dtypes.items() if getattr(kind, "kind", "") in "iufb"]
    return numbers, [name for name in names if name not in numbers]
