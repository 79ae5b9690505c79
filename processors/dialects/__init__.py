"""Ntuple dialects: one small adapter each to the same canonical objects in GeV."""

from collections.abc import Collection, Mapping

from znought.errors import DataError
from znought.processors.dialects.base import Dialect
from znought.processors.dialects.nanoaod import (
    NANOAOD_OTHER,
    NANOAOD_V9,
    NANOAOD_V12,
    NANOAOD_V15,
    SIMULATION,
    is_like_nanoaod,
)
from znought.processors.dialects.opendata import OPENDATA_2020, OPENDATA_2025
from znought.processors.dialects.physlite import PHYSLITE
from znought.processors.dialects.topcptoolkit import TOPCPTOOLKIT, is_like_topcptoolkit

__all__ = ["DIALECTS", "Dialect", "dialect_of"]

# In the order of detection: a file of the simulation would also pass for a NanoAOD.
DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        SIMULATION,
        NANOAOD_V15,
        NANOAOD_V12,
        NANOAOD_V9,
        PHYSLITE,
        OPENDATA_2025,
        OPENDATA_2020,
        TOPCPTOOLKIT,
        NANOAOD_OTHER,
    )
}


def dialect_of(branches: Collection[str], *, path: str) -> Dialect:
    """The first dialect whose markers are all among the branches, else that of any tree like its.

    Raises:
        DataError: no dialect reads them; the one with the fewest missing markers is named.
    """
    present = frozenset(branches)
    marked = {name: dialect for name, dialect in DIALECTS.items() if dialect.markers}
    for dialect in marked.values():
        if present.issuperset(dialect.markers):
            return dialect
    if is_like_topcptoolkit(present):
        return TOPCPTOOLKIT
    if is_like_nanoaod(present):
        return NANOAOD_OTHER
    missing = {name: set(dialect.markers) - present for name, dialect in marked.items()}
    nearest = min(missing, key=lambda name: len(missing[name]) / len(DIALECTS[name].markers))
    message = (
        f"{path}: no dialect reads this tree. Nearest is {nearest}, which lacks branch "
        f"{' and '.join(sorted(missing[nearest]))}. Expected one of: {', '.join(DIALECTS)}."
    )
    raise DataError(message)
