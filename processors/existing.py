"""An existing coffea processor on one chunk: plain NanoEvents in, what it returns out."""

import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from coffea import nanoevents
from coffea.nanoevents import BaseSchema, NanoEventsFactory

from znought.errors import DataError, ReadError
from znought.processors.calling import place
from znought.processors.chunk import check_unchanged
from znought.processors.dialects.view import Entries
from znought.processors.output import Output
from znought.processors.result import DatasetResult

__all__ = ["SCHEMAS", "ExistingProcessor", "is_schema"]


def is_schema(value: object) -> bool:
    """Whether it is a class of schemas."""
    return isinstance(value, type) and issubclass(value, BaseSchema)


SCHEMAS: Mapping[str, Any] = {name: value for name, value in vars(nanoevents).items() if is_schema(value)}
"""coffea's schemas by name."""

_READERS = ("coffea.nanoevents.mapping", "uproot")


@dataclass(frozen=True)
class ExistingProcessor:
    """A coffea processor that knows nothing of us.

    Attributes:
        processor: an instance with `process(events)` and `postprocess(accumulator)`.
        schema: class of coffea's schemas that its events are seen through.
    """

    processor: Any
    schema: Any

    @property
    def reads_any_tree(self) -> bool:
        """Take files as they are: what a branch means is the processor's business."""
        return True

    @property
    def refuse_substitutes(self) -> bool:
        """Nothing is put in the place of anything."""
        return False

    @property
    def needs_complete_layout(self) -> bool:
        """No field is asked for but by the processor."""
        return False

    def process(self, events: Entries) -> dict[str, DatasetResult]:
        """What the processor returns of one chunk, under the name of its dataset.

        Raises:
            ReadError: the chunk cannot be read.
            DataError: the file was replaced, the schema does not fit it, the processor failed, or returned
                what can be neither added up nor written.
        """
        check_unchanged(events)
        dataset = str(events.metadata["dataset"])
        try:
            value = self.processor.process(self._seen(events))
        except Exception as error:  # a user's function may raise anything
            raise self._failure(events, error) from error
        try:
            return {dataset: DatasetResult(output=Output.of(value))}
        except DataError as error:
            raise DataError(self._line(dataset, str(error))) from error

    def postprocessed(self, total: Output) -> Output:
        """What the processor makes of the sum over all chunks; the sum itself where it returns None.

        Raises:
            DataError: it failed, or returned what cannot be written.
        """
        function = getattr(self.processor, "postprocess", None)
        if function is None:
            return total
        try:
            found = function(total.value)
        except Exception as error:  # a user's function may raise anything
            raise DataError(f"{place(function, error)}, postprocess: {_said(error)}.") from error
        return total if found is None else Output.of(found)

    def _seen(self, events: Entries) -> Any:
        """The chunk as coffea's Runner would hand it over."""
        metadata = dict(events.metadata)
        try:
            return NanoEventsFactory.from_root(
                events.tree.directory,
                treepath=metadata["treename"],
                mode="virtual",
                entry_start=events.start,
                entry_stop=events.stop,
                schemaclass=self.schema,
                metadata=metadata,
            ).events()
        except Exception as error:  # a schema may raise anything
            path, name = metadata["filename"], self.schema.__name__
            if _came_through(error, "uproot"):
                raise _unread(events, error) from error
            raise DataError(f"{path}: schema {name} does not fit: {_said(error)}.") from error

    def _failure(self, events: Entries, error: Exception) -> DataError:
        """The one line about a chunk that could not be processed: of its file, or of the processor."""
        if isinstance(error, DataError):
            return error
        if all(_came_through(error, reader) for reader in _READERS):
            return _unread(events, error)
        message = f"{_said(error)} ({events.metadata['filename']})."
        return DataError(self._line(str(events.metadata["dataset"]), message, error))

    def _line(self, dataset: str, message: str, error: Exception | None = None) -> str:
        return f"{place(self.processor.process, error)}, process, dataset {dataset!r}: {message}"


def _unread(events: Entries, error: Exception) -> ReadError:
    path, reason = events.metadata["filename"], f"truncated, damaged or out of reach ({_said(error)[:160]})"
    return ReadError(f"{path}: entries {events.start} to {events.stop} cannot be read: {reason}.")


def _came_through(error: BaseException, package: str) -> bool:
    """Whether an error, or what caused it, was raised below a call into a package."""
    names = (str(frame.f_globals.get("__name__", "")) for frame in _frames(error))
    return any(name == package or name.startswith(f"{package}.") for name in names)


def _frames(error: BaseException) -> Iterator[Any]:
    current: BaseException | None = error
    while current is not None:
        yield from (frame for frame, _ in traceback.walk_tb(current.__traceback__))
        current = current.__cause__ or current.__context__


def _said(error: BaseException) -> str:
    """Kind and text of an error in one line."""
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0]}" if text else type(error).__name__
