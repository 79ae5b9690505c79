"""The results of a finished run, for a notebook: records, events as arrays, and what it was made with."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from znought.errors import DataError, unknown_name
from znought.facility.cards.finding import find_analysis, shipped
from znought.facility.events.store import EventTable, read_events, stored_columns
from znought.facility.ntuples.scales import read_scales
from znought.facility.results.standard import Results
from znought.facility.results.summary import report_tables
from znought.facility.workspace import Workspace, read_json
from znought.plots.report import ReportTable

__all__ = ["Finished", "load_results"]


@dataclass(frozen=True)
class Finished:
    """An output directory that holds results.

    Attributes:
        workspace: names of its files.
        results: the content of `results.json`, as a record where the analysis follows the standard flow.
    """

    workspace: Workspace
    results: Results | dict[str, Any]

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets, of which `events` gives the columns."""
        return tuple(read_scales(self.workspace))

    def events(
        self,
        dataset: str,
        columns: Sequence[str] | None = None,
        *,
        variation: str = "nominal",
        channel: str = "",
    ) -> EventTable:
        """Selected events of a dataset as arrays, with the identity of each.

        Args:
            dataset: one of `datasets`.
            columns: names; all of them unless given.
            variation: such as "jes_up".
            channel: of an analysis with channels.

        Raises:
            DataError: an unknown dataset or column.
        """
        if dataset not in self.datasets:
            raise DataError(unknown_name("dataset", dataset, self.datasets))
        directory = self.workspace.columns / channel
        stored = stored_columns(directory, [dataset], variation)
        return read_events(directory, [dataset], stored if columns is None else columns, variation=variation)

    @property
    def tables(self) -> tuple[ReportTable, ...]:
        """The closing tables of the run; none of an analysis with a flow of its own that is not installed."""
        if isinstance(self.results, Results):
            return report_tables(self.results)
        name = self.results.get("analysis")
        flow = find_analysis(name, Path()).analysis.flow if name in shipped() else None
        return () if flow is None else tuple(flow.tables(flow.read_results(self.workspace.results)))

    def _repr_html_(self) -> str:
        tables = "".join(table._repr_html_() for table in self.tables)
        return tables or f"<p>{self.workspace.results}</p>"


def load_results(directory: Path | str) -> Finished:
    """What a finished run left in its output directory.

    Raises:
        DataError: no `results.json`, or a damaged one.
    """
    workspace = Workspace(Path(directory))
    content = read_json(workspace.results)
    standard = "z0" in content and "regions" in content
    return Finished(workspace, Results.model_validate(content) if standard else content)
