"""From ntuples to Z0: columnar analysis, networks on Dask and honest significances."""

from importlib.metadata import version

__version__ = version("znought")
__all__ = ["__version__"]
