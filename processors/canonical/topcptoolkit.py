"""Canonical events of ATLAS' TopCPToolkit, and what each buffer is made of, for copies under systematics."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.processors.canonical.assembly import (
    Fields,
    Maker,
    assembled,
    branch_offsets,
    branch_values,
    mass_of_energy,
    rounded,
    scaled,
)
from znought.processors.canonical.forms import numbers
from znought.processors.canonical.identification import (
    MASS_ELECTRON_GEV,
    MASS_MUON_GEV,
    btag,
    constant,
    hadron_flavour,
    is_btagged,
)
from znought.processors.canonical.source import Catalogue, Source, data
from znought.processors.copies import NOSYS, copies_in, nominal_branch
from znought.processors.dialects.layout import Layout
from znought.processors.dialects.topcptoolkit import MOMENTUM, SELECTED_BY, TOPCPTOOLKIT, selected
from znought.processors.reading import Tree

__all__ = ["topcptoolkit_catalogue"]

_GEV = 1e-3
_PREFIXES: Mapping[str, str] = {
    "Electron": "el",
    "Muon": "mu",
    "Tau": "tau",
    "Photon": "ph",
    "Jet": "jet",
    "FatJet": "ljet",
}
_MASSES = {"Electron": MASS_ELECTRON_GEV, "Muon": MASS_MUON_GEV, "Photon": 0.0}
_SELECTED = {"Electron": "is_tight", "Muon": "is_tight", "Jet": "is_good"}
_SCALARS = {"run": "runNumber", "luminosityBlock": "lumiBlock", "event": "eventNumber"}


@dataclass(frozen=True)
class _Made:
    """How one buffer is made.

    Attributes:
        primitive: its type.
        maker: makes it.
        branches: that it is made of.
    """

    primitive: str
    maker: Maker
    branches: tuple[str, ...] = ()

    @classmethod
    def of(cls, branch: str, factor: float = 1.0) -> "_Made":
        """A branch in float64, times a factor."""
        return cls(*scaled(branch, factor), (branch,))


def topcptoolkit_catalogue(tree: Tree) -> Catalogue:
    """Collections of a tree of TopCPToolkit; besides the canonical fields, every whole number and flag.

    Flags of events, such as `pass_<region>`, stand beside the collections without the end `_NOSYS`.
    """
    layout, copies = TOPCPTOOLKIT.layout(tree.branches), copies_in(tree.branches)
    copied = {copy for of_one in copies.values() for copy in of_one.values()}
    plain = [name for name in tree.branches if name not in copied]
    made: dict[str, dict[str, _Made]] = {
        name: dict(_whole(tree, plain, f"{prefix}_", is_list=True)) | _collection(name, prefix, tree, layout)
        for name, prefix in _PREFIXES.items()
        if nominal_branch(f"{prefix}_pt", tree.branches)
    }
    if nominal_branch(MOMENTUM["pt"][0], tree.branches):
        made["MET"] = dict(_momentum(tree))
    scalars = dict(_whole(tree, plain, "", is_list=False))
    named = {name: branch for name, branch in _SCALARS.items() if branch in tree.branches}
    found = assembled({name: _fields(name, fields, tree) for name, fields in made.items()}, named, tree)
    forms = {name: ak.forms.from_dict(numbers(name, one.primitive)) for name, one in scalars.items()}
    buffers = {f"data/{name}": one for name, one in scalars.items()}
    keyed = {
        data(name, field): one for name, fields in made.items() for field, one in fields.items()
    } | buffers
    return Catalogue(
        forms | dict(found.contents),
        {key: one.maker for key, one in buffers.items()} | dict(found.makers),
        copies,
        {key: frozenset(one.branches) for key, one in keyed.items()},
    )


def _fields(name: str, made: Mapping[str, _Made], tree: Tree) -> Fields:
    """The fields of a collection, in lists but for the missing transverse momentum."""
    makers = {field: (one.primitive, one.maker) for field, one in made.items()}
    pt = None if name == "MET" else nominal_branch(f"{_PREFIXES[name]}_pt", tree.branches)
    return Fields(makers, None if pt is None else partial(branch_offsets, branch=pt))


def _momentum(tree: Tree) -> Iterator[tuple[str, _Made]]:
    """Fields of the missing transverse momentum."""
    for field, (base, factor) in MOMENTUM.items():
        if branch := nominal_branch(base, tree.branches):
            yield field, _Made.of(branch, factor)


def _collection(name: str, prefix: str, tree: Tree, layout: Layout) -> dict[str, _Made]:
    """Canonical fields of a collection."""
    units = {"pt": _GEV, "eta": 1.0, "phi": 1.0, "m": _GEV, "e": _GEV}
    found = {
        field: _Made.of(branch, factor)
        for field, factor in units.items()
        if (branch := nominal_branch(f"{prefix}_{field}", tree.branches))
    }
    mass, energy = found.pop("m", None), found.pop("e", None)
    if name in _MASSES:
        found["mass"] = _Made("float64", constant(name, _MASSES[name]))
    elif mass is not None:
        found["mass"] = mass
    elif energy is not None:
        branches = (*energy.branches, *found["pt"].branches, *found["eta"].branches)
        maker = partial(mass_of_energy, name=name, energy=energy.maker)
        found["mass"] = _Made("float64", maker, branches)
    charge = nominal_branch(f"{prefix}_charge", tree.branches)
    found["charge"] = _Made("int32", constant(name, 0))
    if charge is not None:
        found["charge"] = _Made("int32", partial(rounded, branch=charge), (charge,))
    return found | (_identified(name, layout) if name in _SELECTED else {})


def _identified(name: str, layout: Layout) -> dict[str, _Made]:
    """Selection of electrons, muons and jets, and b-tags of the jets."""
    flags = tuple(branch for field, branch in layout.branches.items() if field in _flags(name))
    found = {_SELECTED[name]: _Made("bool", partial(_selected, name=name), flags)}
    if name == "Jet" and "jet_btag" in layout.branches:
        tag = (layout.branches["jet_btag"],)
        found["btag"] = _Made("float64", btag, tag)
        found["is_btagged"] = _Made("bool", is_btagged, tag)
    if name == "Jet" and "jet_flavour" in layout.branches:
        found["hadronFlavour"] = _Made("int32", hadron_flavour)
    return found


def _flags(name: str) -> tuple[str, ...]:
    """Fields of the dialect that say which objects of a collection are selected."""
    return tuple(f"{name.lower()}_{kind}" for kind in SELECTED_BY)


def _selected(source: Source, *, name: str) -> NDArray[np.bool_]:
    """Objects that all flags of their selection take."""
    chunk, field = source.chunk, f"{name.lower()}_{SELECTED_BY[0]}"
    if note := chunk.view.layout.substitutes.get(field):
        source.declare(f"{name}.{_SELECTED[name]}", note)
    return selected(chunk.view, name.lower())


def _whole(tree: Tree, branches: Iterable[str], prefix: str, *, is_list: bool) -> Iterator[tuple[str, _Made]]:
    """Whole numbers and flags of a collection, or of events: they have no unit to be wrong about.

    What the toolkit writes as one byte is a flag.
    """
    for branch in branches:
        name = branch.removesuffix(NOSYS).removeprefix(prefix)
        if not (branch.startswith(prefix) and name.isidentifier()):
            continue
        kind = tree.plain_type(branch)
        if kind is None or kind[1] != is_list or kind[0].kind not in "iub":
            continue
        primitive = "bool" if kind[0].itemsize == 1 else kind[0].name
        yield name, _Made(primitive, partial(_as, branch=branch, kind=primitive), (branch,))


def _as(source: Source, *, branch: str, kind: str) -> NDArray[Any]:
    """A branch as numbers of one type."""
    return branch_values(source, branch=branch).astype(kind)
