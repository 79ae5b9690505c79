"""V(qq)H(WW→ℓνℓν) against its backgrounds, as in M. Basso, CAP 2020."""

from znought.analyses.vh_ww.columns import columns
from znought.analyses.vh_ww.recipes import RECIPES
from znought.analyses.vh_ww.selection import VHWWSelection
from znought.analyses.vh_ww.variables import STYLES, VARIABLES
from znought.analysis import Analysis

__all__ = ["ANALYSIS"]

ANALYSIS = Analysis(
    "vh_ww",
    selection=VHWWSelection,
    columns=columns,
    calibrates=True,
    takes_loose=True,
    variables=VARIABLES,
    recipes=RECIPES,
    processes=STYLES,
)
