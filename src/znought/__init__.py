"""From ntuples to Z0: columnar analysis, networks on Dask and honest significances."""

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from znought.analysis import Analysis, Cuts, Histogram, ProcessStyle, Variable
    from znought.facility.cards.reading import load_card, table_card
    from znought.facility.cluster.sites import connect
    from znought.facility.notebook.bins import greedy, optimal
    from znought.facility.notebook.likelihoods import fit, workspace
    from znought.facility.notebook.networks import train_folds
    from znought.facility.pipeline import run
    from znought.facility.results.notebook import load_results
    from znought.models.training import train_fold
    from znought.processors.leading import count, leading, leading_value
    from znought.stats.inference import fit_workspace
    from znought.stats.significance import asimov_z0
    from znought.stats.workspace import build_workspace

__version__ = version("znought")

_HOME = {
    "Analysis": "analysis",
    "Cuts": "analysis",
    "Histogram": "analysis",
    "ProcessStyle": "analysis",
    "Variable": "analysis",
    "asimov_z0": "stats.significance",
    "build_workspace": "stats.workspace",
    "connect": "facility.cluster.sites",
    "count": "processors.leading",
    "fit_workspace": "stats.inference",
    "fit": "facility.notebook.likelihoods",
    "greedy": "facility.notebook.bins",
    "leading": "processors.leading",
    "leading_value": "processors.leading",
    "load_card": "facility.cards.reading",
    "load_results": "facility.results.notebook",
    "optimal": "facility.notebook.bins",
    "run": "facility.pipeline",
    "table_card": "facility.cards.reading",
    "train_fold": "models.training",
    "train_folds": "facility.notebook.networks",
    "workspace": "facility.notebook.likelihoods",
}
"""Public name → module that defines it: imported when it is first asked for."""

__all__ = [
    "Analysis",
    "Cuts",
    "Histogram",
    "ProcessStyle",
    "Variable",
    "__version__",
    "asimov_z0",
    "build_workspace",
    "connect",
    "count",
    "fit",
    "fit_workspace",
    "greedy",
    "leading",
    "leading_value",
    "load_card",
    "load_results",
    "optimal",
    "run",
    "table_card",
    "train_fold",
    "train_folds",
    "workspace",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'znought' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(f"znought.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
