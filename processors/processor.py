"""The one processor: ntuples in; cutflows, histograms and parquet columns of any analysis out."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coffea.processor import ProcessorABC

from znought.analysis import Analysis
from znought.processors.chunk import Chunk, open_chunk
from znought.processors.columns import ColumnFile, write_columns
from znought.processors.evaluated import NOMINAL, Evaluated, Request
from znought.processors.hists import Tally
from znought.processors.result import ChannelResult, DatasetResult

__all__ = ["AnalysisProcessor"]


@dataclass(frozen=True)
class AnalysisProcessor(ProcessorABC):  # type: ignore[misc]  # coffea has no type information
    """An analysis at work on one chunk.

    Attributes:
        analysis: what is computed.
        request: what the card asks for.
        columns_directory: where parquet columns go; None writes none.
    """

    analysis: Analysis
    request: Request
    columns_directory: str | None = None

    @property
    def refuse_substitutes(self) -> bool:
        """Stop where a format lacks an input."""
        return self.request.refuse_substitutes

    def process(self, events: Any) -> dict[str, DatasetResult]:
        """Result of one chunk, under the name of its dataset."""
        chunk = open_chunk(events, refuse_substitutes=self.refuse_substitutes)
        assert self.analysis.columns is not None
        channels = {
            channel: ChannelResult(
                {name: found.cutflow for name, found in variations.items()},
                Tally.filled(self.analysis.variables, variations[NOMINAL]),
                tuple(self._written(chunk, channel, variations)),
            )
            for channel, variations in self.analysis.columns(chunk, self.request).items()
        }
        substitutes = dict(chunk.view.layout.substitutes)
        return {chunk.dataset: DatasetResult(channels, substitutes, (chunk.dialect.name,))}

    def postprocess(self, accumulator: Any) -> Any:
        """Nothing: normalisation happens once, when the ledger is closed."""
        return accumulator

    def _written(self, chunk: Chunk, channel: str, variations: dict[str, Evaluated]) -> Iterator[ColumnFile]:
        """The chunk's column file of each variation, or nothing if no columns are asked for."""
        if self.columns_directory is None:
            return
        for variation, found in variations.items():
            columns = {**chunk.identity(found.event), **found.weights, **found.columns}
            path = Path(self.columns_directory, channel, chunk.dataset, variation, f"{chunk.name}.parquet")
            yield write_columns(columns, path, variation=variation)
