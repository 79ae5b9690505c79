"""Buffers of one chunk's canonical events, each made when it is first asked for."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.chunk import Chunk
from znought.processors.copies import Copies
from znought.processors.objects import event_of

__all__ = ["Catalogue", "NotStackedError", "Settings", "Source", "data", "offsets"]

Array = NDArray[Any]


# Parts of the keys of buffers that point to objects of the whole chunk: they mean something else in a stack.
_POINTERS = ("global", "nestedindex", "Parent", "hildren")


class NotStackedError(Exception):
    """A buffer points to objects by their place in the chunk: variations must come one by one."""


@dataclass(frozen=True)
class Settings:
    """What the card says about reading.

    Attributes:
        btag_working_points: branch or dialect → smallest discriminant of a b-jet, where it is not that of
            the era's public file.
        refuse_substitutes: stop where a format lacks an input, instead of declaring what stands for it.
    """

    btag_working_points: Mapping[str, float] = field(default_factory=dict)
    refuse_substitutes: bool = False


@dataclass(frozen=True)
class Catalogue:
    """What the canonical events of one tree consist of.

    Attributes:
        contents: collection or scalar → its form; each node has a key of its own.
        makers: key of a buffer → how it is made.
        copies: systematic → nominal branch → its copy, where the tree has copies of its own.
        made_of: key of a buffer → branches that it is made of, of those that may have copies.
    """

    contents: Mapping[str, ak.forms.Form]
    makers: Mapping[str, Callable[["Source"], Array]]
    copies: Copies = field(default_factory=dict)
    made_of: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def moves(self, systematic: str) -> bool:
        """Whether the tree's copies under a systematic move some buffer, not weights alone."""
        copied = self.copies.get(systematic, {}).keys()
        return any(names & copied for names in self.made_of.values())

    @classmethod
    def of(
        cls, contents: Mapping[str, dict[str, Any]], makers: Mapping[str, Callable[["Source"], Array]]
    ) -> "Catalogue":
        """Catalogue from forms as dictionaries."""
        return cls({name: ak.forms.from_dict(form) for name, form in contents.items()}, makers)


def data(collection: str, name: str) -> str:
    """Key of the numbers of one field.

    >>> data("Jet", "pt")
    'data/Jet.pt'
    """
    return f"data/{collection}.{name}"


def offsets(collection: str) -> str:
    """Key of where the objects of each event begin and end."""
    return f"offsets/{collection}"


