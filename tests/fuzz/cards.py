"""Cards of a small analysis, spoiled in one way each, by number: the same number is the same card."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.facility.small import card_content
from tests.fuzz.plain import DEFAULTS

__all__ = ["KINDS", "write_mutated_card"]

Rng = np.random.Generator
Place = tuple[Any, ...]
VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    1,
    3,
    1e308,
    1e-300,
    -0.5,
    0.25,
    float("nan"),
    float("inf"),
    10**30,
    "",
    "abc",
    "1.5",
    [],
    [1, 2],
    {},
    {"a": 1},
    [None],
)


def _base(folder: Path) -> dict[str, Any]:
    """A card that says all that the stage `process` reads."""
    card = card_content(folder)
    card["selection"] = dict(DEFAULTS)
    card["processing"] = {"chunk_size": 1000, "max_rounds": 1, "allow_skip": False}
    card["datasets"]["vh"] |= {"branching_ratio": 0.5, "k_factor": 1.25, "filter_efficiency": 0.75}
    card["datasets"]["ttbar"] |= {"generated_sumw": 649.811, "tree": "Events"}
    return card


def _places(node: Any, here: Place = ()) -> Iterator[Place]:
    """Every key and index below a node."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield (*here, key)
        yield from _places(value, (*here, key))


def _chosen(card: dict[str, Any], rng: Rng) -> tuple[Any, Any]:
    """A container of the card and a key or index of it; sections that are read, more often."""
    places = [place for place in _places(card) if rng.random() < 0.3 or place[0] in ("datasets", "selection")]
    place = places[int(rng.integers(len(places)))]
    node: Any = card
    for key in place[:-1]:
        node = node[key]
    return node, place[-1]


# --- content ------------------------------------------------------------------------------------------


def _deleted(card: dict[str, Any], rng: Rng) -> None:
    node, key = _chosen(card, rng)
    del node[key]


def _misspelt(card: dict[str, Any], rng: Rng) -> None:
    node, key = _chosen(card, rng)
    if isinstance(node, dict) and isinstance(key, str):
        cut = int(rng.integers(len(key)))
        node[key[:cut] + "x" + key[cut + 1 :]] = node.pop(key)


def _replaced(card: dict[str, Any], rng: Rng) -> None:
    node, key = _chosen(card, rng)
    node[key] = VALUES[int(rng.integers(len(VALUES)))]


def _scaled(card: dict[str, Any], rng: Rng) -> None:
    node, key = _chosen(card, rng)
    while isinstance(node[key], bool) or not isinstance(node[key], int | float):
        node, key = _chosen(card, rng)
    node[key] = type(node[key])(node[key] * float(rng.choice([0.5, 1.1, 2.0, 10.0])))


def _swapped(card: dict[str, Any], rng: Rng) -> None:
    one, first = _chosen(card, rng)
    two, second = _chosen(card, rng)
    one[first], two[second] = two[second], one[first]


def _doubled(card: dict[str, Any], rng: Rng) -> None:
    name = str(rng.choice(sorted(card["datasets"])))
    card["datasets"][f"{name}_again"] = dict(card["datasets"][name])
    if rng.random() < 0.5:
        card["datasets"][f"{name}_again"]["xsec_pb"] = 7.0


# --- text ---------------------------------------------------------------------------------------------


def _without_line(text: str, rng: Rng) -> str:
    lines = text.splitlines(keepends=True)
    del lines[int(rng.integers(len(lines)))]
    return "".join(lines)


def _moved_line(text: str, rng: Rng) -> str:
    lines = text.splitlines(keepends=True)
    line = lines.pop(int(rng.integers(len(lines))))
    lines.insert(int(rng.integers(len(lines))), line)
    return "".join(lines)


def _doubled_line(text: str, rng: Rng) -> str:
    lines = text.splitlines(keepends=True)
    line = int(rng.integers(len(lines)))
    return "".join([*lines[:line], lines[line], *lines[line:]])


def _other_character(text: str, rng: Rng) -> str:
    place = int(rng.integers(len(text)))
    return text[:place] + str(rng.choice(list("\t:{}[]#&*!|>'\"%@`,-0x9é\x00\n "))) + text[place + 1 :]


def _cut(text: str, rng: Rng) -> str:
    return text[: int(rng.integers(len(text)))]


def _unaltered(text: str, rng: Rng) -> str:
    return text


_OF_CONTENT: dict[str, Callable[[dict[str, Any], Rng], None]] = {
    "deleted": _deleted,
    "misspelt": _misspelt,
    "replaced": _replaced,
    "replaced again": _replaced,
    "scaled": _scaled,
    "swapped": _swapped,
    "doubled": _doubled,
}
_OF_TEXT: dict[str, Callable[[str, Rng], str]] = {
    "without a line": _without_line,
    "a moved line": _moved_line,
    "a doubled line": _doubled_line,
    "another character": _other_character,
    "cut": _cut,
    "unaltered": _unaltered,
}
KINDS = (*_OF_CONTENT, *_OF_TEXT)


def write_mutated_card(folder: Path, ntuples: Path, number: int) -> tuple[Path, str]:
    """Writes the card of a number, of files in another folder; returns it with the kind of its mutation."""
    rng = np.random.default_rng([42, number])
    kind = KINDS[number % len(KINDS)]
    card = _base(ntuples)
    if kind in _OF_CONTENT:
        _OF_CONTENT[kind](card, rng)
    text = yaml.safe_dump(card, sort_keys=False, allow_unicode=True)
    path = folder / "card.yaml"
    path.write_text(_OF_TEXT.get(kind, _unaltered)(text, rng), encoding="utf-8")
    return path, kind
