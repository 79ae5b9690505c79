"""Canonical events of a chunk as an awkward array that reads what is touched."""

import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import awkward as ak
import numpy as np
from coffea.nanoevents.methods import nanoaod
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.canonical.forms import RECORDS
from znought.processors.canonical.momenta import HELPERS
from znought.processors.canonical.nanoaod import nanoaod_catalogue
from znought.processors.canonical.opendata import opendata_catalogue
from znought.processors.canonical.physlite import physlite_catalogue
from znought.processors.canonical.source import Catalogue, Settings, Source, data, offsets
from znought.processors.canonical.topcptoolkit import topcptoolkit_catalogue
from znought.processors.chunk import Chunk
from znought.processors.dialects.base import Dialect
from znought.processors.dialects.opendata import OPENDATA_2020, OPENDATA_2025
from znought.processors.dialects.physlite import PHYSLITE
from znought.processors.dialects.topcptoolkit import TOPCPTOOLKIT
from znought.processors.objects import check_units, event_of
from znought.processors.reading import Tree

__all__ = ["CanonicalEvents", "canonical_events", "canonical_source", "catalogue_of"]

Maker = Callable[[Source], NDArray[Any]]

_CATALOGUES: weakref.WeakKeyDictionary[Tree, Catalogue] = weakref.WeakKeyDictionary()
_WITH_UNITS: Mapping[str, str] = {"Electron": "electrons", "Muon": "muons", "Jet": "jets"}


class _Original:
    """Finds the events that a collection came from, for cross-references, without keeping them alive."""

    def __init__(self) -> None:
        self.found: weakref.ref[ak.Array] | None = None

    def events(self) -> ak.Array:
        """The events; whoever holds a collection for long must hold them too."""
        events = None if self.found is None else self.found()
        if events is None:
            message = "the events of this collection are gone: keep a reference to them"
            raise ReferenceError(message)
        return events


@dataclass(frozen=True)
class CanonicalEvents:
    """Events of a chunk, nominal or with some quantity moved.

    Attributes:
        array: the NanoEvents-like awkward array.
        source: makes its buffers.
    """

    array: ak.Array
    source: Source

    @classmethod
    def of(cls, source: Source) -> "CanonicalEvents":
        """All collections out of one source."""
        n_events, forms = source.n_events, source.catalogue.contents
        contents = [_built(form, n_events, source) for form in forms.values()]
        return cls(_highlevel(list(forms), contents, n_events), source)

    def with_moved(self, collections: Iterable[str], source: Source) -> "CanonicalEvents":
        """The same events with some collections out of another source; the others are shared."""
        layout = self.array.layout
        moved = {name for name in collections if name in layout.fields}
        contents = [
            _built(source.catalogue.contents[name], len(layout), source) if name in moved else content
            for name, content in zip(layout.fields, layout.contents, strict=True)
        ]
        return CanonicalEvents(_highlevel(layout.fields, contents, len(layout)), source)


def canonical_events(chunk: Chunk, settings: Settings | None = None) -> CanonicalEvents:
    """Events of a chunk with the collections and fields of NanoAOD, in GeV.

    Args:
        chunk: the chunk.
        settings: working points, and whether substitutes are welcome.
    """
    return CanonicalEvents.of(canonical_source(chunk, settings))


def canonical_source(chunk: Chunk, settings: Settings | None = None) -> Source:
    """What makes the buffers of canonical events, for who needs plain arrays.

    Args:
        chunk, settings: as for `canonical_events`.
    """
    return Source(chunk, catalogue_of(chunk.dialect, chunk.view.entries.tree), settings or Settings())


def catalogue_of(dialect: Dialect, tree: Tree) -> Catalogue:
    """What the canonical events of a tree consist of.

    Args:
        dialect: how it is read.
        tree: the tree, which is looked through once.
    """
    if tree not in _CATALOGUES:
        _CATALOGUES[tree] = _catalogue(dialect, tree)
    return _CATALOGUES[tree]


def _catalogue(dialect: Dialect, tree: Tree) -> Catalogue:
    if dialect.name == PHYSLITE.name:
        return _completed(physlite_catalogue(tree))
    if dialect.name in (OPENDATA_2020.name, OPENDATA_2025.name):
        return _completed(opendata_catalogue(dialect, tree))
    if dialect.name == TOPCPTOOLKIT.name:
        return _completed(topcptoolkit_catalogue(tree))
    return _completed(nanoaod_catalogue(tree))


def _completed(catalogue: Catalogue) -> Catalogue:
    """The catalogue with helpers, and with momenta refused where MeV were taken for GeV."""
    makers = {**catalogue.makers, **HELPERS}
    for name in RECORDS:
        for field in ("pt", "eta", "phi", "mass"):
            key = data(name, field)
            if key in makers:
                makers[key] = partial(_checked, maker=makers[key], name=name, field=field)
    return replace(catalogue, makers=makers)


def _checked(source: Source, *, maker: Maker, name: str, field: str) -> NDArray[Any]:
    """Finite numbers, momenta in GeV.

    Raises:
        DataError: others.
    """
    values, chunk = maker(source), source.chunk
    bad = ~np.isfinite(values)
    if bad.any():
        row = int(np.argmax(bad))
        listed = offsets(name) in source.catalogue.makers
        event = int(event_of(source.counts(name))[row]) if listed else row
        raise DataError(
            f"{chunk.path}: {name}.{field} is {values[row]} for {int(bad.sum())} of {len(values)}, the first "
            f"in entry {chunk.view.entries.numbers[event]}: no number can be made of it."
        )
    if field == "pt" and name in _WITH_UNITS:
        check_units(values, what=_WITH_UNITS[name], dialect=chunk.dialect.name, path=chunk.path)
    return values


class _Container:
    """What `ak.from_buffers` asks for buffers: it is given promises."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __getitem__(self, key: str) -> Any:
        return partial(self._source.ask, key)


def _key(form_key: str, attribute: str, form: Any) -> str:
    return f"{attribute}/{form_key}"


def _built(form: ak.forms.Form, n_events: int, source: Source) -> ak.contents.Content:
    return ak.from_buffers(
        form, n_events, _Container(source), buffer_key=_key, backend="cpu", highlevel=False
    )


def _highlevel(names: list[str], contents: list[ak.contents.Content], n_events: int) -> ak.Array:
    original = _Original()
    record = ak.contents.RecordArray(contents, names, n_events, parameters={"__record__": "NanoEvents"})
    events = ak.Array(record, behavior=nanoaod.behavior, attrs={"@events_factory": original})
    original.found = weakref.ref(events)
    return events
