"""Histograms by name out of files: ROOT, UHI JSON, or JSON of plain edges and contents."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import hist
import numpy as np
import uhi.io.json
import uproot
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name

__all__ = ["Histogram", "Histograms", "open_histograms"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """Bin contents in one dimension, without under- and overflow."""

    values: Floats
    edges: Floats
    variances: Floats | None = None
    """None where the file holds none."""

    def rebinned(self, edges: Floats, name: str) -> "Histogram":
        """The sum of bins between coarser edges; what lies outside is dropped.

        Args:
            edges: each must be an edge of this histogram.
            name: what an error calls it.

        Raises:
            DataError: an edge that is none here.
        """
        width = float(np.diff(self.edges).min())
        where = [int(np.argmin(np.abs(self.edges - edge))) for edge in edges]
        for edge, i in zip(edges, where, strict=True):
            if abs(self.edges[i] - edge) > 1e-6 * width:
                raise DataError(
                    f"{edge:g} is no edge of histogram {name!r}; the nearest is {self.edges[i]:g}."
                )
        if np.any(np.diff(where) < 1):
            raise DataError(f"edges must increase. Received: {', '.join(f'{edge:g}' for edge in edges)}.")

        variances = None if self.variances is None else _summed(self.variances, where)
        return Histogram(_summed(self.values, where), edges, variances)


def _summed(values: Floats, where: list[int]) -> Floats:
    return np.array([values[low:high].sum() for low, high in pairwise(where)])


@dataclass(frozen=True)
class Histograms:
    """The histograms of one file."""

    path: Path
    names: tuple[str, ...]
    read: Callable[[str], Histogram]

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def __getitem__(self, name: str) -> Histogram:
        if name not in self.names:
            raise DataError(f"{self.path}: {_unknown(name, self.names)}")
        return self.read(name)


def _unknown(name: str, names: tuple[str, ...]) -> str:
    if len(names) <= 20:
        return unknown_name("histogram", name, names)
    return unknown_name("histogram", name, names).split(" Expected")[0] + f" The file holds {len(names)}."


def open_histograms(path: Path) -> Histograms:
    """The one-dimensional histograms of a ``.root`` or ``.json`` file, read as they are asked for.

    Raises:
        DataError: the file cannot be read, or its format is unknown.
    """
    if not path.is_file():
        raise DataError(f"no file of histograms at {path}.")
    if path.suffix == ".root":
        return _open_root(path)
    if path.suffix == ".json":
        return _open_json(path)
    raise DataError(f"histograms come as .root or .json. Received: {path.name}.")


def _open_root(path: Path) -> Histograms:
    try:
        with uproot.open(path) as file:
            classes = file.classnames(cycle=False)
    except (OSError, ValueError, KeyError) as error:
        raise DataError(f"{path} is no readable ROOT file: {str(error).splitlines()[0]}") from error
    names = tuple(name for name, kind in classes.items() if kind.startswith("TH1"))

    @cache
    def read(name: str) -> Histogram:
        with uproot.open(path) as opened:
            found = opened[name]
            values = np.asarray(found.values(), dtype=np.float64)
            variances = np.asarray(found.variances(), dtype=np.float64)
            return Histogram(values, np.asarray(found.axis().edges(), dtype=np.float64), variances)

    return Histograms(path, names, read)


def _open_json(path: Path) -> Histograms:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict) or not all(isinstance(entry, dict) for entry in content.values()):
        raise DataError(f"{path} must map names to histograms.")
    return Histograms(path, tuple(content), lambda name: _from_json(content[name], name, path))


def _from_json(entry: Mapping[str, Any], name: str, path: Path) -> Histogram:
    where = f"histogram {name!r} of {path}"
    if "uhi_schema" in entry or "storage" in entry:
        return _from_uhi(entry, where)
    missing = [key for key in ("edges", "contents") if key not in entry]
    if missing:
        raise DataError(f"{where} has no {missing[0]!r}; expected UHI JSON, or edges and contents.")
    edges = np.asarray(entry["edges"], dtype=np.float64)
    columns = [_inner(entry.get(key), edges, where) for key in ("contents", "variances")]
    if columns[0] is None:
        raise DataError(f"{where} has no contents.")
    return Histogram(columns[0], edges, columns[1])


def _inner(values: object, edges: Floats, where: str) -> Floats | None:
    """Bins between the edges; a list with two entries more begins and ends with under- and overflow."""
    if values is None:
        return None
    bins = np.asarray(values, dtype=np.float64)
    if bins.size == edges.size + 1:
        return bins[1:-1]
    if bins.size == edges.size - 1:
        return bins
    raise DataError(f"{where} has {bins.size} bins and {edges.size} edges.")


def _from_uhi(entry: Mapping[str, Any], where: str) -> Histogram:
    text = json.dumps(entry)
    try:
        found = hist.Hist(json.loads(text, object_hook=uhi.io.json.object_hook))
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{where} is no UHI histogram: {error}.") from error
    if len(found.axes) != 1:
        raise DataError(f"{where} has {len(found.axes)} axes; templates have one.")
    variances = found.variances()
    spread = None if variances is None else np.asarray(variances, dtype=np.float64)
    edges = np.asarray(found.axes[0].edges, dtype=np.float64)
    return Histogram(np.asarray(found.values(), dtype=np.float64), edges, spread)
