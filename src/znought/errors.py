"""What can go wrong, in one small tree: each message names what was expected and what came."""

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = [
    "CardError",
    "DataError",
    "LedgerError",
    "ReadError",
    "SiteError",
    "StageError",
    "WorkerError",
    "ZnoughtError",
    "unknown_name",
]


class ZnoughtError(Exception):
    """Root of every error that a user can cause and mend; its text is one clear line."""


class CardError(ZnoughtError):
    """The analysis card or an option asks for something that does not exist or contradicts itself."""


class DataError(ZnoughtError):
    """An input (file, branch, column, weight, yield) is missing, damaged or out of range."""


class ReadError(DataError):
    """A file cannot be opened or decoded: the only error for which a file may be left out."""


class LedgerError(ZnoughtError):
    """Not every chunk of the fileset was processed exactly once."""


class SiteError(ZnoughtError):
    """A cluster cannot be reached, or its workers lack something."""


class WorkerError(SiteError):
    """A worker lacks disk or memory for a task, which another one may do."""


class StageError(ZnoughtError):
    """A stage reads a part of the card or the output directory that it does not declare."""


def unknown_name(kind: str, received: object, expected: Iterable[str]) -> str:
    """One line for a misspelt name: the kind, what came, the nearest valid name and all of them.

    >>> unknown_name("region", "SR2", ["SR", "CR_top"])
    "Unknown region 'SR2', did you mean 'SR'? Expected one of: SR, CR_top."
    """
    names = [str(name) for name in expected]
    near = get_close_matches(str(received), names, n=1)
    hint = f", did you mean {near[0]!r}?" if near else "."
    return f"Unknown {kind} {received!r}{hint} Expected one of: {', '.join(names)}."
