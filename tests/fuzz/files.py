"""Small ROOT files, spoiled in one way each, by number: the same number is the same file."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import uproot

from tests.processors.fixtures import events, write_tree
from tests.processors.test_identification import nanoaod

__all__ = ["KINDS", "write_mutated"]

Columns = dict[str, Any]
Rng = np.random.Generator
COMPRESSIONS = (None, uproot.ZLIB(1), uproot.LZMA(1), uproot.LZ4(1), uproot.ZSTD(1))
RUNS = {"genEventCount": [200, 300], "genEventSumw": [150.5, 260.25], "genEventSumw2": [250.0, 350.5]}


def _columns(rng: Rng) -> Columns:
    """Flat columns of the simulation or of NanoAOD version 9."""
    if rng.random() < 0.6:
        return nanoaod(9, seed=int(rng.integers(5)))
    columns: Columns = {}
    for name, values in events(300, seed=int(rng.integers(5))).items():
        if isinstance(values, ak.Array):
            columns.update({f"{name}_{field}": values[field] for field in values.fields})
        else:
            columns[name] = values
    return columns


def _any(rng: Rng, names: Any) -> str:
    return str(rng.choice(sorted(names)))


def _is_list(values: Any) -> bool:
    return isinstance(values, ak.Array) and values.ndim == 2


# --- columns ------------------------------------------------------------------------------------------


def _renamed(columns: Columns, rng: Rng) -> Columns:
    one, two = _any(rng, columns), _any(rng, columns)
    swap = rng.random() < 0.4
    names = {one: two, two: one} if swap else {one: f"{one}X"}
    return {names.get(name, name): values for name, values in columns.items()}


def _dropped(columns: Columns, rng: Rng) -> Columns:
    gone = _any(rng, columns)
    return {name: values for name, values in columns.items() if name != gone}


def _retyped(columns: Columns, rng: Rng) -> Columns:
    name = _any(rng, columns)
    kind = rng.choice(["f4", "f8", "i1", "u1", "i2", "i4", "u4", "i8", "u8", "?"])
    with np.errstate(all="ignore"):
        values = ak.values_astype(ak.Array(columns[name]), np.dtype(str(kind)))
    return {**columns, name: values if _is_list(columns[name]) else ak.to_numpy(values)}


def _reshaped(columns: Columns, rng: Rng) -> Columns:
    name = _any(rng, columns)
    values = columns[name]
    if _is_list(values):
        changes: list[Callable[[], Any]] = [
            lambda: values[:, :-1],
            lambda: ak.concatenate([values, values], axis=1),
            lambda: ak.concatenate([values[1:], values[:1]]),
            lambda: ak.to_numpy(ak.fill_none(ak.firsts(values), 0)),
            lambda: values[:, ::-1],
        ]
    else:
        plain = np.asarray(values)
        changes = [
            lambda: ak.unflatten(plain, np.ones(len(plain), np.int64)),
            lambda: ak.unflatten(plain, np.tile([0, 1, 2], len(plain) // 3)),
            lambda: np.stack([plain, plain], axis=1),
        ]
    return {**columns, name: changes[int(rng.integers(len(changes)))]()}


def _reordered(columns: Columns, rng: Rng) -> Columns:
    n_events = len(columns["run"] if "run" in columns else next(iter(columns.values())))
    order = rng.permutation(n_events)
    if rng.random() < 0.5:
        return {name: values[order] for name, values in columns.items()}
    if rng.random() < 0.5:
        names = [str(name) for name in rng.permutation(sorted(columns))]
        return {name: columns[name] for name in names}
    name = _any(rng, columns)
    return {**columns, name: columns[name][order]}


def _revalued(columns: Columns, rng: Rng) -> Columns:
    name = _any(rng, columns)
    values = ak.Array(columns[name])
    flat = ak.to_numpy(ak.flatten(values, axis=None)).copy()
    where = rng.choice(len(flat), int(rng.integers(1, 20)))
    if flat.dtype.kind == "f":
        flat[where] = rng.choice([np.nan, np.inf, -np.inf, 1e30, -1e30, 0.0, -1.0, 1e-30])
    elif flat.dtype.kind in "iu":
        flat[where] = rng.choice([0, 1, np.iinfo(flat.dtype).max])
    else:
        flat[where] = ~flat[where]
    new = ak.unflatten(flat, ak.num(values)) if _is_list(columns[name]) else flat
    return {**columns, name: new}


def _same(columns: Columns, rng: Rng) -> Columns:
    return columns


# --- bytes --------------------------------------------------------------------------------------------


def _flipped(content: bytearray, rng: Rng) -> bytearray:
    n = int(rng.integers(1, 12))
    places = rng.integers(len(content), size=n)
    if rng.random() < 0.4:  # where headers stand
        places = rng.integers(min(600, len(content)), size=n)
    for place in places:
        content[int(place)] ^= 1 << int(rng.integers(8))
    return content


def _overwritten(content: bytearray, rng: Rng) -> bytearray:
    start, n = int(rng.integers(len(content))), int(rng.integers(1, 400))
    n = min(n, len(content) - start)
    content[start : start + n] = rng.bytes(n) if rng.random() < 0.5 else bytes(n)
    return content


def _truncated(content: bytearray, rng: Rng) -> bytearray:
    return content[: int(rng.integers(len(content)))]


def _padded(content: bytearray, rng: Rng) -> bytearray:
    cut = int(rng.integers(len(content)))
    return content[:cut] + bytes(len(content) - cut)


def _shifted(content: bytearray, rng: Rng) -> bytearray:
    cut = int(rng.integers(len(content)))
    return content[:cut] + content[cut + int(rng.integers(1, 9)) :]


KINDS: dict[str, Callable[[Columns, Rng], Columns] | Callable[[bytearray, Rng], bytearray]] = {
    "flipped": _flipped,
    "flipped again": _flipped,
    "overwritten": _overwritten,
    "truncated": _truncated,
    "padded": _padded,
    "shifted": _shifted,
    "renamed": _renamed,
    "dropped": _dropped,
    "retyped": _retyped,
    "reshaped": _reshaped,
    "reordered": _reordered,
    "revalued": _revalued,
    "untouched": _same,
}
_OF_BYTES = ("flipped", "flipped again", "overwritten", "truncated", "padded", "shifted")


def write_mutated(folder: Path, number: int) -> tuple[Path, str]:
    """Writes the file of a number; returns it with the kind of its mutation."""
    rng = np.random.default_rng([2024, number])
    kind = list(KINDS)[number % len(KINDS)]
    columns = _columns(rng)
    change: Any = KINDS[kind]
    if kind not in _OF_BYTES:
        columns = change(columns, rng)
    path = folder / f"{number}.root"
    compression = COMPRESSIONS[int(rng.integers(len(COMPRESSIONS)))]
    with uproot.recreate(path, compression=compression) as file:
        n_events = len(next(iter(columns.values())))
        edges = [0, n_events // 3, n_events] if rng.random() < 0.5 else [0, n_events]
        file.mktree("Events", {name: ak.type(ak.Array(x[:0])).content for name, x in columns.items()})
        for start, stop in itertools.pairwise(edges):
            file["Events"].extend({name: x[start:stop] for name, x in columns.items()})
        write_tree(file, "Runs", {name: np.array(values) for name, values in RUNS.items()})
    if kind in _OF_BYTES:
        path.write_bytes(change(bytearray(path.read_bytes()), rng))
    return path, kind
