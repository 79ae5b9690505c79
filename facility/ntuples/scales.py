"""What an event of each dataset counts, as `normalisation.json` holds it."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from znought.facility.results.records import Record, read_entries
from znought.facility.workspace import Workspace, write_json
from znought.processors.normalisation import Normalisation

__all__ = ["DatasetScale", "read_scales", "scale_of", "write_scales"]


class DatasetScale(Record):
    """One dataset; of data, and of events that came with their weights, the scale alone is 1.

    Attributes:
        scale: expected events per unit of generator weight.
        sumw, sumw2, n_generated, filter_efficiency, relative_error, effective_events: as of
            `znought.processors.normalisation.Normalisation`.
        theory: member of a set of generator weights → factor by which it changes no rate.
    """

    scale: float = 1.0
    sumw: float | None = None
    sumw2: float | None = None
    n_generated: int | None = None
    filter_efficiency: float | None = None
    relative_error: float | None = None
    effective_events: float | None = None
    theory: dict[str, float] = Field(default_factory=dict)

    @property
    def generated(self) -> Normalisation | None:
        """What the scale was made of; None of data, and of events that came with their weights."""
        return None if self.sumw is None else Normalisation(**self.model_dump(exclude={"theory"}))


def write_scales(path: Path, found: Mapping[str, DatasetScale]) -> None:
    """Writes `normalisation.json`, of each dataset what is known."""
    write_json(path, {name: one.model_dump(mode="json", exclude_unset=True) for name, one in found.items()})


def read_scales(workspace: Workspace) -> dict[str, DatasetScale]:
    """Dataset → what its events count.

    Raises:
        DataError: `normalisation.json` does not exist, or is of another version.
    """
    return read_entries(workspace.normalisation, DatasetScale)


def scale_of(workspace: Workspace) -> dict[str, float]:
    """Dataset → expected events per unit of generator weight; 1 for data.

    Raises:
        DataError: as `read_scales`.
    """
    return {name: entry.scale for name, entry in read_scales(workspace).items()}
