"""VH(bb) recipes: ZH → ννbb, WH → ℓνbb, ZH → ℓℓbb with ℓ = e, μ."""

from znought.simulation.recipe import Recipe

__all__ = ["SMEFT_RECIPES"]

_H_TO_BB = ("25:onMode = off", "25:onIfAny = 5")

SMEFT_RECIPES: tuple[Recipe, ...] = (
    Recipe(
        name="zh_nunubb",
        description="qq -> ZH, Z -> nunu, H -> bb",
        commands=("HiggsSM:ffbar2HZ = on", "23:onMode = off", "23:onIfAny = 12 14 16", *_H_TO_BB),
        leptons="record",
        skim="dijet",
    ),
    Recipe(
        name="wh_lnubb",
        description="qq' -> WH, W -> enu or munu, H -> bb",
        commands=("HiggsSM:ffbar2HW = on", "24:onMode = off", "24:onIfAny = 11 13", *_H_TO_BB),
        leptons="record",
        skim="dijet",
    ),
    Recipe(
        name="zh_llbb",
        description="qq -> ZH, Z -> ee or mumu, H -> bb",
        commands=("HiggsSM:ffbar2HZ = on", "23:onMode = off", "23:onIfAny = 11 13", *_H_TO_BB),
        leptons="record",
        skim="dijet",
    ),
)
