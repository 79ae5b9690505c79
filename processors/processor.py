"""The one processor: ntuples in; cutflows, histograms and parquet columns of any analysis out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from coffea.processor import ProcessorABC

from znought.analysis import ERA, Analysis
from znought.processors.chunk import Chunk, open_chunk
from znought.processors.columns import ColumnFile, write_columns
from znought.processors.evaluated import NOMINAL, WHOLE, Evaluated, Evaluation, Request, in_one_table
from znought.processors.exact import ExactSum
from znought.processors.hists import Tally
from znought.processors.loose import apart
from znought.processors.objectwise import filled
from znought.processors.plugin import Divided, evaluate
from znought.processors.quality.blocks import Blocks
from znought.processors.quality.judged import judged
from znought.processors.result import ChannelResult, DatasetResult
from znought.processors.skimming import selected_events, write_skim
from znought.processors.theory import weighed

__all__ = ["AnalysisProcessor"]


@dataclass(frozen=True)
class AnalysisProcessor(ProcessorABC):  # type: ignore[misc]  # coffea has no type information
    """An analysis at work on one chunk.

    Attributes:
        analysis: what is computed.
        request: what the card asks for.
        columns_directory: where parquet columns go; None writes none.
        skim_directory: where the selected events go as ntuples; None writes none.
    """

    analysis: Analysis
    request: Request
    columns_directory: str | None = None
    skim_directory: str | None = None

    @property
    def refuse_substitutes(self) -> bool:
        """Stop where a format lacks an input."""
        return self.request.refuse_substitutes

    @property
    def reads_any_tree(self) -> bool:
        """Take files as they are; an analysis is told of events that a dialect reads."""
        return False

    @property
    def needs_complete_layout(self) -> bool:
        """Refuse a file that lacks any field of its dialect; plain functions ask for fields one by one."""
        return self.analysis.columns is not None

    def process(self, events: Any) -> dict[str, DatasetResult]:
        """Result of one chunk, under the name of its dataset; of one that is split, its parts'."""
        chunk = open_chunk(
            events, refuse_substitutes=self.refuse_substitutes, complete=self.needs_complete_layout
        )
        btag = self.request.btags.get(chunk.dataset, {})
        chunk = replace(chunk, btag=btag, weights=self.request.columns_of_weight)
        chunk.check_btag()
        chunk.view.entries.tree.asked.clear()
        parts = dict(events.metadata.get("parts", {}))
        if not parts:
            found, blocks = self._evaluated(chunk)
            result = self._result(chunk, chunk.dataset, found, blocks)
            if self.skim_directory is not None:
                kept = selected_events([found], len(chunk.view))
                write_skim(chunk, kept, Path(self.skim_directory, chunk.dataset))
            return {chunk.dataset: result}
        divided = self._divided(chunk, parts, events.metadata.get("parts_by"))
        return {name: self._result(chunk, name, part, Blocks()) for name, part in divided.items()}

    def _result(self, chunk: Chunk, dataset: str, evaluated: Evaluation, blocks: Blocks) -> DatasetResult:
        """Cutflows, histograms and columns of a chunk, or of a part of it."""
        theory: dict[str, ExactSum] = {}
        if self.request.theory and not chunk.is_data:
            evaluated, theory = weighed(chunk, dataset, evaluated, self.request.theory)
        if self.request.loose:
            evaluated = apart(evaluated)
        channels = {
            channel: ChannelResult(
                {name: found.cutflow for name, found in variations.items()},
                Tally.filled(self.analysis.variables, variations[NOMINAL]),
                () if self._has_one_table else tuple(self._written(chunk, dataset, channel, variations)),
                filled(self.analysis.histograms, variations[NOMINAL]),
            )
            for channel, variations in evaluated.items()
        }
        if self._has_one_table:
            together = in_one_table(evaluated, tuple(self.analysis.channels))
            channels[WHOLE] = ChannelResult(columns=tuple(self._written(chunk, dataset, WHOLE, together)))
        declared, dialects = dict(chunk.declared), (chunk.dialect.name,)
        return DatasetResult(channels, declared, dialects, blocks=blocks, theory=theory)

    @property
    def _has_one_table(self) -> bool:
        """Whether channels have the same variables, and a column that tells them apart."""
        return self.analysis.channel_variable is not None

    def postprocess(self, accumulator: Any) -> Any:
        """Nothing: normalisation happens once, when the ledger is closed."""
        return accumulator

    def _evaluated(self, chunk: Chunk) -> tuple[Evaluation, Blocks]:
        """What the analysis makes of a chunk's events that count, and the blocks that were read."""
        if chunk.dataset not in self.request.quality:
            return self._made(chunk), Blocks()
        counting = judged(chunk, self.request.quality[chunk.dataset])
        return counting.whole(self._made(counting.chunk)), counting.blocks

    def _made(self, chunk: Chunk) -> Evaluation:
        """What the analysis makes of events, by its own columns or by plain functions."""
        if self.analysis.columns is None:
            return evaluate(self.analysis, chunk, self.request)
        found: Evaluation = self.analysis.columns(chunk, self.request)
        return found

    def _divided(self, chunk: Chunk, parts: Mapping[str, Any], by: str | None) -> dict[str, Evaluation]:
        """The same of each part of a simulated dataset that is divided by the content of its events.

        All events are divided, those that do not count too: a part's share is that of what was generated.
        """
        divided = Divided.of(self.analysis, chunk, self.request, parts, by=by)
        quality = next((self.request.quality[part] for part in parts if part in self.request.quality), None)
        if quality is None:
            return divided.evaluated()
        counting = judged(chunk, quality)
        found = divided.evaluated(counting.chunk, counting.kept)
        return {part: counting.whole(one, divided.masks[part]) for part, one in found.items()}

    def _written(
        self, chunk: Chunk, dataset: str, channel: str, variations: Mapping[str, Evaluated]
    ) -> Iterator[ColumnFile]:
        """The chunk's column file of each variation, or nothing if no columns are asked for."""
        if self.columns_directory is None:
            return
        for variation, found in variations.items():
            columns = {**chunk.identity(found.event), **found.weights, **found.columns}
            if self.request.eras:
                place = self.request.eras.index(str(chunk.era))
                columns[ERA] = np.full(len(found.event), place, np.uint8)
            path = Path(self.columns_directory, channel, dataset, variation, f"{chunk.name}.parquet")
            yield write_columns(columns, path, variation=variation)
