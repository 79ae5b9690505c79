"""Canonical events of NanoAOD-like trees, with coffea's schema, methods and cross-references."""

import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from functools import partial
from typing import Any

import awkward as ak
import numpy as np
from coffea.nanoevents import NanoAODSchema
from coffea.nanoevents.mapping.base import BaseSourceMapping
from coffea.nanoevents.mapping.uproot import UprootSourceMapping
from coffea.nanoevents.util import quote, tuple_to_key
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.canonical.forms import RECORDS, numbers
from znought.processors.canonical.identification import NANOAOD_FIELDS
from znought.processors.canonical.source import Catalogue, Source, data, offsets
from znought.processors.reading import Column, Tree

__all__ = ["nanoaod_catalogue"]

Array = NDArray[Any]
Maker = Callable[[Source], Array]
Form = dict[str, Any]

_MOMENTUM = ("pt", "eta", "phi", "mass")
_MET_OF = ("PFMET", "PuppiMET")  # the first that is there is the canonical one where there is no MET
_PUPPI_NOTE = "PuppiMET: the ntuple has no other missing transverse momentum"


class _Schema(NanoAODSchema):  # type: ignore[misc]  # coffea has no type information
    """coffea's schema, content with whatever collections are there."""

    warn_missing_crossrefs = False
    error_missing_event_ids = False
    event_ids: tuple[str, ...] = ()
    mixins: Mapping[str, str] = {**NanoAODSchema.mixins, "PFMET": "MissingET", "TrkMET": "MissingET"}


class _Branches(BaseSourceMapping):  # type: ignore[misc]  # coffea has no type information
    """Evaluates coffea's form keys on the branches of one chunk."""

    def __init__(self, source: Source) -> None:
        entries = source.chunk.view.entries
        super().__init__(None, entries.start, entries.stop)
        self._view = source.chunk.view
        self._prefix = tuple_to_key((entries.tree.uuid, "events", f"{entries.start}-{entries.stop}"))

    def buffer(self, attribute: str, form_key: str) -> Array:
        """The buffer of a node of the schema's form."""
        suffix = quote(",!offsets") if attribute == "offsets" else ""
        return np.asarray(self[f"{self._prefix}/{attribute}/{form_key}{suffix}"])

    def get_column_handle(self, columnsource: object, name: str, allow_missing: bool) -> str:
        """The branch's name: the view knows the rest."""
        return name

    def extract_column(
        self, columnhandle: str, start: int, stop: int, allow_missing: bool, use_ak_forth: bool = True
    ) -> Any:
        """The branch as an awkward array."""
        tree = self._view.entries.tree
        if not tree.is_plain(columnhandle):
            return self._view.entries.whole(columnhandle)
        column = self._view.branch(columnhandle)
        if column.offsets is not None:
            self._check_counts(columnhandle, np.diff(column.offsets))
        return _awkward(column)

    def _check_counts(self, name: str, counts: Array) -> None:
        """Refuse a branch with other numbers of objects than its collection says."""
        counter = f"n{name.split('_')[0]}"
        if counter not in self._view.entries.tree.branches:
            return
        expected = self._view.branch(counter).content
        if not np.array_equal(counts, expected):
            event = int(np.argmax(counts != expected))
            raise DataError(
                f"{self._view.entries.metadata['filename']}: branch {name} holds {counts[event]} values in "
                f"entry {self._view.entries.numbers[event]} where {counter} says {expected[event]}."
            )

    @classmethod
    def _extract_base_form(cls, source: Any) -> Form:
        return dict(UprootSourceMapping._extract_base_form(source))

    def _column_source(self, uuid: str, path_in_source: str) -> None:
        return None

    def __len__(self) -> int:
        return len(self._view.entries)

    def __iter__(self) -> Any:
        return iter(())


def _awkward(column: Column) -> ak.Array:
    content = ak.contents.NumpyArray(
        column.content.astype(column.content.dtype.newbyteorder("="), copy=False)
    )
    if column.offsets is None:
        return ak.Array(content)
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(column.offsets), content))


