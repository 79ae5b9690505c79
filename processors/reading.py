"""Branches of one tree between two entries, as the plain buffers that the file holds."""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from queue import Queue
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray
from uproot.interpretation.jagged import AsJagged
from uproot.interpretation.library import NumPy
from uproot.interpretation.numerical import AsDtype
from uproot.models.TBasket import Model_TBasket
from uproot.source.cursor import Cursor

from znought.errors import DataError, ReadError
from znought.processors.damage import reading

__all__ = ["Column", "Tree", "branch_names"]

_LIBRARY = NumPy()


@dataclass(frozen=True)
class Column:
    """One branch between two entries.

    Attributes:
        content: its numbers, in the byte order of the file.
        offsets: where the objects of each event begin and end, shape (n_events + 1,); None where there is
            one number per event.
    """

    content: NDArray[Any]
    offsets: NDArray[np.integer] | None

    def between(self, start: int, stop: int) -> "Column":
        """The events from start to stop."""
        if self.offsets is None:
            return Column(self.content[start:stop], None)
        first, last = int(self.offsets[start]), int(self.offsets[stop])
        return Column(self.content[first:last], self.offsets[start : stop + 1] - first)

    def only(self, kept: NDArray[np.bool_]) -> "Column":
        """The events that are kept, shape (n_events,)."""
        if self.offsets is None:
            return Column(self.content[kept], None)
        counts = np.diff(self.offsets)
        content = self.content[self.offsets[0] : self.offsets[-1]][np.repeat(kept, counts)]
        return Column(content, np.concatenate([[0], np.cumsum(counts[kept], dtype=np.int64)]))


def branch_names(tree: Any) -> dict[str, str]:
    """Names that branches are asked for by → their names in the tree.

    A collection of an RNTuple may nest its fields: `Jet.pt` is what a TTree calls `Jet_pt`.
    """
    names = {str(name): str(name) for name in tree.keys()}  # noqa: SIM118  # not a dict
    if not hasattr(tree, "branches"):
        nested = {name.replace(".", "_"): name for name in names if "." in name}
        return nested | names
    return names


