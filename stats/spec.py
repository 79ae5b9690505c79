"""Specifications of pyhf: what is in them, what may not be, and which data are Asimov."""

from collections.abc import Mapping, Sequence
from typing import Any

from znought.errors import DataError

__all__ = [
    "Spec",
    "asimov_channels",
    "checked_spec",
    "entries",
    "measurement_name",
    "poi_name",
    "refuse_twice",
]

Spec = dict[str, object]

_ASIMOV = "znought, Asimov data in "
"""Name of the measurement, the one free text of a pyhf workspace; the channels follow."""


def asimov_channels(spec: Spec) -> tuple[str, ...]:
    """Channels whose observations are expectations and no recorded data."""
    measurements = entries(spec, "measurements")
    name = measurements[0]["name"] if measurements else ""
    return tuple(name.removeprefix(_ASIMOV).split(", ")) if name.startswith(_ASIMOV) else ()


def poi_name(spec: Spec) -> str:
    """Parameter of interest of the first measurement; empty without one.

    Raises:
        DataError: no measurement.
    """
    measurements = entries(spec, "measurements")
    if not measurements:
        raise DataError("the workspace has no measurement.")
    return str(measurements[0]["config"]["poi"])


def measurement_name(asimov: Sequence[str]) -> str:
    """Name of a measurement whose data are Asimov in some channels; `asimov_channels` reads it."""
    return _ASIMOV + ", ".join(asimov) if asimov else "znought"


def checked_spec(spec: Spec) -> Spec:
    """The specification itself, if no sample names a modifier twice.

    pyhf would silently let the second replace the first. A norm and a shape of one name are one
    systematic and stay.

    Raises:
        DataError: a modifier, a sample or a channel of one name twice, or factors of bins shared by others.
    """
    channels = entries(spec, "channels")
    refuse_twice("channel", [channel["name"] for channel in channels], "the workspace")
    for channel in channels:
        where = f"channel {channel['name']!r}"
        refuse_twice("sample", [sample["name"] for sample in channel["samples"]], where)
        for sample in channel["samples"]:
            names = [f"{modifier['name']} ({modifier['type']})" for modifier in sample["modifiers"]]
            refuse_twice("modifier", names, f"sample {sample['name']!r} of {where}")
    _refuse_shared_bins(channels)
    return spec


def _refuse_shared_bins(channels: Sequence[Mapping[str, Any]]) -> None:
    """Factors of bins belong to one channel, or to one sample of it, which alone has these bins."""
    owners: dict[str, str] = {}
    for channel in channels:
        for sample in channel["samples"]:
            for modifier in sample["modifiers"]:
                name, kind = modifier["name"], modifier["type"]
                if kind not in {"staterror", "shapesys"}:
                    continue
                own = f"channel {channel['name']}"
                own += f", sample {sample['name']}" if kind == "shapesys" else ""
                if owners.setdefault(name, own) != own:
                    raise DataError(
                        f"factors {name} of MC statistics would serve {owners[name]} and {own}: "
                        "rename a region."
                    )


def entries(spec: Spec, key: str) -> list[dict[str, Any]]:
    """A list of the specification, ``channels``, ``observations`` or ``measurements``.

    Raises:
        DataError: there is no such list.
    """
    found = spec.get(key)
    if not isinstance(found, list):
        raise DataError(f"{key} of the workspace must be a list.")
    return found


def refuse_twice(what: str, names: Sequence[str], where: str) -> None:
    """Stops where one name stands twice.

    Raises:
        DataError: it does.
    """
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{what} {name} stands twice in {where}.")
