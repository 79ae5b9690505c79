"""A part of the input for a trial: which files and chunks, what share of the events, and the mark."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from znought.facility.cards.base import BaseCard
from znought.facility.ntuples.fileset import Fileset
from znought.facility.ntuples.ledger import PlannedFile
from znought.facility.results.ledger import DatasetAccount, Ledger, PartOfInput, read_ledger

__all__ = ["first_chunks", "first_files", "marked", "part_of_input", "partial_remarks", "shares_of"]

CardT = TypeVar("CardT", bound=BaseCard)
MARK = "partial input"
"""Stands behind the label of everything that is made of a part of the input."""


def first_files(fileset: Fileset, n: int | None) -> Fileset:
    """The first files of each dataset, with `n_files` in the metadata of those that lose some.

    Args:
        fileset: of the card.
        n: most files of a dataset; None keeps all.
    """
    if n is None:
        return fileset
    found: Fileset = {}
    for name, entry in fileset.items():
        files = dict(list(entry["files"].items())[:n])
        metadata = dict(entry["metadata"])
        if len(files) < len(entry["files"]):
            metadata["n_files"] = len(entry["files"])
        found[name] = {**entry, "files": files, "metadata": metadata}
    return found


def first_chunks(files: Sequence[PlannedFile], *, chunk_size: int, n: int | None) -> tuple[PlannedFile, ...]:
    """The files that hold the first chunks of each dataset, with the entries of them that are wanted.

    Args:
        files: in the order of the fileset.
        chunk_size: most entries in a chunk.
        n: most chunks of a dataset; None keeps all.
    """
    if n is None:
        return tuple(files)
    kept, left = list[PlannedFile](), dict[str, int]()
    for file in files:
        due = left.setdefault(file.dataset, n)
        n_events = file.summary.n_events
        n_chunks = -(-n_events // chunk_size)
        taken = min(n_chunks, due)
        left[file.dataset] = due - taken
        if taken == n_chunks:
            kept.append(file)
        elif taken:
            kept.append(replace(file, n_wanted=n_events * taken // n_chunks))
    return tuple(kept)


def shares_of(
    fileset: Mapping[str, Mapping[str, Any]], files: Sequence[PlannedFile], kept: Sequence[PlannedFile]
) -> dict[str, float]:
    """Share of its events that is planned of each dataset of which not all is.

    By events where they are known: of the files that opened, or by `n_events` of data; beyond that by the
    number of files.

    Args:
        fileset: with `n_files` in the metadata of datasets that lost some to `first_files`.
        files: all that opened.
        kept: those of `first_chunks`.
    """
    found = {}
    for name, entry in fileset.items():
        metadata = entry.get("metadata", {})
        total = sum(file.summary.n_events for file in files if file.dataset == name)
        planned = sum(file.n_planned for file in kept if file.dataset == name)
        share = planned / total if total else 1.0
        if "n_files" in metadata:
            declared = metadata.get("n_events")
            n_files = len(entry["files"])
            share = planned / declared if declared else share * n_files / metadata["n_files"]
        if share < 1.0:
            found[name] = share
    return found


def part_of_input(fileset: Fileset, name: str, share: float) -> PartOfInput:
    """What the books say of a dataset of which a part was read."""
    entry = fileset[name]
    return PartOfInput(share=share, files_listed=entry["metadata"].get("n_files", len(entry["files"])))


def partial_remarks(ledger: Ledger) -> Iterator[str]:
    """One sentence for every dataset of which a part was read."""
    for name, entry in ledger.datasets.items():
        if entry.partial is not None:
            yield (
                f"{name}: {MARK}, {entry.events:,} events, {entry.partial.share:.3%} of the dataset "
                f"({entry.partial.files_listed} files listed), by --max-files or --max-chunks; "
                f"{_consequence(entry)}."
            )


def _consequence(entry: DatasetAccount) -> str:
    if entry.is_data is None:
        return "what its events weigh is for the processor to say"
    return f"its {'luminosity shrinks' if entry.is_data else 'yields are scaled up'} by that share"


def marked(card: CardT, ledger: Path) -> CardT:
    """The card with the mark behind its label, where a part of the input was processed."""
    if not ledger.exists() or not list(partial_remarks(read_ledger(ledger))):
        return card
    return card.model_copy(update={"label": f"{card.label}, {MARK}"})
