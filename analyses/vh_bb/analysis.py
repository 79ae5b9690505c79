"""VH(bb) in the SMEFT: c̄_HW (and c̄_HB) in 0, 1 and 2 leptons, as in arXiv:1902.05803."""

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.columns import columns
from znought.analyses.vh_bb.flow import VH_BB
from znought.analyses.vh_bb.recipes import RECIPES
from znought.analyses.vh_bb.selection import CHANNELS, VHBBSelection
from znought.analyses.vh_bb.variables import STYLES, VARIABLES
from znought.analysis import Analysis

__all__ = ["ANALYSIS"]

ANALYSIS = Analysis(
    "vh_bb_smeft",
    selection=VHBBSelection,
    channels=dict.fromkeys(CHANNELS),
    columns=columns,
    calibrates=True,
    variables=VARIABLES,
    recipes=RECIPES,
    processes=STYLES,
    card=VHBBCard,
    flow=VH_BB,
)
