"""Likelihoods as pyhf workspaces, both ways."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
from numpy.typing import NDArray

from znought.errors import DataError, unknown_name
from znought.stats.fit import pyhf_session
from znought.stats.formats.likelihood import (
    BinCounts,
    BinFactors,
    Channel,
    Effect,
    Factor,
    Likelihood,
    Luminosity,
    Rate,
    Sample,
    Setting,
    Shape,
    Sideband,
)
from znought.stats.formats.mc_statistics import ReadMcStat, mc_modifiers, read_mc_stat
from znought.stats.spec import Spec, checked_spec

__all__ = ["from_spec", "read_workspace", "to_spec"]

Floats = NDArray[np.float64]
Json = dict[str, Any]


def read_workspace(path: Path) -> Likelihood:
    """The likelihood of a pyhf JSON workspace.

    Raises:
        DataError: no such file, not JSON, or not a pyhf workspace.
    """
    try:
        spec = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}.") from error
    return from_spec(spec, source=str(path))


def from_spec(spec: Spec, *, measurement: str | None = None, source: str = "the workspace") -> Likelihood:
    """The likelihood of a pyhf workspace, already parsed.

    Args:
        spec: checked against pyhf's schema here.
        measurement: its name; the first by default, with a remark where there are several.
        source: what errors call it.

    Raises:
        DataError: the schema refuses it, a name stands twice, no such measurement, or a measurement without
            parameter of interest.
    """
    with pyhf_session():
        try:
            # Beyond the schema, this refuses observations of unknown channels and the like.
            pyhf.Workspace(spec)
        except (pyhf.exceptions.InvalidSpecification, pyhf.exceptions.InvalidWorkspaceOperation) as failure:
            raise DataError(f"{source} is no pyhf workspace: {str(failure).splitlines()[0]}") from failure
    content: Json = dict(checked_spec(spec))
    chosen, remarks = _measurement(content["measurements"], measurement)
    config = chosen["config"]
    if not config["poi"]:
        raise DataError(f"measurement {chosen['name']!r} of {source} has no parameter of interest.")
    observed = {entry["name"]: entry["data"] for entry in content["observations"]}
    for entry in content["channels"]:
        if entry["name"] not in observed:
            raise DataError(f"{source} has no observation of channel {entry['name']!r}.")
    return Likelihood(
        channels=tuple(
            _channel(entry, observed[entry["name"]], config["poi"]) for entry in content["channels"]
        ),
        poi=config["poi"],
        settings=tuple(_setting(entry) for entry in config["parameters"]),
        remarks=remarks,
        title=chosen["name"],
    )


def _measurement(entries: Sequence[Json], name: str | None) -> tuple[Json, tuple[str, ...]]:
    names = [entry["name"] for entry in entries]
    if name is not None:
        if name not in names:
            raise DataError(unknown_name("measurement", name, names))
        return entries[names.index(name)], ()
    others = ", ".join(names[1:])
    return entries[0], (f"Measurement {names[0]!r} is taken, not {others}.",) if others else ()


def _setting(entry: Mapping[str, Any]) -> Setting:
    return Setting(
        entry["name"],
        starts=tuple(entry.get("inits", ())),
        bounds=tuple((low, high) for low, high in entry.get("bounds", ())),
        fixed=entry.get("fixed"),
        centres=tuple(entry.get("auxdata", ())),
        widths=tuple(entry.get("sigmas", ())),
    )


def _channel(entry: Mapping[str, Any], observed: Sequence[float], poi: str) -> Channel:
    counts = _floats(observed)
    statistics = read_mc_stat(entry["name"], counts, entry["samples"], poi)
    samples = tuple(_sample(sample, statistics) for sample in entry["samples"])
    return Channel(entry["name"], counts, samples, statistics.mc_stat)


def _sample(entry: Mapping[str, Any], statistics: ReadMcStat) -> Sample:
    name = entry["name"]
    effects = tuple(_effect(m) for m in entry["modifiers"] if (name, m["name"]) not in statistics.used)
    errors = None if statistics.errors is None else statistics.errors.get(name)
    return Sample(name, _floats(entry["data"]), effects, errors)


def _effect(modifier: Mapping[str, Any]) -> Effect:
    name, kind, data = modifier["name"], modifier["type"], modifier["data"]
    if kind == "normsys":
        return Rate(name, data["lo"], data["hi"])
    if kind == "histosys":
        return Shape(name, _floats(data["lo_data"]), _floats(data["hi_data"]))
    if kind == "normfactor":
        return Factor(name)
    if kind == "lumi":
        return Luminosity(name)
    if kind == "shapesys":
        return BinCounts(name, _floats(data))
    if kind == "shapefactor":
        return BinFactors(name)
    known = ("normsys", "histosys", "normfactor", "lumi", "shapesys", "shapefactor", "staterror")
    raise DataError(unknown_name("type of modifier", kind, known))


def to_spec(likelihood: Likelihood) -> Spec:
    """The likelihood as a pyhf workspace; counts in sidebands become channels of one bin.

    Yields interpolate as pyhf does by default: a polynomial within one standard deviation, exponential
    beyond it (code 4), templates likewise with straight lines (code 4p). For a symmetric log-normal the
    polynomial is κ^θ to (ln κ)^7/5040.
    """
    channels = [_channel_spec(channel, likelihood.poi) for channel in likelihood.channels]
    channels += [_sideband_spec(sideband) for sideband in likelihood.sidebands]
    observations = [{"name": c.name, "data": c.observed.tolist()} for c in likelihood.channels]
    observations += [{"name": _sideband_name(c), "data": [float(c.counts)]} for c in likelihood.sidebands]
    parameters = [_setting_spec(setting) for setting in likelihood.settings]
    config = {"poi": likelihood.poi, "parameters": parameters}
    return {
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": likelihood.title, "config": config}],
        "version": "1.0.0",
    }


def _channel_spec(channel: Channel, poi: str) -> Json:
    samples = []
    for sample, statistics in zip(channel.samples, mc_modifiers(channel, poi), strict=True):
        modifiers = [*(_modifier(effect) for effect in sample.effects), *statistics]
        samples.append({"name": sample.name, "data": sample.nominal.tolist(), "modifiers": modifiers})
    return {"name": channel.name, "samples": samples}


def _sideband_spec(sideband: Sideband) -> Json:
    factor = {"name": sideband.name, "type": "normfactor", "data": None}
    sample = {"name": sideband.name, "data": [float(max(sideband.counts, 1))], "modifiers": [factor]}
    return {"name": _sideband_name(sideband), "samples": [sample]}


def _modifier(effect: Effect) -> Json:
    if isinstance(effect, Rate):
        return {"name": effect.name, "type": "normsys", "data": {"lo": effect.down, "hi": effect.up}}
    if isinstance(effect, Shape):
        data = {"lo_data": effect.down.tolist(), "hi_data": effect.up.tolist()}
        return {"name": effect.name, "type": "histosys", "data": data}
    if isinstance(effect, BinCounts):
        return {"name": effect.name, "type": "shapesys", "data": effect.errors.tolist()}
    kinds = {Factor: "normfactor", Luminosity: "lumi", BinFactors: "shapefactor"}
    return {"name": effect.name, "type": kinds[type(effect)], "data": None}


def _setting_spec(setting: Setting) -> Json:
    values = {
        "inits": list(setting.starts),
        "bounds": [list(pair) for pair in setting.bounds],
        "auxdata": list(setting.centres),
        "sigmas": list(setting.widths),
    }
    fixed = {} if setting.fixed is None else {"fixed": setting.fixed}
    return {"name": setting.name, **{key: value for key, value in values.items() if value}, **fixed}


def _floats(values: Sequence[float]) -> Floats:
    return np.asarray(values, dtype=np.float64)


def _sideband_name(sideband: Sideband) -> str:
    return f"sideband_{sideband.name}"
