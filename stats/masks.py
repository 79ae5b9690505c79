"""Parts of a workspace: some channels, or some bins of a channel."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from znought.errors import DataError, unknown_name
from znought.stats.spec import Spec, asimov_channels, entries, measurement_name

__all__ = ["masked", "only_channels"]


def only_channels(spec: Spec, channels: Sequence[str]) -> Spec:
    """The workspace of some channels, every bin of them.

    Raises:
        DataError: an unknown channel, or none.
    """
    names = [channel["name"] for channel in entries(spec, "channels")]
    for name in channels:
        if name not in names:
            raise DataError(unknown_name("channel", name, names))
    return masked(spec, {name: False for name in names if name not in channels})


def masked(spec: Spec, keep: Mapping[str, ArrayLike]) -> Spec:
    """The workspace without some channels or bins, its parameters otherwise as before.

    A constraint between bins stays what it was: a shape keeps its values in the bins that are left.

    Args:
        spec: a workspace.
        keep: by channel, True where a bin is kept, shape (n_bins,), or one value for the whole channel;
            channels that are not named are kept.

    Raises:
        DataError: an unknown channel, a mask of another length, or nothing left.
    """
    channels = entries(spec, "channels")
    names = [channel["name"] for channel in channels]
    for name in keep:
        if name not in names:
            raise DataError(unknown_name("channel", name, names))
    bins = {channel["name"]: _kept(channel, keep.get(channel["name"], True)) for channel in channels}
    left = [name for name in names if bins[name].any()]
    if not left:
        raise DataError("the masks leave no bin of any channel.")
    observations = [
        {"name": entry["name"], "data": _picked(entry["data"], bins[entry["name"]])}
        for entry in entries(spec, "observations")
        if entry["name"] in left
    ]
    chosen = [_channel(channel, bins[channel["name"]]) for channel in channels if channel["name"] in left]
    asimov = [name for name in asimov_channels(spec) if name in left]
    return spec | {
        "channels": chosen,
        "observations": observations,
        "measurements": [_measurement(entry, chosen, asimov) for entry in entries(spec, "measurements")],
    }


def _kept(channel: Mapping[str, Any], mask: ArrayLike) -> NDArray[np.bool_]:
    n_bins = len(channel["samples"][0]["data"])
    bins = np.asarray(mask, dtype=bool)
    if bins.shape not in ((), (n_bins,)):
        raise DataError(
            f"the mask of channel {channel['name']!r} needs {n_bins} values. Received: {bins.size}."
        )
    return np.broadcast_to(bins, (n_bins,))


def _channel(channel: Mapping[str, Any], bins: NDArray[np.bool_]) -> dict[str, Any]:
    samples = [
        {
            **sample,
            "data": _picked(sample["data"], bins),
            "modifiers": [_modifier(modifier, bins) for modifier in sample["modifiers"]],
        }
        for sample in channel["samples"]
    ]
    return {**channel, "samples": samples}


def _modifier(modifier: Mapping[str, Any], bins: NDArray[np.bool_]) -> dict[str, Any]:
    data = modifier["data"]
    if modifier["type"] == "histosys":
        return {**modifier, "data": {key: _picked(values, bins) for key, values in data.items()}}
    if modifier["type"] in {"staterror", "shapesys"}:
        return {**modifier, "data": _picked(data, bins)}
    return dict(modifier)


def _measurement(
    entry: Mapping[str, Any], channels: Sequence[Mapping[str, Any]], asimov: Sequence[str]
) -> Any:
    """The measurement with the parameters that are left; without a parameter of interest if no signal is."""
    used = {m["name"] for channel in channels for sample in channel["samples"] for m in sample["modifiers"]}
    config = entry["config"]
    parameters = [p for p in config.get("parameters", []) if p["name"] in used]
    poi = config["poi"] if config["poi"] in used else ""
    ours = entry["name"].startswith("znought")
    name = measurement_name(asimov) if ours else entry["name"]
    return {**entry, "name": name, "config": {**config, "poi": poi, "parameters": parameters}}


def _picked(values: Sequence[float], bins: NDArray[np.bool_]) -> list[float]:
    return [value for value, kept in zip(values, bins, strict=True) if kept]
