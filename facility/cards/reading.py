"""The analysis card: everything a user decides about an analysis, in one YAML file.

The key `analysis` names the analysis, and that decides the card's class; this module reads, checks and names
mistakes, and knows no physics.
"""

import dataclasses
import types
import typing
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError, create_model

from znought.analysis import Analysis
from znought.errors import CardError, unknown_name
from znought.facility.cards.base import BaseCard, Card
from znought.facility.cards.copies import with_copies
from znought.facility.cards.existing import find_processor
from znought.facility.cards.finding import Found, find_analysis, given_analysis
from znought.facility.cards.listed import with_files
from znought.facility.cards.standard import StandardCard
from znought.facility.cards.table import TableCard, found_table
from znought.facility.cards.weights import ANY_FILE, NAMED
from znought.processors.weights import ScaleFactor

__all__ = [
    "Card",
    "StandardCard",
    "bound",
    "card_class",
    "explained",
    "load_card",
    "load_with_analysis",
    "named_analysis",
    "read_content",
    "table_card",
    "truths_as_numbers",
]

MOVED: Mapping[str, str] = types.MappingProxyType({"selection.substitutes": "processing.substitutes"})
"""Keys of earlier versions → the key that took their place."""


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice, which plain YAML silently resolves to the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise CardError(f"line {key_node.start_mark.line + 1}: key {key!r} is given twice.")
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_card(path: Path, analysis: Analysis | None = None) -> BaseCard:
    """Reads and checks a card; its class is that of its analysis.

    Args:
        path: of the YAML file.
        analysis: instead of the one that the card names, as a notebook has it.

    Raises:
        CardError: missing file, bad YAML, an unknown key (with the nearest valid one) or a bad value.
    """
    return load_with_analysis(path, analysis)[0]


def load_with_analysis(path: Path, analysis: Analysis | None = None) -> tuple[BaseCard, Found]:
    """A card, and its analysis with the source that it came from."""
    content = read_content(path)
    try:
        found = named_analysis(content, path.parent) if analysis is None else given_analysis(analysis)
        return bound(_validated(content, found.analysis), found.analysis, path.parent), found
    except CardError as error:
        raise CardError(f"{path}: {error}") from error


def table_card(content: Mapping[str, Any], frame: Any) -> TableCard:
    """The card of a table in memory.

    Args:
        content: as of a card's file, with the section `table` but without its files.
        frame: a pandas DataFrame.

    Raises:
        CardError: an unknown key (with the nearest valid one), a bad value, or a column that is not there.
    """
    found = found_table(content, Path(), frame)
    card = bound(_validated(content, found.analysis), found.analysis, Path())
    assert isinstance(card, TableCard)
    return card.with_frame(frame)


def card_class(analysis: Analysis) -> type[BaseCard]:
    """The card of an analysis: the standard one with its selection and its own sections."""
    if analysis.card is not None:
        return typing.cast(type[BaseCard], analysis.card)
    fields: dict[str, Any] = {"selection": (analysis.selection, analysis.selection())}
    for name, section in analysis.sections.items():
        model, default = section if isinstance(section, tuple) else (section, section())
        fields[name] = (model, default)
    return create_model("AnalysisCard", __base__=StandardCard, __module__=__name__, **fields)


def bound(card: BaseCard, analysis: Analysis, folder: Path) -> BaseCard:
    """A card as a card of its analysis, with the files that it names looked for in its folder.

    Raises:
        CardError: a name that the analysis does not know, a dataset that its fileset lacks, or a systematic
            that its ntuples have no copies for.
        DataError: its fileset is not there.
    """
    return with_copies(with_files(card.of(analysis).placed(folder)))


