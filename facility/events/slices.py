"""Slices of the stored events, each of so many rows that they fit: the whole is what the slices add up to."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from znought.facility.events.store import WHOLE_SHARE, Share, stored_rows

__all__ = ["AT_A_TIME", "Slice", "one_share", "slices"]

AT_A_TIME = 2**22
"""Rows that are held at a time."""


@dataclass(frozen=True)
class Slice:
    """Some datasets, or a share of the generated events of one.

    Attributes:
        datasets: names.
        share: of their generated events.
    """

    datasets: tuple[str, ...]
    share: Share = WHOLE_SHARE


def slices(directory: Path, datasets: Sequence[str]) -> tuple[Slice, ...]:
    """All events of some datasets, every generated event in one slice with all of its rows.

    Neighbouring datasets are together as far as they fit: all of them are one slice where there are few rows.

    Args:
        directory: of the columns.
        datasets: names, whose order is kept.
    """
    found, together, n_together = list[Slice](), list[str](), 0
    for name in datasets:
        n_rows = stored_rows(directory, [name])
        if together and n_together + n_rows > AT_A_TIME:
            found.append(Slice(tuple(together)))
            together, n_together = [], 0
        if n_rows > AT_A_TIME:
            n_shares = -(-n_rows // AT_A_TIME)
            found += (Slice((name,), Share(index, n_shares)) for index in range(n_shares))
        else:
            together.append(name)
            n_together += n_rows
    if together or not found:
        found.append(Slice(tuple(together)))
    return tuple(found)


def one_share(directory: Path, datasets: Sequence[str]) -> Share:
    """The share of the generated events that is looked at where all of them are not needed."""
    return Share(0, max(-(-stored_rows(directory, datasets) // AT_A_TIME), 1))
