"""Events that an analysis selects, with the branches that it read, as ntuples of their own."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import awkward as ak
import numpy as np
import uproot
from numpy.typing import NDArray

from znought.errors import DataError
from znought.processors.chunk import Chunk
from znought.processors.dialects.files import SKIM
from znought.processors.evaluated import Evaluation
from znought.processors.reading import Column, Tree

__all__ = ["copy_sums", "selected_events", "write_skim"]

_SUMS = ("Runs", "LuminosityBlocks")
"""Trees of a file that are of all its events, before the skim."""
_JOB = "job"


def selected_events(evaluations: Iterable[Evaluation], n_events: int) -> NDArray[np.bool_]:
    """Events that pass in any channel and under any variation, shape (n_events,)."""
    kept = np.zeros(n_events, np.bool_)
    for evaluation in evaluations:
        for variations in evaluation.values():
            for found in variations.values():
                kept[found.event] = True
    return kept


def write_skim(chunk: Chunk, kept: NDArray[np.bool_], folder: Path) -> None:
    """Writes some events of a chunk with all branches that were asked of its tree.

    The first chunk of a file takes along the sums over all generated events of the file; others have none,
    so that they add up over the skim to those of the ntuples. One without events is not written but for them.

    Args:
        chunk: of which an analysis has read what it needs.
        kept: which events, shape (n_events,).
        folder: of the dataset.

    Raises:
        DataError: a format that is not written, or events that are told apart by file and entry.
    """
    tree = chunk.view.entries.tree
    if chunk.dialect.sums in ("bookkeepers", "histograms"):
        message = f"skims are written of NanoAOD and ntuples of Open Data, not of {chunk.dialect.description}"
        raise DataError(f"{chunk.path}: {message}.")
    if chunk.by_entry:
        raise DataError(f"{chunk.path}: its events are told apart by their entries, which a skim changes.")
    holds_sums = chunk.start == 0 and chunk.dialect.sums == "runs"
    if not (kept.any() or holds_sums):
        return
    names = sorted({*tree.asked, *chunk.view.layout.branches.values()} & {*tree.branches})
    read = {name: one.only(kept) for name, one in tree.read(names, chunk.start, chunk.stop).items()}
    _write(chunk, _collections(tree, read), folder, n_events=int(kept.sum()))


def _write(chunk: Chunk, arrays: Mapping[str, Any], folder: Path, *, n_events: int) -> None:
    """The file of a chunk, whole or not at all: another attempt at the same chunk may be on its way."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{chunk.name}.{uuid4().hex}.part"
    try:
        with uproot.recreate(temporary) as file:
            written = file.mktree(chunk.dialect.tree, {name: _type(array) for name, array in arrays.items()})
            if n_events:
                written.extend(arrays)
            file[SKIM] = chunk.dataset
            copy_sums(chunk.view.entries.tree.directory, file, rows=chunk.start == 0)
        temporary.replace(folder / f"{chunk.name}.root")
    finally:
        temporary.unlink(missing_ok=True)


def copy_sums(source: Any, target: Any, *, rows: bool) -> None:
    """Copies what a file says of all its generated events and luminosity blocks.

    Args:
        source, target: open files, the second for writing.
        rows: copy what the trees hold, not only what they are of.
    """
    for name in _SUMS:
        if name not in source:
            continue
        tree = source[name]
        plain = [key for key in tree.keys(recursive=False) if _is_written(tree[key])]
        counters = {branch.count_branch.name for key in plain if (branch := tree[key]).count_branch}
        arrays = {key: tree[key].array() for key in plain if key not in counters}
        target.mktree(name, {key: _type(array) for key, array in arrays.items()})
        if rows and tree.num_entries:
            target[name].extend(arrays)
    if rows and _JOB in source:
        target[_JOB] = str(source[_JOB])


def _is_written(branch: Any) -> bool:
    """Whether a branch holds numbers, or a list of them an entry."""
    form = branch.interpretation.awkward_form(branch.file)
    form = form.content if isinstance(form, ak.forms.ListOffsetForm) else form
    return isinstance(form, ak.forms.NumpyForm) and not form.inner_shape


def _collections(tree: Tree, read: Mapping[str, Column]) -> dict[str, Any]:
    """Branches as uproot writes them: those of one counter together, under the name of their collection."""
    found: dict[str, Any] = {}
    of_collection: dict[str, dict[str, ak.Array]] = {}
    for name, column in read.items():
        collection, _, field = name.partition("_")
        content = column.content.astype(column.content.dtype.newbyteorder("="), copy=False)
        if column.offsets is None:
            found[name] = content
        elif field and tree.counter(name) == f"n{collection}":
            of_collection.setdefault(collection, {})[field] = _lists(content, column.offsets)
        else:
            found[name] = _lists(content, column.offsets)
    joined = {name: ak.zip(fields, depth_limit=2) for name, fields in of_collection.items()}
    counters = {f"n{name}" for name in (*joined, *found)}
    return {name: values for name, values in found.items() if name not in counters} | joined


def _lists(content: NDArray[Any], offsets: NDArray[np.integer]) -> ak.Array:
    inner = ak.contents.NumpyArray(content[offsets[0] : offsets[-1]])
    return ak.Array(ak.contents.ListOffsetArray(ak.index.Index64(offsets - offsets[0]), inner))


def _type(array: Any) -> Any:
    """What uproot is told of a branch, whatever its length."""
    return array.dtype if isinstance(array, np.ndarray) else ak.type(array).content
