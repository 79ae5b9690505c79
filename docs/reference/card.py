"""Every key of a card, with type, default and unit, from the classes that read it."""

import dataclasses
import json
import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from reference.documented import first_line, meanings, table
from znought.facility.cards.base import BaseCard
from znought.facility.cards.existing import ProcessorCard
from znought.facility.cards.finding import find_analysis, shipped
from znought.facility.cards.standard import StandardCard
from znought.facility.cards.table import TableCard

__all__ = ["card", "sections"]

UNITS = {"gev": "GeV", "ifb": "fb⁻¹", "pb": "pb", "min": "min"}
"""Last part of a key → its unit."""
_HEAD = ("key", "meaning", "type", "default", "unit")


def _cards() -> dict[str, type]:
    """What a card is of → its class, the standard one first."""
    found = {"standard": StandardCard, "table": TableCard, "coffea processor": ProcessorCard}
    special = {name: find_analysis(name, Path()).analysis.card for name in shipped()}
    return found | {name: one for name, one in special.items() if one not in (None, StandardCard)}


def sections() -> dict[str, tuple[type, list[str]]]:
    """Name of a class → the class, and the keys under which cards have it."""
    found: dict[str, tuple[type, list[str]]] = {}
    for name, one in _cards().items():
        fresh: dict[str, tuple[type, list[str]]] = {}
        for where, record in _walked("", one):
            if record.__name__ not in found:
                known = fresh.setdefault(record.__name__, (record, []))[1]
                known.append(where if one is StandardCard else f"{where}` in `{name}" if where else name)
        found |= fresh
    for name in shipped():
        cuts = find_analysis(name, Path()).analysis.selection
        found.setdefault(cuts.__name__, (cuts, [f"selection` in `{name}"]))
    return found


def _walked(where: str, record: type) -> Iterator[tuple[str, type]]:
    yield where, record
    for key, annotation in _annotations(record).items():
        for inner in _records(annotation):
            name = f"{where}.{key}".lstrip(".")
            yield from _walked(f"{name}.NAME" if _is_mapping(annotation) else name, inner)


def _annotations(record: type) -> dict[str, Any]:
    if issubclass(record, BaseModel):
        return {field.alias or name: field.annotation for name, field in record.model_fields.items()}
    hints = typing.get_type_hints(record)
    return {field.name: hints[field.name] for field in dataclasses.fields(record)}  # type: ignore[arg-type]


def _is_mapping(annotation: Any) -> bool:
    origin = typing.get_origin(annotation)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _records(annotation: Any) -> list[type]:
    if isinstance(annotation, type) and (
        issubclass(annotation, BaseModel) or dataclasses.is_dataclass(annotation)
    ):
        return [annotation]
    return [record for inner in typing.get_args(annotation) for record in _records(inner)]


def card() -> str:
    """One table for the card and one for each of its sections."""
    return "\n\n".join(_section(*entry) for entry in sections().values())


def _section(record: type, places: list[str]) -> str:
    is_card = record is StandardCard
    title = "Top level" if is_card else ", ".join(f"`{place}`" for place in dict.fromkeys(places))
    title = f"The card of {title}" if issubclass(record, BaseCard) and not is_card else title
    kind = TypeAdapter(record).json_schema().get("properties", {}).get("kind", {}).get("const")
    title += f", kind `{kind}`" if kind else ""
    anchor = "" if is_card else f"(card-{record.__name__.lower()})=\n"
    return f"{anchor}## {title}\n\n{first_line(record)}\n\n{table(_HEAD, list(_rows(record)))}"


def _rows(record: type) -> Iterator[tuple[str, ...]]:
    schema = TypeAdapter(record).json_schema(by_alias=True)
    known = meanings(record)
    aliases = {}
    if issubclass(record, BaseModel):
        aliases = {field.alias: name for name, field in record.model_fields.items() if field.alias}
    inherited = (
        StandardCard.model_fields if issubclass(record, BaseCard) and record is not StandardCard else ()
    )
    for key, entry in schema.get("properties", {}).items():
        if key in inherited and key not in record.__annotations__:
            continue
        text = known.get(aliases.get(key, key)) or _of_section(record, key)
        if "const" in entry:
            text = text or "which kind this is."
        default = "**required**" if key in schema.get("required", ()) else _default(entry)
        yield f"`{key}`", text, _type(entry), default, _unit(key)


def _of_section(record: type, key: str) -> str:
    """What a section is, where its key is not described."""
    return next((first_line(one) for one in _records(_annotations(record)[key])), "")


def _unit(key: str) -> str:
    return UNITS.get(re.split("_", key)[-1], "") if "_" in key else ""


def _default(entry: dict[str, Any]) -> str:
    value = entry.get("default")
    if value is None or value in ({}, [], ""):
        return "–"
    if isinstance(value, dict) and ("$ref" in entry or "allOf" in entry):
        return "see there"
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _type(entry: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if "$ref" in entry or "allOf" in entry:
        name = entry.get("$ref", entry.get("allOf", [{}])[0].get("$ref", "")).rsplit("/", 1)[-1]
        return f"[section](#card-{name.lower()})"
    if choices := entry.get("anyOf", entry.get("oneOf")):
        kinds = [_type(one) for one in choices if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in entry or "const" in entry:
        return " or ".join(f"`{value}`" for value in entry.get("enum", [entry.get("const")]))
    return _plain(entry)


def _plain(entry: dict[str, Any]) -> str:
    kind = entry.get("type")
    if kind == "array":
        if "prefixItems" in entry:
            return "[" + ", ".join(_type(one) for one in entry["prefixItems"]) + "]"
        return f"list of {_type(entry.get('items', {}))}"
    if kind == "object":
        inner = entry.get("additionalProperties")
        return f"name → {_type(inner) if isinstance(inner, dict) else 'any'}"
    words = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true or false"}
    return words.get(str(kind), "any") + _bounds(entry)


def _bounds(entry: dict[str, Any]) -> str:
    signs = {"exclusiveMinimum": ">", "minimum": "≥", "exclusiveMaximum": "<", "maximum": "≤"}
    found = [f"{sign} {entry[key]:g}" for key, sign in signs.items() if key in entry]
    return f" {', '.join(found)}" if found else ""
