"""Eras that ship with the package, for cards that name them: `eras: {preset: cms_run2_ul}`."""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

import yaml

from znought.errors import unknown_name

__all__ = ["PRESET", "preset", "preset_names", "schema_with_preset", "with_presets"]

PRESET = "preset"
"""Key of the section `eras` that names one, or a list of them."""


def preset_names() -> tuple[str, ...]:
    """Names of all presets."""
    folder = resources.files("znought.facility") / "presets"
    return tuple(sorted(file.name.removesuffix(".yaml") for file in folder.iterdir()))


@cache
def _text(name: str) -> str:
    return (resources.files("znought.facility") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")


def preset(name: str) -> dict[str, Any]:
    """Eras of a preset as a card would hold them.

    Raises:
        ValueError: no such preset.
    """
    if name not in preset_names():
        raise ValueError(f"eras.{PRESET}: {unknown_name('preset', name, preset_names())}")
    found: dict[str, Any] = yaml.safe_load(_text(name))["eras"]
    return found


def with_presets(eras: Any) -> Any:
    """The section `eras` with the eras of its presets in the place of their names.

    What the card says of an era replaces single keys of the preset, down to the last mapping; lists are
    replaced as a whole, and a key or an era that the card sets to null is left out.

    Raises:
        ValueError: an unknown preset, or an era that no preset of the card has.
    """
    if not isinstance(eras, Mapping) or PRESET not in eras:
        return eras
    named = eras[PRESET]
    found: dict[str, Any] = {}
    for name in named if isinstance(named, list) else [named]:
        found |= preset(str(name))
    for era, own in eras.items():
        if era == PRESET:
            continue
        if str(era) not in found:
            raise ValueError(f"eras: {unknown_name('era of the preset', str(era), found)}")
        if own is None:
            del found[str(era)]
        else:
            found[str(era)] = _merged(found[str(era)], own)
    return found


def schema_with_preset(schema: dict[str, Any]) -> None:
    """Adds the key `preset` to the JSON schema of the section."""
    names: dict[str, Any] = {"enum": [*preset_names()]}
    schema["properties"] = {PRESET: {"anyOf": [names, {"type": "array", "items": names}]}}
    schema["additionalProperties"] = {"anyOf": [schema["additionalProperties"], {"type": "null"}]}


def _merged(base: Any, own: Any) -> Any:
    if not (isinstance(base, Mapping) and isinstance(own, Mapping)):
        return own
    given = {key: _merged(base.get(key), value) for key, value in own.items() if value is not None}
    return {**{key: value for key, value in base.items() if key not in own}, **given}