def nanoaod_catalogue(tree: Tree) -> Catalogue:
    """Collections, fields and cross-references of a NanoAOD-like tree.

    pt, eta, phi and mass of every collection come in float64; leptons gain `is_tight` and `isolation`, jets
    `is_good`, `is_btagged` and `btag`; `MET` is there whatever the version calls it.
    """
    base = tree.forms(_Branches._extract_base_form)
    base["parameters"]["metadata"] = {}
    with warnings.catch_warnings():
        # Some versions have a mass of photons, which the schema replaces by zero.
        warnings.simplefilter("ignore", RuntimeWarning)
        form = deepcopy(_Schema(base)._form)
    contents = dict(zip(form["fields"], form["contents"], strict=True))
    met = next((name for name in _MET_OF if name in contents), None)
    if "MET" not in contents and met is not None:
        contents["MET"] = deepcopy(contents[met])
    makers: dict[str, Maker] = {}
    for name, node in contents.items():
        _name_collection(name, node, makers)
    if met == "PuppiMET" and "MET" not in form["fields"]:
        for key in (data("MET", "pt"), data("MET", "phi")):
            makers[key] = partial(_declared, maker=makers[key])
    for node in contents.values():
        _name_rest(node, makers)
    return Catalogue.of(contents, makers)


def _record(node: Form) -> Form | None:
    """The record of a collection's form, whether there is one per event or a list."""
    inner: Form = node["content"] if node["class"].startswith("ListOffset") else node
    return inner if inner["class"] == "RecordArray" else None


def _name_collection(name: str, node: Form, makers: dict[str, Maker]) -> None:
    """Give momenta and offsets of a collection keys of ours, and add the canonical fields."""
    record = _record(node)
    if record is None:
        return
    fields = dict(zip(record["fields"], record["contents"], strict=True))
    for field in _MOMENTUM if name != "MET" else (*_MOMENTUM, "significance"):
        if fields.get(field, {}).get("class") == "NumpyArray":
            raw = fields[field]["form_key"]
            makers[data(name, field)] = partial(_as_float, raw=raw, branch=f"{name}_{field}")
            fields[field] = numbers(f"{name}.{field}", "float64")
    if node["class"].startswith("ListOffset"):
        makers[offsets(name)] = partial(_raw, attribute="offsets", form_key=node["form_key"])
        node |= {"form_key": name, "offsets": "i64"}
        record["parameters"]["collection_name"] = name
        for field, (primitive, maker) in NANOAOD_FIELDS.get(name, {}).items():
            if field not in fields:
                makers[data(name, field)] = maker
                fields[field] = numbers(f"{name}.{field}", primitive)
    if name in RECORDS:
        record["parameters"]["__record__"] = RECORDS[name]
    record |= {"fields": list(fields), "contents": list(fields.values())}


def _name_rest(node: Form, makers: dict[str, Maker]) -> None:
    """Makers of all buffers that keep the schema's keys."""
    key = str(node.get("form_key"))
    if node["class"] == "NumpyArray":
        makers.setdefault(f"data/{key}", partial(_raw, attribute="data", form_key=key))
    elif node["class"].startswith("ListOffset"):
        makers.setdefault(f"offsets/{key}", partial(_raw, attribute="offsets", form_key=key))
        _name_rest(node["content"], makers)
    elif node["class"] == "RecordArray":
        for content in node["contents"]:
            _name_rest(content, makers)
    elif "content" in node:
        _name_rest(node["content"], makers)


def _raw(source: Source, *, attribute: str, form_key: str) -> Array:
    buffer = _Branches(source).buffer(attribute, form_key)
    return buffer.astype(np.int64, copy=False) if attribute == "offsets" else buffer


def _declared(source: Source, *, maker: Maker) -> Array:
    source.declare("MET", _PUPPI_NOTE)
    return maker(source)


def _as_float(source: Source, *, raw: str, branch: str) -> Array:
    """Numbers of a branch in float64.

    Raises:
        DataError: the branch holds something else.
    """
    values = _raw(source, attribute="data", form_key=raw)
    if values.dtype.kind not in "fiu":
        raise DataError(f"{source.chunk.path}: branch {branch} holds {values.dtype}, expected numbers.")
    return values.astype(np.float64)
