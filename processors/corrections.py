"""Correctionlib files: what they hold, and a line that says what is wrong with one."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import correctionlib
import numpy as np
from correctionlib.highlevel import open_auto
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name

__all__ = ["correction", "evaluated_correction", "variations"]


def correction(file: str, name: str) -> Any:
    """A correction or compound correction of a file, loaded once per process and again if the file changes.

    Raises:
        CardError: no such file, not of correctionlib, or it has no correction of that name.
    """
    path = Path(file)
    if not path.is_file():
        raise CardError(f"no such file {file}.")
    state = path.stat()
    corrections = _loaded(file, (state.st_size, state.st_mtime_ns))
    for group in (corrections, corrections.compound):
        if name in list(group):
            return group[name]
    raise CardError(unknown_name("correction", name, [*corrections, *corrections.compound]))


def evaluated_correction(
    file: str, name: str, arguments: Mapping[str, Any], n_values: int
) -> NDArray[np.float64]:
    """Values of a correction, shape (n_values,).

    Args:
        file, name: the correction.
        arguments: each of its inputs in order, with one value or n_values of them.
        n_values: how many values to return.

    Raises:
        DataError: it has no value, or none that is finite, for some of the inputs.
    """
    try:
        found = np.asarray(correction(file, name).evaluate(*arguments.values()), np.float64)
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        raise DataError(_without_value(file, name, arguments, str(error))) from error
    if not np.isfinite(found).all():
        raise DataError(_without_value(file, name, arguments, "the result is not finite"))
    return np.broadcast_to(found, (n_values,))


def _without_value(file: str, name: str, arguments: Mapping[str, Any], reason: str) -> str:
    """Which correction has no value, for which inputs, and what helps."""
    arrays = {item: np.asarray(values) for item, values in arguments.items() if np.size(values)}
    shown = ", ".join(
        f"{item} from {values.min():.4g} to {values.max():.4g}"
        for item, values in arrays.items()
        if values.dtype.kind in "iuf"
    )
    return (
        f"correction {name!r} of {file} has no value for some of its inputs ({' '.join(reason.split())}): "
        f"it was given {shown or 'nothing'}. Cut the selection to the correction's range, or let it clamp."
    )


def variations(file: str, name: str, input_name: str) -> frozenset[str | int]:
    """Values that a correction knows for the input that chooses the variation; empty if it takes any."""
    document = json.loads(open_auto(file))
    stacks = {entry["name"]: entry["stack"] for entry in document.get("compound_corrections") or ()}
    members = stacks.get(name, [name])
    found: set[str | int] = set()
    for entry in document["corrections"]:
        if entry["name"] in members:
            for node in _categories(entry["data"], input_name):
                if node.get("default") is not None:
                    return frozenset()
                found.update(item["key"] for item in node["content"])
    return frozenset(found)


def _categories(node: Any, input_name: str) -> Iterator[dict[str, Any]]:
    """Every node below that branches by the input."""
    if isinstance(node, dict):
        if node.get("nodetype") == "category" and node.get("input") == input_name:
            yield node
        for value in node.values():
            yield from _categories(value, input_name)
    elif isinstance(node, list):
        for value in node:
            yield from _categories(value, input_name)


@cache  # by the state too: a file that changes is read again
def _loaded(file: str, state: tuple[int, int]) -> Any:
    try:
        return correctionlib.CorrectionSet.from_file(file)
    except RuntimeError as error:
        message = f"{file} is no correctionlib file ({str(error).splitlines()[0]})."
        raise CardError(message) from error
