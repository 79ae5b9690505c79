"""What an existing coffea processor returns: numbers, histograms and columns, added as coffea adds."""

import re
from collections.abc import Iterator, MutableMapping, MutableSet, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import awkward as ak
import boost_histogram as bh
import numpy as np
from coffea.processor import accumulate, column_accumulator, value_accumulator

from znought.errors import DataError

__all__ = ["Output", "leaves"]

Kind = Literal["number", "hist", "column"]

_EXPECTED = (
    "expected numbers, histograms, sets of names, columns (coffea's column_accumulator or a list), and "
    "mappings of these"
)
_IN_LISTS = (bool, int, float, str, np.generic, list, tuple, dict)
_WHOLE = "output"  # name of an output that is no mapping


@dataclass(frozen=True)
class Output:
    """What a processor returned for some chunks.

    Attributes:
        value: nested mappings of numbers, histograms and columns.
    """

    value: Any

    @classmethod
    def of(cls, value: Any) -> "Output":
        """A processor's output, once it is known that all of it can be added up and written.

        Raises:
            DataError: something in it is of another kind; it is named.
        """
        for _ in leaves(value):
            pass
        return cls(value)

    @classmethod
    def total(cls, outputs: Sequence["Output"]) -> "Output | None":
        """Sum of many outputs, in their order; None of none.

        Raises:
            DataError: two of them cannot be added; the first part that cannot is named.
        """
        if len(outputs) < 2:
            return outputs[0] if outputs else None
        try:
            return cls(accumulate([output.value for output in outputs]))
        except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
            raise DataError(_clash([output.value for output in outputs], error)) from error

    def of_kind(self, kind: Kind) -> dict[str, Any]:
        """Name → part of it that is a number, a histogram or a column; sets and arrays are numbers."""
        return {name: _bare(leaf) for name, leaf in leaves(self.value) if _kind(leaf) == kind}


def leaves(value: Any) -> Iterator[tuple[str, Any]]:
    """Name and value of everything in nested mappings: `ttbar/sumw` is `{"ttbar": {"sumw": …}}`.

    Raises:
        DataError: a value that can be neither added up nor written, or two values of one name.
    """
    seen: set[str] = set()
    for path, leaf in _walked(value, ()):
        name = "/".join(path) or _WHOLE
        if _kind(leaf) is None:
            raise DataError(f"output {name!r} is of type {_type(leaf)}; {_EXPECTED}.{_hint(leaf)}")
        if name in seen:
            raise DataError(f"output {name!r} is there twice: two of its keys are spelt alike.")
        seen.add(name)
        yield name, leaf


def _walked(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, MutableMapping):
        for key, inner in value.items():
            yield from _walked(inner, (*path, _spelt(key)))
    else:
        yield path, value


def _spelt(key: object) -> str:
    """A key as files are named: tuples joined, and other signs than letters, digits and -+. replaced.

    >>> _spelt("HT-100to200"), _spelt(("ttbar", 4)), _spelt("../pt")
    ('HT-100to200', 'ttbar_4', '_._pt')
    """
    text = "_".join(map(str, key)) if isinstance(key, tuple) else str(key)
    return re.sub(r"^\.+$", "_", re.sub(r"[^\w.+-]", "_", re.sub(r"\.\.", "_.", text))) or "_"


def _kind(leaf: Any) -> Kind | None:
    leaf = _bare(leaf)
    if isinstance(leaf, bh.Histogram):
        return "hist"
    if isinstance(leaf, column_accumulator):
        return "column"
    if isinstance(leaf, list):
        return "column" if all(isinstance(item, _IN_LISTS) for item in leaf[:1]) else None
    if isinstance(leaf, MutableSet):
        return "number" if all(isinstance(item, str | int | float | np.number) for item in leaf) else None
    if isinstance(leaf, bool | int | float | np.bool_ | np.integer | np.floating):
        return "number"
    if isinstance(leaf, np.ndarray) and leaf.dtype.kind in "iufb":
        return "number"
    return None


def _bare(leaf: Any) -> Any:
    """What a value accumulator holds, or the value itself."""
    return leaf.value if isinstance(leaf, value_accumulator) else leaf


def _type(leaf: Any) -> str:
    kind = type(leaf)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _hint(leaf: Any) -> str:
    if isinstance(leaf, ak.Array):
        return " One value an event goes into a column_accumulator."
    if isinstance(leaf, str):
        return " Texts would be strung together; a set of them is kept."
    return ""


def _clash(values: Sequence[Any], error: Exception) -> str:
    """The first part of two outputs that cannot be added, by name."""
    first = dict(_walked(values[0], ()))
    for value in values[1:]:
        for path, leaf in _walked(value, ()):
            try:
                first[path] = accumulate([first[path], leaf]) if path in first else leaf
            except (ArithmeticError, AttributeError, TypeError, ValueError) as reason:
                name, types = "/".join(path) or _WHOLE, {_type(first[path]), _type(leaf)}
                what = " and ".join(sorted(types)) + (" of two chunks" if len(types) == 1 else "")
                text = " ".join(str(reason).split())
                return f"output {name!r} cannot be added up ({what}): {text}."
    return f"the outputs of two chunks cannot be added up: {' '.join(str(error).split())}."
