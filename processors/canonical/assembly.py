"""Canonical events put together from makers of single fields, for formats that are no NanoAOD."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.canonical.forms import Form, list_form, numbers, record_form
from znought.processors.canonical.source import Catalogue, Source, data, offsets
from znought.processors.reading import Tree

__all__ = [
    "Fields",
    "Maker",
    "assembled",
    "branch_offsets",
    "branch_values",
    "integers",
    "mass_of_energy",
    "rounded",
    "scaled",
]

Maker = Callable[[Source], NDArray[Any]]


@dataclass(frozen=True)
class Fields:
    """How the fields of one collection are made.

    Attributes:
        makers: field → primitive and maker.
        offsets: maker of where the objects of each event begin and end; None for one record per event.
    """

    makers: Mapping[str, tuple[str, Maker]]
    offsets: Maker | None = None


def assembled(collections: Mapping[str, Fields], scalars: Mapping[str, str], tree: Tree) -> Catalogue:
    """Catalogue of some collections and of branches that hold one number per event.

    Args:
        collections: name → its fields.
        scalars: name → branch.
        tree: says of which type the branches are.
    """
    makers: dict[str, Maker] = {}
    contents: dict[str, Form] = {}
    for name, branch in scalars.items():
        kind = tree.plain_type(branch)
        if kind is not None and not kind[1]:
            contents[name] = numbers(name, kind[0].name)
            makers[f"data/{name}"] = partial(branch_values, branch=branch)
    for name, fields in collections.items():
        kinds = {field: primitive for field, (primitive, _) in fields.makers.items()}
        makers |= {data(name, field): maker for field, (_, maker) in fields.makers.items()}
        if fields.offsets is None:
            contents[name] = record_form(name, kinds)
        else:
            contents[name] = list_form(name, kinds)
            makers[offsets(name)] = fields.offsets
    return Catalogue.of(contents, makers)


def branch_values(source: Source, *, branch: str) -> NDArray[Any]:
    """Content of a branch in the byte order of the machine."""
    content = source.chunk.view.branch(branch).content
    return content.astype(content.dtype.newbyteorder("="), copy=False)


def branch_offsets(source: Source, *, branch: str) -> NDArray[np.int64]:
    """Where the objects of each event begin and end in a branch."""
    found = source.chunk.view.branch(branch).offsets
    if found is None:
        raise DataError(f"{source.chunk.path}: branch {branch} holds one number per event, not a list.")
    return found.astype(np.int64)


def scaled(branch: str, factor: float = 1.0) -> tuple[str, Maker]:
    """Maker of a branch in float64, times a factor."""
    return "float64", lambda source: branch_values(source, branch=branch).astype(np.float64) * factor


def mass_of_energy(source: Source, *, name: str, energy: Maker) -> NDArray[np.float64]:
    """√(E² − p²) of a collection's objects, 0 where rounding makes it negative, GeV."""
    pt, eta = (source.array(data(name, field)) for field in ("pt", "eta"))
    return np.asarray(np.sqrt(np.maximum(energy(source) ** 2 - (pt * np.cosh(eta)) ** 2, 0.0)))


def rounded(source: Source, *, branch: str) -> NDArray[np.int32]:
    """Content of a branch as the nearest whole numbers, such as charges that are written as floats."""
    return np.asarray(np.rint(branch_values(source, branch=branch)), np.int32)


def integers(tree: Tree, prefix: str, taken: Iterable[str]) -> dict[str, tuple[str, Maker]]:
    """Whole numbers and flags of a collection under their own names: they have no unit to be wrong about."""
    found: dict[str, tuple[str, Maker]] = {}
    for branch in tree.branches:
        name = branch.removeprefix(prefix)
        if name == branch or not name.isidentifier() or name in taken:
            continue
        kind = tree.plain_type(branch)
        if kind is not None and kind[1] and kind[0].kind in "iub":
            found[name] = kind[0].name, partial(branch_values, branch=branch)
    return found
