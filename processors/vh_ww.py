"""The processor of VH(→WW→ℓνℓν): ntuples in; cutflow, histograms and parquet columns out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from coffea.processor import ProcessorABC
from numpy.typing import NDArray

from znought.processors import hists
from znought.processors.chunk import Chunk, open_chunk
from znought.processors.columns import ColumnFile, write_columns
from znought.processors.cutflow import Cutflow
from znought.processors.reconstruction import Selected, pairs_of, read_hadronic, read_leptons, reconstruct
from znought.processors.result import DatasetResult
from znought.processors.selection import CUTS, VHWWSelection

__all__ = ["NOMINAL", "VHWWProcessor"]

NOMINAL = "nominal"


@dataclass(frozen=True)
class VHWWProcessor(ProcessorABC):  # type: ignore[misc]  # coffea has no type information
    """Preselection, the 17 inputs, cutflow, histograms and columns of one chunk.

    Attributes:
        selection: the preselection.
        columns_directory: where parquet columns go; None writes none.
    """

    selection: VHWWSelection = field(default_factory=VHWWSelection)
    columns_directory: str | None = None

    def process(self, events: Any) -> dict[str, DatasetResult]:
        """Result of one chunk, under the name of its dataset."""
        chunk = open_chunk(events, refuse_substitutes=self.selection.substitutes == "refuse")
        gen_weight = chunk.weight()
        pairs = pairs_of(chunk, read_leptons(chunk), self.selection)
        with_pair = np.zeros(len(chunk.view), np.bool_)
        with_pair[pairs.event] = True
        selected = reconstruct(chunk, pairs, read_hadronic(chunk, with_pair), self.selection)
        weight = gen_weight[selected.event] * selected.veto_weight
        written = self._written(chunk, NOMINAL, selected, weight)
        result = DatasetResult(
            {NOMINAL: cutflow(selected, gen_weight, weight)},
            hists.fill(selected.columns, weight),
            written,
            dict(chunk.view.layout.substitutes),
            (chunk.dialect.name,),
        )
        return {chunk.dataset: result}

    def postprocess(self, accumulator: Any) -> Any:
        """Nothing: normalisation happens once, when the ledger is closed."""
        return accumulator

    def _written(
        self, chunk: Chunk, variation: str, selected: Selected, weight: NDArray[np.float64]
    ) -> tuple[ColumnFile, ...]:
        """The chunk's column file of one variation, or nothing if no columns are asked for."""
        if self.columns_directory is None:
            return ()
        columns: Mapping[str, NDArray[Any]] = {
            **chunk.identity(selected.event),
            "gen_weight": weight,
            **selected.columns,
        }
        path = Path(self.columns_directory, chunk.dataset, variation, f"{chunk.name}.parquet")
        return (write_columns(columns, path, variation=variation),)


def cutflow(selected: Selected, gen_weight: NDArray[np.float64], weight: NDArray[np.float64]) -> Cutflow:
    """Cutflow of a chunk: generator weights up to the jets, the final weights after the b-veto."""
    return Cutflow.filled(CUTS[:-1], selected.passed, gen_weight).then(CUTS[-1], weight)
