"""Calls of a user's functions: whatever goes wrong becomes one line with file, line, function and dataset."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
from numpy.typing import NDArray

from znought.errors import DataError, ReadError, ZnoughtError
from znought.processors.canonical.source import NotStackedError, Source

__all__ = ["Caller", "place"]

Function = Callable[..., Any]
Floats = NDArray[np.float64]


def place(function: Function, error: BaseException | None = None) -> str:
    """File and line of a function, or of the line in its file that an error came from."""
    inner = function
    while isinstance(inner, partial):
        inner = inner.func
    code = getattr(inner, "__code__", None)
    if code is None:
        return repr(inner)
    line = code.co_firstlineno
    if error is not None:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == code.co_filename and frame.lineno is not None
        ]
        line = lines[-1] if lines else line
    return f"{Path(code.co_filename).name}:{line}"


@dataclass(frozen=True)
class Caller:
    """Calls functions of an analysis on one chunk.

    Attributes:
        source: of the events that the functions see.
    """

    source: Source

    @property
    def dataset(self) -> str:
        """Name of the dataset."""
        return self.source.chunk.dataset

    def call(self, what: str, function: Function, *arguments: Any) -> Any:
        """What the function returns.

        Args:
            what: as messages call the function, such as "objects" or "variable 'ht'".
            function: of the analysis.
            arguments: what it is given.

        Raises:
            DataError: the function failed; the error it raised is the cause.
            ReadError: the events could not be read.
        """
        self.source.failures.clear()
        try:
            return function(*arguments)
        except Exception as error:  # a user's function may raise anything
            known = next(iter(self.source.failures), None)
            if isinstance(known, ReadError | NotStackedError):
                raise known from error
            reason = known if isinstance(known, ZnoughtError) else error
            raise DataError(self._line(what, function, error, self._said(reason))) from error

    def wrong(self, what: str, function: Function, message: str) -> DataError:
        """The error that says what is wrong with what a function returned."""
        return DataError(self._line(what, function, None, message))

    def _line(self, what: str, function: Function, error: BaseException | None, message: str) -> str:
        return f"{place(function, error)}, {what}, dataset {self.dataset!r}: {message}"

    def _said(self, error: BaseException) -> str:
        """Kind and first line of an error; those of ours speak for themselves."""
        text = str(error).strip()
        first = text.splitlines()[0] if text else "no message"
        if isinstance(error, ZnoughtError):
            return first
        if isinstance(error, AttributeError) and first.startswith("no field named"):
            chunk = self.source.chunk
            first = f"{first} in {chunk.path} (dialect {chunk.dialect.name})"
        return f"{type(error).__name__}: {first}"

    def mask(self, what: str, function: Function, values: Any, n_events: int) -> NDArray[np.bool_]:
        """One boolean per event.

        Raises:
            DataError: something else came.
        """
        if isinstance(values, ak.Array) and values.ndim == 1:
            n_none = int(ak.sum(ak.is_none(values)))
            if n_none:
                message = f"{n_none} of {len(values)} values are None; say what they mean with ak.fill_none"
                raise self.wrong(what, function, f"{message}.")
        found = self._flat(what, function, values, n_events, "one boolean per event")
        if found.dtype != np.bool_:
            message = f"expected one boolean per event, received {found.dtype}"
            raise self.wrong(what, function, f"{message}.")
        return found

    def numbers(
        self, what: str, function: Function, values: Any, n_events: int, *, undefined: float | None
    ) -> Floats:
        """One number per event in float64; None and NaN become `undefined`.

        Raises:
            DataError: something else came, or an undefined number where no value stands for it.
        """
        if isinstance(values, ak.Array) and values.ndim == 1 and ak.fields(values) == []:
            values = ak.fill_none(values, np.nan)
        found = self._flat(what, function, values, n_events, "one number per event")
        if found.dtype.kind not in "fiub":
            raise self.wrong(what, function, f"expected one number per event, received {found.dtype}.")
        result = found.astype(np.float64)
        bad = np.isnan(result)
        if bad.any():
            if undefined is None:
                message = f"undefined (None or NaN) for {int(bad.sum())} of {n_events} events"
                raise self.wrong(what, function, f"{message}; give Variable(undefined=...) a value for them.")
            result[bad] = undefined
        if not np.isfinite(result).all():
            n_bad = int((~np.isfinite(result)).sum())
            raise self.wrong(what, function, f"infinite for {n_bad} of {n_events} events.")
        return result

    def _flat(self, what: str, function: Function, values: Any, n_events: int, expected: str) -> NDArray[Any]:
        """Values as a plain array of one entry per event."""
        if isinstance(values, ak.Array):
            if values.ndim != 1 or ak.fields(values):
                raise self.wrong(what, function, f"expected {expected}, received {_type(values)}.")
            if len(values) == n_events:
                return self._plain(what, function, values, expected)
        found = np.asarray(values)
        if found.ndim != 1:
            shown = type(values).__name__ if found.ndim == 0 else f"shape {found.shape}"
            raise self.wrong(what, function, f"expected {expected}, received {shown}.")
        if len(found) != n_events:
            message = f"expected {expected}, of {n_events} events; received {len(found)}"
            raise self.wrong(what, function, f"{message}.")
        return found

    def _plain(self, what: str, function: Function, values: ak.Array, expected: str) -> NDArray[Any]:
        try:
            return np.asarray(ak.to_numpy(values, allow_missing=False))
        except (ValueError, TypeError) as error:
            message = f"expected {expected}, received {_type(values)}."
            raise self.wrong(what, function, message) from error


def _type(values: ak.Array) -> str:
    """Type of an array in one line."""
    return " ".join(str(values.type).split())
