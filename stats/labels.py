"""Names of events, one of a few for each, kept as numbers: texts of 10⁷ events fill gigabytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import DataError

__all__ = ["Labels"]


@dataclass(frozen=True, eq=False)
class Labels:
    """One name for every event; it compares, selects and converts as an array of texts does.

    Attributes:
        names: the names that may occur.
        codes: index into them, shape (n_events,).

    >>> regions = Labels.of(["SR", "", "SR"])
    >>> (regions == "SR").tolist(), regions[1:].tolist(), np.asarray(regions).tolist()
    ([True, False, True], ['', 'SR'], ['SR', '', 'SR'])
    """

    names: tuple[str, ...]
    codes: NDArray[np.integer]

    @classmethod
    def of(cls, values: "ArrayLike | Labels") -> "Labels":
        """Labels of texts; those that are some already stay as they are."""
        if isinstance(values, Labels):
            return values
        present, codes = np.unique(np.asarray(values, np.str_), return_inverse=True)
        return cls.numbered(present.tolist(), codes)

    @classmethod
    def numbered(cls, names: Sequence[str], codes: NDArray[np.integer]) -> "Labels":
        """Labels from indices, kept as small as the number of names allows."""
        return cls(tuple(names), codes.astype(np.min_scalar_type(max(len(names) - 1, 0)), copy=False))

    @classmethod
    def joined(cls, parts: Sequence["Labels"]) -> "Labels":
        """The labels of some parts, one behind the other."""
        names = list(dict.fromkeys(name for part in parts for name in part.names))
        codes = [np.array([names.index(name) for name in part.names], np.intp)[part.codes] for part in parts]
        return cls.numbered(names, np.concatenate([np.zeros(0, np.intp), *codes]))

    def renamed(self, names: Mapping[str, str]) -> "Labels":
        """The labels with other names in the place of some."""
        return Labels.joined([Labels(tuple(names.get(name, name) for name in self.names), self.codes)])

    @property
    def shape(self) -> tuple[int, ...]:
        """As of an array."""
        return self.codes.shape

    @property
    def present(self) -> list[str]:
        """Names that occur."""
        counts = np.bincount(self.codes, minlength=len(self.names))
        return [name for name, count in zip(self.names, counts, strict=True) if count]

    def __len__(self) -> int:
        return int(self.codes.size)

    def __eq__(self, name: object) -> NDArray[np.bool_]:  # type: ignore[override]  # as arrays do
        if not isinstance(name, str):
            raise DataError(f"Labels are compared with a name. Received: {name!r}.")
        if name not in self.names:
            return np.zeros(self.codes.shape, np.bool_)
        return np.asarray(self.codes == self.names.index(name))

    __hash__ = None  # type: ignore[assignment]

    def __getitem__(self, rows: Any) -> "Labels":
        return Labels(self.names, self.codes[rows])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.str_]:
        texts: NDArray[np.str_] = np.asarray(self.names, np.str_ if dtype is None else dtype)[self.codes]
        return texts

    def tolist(self) -> list[str]:
        """The names of all events."""
        return [self.names[code] for code in self.codes.tolist()]
