"""The columns of VH(→WW→ℓνℓν): what the engine is given for each chunk."""

from collections.abc import Iterator, Mapping
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_ww.reconstruction import (
    Contents,
    Selected,
    b_veto,
    read_contents,
    read_leptons,
    reconstruct,
)
from znought.analyses.vh_ww.scale_factors import scale_factors
from znought.analyses.vh_ww.selection import CUTS, Dilepton, VHWWSelection, select_dilepton
from znought.analyses.vh_ww.variations import Objects, vary
from znought.processors.chunk import Chunk
from znought.processors.cutflow import Cutflow
from znought.processors.evaluated import NOMINAL, WHOLE, Evaluated, Evaluation, Request
from znought.processors.objects import Leptons
from znought.processors.scale_factors import jet_flavours
from znought.processors.variations import Variation, jet_numbers, resolution_noise, shift_tagging
from znought.processors.weights import Factors

__all__ = ["columns"]


def columns(chunk: Chunk, request: Request) -> Evaluation:
    """Preselection and the 17 inputs of one chunk, nominal and under every variation.

    Branches are read, and candidates found, once for all variations.
    """
    cuts = _cuts(request)
    gen_weight = chunk.weight()
    leptons = read_leptons(chunk, cuts, request)
    pairs = _pairs(chunk, leptons, request)
    holding = np.zeros(len(chunk.view), np.bool_)
    for dilepton in pairs.values():
        holding[dilepton.event] = True
    contents = read_contents(chunk, np.flatnonzero(holding), cuts, request)
    objects = contents.objects(pairs[NOMINAL], cuts)
    selected = reconstruct(chunk, objects, cuts)
    weights = _weights(chunk, objects, selected, gen_weight, request)
    flow = Cutflow.filled(CUTS[:-1], selected.passed, gen_weight)
    nominal = flow.then(CUTS[-1], weights["gen_weight"])
    found = {NOMINAL: Evaluated(nominal, selected.event, weights, selected.all_columns)}
    for variation, varied, factors in _varied(chunk, contents, pairs, selected, request):
        weight = gen_weight[varied.event] * varied.veto_weight * factors.nominal
        moved = flow.moved(selected.passed, varied.passed, gen_weight).then(CUTS[-1], weight)
        found[variation.name] = Evaluated(moved, varied.event, {"gen_weight": weight}, varied.all_columns)
    return {WHOLE: found}


def _cuts(request: Request) -> VHWWSelection:
    assert isinstance(request.cuts, VHWWSelection)
    return request.cuts


def _weights(
    chunk: Chunk, objects: Objects, selected: Selected, gen_weight: NDArray[np.float64], request: Request
) -> dict[str, NDArray[np.float64]]:
    """Weight of each selected event, and the same under variations that change nothing else."""
    cuts = _cuts(request)
    factors = scale_factors(chunk, objects, selected, request)
    generated = gen_weight[selected.event]
    weights = {"gen_weight": generated * selected.veto_weight * factors.nominal}
    for name, product in factors.varied.items():
        weights[f"gen_weight_{name}"] = generated * selected.veto_weight * product
    if not objects.jets.btag_is_probability:
        return weights
    for variation in request.variations.all():
        if variation.is_tagging:
            jets = shift_tagging(objects.jets, variation, partial(jet_flavours, chunk, objects.jets))
            _, veto = b_veto(chunk, jets, selected.row, cuts)
            weights[f"gen_weight_{variation.name}"] = generated * veto * factors.nominal
    return weights


def _pairs(chunk: Chunk, leptons: tuple[Leptons, Leptons], request: Request) -> dict[str, Dilepton]:
    """Nominal pairs, and by name of the variation those of moved leptons."""
    pairs = {NOMINAL: select_dilepton(*leptons, _cuts(request))}
    for variation in () if chunk.is_data else request.variations.all():
        if variation.lepton_flavours:
            electrons, muons = (flavour.under(variation.name) for flavour in leptons)
            pairs[variation.name] = select_dilepton(electrons, muons, _cuts(request))
    return pairs


def _varied(
    chunk: Chunk, contents: Contents, pairs: Mapping[str, Dilepton], nominal: Selected, request: Request
) -> Iterator[tuple[Variation, Selected, Factors]]:
    """Events and scale factors of each variation that moves objects; branches are read once for all."""
    given, cuts = nominal.hadronic.objects, _cuts(request)
    is_counted = cuts.btag_mode == "regions"

    @cache
    def noise() -> NDArray[np.float64]:
        return resolution_noise(given.jets, chunk.identity(given.pairs.event))

    @cache
    def numbers() -> NDArray[np.float64]:
        return jet_numbers(given.jets, chunk.identity(given.pairs.event), salt="btag")

    asked = request.variations.of_events() if is_counted else request.variations.all()
    for variation in () if chunk.is_data else asked:
        objects = given
        if variation.is_tagging and given.jets.btag_is_probability:
            continue  # a weight: see `_weights`
        if variation.name in pairs:
            objects = contents.objects(pairs[variation.name], cuts)
        flavour = partial(jet_flavours, chunk, objects.jets)
        objects = vary(objects, variation, noise, flavour, numbers if is_counted else None)
        selected = reconstruct(chunk, objects, cuts, nominal=nominal)
        yield variation, selected, scale_factors(chunk, objects, selected, request)
