"""Recipes from YAML: name → its options, a matrix element among them."""

from pathlib import Path
from types import MappingProxyType

import yaml
from pydantic import ConfigDict, TypeAdapter, ValidationError

from znought.errors import CardError
from znought.simulation.recipe import Recipe

__all__ = ["read_recipes"]

_ADAPTER = TypeAdapter(dict[str, Recipe], config=ConfigDict(extra="forbid"))


def read_recipes(path: Path) -> MappingProxyType[str, Recipe]:
    """Recipes of a YAML file by name.

    Args:
        path: of the file; each entry holds the attributes of `Recipe`, its key is the name.

    Raises:
        CardError: an unknown or a missing option, or a wrong value.
    """
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    try:
        named = {name: {"commands": (), **entry, "name": name} for name, entry in entries.items()}
        return MappingProxyType(_ADAPTER.validate_python(named))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise CardError(f"{path.name}: {place}: {first['msg']}. Received: {first['input']!r}.") from None