def read_content(path: Path) -> dict[str, Any]:
    """The keys and values of a card, unchecked.

    Raises:
        CardError: no such file, no YAML, a key given twice, or one of an earlier version.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError as error:
        raise CardError(f"No such card: {path}.") from error
    except yaml.YAMLError as error:
        raise CardError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    except CardError as error:
        raise CardError(f"{path}: {error}") from error
    if not isinstance(content, dict):
        raise CardError(f"{path}: expected a mapping of keys, received {type(content).__name__}.")
    for old, new in MOVED.items():
        section, _, key = old.partition(".")
        if isinstance(content.get(section), dict) and key in content[section]:
            raise CardError(f"{path}: {old} is called {new} now.")
    return content


def named_analysis(content: Mapping[str, Any], folder: Path) -> Found:
    """The analysis that a card names, or the existing processor.

    Raises:
        CardError: it names none, or one that is not there.
    """
    if "processor" in content:
        if "analysis" in content:
            raise CardError("processor: expected an analysis or an existing processor, received both.")
        return find_processor(content, folder)
    if "table" in content:
        return found_table(content, folder)
    if "analysis" not in content:
        raise CardError("analysis: this key is missing; name a shipped analysis or a file beside the card.")
    return find_analysis(str(content["analysis"]), folder)


def _validated(content: Mapping[Any, Any], analysis: Analysis) -> BaseCard:
    kind = card_class(analysis)
    try:
        card = kind.model_validate(content)
    except ValidationError as error:
        raise CardError(explained(error.errors()[0], kind)) from error
    for problem in truths_as_numbers(content, card):
        raise CardError(problem)
    return card


def truths_as_numbers(content: Mapping[Any, Any], card: BaseCard) -> list[str]:
    """Keys whose `true` or `false` would count as 1 or 0, one line each."""
    return list(_truths(content, card.model_dump(by_alias=True), ()))


def _truths(given: Any, read: Any, place: tuple[str, ...]) -> Iterator[str]:
    if isinstance(given, bool):
        if isinstance(read, int | float) and not isinstance(read, bool):
            yield f"{'.'.join(place)}: expected a number. Received: {str(given).lower()}."
    elif isinstance(given, Mapping) and isinstance(read, Mapping):
        for key, value in given.items():
            yield from _truths(value, read.get(key), (*place, str(key)))
    elif isinstance(given, list) and isinstance(read, Sequence):
        for i, (value, entry) in enumerate(zip(given, read, strict=False)):
            yield from _truths(value, entry, (*place, str(i)))


def explained(first: Mapping[str, Any], kind: type[BaseCard]) -> str:
    """One mistake that pydantic found, as key, what was expected and what came."""
    where = [str(part) for part in first["loc"]]
    tag = where.pop(2) if len(where) > 2 and where[0] == "weights" and where[2] in (*NAMED, ANY_FILE) else ""
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return unknown_name("key", ".".join(where), _siblings(kind, where, tag))
    message = first["msg"].removeprefix("Value error, ")
    place = ".".join(where)
    received = "" if isinstance(first["input"], Mapping | BaseCard) else f" Received: {first['input']!r}."
    return f"{place}: {message.rstrip('.')}.{received}" if place else message


def _siblings(card: type[BaseCard], where: list[str], tag: str) -> list[str]:
    """Valid keys at the place of an unknown one, with their section; `tag` is a weight's kind."""
    kind: Any = card
    for depth, part in enumerate(where[:-1]):
        kind = NAMED.get(tag, ScaleFactor) if tag and depth == 1 else _child(kind, part)
    prefix = ".".join([*where[:-1], ""])
    return [prefix + name for name in _keys(kind)]


def _child(kind: Any, key: str) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _bare(kind.model_fields[key].annotation)
    if dataclasses.is_dataclass(kind):
        return _bare(typing.get_type_hints(kind)[key])
    return _bare(typing.get_args(kind)[-1])


def _bare(annotation: Any) -> Any:
    """The type behind `X | None`."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return next(arg for arg in typing.get_args(annotation) if arg is not type(None))
    return annotation


def _keys(kind: Any) -> list[str]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [field.alias or name for name, field in kind.model_fields.items()]
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return []
