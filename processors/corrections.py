"""Correctionlib files: what they hold, and a line that says what is wrong with one."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import correctionlib
import numpy as np
from correctionlib.highlevel import open_auto
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name

__all__ = ["Range", "correction", "correction_names", "evaluated_correction", "keys", "ranges", "variations"]


_MOST_NAMED = 12
"""Corrections of a file that a message still lists."""


@dataclass(frozen=True)
class Range:
    """Values of an input that a correction has a value for.

    Attributes:
        low, high: smallest value, and the end beyond the largest.
        is_of_size: they are those of the input's absolute value.
    """

    low: float
    high: float
    is_of_size: bool = False


def correction(file: str, name: str) -> Any:
    """A correction or compound correction of a file, loaded once per process and again if the file changes.

    Raises:
        CardError: no such file, not of correctionlib, or it has no correction of that name.
    """
    corrections = _loaded(file, _state(file))
    for group in (corrections, corrections.compound):
        if name in list(group):
            return group[name]
    raise CardError(_unknown(name, [*corrections, *corrections.compound]))


def _unknown(name: str, known: list[str]) -> str:
    """One line for a name that a file does not have; of many names, as of jets, the nearest alone."""
    if len(known) <= _MOST_NAMED:
        return unknown_name("correction", name, known)
    near = get_close_matches(name, known, n=3)
    hint = f", did you mean {' or '.join(map(repr, near))}?" if near else "."
    return f"Unknown correction {name!r}{hint} There are {len(known)}."


def correction_names(file: str) -> tuple[str, ...]:
    """Names of the corrections of a file, without compound ones.

    Raises:
        CardError: as `correction`.
    """
    return tuple(_loaded(file, _state(file)))


def _state(file: str) -> tuple[int, int]:
    """Size and time of a file, by which one that changes is known."""
    path = Path(file)
    if not path.is_file():
        raise CardError(f"no such file {file}.")
    state = path.stat()
    return state.st_size, state.st_mtime_ns


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
    stacks, _ = _document(file, _state(file))
    found: set[str | int] = set()
    for member in stacks.get(name, (name,)):
        for node in _reached(file, member, {}):
            if node.get("nodetype") == "category" and node.get("input") == input_name:
                if node.get("default") is not None:
                    return frozenset()
                found.update(item["key"] for item in node["content"])
    return frozenset(found)


def keys(
    file: str, name: str, input_name: str, fixed: Mapping[str, str | int | float] | None = None
) -> tuple[str | int, ...]:
    """Values that a correction knows for one of its inputs, where others are fixed, in the file's order."""
    found: dict[str | int, None] = {}
    for node in _reached(file, name, fixed or {}):
        if node.get("nodetype") == "category" and node.get("input") == input_name:
            found |= dict.fromkeys(item["key"] for item in node["content"])
    return tuple(found)


def ranges(file: str, name: str, fixed: Mapping[str, str | int | float]) -> dict[str, Range]:
    """Input → the values beyond which the correction has none; inputs without such an end are not there.

    Args:
        file, name: the correction.
        fixed: input → value that chooses among its branches.
    """
    found: dict[str, Range] = {}
    sized: set[str] = set()
    for node in _reached(file, name, fixed):
        if node.get("nodetype") == "transform" and node["rule"].get("expression") in ("abs(x)", "fabs(x)"):
            sized.add(node["input"])
        if node.get("flow") != "error":
            continue
        edges = [node["edges"]] if node["nodetype"] == "binning" else node["edges"]
        inputs = [node["input"]] if node["nodetype"] == "binning" else node["inputs"]
        for item, given in zip(inputs, edges, strict=True):
            low, high = (given["low"], given["high"]) if isinstance(given, dict) else (given[0], given[-1])
            before = found.get(item, Range(float(low), float(high)))
            found[item] = Range(min(before.low, float(low)), max(before.high, float(high)), item in sized)
    return {item: one for item, one in found.items() if one.low > -np.inf or one.high < np.inf}


def _reached(file: str, name: str, fixed: Mapping[str, str | int | float]) -> tuple[dict[str, Any], ...]:
    """Every node of a correction that fixed values of inputs can lead to, from above."""
    return _walked(file, _state(file), name, tuple(fixed.items()))


@cache  # by the state too: a file that changes is read again
def _walked(
    file: str, state: tuple[int, int], name: str, fixed: tuple[tuple[str, str | int | float], ...]
) -> tuple[dict[str, Any], ...]:
    return tuple(_nodes(_document(file, state)[1].get(name), dict(fixed)))


def _nodes(node: Any, fixed: Mapping[str, str | int | float]) -> Iterator[dict[str, Any]]:
    """Every node below, from above, that fixed values of inputs can lead to."""
    if isinstance(node, list):
        for value in node:
            yield from _nodes(value, fixed)
    elif isinstance(node, dict):
        if "nodetype" in node:
            yield node
        content = node.get("content")
        if node.get("nodetype") == "category":
            wanted = fixed.get(node["input"])
            content = [one["value"] for one in node["content"] if wanted is None or one["key"] == wanted]
        for value in (content, node.get("flow"), node.get("default")):
            yield from _nodes(value, fixed)


@cache
def _document(file: str, state: tuple[int, int]) -> tuple[dict[str, list[str]], dict[str, Any]]:
    """Members of compound corrections, and content of corrections, by name."""
    document = json.loads(open_auto(file))
    stacks = {entry["name"]: entry["stack"] for entry in document.get("compound_corrections") or ()}
    return stacks, {entry["name"]: entry["data"] for entry in document["corrections"]}


@cache  # by the state too: a file that changes is read again
def _loaded(file: str, state: tuple[int, int]) -> Any:
    try:
        return correctionlib.CorrectionSet.from_file(file)
    except RuntimeError as error:
        message = f"{file} is no correctionlib file ({str(error).splitlines()[0]})."
        raise CardError(message) from error
