"""VH(bb) recipes: signal with SMEFT weights in two slices of pT(V), and the backgrounds of three channels."""

import math
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from znought.analyses.vh_bb.hard_process import Legs, legs, stack
from znought.analyses.vh_bb.matrix_element import reference_weights
from znought.simulation.recipe import BPairFilter, LeptonFilter, LeptonPart, Recipe, Weigher

__all__ = ["RECIPES", "SMEFT_SLICE_GEV", "smeft_weights"]

SMEFT_SLICE_GEV = (80.0, 250.0)
"""Lower edges of the two slices in the hard process' pT(V); the upper one fills the tail that c̄ lifts."""
_TOP_SLICE_GEV = (110.0, 180.0)
_JET_SLICE_GEV = (100.0, 180.0)

_H_TO_BB = ("25:onMode = off", "25:onIfAny = 5")
_Z_TO_NEUTRINOS = ("23:onMode = off", "23:onIfAny = 12 14 16")
_Z_TO_LEPTONS = ("23:onMode = off", "23:onIfAny = 11 13")
_W_TO_LEPTONS = ("24:onMode = off", "24:onIfAny = 11 13 15")
_W_TO_LIGHT_LEPTONS = ("24:onMode = off", "24:onIfAny = 11 13")
_ONE_LEPTON = ("24:onMode = off", "24:onPosIfAny = 11 13 15", "24:onNegIfAny = 1 2 3 4 5")
_Z_AND_JET = ("WeakBosonAndParton:qqbar2gmZg = on", "WeakBosonAndParton:qg2gmZq = on", "WeakZ0:gmZmode = 2")
_W_AND_JET = ("WeakBosonAndParton:qqbar2Wg = on", "WeakBosonAndParton:qg2Wq = on")


def smeft_weights(events: Sequence[Legs]) -> dict[str, NDArray[np.float64]]:
    """Weights at `REFERENCE_POINTS`, as branches `SMEFTWeight_0` … `SMEFTWeight_5`."""
    columns = reference_weights(stack(events)).T
    return {f"SMEFTWeight_{i}": column for i, column in enumerate(columns)}


def _slices(recipe: Recipe, what: str, edges_gev: tuple[float, float]) -> tuple[Recipe, Recipe]:
    """The recipe between two values of the hard process' pT, and above the second (`…_high`)."""
    low, high = edges_gev
    window = (f"PhaseSpace:pTHatMin = {low}", f"PhaseSpace:pTHatMax = {high}")
    return (
        replace(
            recipe,
            description=f"{recipe.description}, {low:g} < {what} < {high:g} GeV",
            commands=(*recipe.commands, *window),
        ),
        replace(
            recipe,
            name=f"{recipe.name}_high",
            description=f"{recipe.description}, {what} > {high:g} GeV",
            commands=(*recipe.commands, f"PhaseSpace:pTHatMin = {high}"),
        ),
    )


def _signal(name: str, description: str, commands: tuple[str, ...]) -> tuple[Recipe, Recipe]:
    recipe = Recipe(
        name=name,
        description=f"{description}, H -> bb, with weights for c_HW and c_HB",
        commands=(*commands, *_H_TO_BB),
        leptons="record",
        skim="bb",
        weigher=Weigher(capture=legs, weigh=smeft_weights),
    )
    return _slices(recipe, "pT(V)", SMEFT_SLICE_GEV)


_TOP = Recipe(
    name="ttbar",
    description="tt -> bW bW",
    commands=("Top:gg2ttbar = on", "Top:qqbar2ttbar = on"),
    leptons="record",
    skim="bb",
)


def _top(name: str, description: str, decays: tuple[str, ...]) -> tuple[Recipe, Recipe]:
    """tt̄ with leptons that may be a W or Z of high pT, in two slices of the largest pT they may be seen with.

    Below the lower edge nothing is generated.
    """
    low, high = _TOP_SLICE_GEV
    recipe = replace(_TOP, name=name, commands=(*_TOP.commands, *decays))
    return (
        replace(
            recipe,
            description=f"{_TOP.description}, {description}, {low:g} < pT(leptons) < {high:g} GeV",
            lepton_filter=LeptonFilter("rest", pt_rest_gev=(low, high)),
        ),
        replace(
            recipe,
            name=f"{name}_high",
            description=f"{_TOP.description}, {description}, pT(leptons) > {high:g} GeV",
            lepton_filter=LeptonFilter("rest", pt_rest_gev=(high, math.inf)),
        ),
    )


def _top_pair(name: str, description: str, decays: tuple[str, ...], part: LeptonPart) -> Recipe:
    """tt̄ with two leptons that may be a Z of high pT."""
    return replace(
        _TOP,
        name=name,
        description=f"{_TOP.description}, {description}, m(ll) near or above m(Z), pT(ll) > 135 GeV",
        commands=(*_TOP.commands, *decays),
        lepton_filter=LeptonFilter(part),
    )


def _with_b_pair(name: str, description: str, commands: tuple[str, ...]) -> tuple[Recipe, Recipe]:
    recipe = Recipe(
        name=name,
        description=f"{description}, two b quarks from shower or proton",
        commands=commands,
        leptons="record",
        b_pair=BPairFilter(),
        skim="bb",
        events_per_job=1500,
    )
    return _slices(recipe, "pT(V)", _JET_SLICE_GEV)


_VH_BB: tuple[Recipe, ...] = (
    *_signal("zh_nunubb", "qq -> ZH, Z -> nunu", ("HiggsSM:ffbar2HZ = on", *_Z_TO_NEUTRINOS)),
    *_signal(
        "wh_lnubb",
        "qq' -> WH, W -> e, mu or tau and neutrino",
        ("HiggsSM:ffbar2HW = on", *_W_TO_LEPTONS),
    ),
    *_signal("zh_llbb", "qq -> ZH, Z -> ee or mumu", ("HiggsSM:ffbar2HZ = on", *_Z_TO_LEPTONS)),
    *_with_b_pair("z_nunu_bb", "Z + jet, Z -> nunu", (*_Z_AND_JET, *_Z_TO_NEUTRINOS)),
    *_with_b_pair("w_lnu_bb", "W + jet, W -> e, mu or tau", (*_W_AND_JET, *_W_TO_LEPTONS)),
    *_with_b_pair("z_ll_bb", "Z + jet, Z -> ee or mumu", (*_Z_AND_JET, *_Z_TO_LEPTONS)),
    *_top("ttbar_lnuqq", "W+ -> e, mu or tau, W- -> qq' (stands for both charges)", _ONE_LEPTON),
    *_top("ttbar_lnulnu", "both W -> e, mu or tau, but for `ttbar_2l` and `ttbar_2l_tau`", _W_TO_LEPTONS),
    _top_pair("ttbar_2l", "ee or mumu", _W_TO_LIGHT_LEPTONS, "pair"),
    _top_pair("ttbar_2l_tau", "two leptons, one a tau", _W_TO_LEPTONS, "tau_pair"),
)

RECIPES = MappingProxyType({entry.name: entry for entry in _VH_BB})
"""Recipes by name."""
