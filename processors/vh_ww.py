"""The processor of VH(→WW→ℓνℓν): ntuples in; cutflow, histograms and parquet columns out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
from coffea.processor import ProcessorABC
from numpy.typing import NDArray

from znought.processors.chunk import Chunk, open_chunk
from znought.processors.columns import ColumnFile, write_columns
from znought.processors.cutflow import Cutflow
from znought.processors.hists import Tally
from znought.processors.objects import Leptons
from znought.processors.reconstruction import (
    Contents,
    Selected,
    b_veto,
    read_contents,
    read_leptons,
    reconstruct,
)
from znought.processors.result import DatasetResult
from znought.processors.selection import CUTS, Dilepton, VHWWSelection, select_dilepton
from znought.processors.variations import (
    Objects,
    Variation,
    VariationsConfig,
    resolution_noise,
    shift_tagging,
    vary,
)
from znought.processors.weights import Factors, ScaleFactor, scale_factors

__all__ = ["NOMINAL", "VHWWProcessor"]

NOMINAL = "nominal"


@dataclass(frozen=True)
class VHWWProcessor(ProcessorABC):  # type: ignore[misc]  # coffea has no type information
    """Preselection, the 17 inputs, cutflow, histograms and columns of one chunk.

    Attributes:
        selection: the preselection.
        variations: quantities to shift; each writes its own columns and cutflow.
        columns_directory: where parquet columns go; None writes none.
        weights: scale factors by name; each with up and down adds two weight columns.
    """

    selection: VHWWSelection = field(default_factory=VHWWSelection)
    variations: VariationsConfig = field(default_factory=VariationsConfig)
    columns_directory: str | None = None
    weights: dict[str, ScaleFactor] = field(default_factory=dict)

    def process(self, events: Any) -> dict[str, DatasetResult]:
        """Result of one chunk, under the name of its dataset."""
        chunk = open_chunk(events, refuse_substitutes=self.selection.substitutes == "refuse")
        gen_weight = chunk.weight()
        leptons = read_leptons(chunk, self.selection)
        pairs = self._pairs(chunk, leptons)
        holding = reduce(np.union1d, (found.event for found in pairs.values()))
        contents = read_contents(chunk, holding, self.selection)
        objects = contents.objects(pairs[NOMINAL], self.selection)
        selected = reconstruct(chunk, objects, self.selection)
        weights = self._weights(chunk, objects, selected, gen_weight)
        flow = Cutflow.filled(CUTS[:-1], selected.passed, gen_weight)
        cutflows = {NOMINAL: flow.then(CUTS[-1], weights["gen_weight"])}
        files = [*self._written(chunk, NOMINAL, selected, weights)]
        for variation, varied, factors in self._varied(chunk, contents, pairs, selected):
            weight = gen_weight[varied.event] * varied.veto_weight * factors.nominal
            varied_flow = flow.moved(selected.passed, varied.passed, gen_weight)
            cutflows[variation.name] = varied_flow.then(CUTS[-1], weight)
            files.extend(self._written(chunk, variation.name, varied, {"gen_weight": weight}))
        result = DatasetResult(
            cutflows,
            Tally.filled(selected.columns, weights["gen_weight"]),
            tuple(files),
            dict(chunk.view.layout.substitutes),
            (chunk.dialect.name,),
        )
        return {chunk.dataset: result}

    def postprocess(self, accumulator: Any) -> Any:
        """Nothing: normalisation happens once, when the ledger is closed."""
        return accumulator

    def _weights(
        self, chunk: Chunk, objects: Objects, selected: Selected, gen_weight: NDArray[np.float64]
    ) -> dict[str, NDArray[np.float64]]:
        """Weight of each selected event, and the same under variations that change nothing else."""
        factors = scale_factors(chunk, objects, selected, self.weights, self.selection)
        generated = gen_weight[selected.event]
        weights = {"gen_weight": generated * selected.veto_weight * factors.nominal}
        for name, product in factors.varied.items():
            weights[f"gen_weight_{name}"] = generated * selected.veto_weight * product
        if not objects.jets.btag_is_probability:
            return weights
        for variation in self.variations.all():
            if variation.quantity == "btag":
                jets = shift_tagging(objects.jets, variation)
                _, veto = b_veto(chunk, jets, selected.row, self.selection)
                weights[f"gen_weight_{variation.name}"] = generated * veto * factors.nominal
        return weights

    def _pairs(self, chunk: Chunk, leptons: tuple[Leptons, Leptons]) -> dict[str, Dilepton]:
        """Nominal pairs, and by name of the variation those of moved leptons."""
        pairs = {NOMINAL: select_dilepton(*leptons, self.selection)}
        for variation in () if chunk.is_data else self.variations.all():
            if variation.quantity == "lepton_scale":
                electrons, muons = (flavour.scaled(1.0 + variation.shift) for flavour in leptons)
                pairs[variation.name] = select_dilepton(electrons, muons, self.selection)
        return pairs

    def _varied(
        self, chunk: Chunk, contents: Contents, pairs: Mapping[str, Dilepton], nominal: Selected
    ) -> Iterator[tuple[Variation, Selected, Factors]]:
        """Events and scale factors of each variation that moves objects; branches are read once for all."""
        given = nominal.hadronic.objects

        @cache
        def noise() -> NDArray[np.float64]:
            return resolution_noise(given.jets, chunk.identity(given.pairs.event))

        for variation in () if chunk.is_data else self.variations.all():
            objects = given
            if variation.quantity == "btag" and given.jets.btag_is_probability:
                continue  # a weight: see `_weights`
            if variation.name in pairs:
                objects = contents.objects(pairs[variation.name], self.selection)
            objects = vary(objects, variation, noise)
            selected = reconstruct(chunk, objects, self.selection, nominal=nominal)
            yield variation, selected, scale_factors(chunk, objects, selected, self.weights, self.selection)

    def _written(
        self, chunk: Chunk, variation: str, selected: Selected, weights: dict[str, NDArray[np.float64]]
    ) -> Iterator[ColumnFile]:
        """The chunk's column file of one variation, or nothing if no columns are asked for."""
        if self.columns_directory is not None:
            columns = {**chunk.identity(selected.event), **weights, **selected.columns}
            path = Path(self.columns_directory, chunk.dataset, variation, f"{chunk.name}.parquet")
            yield write_columns(columns, path, variation=variation)
