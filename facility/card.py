"""The analysis card: everything a user decides about an analysis, in one YAML file.

Sections are the configuration dataclasses of the rooms, so that a default stands in one place. The key
`analysis` chooses the card's class; this module reads, checks and names mistakes, and knows no physics.
"""

import dataclasses
import types
import typing
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from znought.errors import CardError, unknown_name
from znought.facility.card_base import Card
from znought.facility.vh_bb.card import VHBBCard
from znought.facility.vh_ww.card import VHWWCard

__all__ = ["CARDS", "Card", "VHBBCard", "VHWWCard", "load_card"]

CARDS: Mapping[str, type[Card]] = types.MappingProxyType({"vh_ww": VHWWCard, "vh_bb_smeft": VHBBCard})
"""Value of the key `analysis` → class of the card."""


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


def load_card(path: Path) -> Card:
    """Reads and checks a card; its class is that of its analysis.

    Raises:
        CardError: missing file, bad YAML, an unknown key (with the nearest valid one) or a bad value.
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
    try:
        return _validated(content).placed(path.parent)
    except CardError as error:
        raise CardError(f"{path}: {error}") from error


def _validated(content: Mapping[Any, Any]) -> Card:
    if "analysis" not in content:
        raise CardError(f"analysis: this key is missing. Expected one of: {', '.join(CARDS)}.")
    kind = CARDS.get(str(content["analysis"]))
    if kind is None:
        raise CardError(f"analysis: {unknown_name('analysis', content['analysis'], CARDS)}")
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise CardError(_explain(error, kind)) from error


def _explain(error: ValidationError, kind: type[Card]) -> str:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"]]
    if first["type"] in ("extra_forbidden", "unexpected_keyword_argument"):
        return unknown_name("key", ".".join(where), _siblings(kind, where))
    message = first["msg"].removeprefix("Value error, ")
    place = ".".join(where)
    received = "" if isinstance(first["input"], Mapping | Card) else f" Received: {first['input']!r}."
    return f"{place}: {message.rstrip('.')}.{received}" if place else message


def _siblings(card: type[Card], where: list[str]) -> list[str]:
    """Valid keys at the place of an unknown one, spelled with their section."""
    kind: Any = card
    for part in where[:-1]:
        kind = _child(kind, part)
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
