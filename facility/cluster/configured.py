"""What a user has written down about sites: in `sites.yaml`, and in the card."""

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from znought.errors import SiteError, unknown_name
from znought.facility.cluster.options import SiteOptions

__all__ = ["BASE", "Described", "check_described", "described_sites", "resolved", "sites_file"]

Described = Mapping[str, Mapping[str, Any]]
"""Site → options; of a site of the user's own, `base` names the one that it is a case of."""

BASE = "base"


def sites_file() -> Path:
    """`znought/sites.yaml` in the user's configuration, whether or not it exists."""
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "znought" / "sites.yaml"


def described_sites() -> Described:
    """What the user's file says; nothing where there is none.

    Raises:
        SiteError: it is no mapping of sites to options.
    """
    path = sites_file()
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        check_described(content)
    except (yaml.YAMLError, SiteError) as error:
        raise SiteError(f"{path}: {' '.join(str(error).split())}") from error
    found: Described = content
    return found


def check_described(content: Any) -> None:
    """Raises unless sites are described by options that exist.

    Raises:
        SiteError: names the site and what is wrong.
    """
    if not isinstance(content, Mapping):
        raise SiteError(f"expected sites with their options, received {type(content).__name__}.")
    for site, options in content.items():
        if not isinstance(options, Mapping):
            raise SiteError(f"{site}: expected options, received {type(options).__name__}.")
        known = SiteOptions.__dataclass_fields__
        for name in options:
            if name != BASE and name not in known:
                raise SiteError(f"{site}: {unknown_name('site option', name, known)}")
        checked(site, {name: value for name, value in options.items() if name != BASE})


def resolved(site: str, options: Mapping[str, Any], of_card: Described) -> tuple[str, SiteOptions]:
    """The site behind a name, and its options: those given, then of the card, then of the user's file.

    A number of workers replaces bounds to adapt between, and the other way round.

    Args:
        site: a name that znought has, or one of the user's own.
        options: given now.
        of_card: section `sites` of the card.
    """
    of_user = described_sites()
    base = str(of_card.get(site, {}).get(BASE) or of_user.get(site, {}).get(BASE) or site)
    merged: dict[str, Any] = {}
    for layer in (of_user.get(base, {}), of_user.get(site, {}), of_card.get(site, {}), options):
        for one, other in (("workers", "adapt"), ("adapt", "workers")):
            if layer.get(one) is not None:
                merged.pop(other, None)
        merged |= {name: value for name, value in layer.items() if name != BASE}
    return base, checked(site, merged)


def checked(site: str, options: Mapping[str, Any]) -> SiteOptions:
    """Options with values of their types.

    Raises:
        SiteError: another type, or a value that cannot be.
    """
    from pydantic import ValidationError

    try:
        found: SiteOptions = _adapter().validate_python(dict(options))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join([site, *(str(part) for part in first["loc"])])
        raise SiteError(f"{place}: {first['msg']}. Received: {first['input']!r}.") from error
    return found


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(SiteOptions)
