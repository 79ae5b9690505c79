"""Files of a card's datasets out of the fileset that it names."""

from collections.abc import Mapping
from glob import escape
from typing import Any, TypeVar

from znought.errors import CardError, unknown_name
from znought.facility.cards.base import BaseCard, Card
from znought.facility.filesets.written import REMOTE, ListedFile, WrittenDataset, read_written

__all__ = ["with_files"]

CardT = TypeVar("CardT", bound=BaseCard)


def with_files(card: CardT) -> CardT:
    """A card whose datasets without files have those of the fileset that it names.

    Raises:
        CardError: the fileset lacks such a dataset, or holds data where the card has simulation.
        DataError: there is no such fileset.
    """
    if card.fileset is None:
        return card
    path = card.folder / card.fileset
    held, datasets = read_written(path), dict[str, Any](card.datasets)
    for name, dataset in card.datasets.items():
        if dataset.files or getattr(dataset, "recipe", None) is not None:
            continue
        source = getattr(dataset, "part_of", None) or name
        if source not in held:
            raise CardError(f"fileset: {path}: {unknown_name('dataset', source, held)}")
        datasets[name] = dataset.model_copy(update=_update(card, name, held[source]))
    return card.model_copy(update={"datasets": datasets})


def _update(card: BaseCard, name: str, held: WrittenDataset) -> Mapping[str, Any]:
    """What a dataset of the card takes from that of the fileset.

    Raises:
        CardError: one is of recorded data, the other of simulation; or its trees differ in name.
    """
    found: dict[str, Any] = {"files": tuple(_given(file) for file in held.files)}
    dataset = card.datasets[name]
    trees = sorted({file.tree for file in held.files if file.tree is not None})
    if len(trees) > 1 and dataset.tree is None:
        raise CardError(
            f"datasets.{name}: its files have trees of other names, {', '.join(trees)}: give tree."
        )
    if trees and dataset.tree is None:
        found["tree"] = trees[0]
    if isinstance(card, Card):
        is_data = card.processes[card.datasets[name].process].kind == "data"
        if held.metadata.get("is_data", is_data) != is_data:
            kinds = ("recorded data", "simulation") if not is_data else ("simulation", "recorded data")
            raise CardError(f"datasets.{name}: its files are {kinds[0]}, the card says {kinds[1]}.")
        if is_data and not card.datasets[name].n_events:
            found["n_events"] = held.metadata.get("n_events", 0)
    return found


def _given(file: ListedFile) -> str | tuple[str, ...]:
    """A file as a card names it: an address, or several of one file."""
    if len(file.addresses) > 1:
        return file.addresses
    return file.path if file.path.startswith(REMOTE) else escape(file.path)