class Tree:
    """One tree of an open file.

    Reads what coffea and uproot's `arrays` would, without building an awkward array per branch and chunk:
    that costs a millisecond each, as much as a hundred events. Baskets are decoded once although several
    chunks may end in one: the last one of each branch is kept.

    Attributes:
        path: the file, as it was opened.
        uuid: identity of the file.
        n_entries: entries of the tree.
        branches: names of all branches.
        directory: the open file, for who reads it by other means.
        asked: branches that were read; who wants those of one chunk empties it before.
    """

    def __init__(self, directory: Any, name: str) -> None:
        self.directory = directory
        self._tree = directory[name]
        self._file = directory.file
        self._known: dict[str, _Branch] = {}
        self._last: dict[str, tuple[int, Column]] = {}
        self.asked: set[str] = set()
        self._n_requested = 0
        self.path = str(directory.file.file_path)
        self.uuid = str(directory.file.uuid)
        self.n_entries = int(self._tree.num_entries)
        self._names = branch_names(self._tree)
        self.branches: Collection[str] = frozenset(self._names)

    def read(self, names: Iterable[str], start: int, stop: int) -> dict[str, Column]:
        """Several branches between two entries, in one request.

        Raises:
            ReadError: the bytes cannot be had, or are not what the file promised.
            DataError: a branch holds something else than numbers or lists of numbers.
        """
        names = tuple(names)
        self.asked.update(names)
        with reading(self.path, f"branch {' or '.join(names)}" if len(names) < 3 else "a branch"):
            return self._read(names, start, stop)

    def _read(self, names: tuple[str, ...], start: int, stop: int) -> dict[str, Column]:
        """Several branches between two entries; damage ends in whatever uproot raises."""
        branches = {name: self._branch(name) for name in names}
        wanted = {name: branch.overlapping(start, stop) for name, branch in branches.items()}
        baskets = self._baskets(branches, wanted)
        columns: dict[str, Column] = {}
        for name, branch in branches.items():
            if branch.is_plain:
                mine = [baskets[name, i] for i in wanted[name]]
                columns[name] = branch.joined(mine, wanted[name], start, stop)
                self._keep(name, branch, wanted[name], mine, stop)
            else:
                columns[name] = branch.interpreted(start, stop)
            self._check_entries(name, columns[name], stop - start)
        return columns

    def _check_entries(self, name: str, column: Column, n_entries: int) -> None:
        """Refuse a branch that does not hold as many entries as were asked for."""
        found = len(column.content) if column.offsets is None else len(column.offsets) - 1
        if found != n_entries:
            message = f"{self.path}: branch {name} holds {found} of {n_entries} entries asked for."
            raise ReadError(message)

    def title(self, name: str) -> str:
        """What a branch says of itself."""
        return str(getattr(self._tree[self._names[name]], "title", ""))

    def counter(self, name: str) -> str | None:
        """The branch that counts the numbers of each list of a branch; None where there is none."""
        branch = getattr(self._tree[self._names[name]], "count_branch", None)
        return None if branch is None else str(branch.name)

    def newly_requested(self) -> int:
        """Bytes that were asked of the file since the last call, those of opening it in the first."""
        before, self._n_requested = self._n_requested, int(self._file.source.num_requested_bytes)
        return self._n_requested - before

    def forget(self) -> None:
        """Drop the baskets that were kept."""
        self._last.clear()

    def is_plain(self, name: str) -> bool:
        """Whether a branch holds plain numbers, one or a list of them per event."""
        return self._branch(name).is_plain

    def whole(self, name: str, start: int, stop: int) -> ak.Array:
        """A branch of any type between two entries, as uproot reads it."""
        self.asked.add(name)
        with reading(self.path, f"branch {name}"):
            return self._tree[name].array(entry_start=start, entry_stop=stop, library="ak")

    def forms(self, extract: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        """Forms of the branches, by a function of uproot's tree."""
        with reading(self.path, "the list of branches"):
            return extract(self._tree)

    def plain_type(self, name: str) -> tuple[np.dtype[Any], bool] | None:
        """Type of the numbers of a branch, and whether each event has a list of them; None for others."""
        interpretation: Any = getattr(self._tree[name], "interpretation", None)
        if not _is_plain(interpretation):
            return None
        jagged = isinstance(interpretation, AsJagged)
        numbers = interpretation.content if jagged else interpretation
        return np.dtype(numbers.to_dtype), jagged

    def _branch(self, name: str) -> "_Branch":
        if name not in self._known:
            self._known[name] = _Branch(self._tree[self._names[name]], self.path, self.n_entries)
        return self._known[name]

    def _keep(self, name: str, branch: "_Branch", numbers: range, baskets: list[Column], stop: int) -> None:
        """Remember the last basket if the next chunk begins in it."""
        if baskets and branch.edges[numbers[-1] + 1] > stop:
            self._last[name] = numbers[-1], baskets[-1]
        else:
            self._last.pop(name, None)

    def _baskets(
        self, branches: dict[str, "_Branch"], wanted: dict[str, range]
    ) -> dict[tuple[str, int], Column]:
        """Decoded baskets by branch and number: kept ones, and the others read together."""
        found: dict[tuple[str, int], Column] = {}
        places: dict[tuple[int, int], tuple[str, int]] = {}
        for name, numbers in wanted.items():
            kept, column = self._last.get(name, (-1, None))
            for number in numbers:
                if column is not None and number == kept:
                    found[name, number] = column
                elif branches[name].is_embedded(number):
                    found[name, number] = branches[name].decoded(branches[name].branch.basket(number))
                else:
                    places[branches[name].place(number)] = name, number
        arrived: Queue[Any] = Queue()
        if places:
            self._file.source.chunks(list(places), notifications=arrived)
        for _ in range(len(places)):
            chunk = arrived.get()
            name, number = places[chunk.start, chunk.stop]
            found[name, number] = branches[name].basket(chunk, number, self._file)
        return found


class _Branch:
    """One branch, with what is asked of it in every chunk worked out once."""

    def __init__(self, branch: Any, path: str, n_entries: int) -> None:
        self.branch = branch
        self.path = path
        self.is_plain = _is_plain(getattr(branch, "interpretation", None))
        self.edges = np.asarray(branch.entry_offsets if self.is_plain else (0,), np.int64)
        self._n_free = branch.num_baskets - len(branch.embedded_baskets) if self.is_plain else 0
        if self.is_plain and not _covers(self.edges, n_entries):
            message = (
                f"{path}: the baskets of branch {branch.name} do not hold the tree's {n_entries} entries."
            )
            raise ReadError(message)

    def overlapping(self, start: int, stop: int) -> range:
        """Numbers of the baskets that hold entries between start and stop."""
        if not self.is_plain or start >= stop:
            return range(0)
        first = int(np.searchsorted(self.edges, start, side="right")) - 1
        return range(first, int(np.searchsorted(self.edges, stop, side="left")))

    def is_embedded(self, number: int) -> bool:
        """Whether the basket stands in the tree's header, as in files that were not closed."""
        return number >= self._n_free

    def place(self, number: int) -> tuple[int, int]:
        """Bytes of the file that hold a basket."""
        start = int(self.branch.member("fBasketSeek")[number])
        return start, start + self.branch.basket_compressed_bytes(number)

    def basket(self, chunk: Any, number: int, file: Any) -> Column:
        """A basket from its bytes."""
        context = {"basket_num": number}
        basket = Model_TBasket.read(chunk, Cursor(chunk.start), context, file, file, self.branch)
        promised = int(self.edges[number + 1] - self.edges[number])
        if basket.num_entries != promised:
            message = f"branch {self.branch.name}: {basket.num_entries} entries in place of {promised}"
            raise OSError(message)
        return self.decoded(basket)

    def decoded(self, basket: Any) -> Column:
        """Content and offsets of a basket."""
        array = self.branch.interpretation.basket_array(
            basket.data,
            basket.byte_offsets,
            basket,
            self.branch,
            self.branch.context,
            basket.member("fKeylen"),
            _LIBRARY,
            {},
        )
        if len(array) != basket.num_entries:
            message = f"branch {self.branch.name}: {len(array)} entries in place of {basket.num_entries}"
            raise OSError(message)
        if not isinstance(self.branch.interpretation, AsJagged):
            return Column(array, None)
        if (
            array.offsets[0] < 0
            or (np.diff(array.offsets) < 0).any()
            or array.offsets[-1] > len(array.content)
        ):
            message = f"branch {self.branch.name}: lists that begin before they end"
            raise OSError(message)
        return Column(array.content, array.offsets)

    def joined(self, baskets: list[Column], numbers: range, start: int, stop: int) -> Column:
        """Entries from start to stop out of the baskets that hold them."""
        parts = [
            basket.between(
                max(start - int(self.edges[i]), 0), min(stop, int(self.edges[i + 1])) - int(self.edges[i])
            )
            for basket, i in zip(baskets, numbers, strict=True)
        ]
        if len(parts) == 1:
            return parts[0]
        if not parts:
            return self.interpreted(0, 0)
        content = np.concatenate([part.content for part in parts])
        if parts[0].offsets is None:
            return Column(content, None)
        counts = np.concatenate([np.diff(part.offsets) for part in parts if part.offsets is not None])
        return Column(content, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]))

    def interpreted(self, start: int, stop: int) -> Column:
        """Entries as uproot reads them: for nested branches and RNTuple fields."""
        layout = self.branch.array(entry_start=start, entry_stop=stop, library="ak").layout
        if isinstance(layout, ak.contents.NumpyArray) and layout.data.ndim == 1:
            return Column(np.asarray(layout.data), None)
        if layout.is_list and layout.parameter("__array__") is None:
            layout = layout.to_ListOffsetArray64(True)  # positional in awkward
            if isinstance(layout.content, ak.contents.NumpyArray) and layout.content.data.ndim == 1:
                offsets = np.asarray(layout.offsets.data)
                return Column(np.asarray(layout.content.data)[: offsets[-1]], offsets)
        message = (
            f"{self.path}: branch {self.branch.name} holds {layout.form.type} an event, expected a number "
            "or a list of numbers."
        )
        raise DataError(message)


def _covers(edges: NDArray[np.int64], n_entries: int) -> bool:
    """Whether baskets with these first entries hold every entry of the tree, one after the other."""
    return bool(edges[0] == 0 and edges[-1] == n_entries and (np.diff(edges) >= 0).all())


def _is_plain(interpretation: Any) -> bool:
    """Whether a branch holds plain numbers, one or a list of them per event."""
    if type(interpretation) is AsJagged:
        interpretation = interpretation.content
    return (
        type(interpretation) is AsDtype
        and interpretation.from_dtype.names is None
        and not (interpretation.inner_shape)
    )
