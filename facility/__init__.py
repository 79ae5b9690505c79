"""The facility: cards, clusters and the flow that leads from ntuples to Z0."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from znought.facility.cluster.sites import connect
    from znought.facility.pipeline import run

__all__ = ["connect", "run"]


def __getattr__(name: str) -> Any:
    """Loads `run` and `connect` when first asked for: workers and `--help` need neither."""
    if name == "run":
        from znought.facility.pipeline import run

        return run
    if name == "connect":
        from znought.facility.cluster.sites import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
