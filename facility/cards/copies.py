"""Systematics that the ntuples of a card have copies of columns for, by the first file of each dataset."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeVar

from znought.errors import CardError, DataError, unknown_name
from znought.facility.cards.base import BaseCard, Card
from znought.facility.cards.theory import Theory
from znought.facility.ntuples.fileset import fileset_of_dataset
from znought.processors.copies import Copied, chosen, matching, systematics_of
from znought.processors.variations import VariationsConfig

if TYPE_CHECKING:
    from znought.processors.canonical.source import Catalogue

__all__ = ["with_copies"]

CardT = TypeVar("CardT", bound=BaseCard)


def with_copies(card: CardT) -> CardT:
    """A card that knows its `variations.copies` and the members of its sets of generator weights by name.

    Raises:
        CardError: a name that no simulated dataset has or another systematic bears, or one side alone.
        DataError: a file that cannot be read.
    """
    if not isinstance(card, Card) or not (
        card.variations.copies or any(one.copies for one in card.theory.values())
    ):
        return card
    catalogues = {name: _catalogue(card, name) for name in _simulated(card)}
    every = {name: one for held in catalogues.values() for name, one in systematics_of(held.copies).items()}
    found = _found(card.variations, catalogues)
    _refuse_idle(card, found, every)
    generated = sorted(side for one in every.values() if one.is_generated for side in one.sides.values())
    theory = {title: _with_members(title, one, generated) for title, one in card.theory.items()}
    card = card.model_copy(update={"theory": theory})
    return card.with_copies(tuple(found[name] for name in sorted(found)))


def _found(config: VariationsConfig, catalogues: "Mapping[str, Catalogue]") -> dict[str, Copied]:
    """Name → systematic that the card asks for.

    Args:
        config: of the card.
        catalogues: dataset → what its first file holds.

    Raises:
        CardError: one side alone, or other sides in another dataset.
    """
    found = dict[str, Copied]()
    for dataset, catalogue in catalogues.items():
        for one in chosen(catalogue.copies, config.copies, config.one_sided).values():
            moves = any(map(catalogue.moves, one.sides.values()))
            known = found.setdefault(one.name, Copied(one.name, one.sides, moves))
            if known.sides != one.sides:
                mine, others = (" and ".join(given.sides.values()) for given in (one, known))
                message = f"datasets.{dataset} has {mine}, datasets before it have {others}"
                raise CardError(f"variations.copies: {one.name}: {message}.")
            found[one.name] = replace(known, moves=known.moves or moves)
    return found


def _with_members(title: str, theory: Theory, known: Sequence[str]) -> Theory:
    """A set of generator weights with the names of its copies in the place of patterns.

    Raises:
        CardError: a pattern that no systematic of the generator's weight has.
    """
    for pattern in theory.copies:
        if not matching(known, [pattern.removeprefix("!")]):
            what = unknown_name("systematic of the generator's weight", pattern, known)
            raise CardError(f"theory.{title}.copies: {what}")
    return theory.model_copy(update={"copies": tuple(matching(known, theory.copies))})


def _simulated(card: Card) -> Iterable[str]:
    """Datasets with files that are not of recorded data."""
    for name, dataset in card.sources.items():
        if dataset.files and card.processes[dataset.process].kind != "data":
            yield name


def _catalogue(card: Card, name: str) -> "Catalogue":
    """What the first file of a dataset holds.

    Raises:
        DataError: it cannot be read.
    """
    # Cards without copies are read without the libraries that read events.
    from znought.facility.ntuples.survey import Wanted, look
    from znought.processors.canonical import catalogue_of
    from znought.processors.dialects import DIALECTS
    from znought.processors.source import kept_tree

    entry = fileset_of_dataset(card, name)[name]
    path, tree = next(iter(entry["files"].items()))
    seen = look(Wanted(name, path, (path, *entry.get("replicas", {}).get(path, ())), tree))
    if isinstance(seen, DataError):
        raise seen
    summary, place = seen
    return catalogue_of(DIALECTS[summary.dialect], kept_tree(place, summary.tree))


def _refuse_idle(card: Card, found: Mapping[str, Copied], known: Collection[str]) -> None:
    """Raises for a pattern that no systematic has, or a name that another systematic has.

    Raises:
        CardError: names it, and the nearest one.
    """
    for key, patterns in (("copies", card.variations.copies), ("one_sided", card.variations.one_sided)):
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern.removeprefix("!")) for name in known):
                if not known:
                    raise CardError(f"variations.{key}: no simulated dataset has copies of columns.")
                raise CardError(f"variations.{key}: {unknown_name('systematic', pattern, sorted(known))}")
    for name in found:
        if name in (*card.varied, *card.theory):
            raise CardError(f"variations.copies: {name} is the name of another systematic of the card.")