class Source:
    """Makes buffers by key and keeps them; a shifted one asks its nominal one for all that did not move."""

    def __init__(
        self,
        chunk: Chunk,
        catalogue: Catalogue,
        settings: Settings,
        *,
        nominal: "Source | None" = None,
        moved: Mapping[str, Callable[["Source"], Array]] | None = None,
        parts: tuple["Source", ...] = (),
    ) -> None:
        """Buffers of a chunk, or those of `nominal` with some of them `moved`, or of `parts` on end."""
        self.chunk = chunk
        self.catalogue = catalogue
        self.settings = settings
        self.nominal = nominal
        # Libraries between here and the user's function may wrap what is raised here.
        self.failures: list[BaseException] = [] if nominal is None else nominal.failures
        self._moved = moved or {}
        self._parts = parts
        self._made: dict[str, Array] = {}
        self._asked: set[str] = set()

    @property
    def n_events(self) -> int:
        """Events of the chunk, as often as it is stacked."""
        return len(self.chunk.view) * max(len(self._parts), 1)

    @classmethod
    def stacked(cls, parts: tuple["Source", ...]) -> "Source":
        """Several variations of one chunk one after the other, as if they were one chunk."""
        first = parts[0]
        return cls(first.chunk, first.catalogue, first.settings, parts=parts)

    @property
    def moved(self) -> frozenset[str]:
        """Keys of the buffers that differ from nominal ones."""
        return frozenset(self._moved)

    def changed(self, keys: Iterable[str]) -> NDArray[np.int64]:
        """Indices of the events in which some of these buffers differ from the nominal ones."""
        changed = np.zeros(len(self.chunk.view), np.bool_)
        for key in keys:
            assert self.nominal is not None, "only shifted sources are asked"
            differs = self.array(key) != self.nominal.array(key)
            collection = key.partition("/")[2].split(".")[0]
            if offsets(collection) in self.catalogue.makers:
                changed[event_of(self.counts(collection))[differs]] = True
            else:
                changed |= differs
        return np.flatnonzero(changed)

    @property
    def asked(self) -> frozenset[str]:
        """Keys of the buffers that an analysis asked for, itself or through what it did with the events."""
        return frozenset(self._asked)

    def ask(self, key: str) -> Array:
        """The buffer of a key, for an analysis."""
        self._asked.add(key)
        return self.array(key)

    def copied(self, systematic: str) -> "Source":
        """The same events under a systematic that the tree has copies of columns for; else as they are."""
        copies = self.catalogue.copies.get(systematic, {})
        made_of = self.catalogue.made_of
        moved = {key: self.catalogue.makers[key] for key, names in made_of.items() if names & copies.keys()}
        return Source(self.chunk.copied(copies), self.catalogue, self.settings, nominal=self, moved=moved)

    def shifted(self, moved: Mapping[str, Callable[["Source"], Array]]) -> "Source":
        """The same events with some buffers moved."""
        return Source(self.chunk, self.catalogue, self.settings, nominal=self, moved=moved)

    def has(self, collection: str, name: str) -> bool:
        """Whether the events have a collection with this field."""
        return data(collection, name) in self.catalogue.makers

    def array(self, key: str) -> Array:
        """The buffer of a key.

        Raises:
            DataError: the file cannot supply it.
            OSError: it cannot be read.
        """
        if key in self._made:
            return self._made[key]
        try:
            made = self._make(key)
            self._check_length(key, len(made))
        except BaseException as error:
            self.failures.append(error)
            raise
        self._made[key] = made
        return made

    def counts(self, collection: str) -> NDArray[np.int64]:
        """Objects per event, shape (n_events,)."""
        return np.diff(self.array(offsets(collection))).astype(np.int64)

    def declare(self, name: str, note: str) -> None:
        """Note what stands in for something that the file lacks.

        Raises:
            DataError: the card refuses substitutes.
        """
        if self.settings.refuse_substitutes:
            chunk = self.chunk
            message = f"{chunk.path} (dialect {chunk.dialect.name}) lacks {name}"
            raise DataError(f"{message}, and the card refuses the substitute: {note}.")
        self.chunk.declared[name] = note

    def _check_length(self, key: str, found: int) -> None:
        """Refuse a field that does not hold one value for each object."""
        kind, _, name = key.partition("/")
        collection = name.split(".")[0]
        if kind != "data" or offsets(collection) not in self.catalogue.makers:
            return
        expected = int(self.array(offsets(collection))[-1])
        if found != expected:
            raise DataError(f"{self.chunk.path}: {name} has {found} values for {expected} objects.")

    def _make(self, key: str) -> Array:
        if self._parts:
            return self._stacked(key)
        if key in self._moved:
            return self._moved[key](self)
        if self.nominal is not None:
            return self.nominal.array(key)
        return self.catalogue.makers[key](self)

    def _stacked(self, key: str) -> Array:
        """The buffers of all parts on end."""
        if any(token in key for token in _POINTERS):
            raise NotStackedError(key)
        arrays = [part.array(key) for part in self._parts]
        if not key.startswith("offsets/"):
            return np.concatenate(arrays)
        ends = np.cumsum([0, *(array[-1] for array in arrays)])
        rest = [array[1:] + end for array, end in zip(arrays, ends[:-1], strict=True)]
        return np.concatenate([arrays[0][:1], *rest])
