"""A small analysis: a signal region and a control region, with every kind of systematic."""

import numpy as np

from znought.stats.systematics import SystematicConfig
from znought.stats.templates import RegionTemplates
from znought.stats.workspace import NormConfig, WorkspaceConfig
from znought.stats.yields import Yields

PROCESSES = ("VH", "top", "WW")


def yields(rows: list[list[float]], relative_mc: float = 0.03) -> Yields:
    sumw = np.array(rows, dtype=np.float64)
    sumw2 = (relative_mc * sumw) ** 2
    return Yields(PROCESSES, np.linspace(0, 1, sumw.shape[1] + 1), sumw, sumw2, np.full(sumw.shape, 1000))


def regions() -> tuple[RegionTemplates, RegionTemplates]:
    signal_region = RegionTemplates(
        "SR",
        yields([[4, 9, 14], [300, 90, 20], [200, 60, 18]]),
        {
            "jes_up": yields([[4.2, 9.3, 14.5], [318, 97, 22], [205, 62, 19]]),
            "jes_down": yields([[3.8, 8.7, 13.4], [283, 84, 18], [196, 58, 17]]),
            "shower": yields([[4, 9, 14], [310, 88, 17], [200, 60, 18]]),
        },
    )
    control_region = RegionTemplates(
        "CR_top",
        yields([[1.0], [2000], [100]]),
        {
            "jes_up": yields([[1.0], [2050], [103]]),
            "jes_down": yields([[1.0], [1950], [97]]),
            "shower": yields([[1.0], [2060], [100]]),
        },
    )
    return signal_region, control_region


def config() -> WorkspaceConfig:
    return WorkspaceConfig(
        signal=("VH",),
        floating=("top",),
        luminosity_rel=0.02,
        norms={"ww_theory": NormConfig(("WW",), 0.1)},
        systematics={"jes": SystematicConfig(), "shower": SystematicConfig(kind="two_point")},
    )
