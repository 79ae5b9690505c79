"""Simulated events of the challenge's processes that Pythia has; its s- and tW-channel are not among them."""

from types import MappingProxyType

from znought.simulation.recipe import PartonFilter, Recipe

__all__ = ["RECIPES"]

_LEPTON_AND_QUARKS = ("24:onMode = off", "24:onPosIfAny = 11 13 15", "24:onNegIfAny = 1 2 3 4 5")
_LEPTONS = ("24:onMode = off", "24:onIfAny = 11 13 15")

_RECIPES = (
    Recipe(
        name="ttbar_ljets",
        description="tt -> bW bW, W+ -> e, mu or tau, W- -> qq' (stands for both charges)",
        commands=("Top:gg2ttbar = on", "Top:qqbar2ttbar = on", *_LEPTON_AND_QUARKS),
        leptons="record",
        skim="dijet",
        events_per_job=2500,
    ),
    Recipe(
        name="wjets_lnu",
        description="W -> e, mu or tau, jets from the shower alone",
        commands=("WeakSingleBoson:ffbar2W = on", *_LEPTONS),
        leptons="record",
        parton_filter=PartonFilter(scale_gev=15.0, pt_gev=25.0, pt_single_gev=80.0),
        skim="dijet",
        events_per_job=2500,
        attempts_per_job=100_000,
    ),
    Recipe(
        name="single_top_t_lnu",
        description="t-channel single top (massless initial b), W -> e, mu or tau",
        commands=("Top:qq2tq(t:W) = on", *_LEPTONS),
        leptons="record",
        skim="dijet",
        events_per_job=2500,
    ),
)

RECIPES = MappingProxyType({recipe.name: recipe for recipe in _RECIPES})
"""Recipes by name."""
