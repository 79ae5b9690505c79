"""The likelihood as HS3, the statistics serialisation standard that RooFit and pyhs3 read."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyhf

from znought.errors import DataError
from znought.stats.exchange import replace_file
from znought.stats.fit import pyhf_session
from znought.stats.workspace import Spec, asimov_channels, checked_spec

__all__ = ["hs3_document", "write_hs3"]

HS3_VERSION = "0.2"
ANALYSIS, LIKELIHOOD, DOMAIN, START = "znought", "likelihood", "domain", "nominal"
Json = dict[str, Any]


def write_hs3(path: Path, spec: Spec) -> None:
    """The workspace as HS3 JSON, whole or not at all; see `hs3_document`."""
    text = json.dumps(hs3_document(spec), indent=1, allow_nan=False)
    replace_file(path, lambda temporary: temporary.write_text(text + "\n", encoding="utf-8"))


def hs3_document(spec: Spec) -> Json:
    """The same likelihood in HS3: one `histfactory_dist` per channel, with its data.

    Parameters keep pyhf's names and bounds. Interpolations are written out, so that no reader's
    default decides, and so are the constraints of the MC-statistical factors: a `shapefactor` with one
    Gaussian or Poisson constraint per bin says the same as a Barlow-Beeston `staterror` or a `shapesys`,
    which pyhs3 (0.4.2) cannot evaluate. Factors of bins without MC-statistical error are marked as constant.

    Args:
        spec: a pyhf workspace, as `znought.stats.workspace.build_workspace` returns it.

    Raises:
        DataError: a modifier that has no counterpart here.

    References:
        HEP Statistics Serialization Standard, section on HistFactory distributions.
    """
    checked_spec(spec)
    with pyhf_session():
        workspace = pyhf.Workspace(spec)
        model = workspace.model()
        bounds, starts = model.config.suggested_bounds(), model.config.suggested_init()
        names = model.config.par_names
        held = model.config.suggested_fixed()
        constraints, functions = _mc_constraints(model)
    channels: Sequence[Mapping[str, Any]] = workspace["channels"]
    observed = {entry["name"]: entry["data"] for entry in workspace["observations"]}
    axes = {channel["name"]: [_axis(channel)] for channel in channels}
    return {
        "metadata": {"hs3_version": HS3_VERSION, "description": _origin(asimov_channels(spec))},
        "distributions": [
            *(_distribution(channel, axes[channel["name"]]) for channel in channels),
            *constraints,
        ],
        **({"functions": functions} if functions else {}),
        "data": [
            {"name": f"{name}_data", "type": "binned", "axes": axes[name], "contents": observed[name]}
            for name in axes
        ],
        "likelihoods": [
            {
                "name": LIKELIHOOD,
                "distributions": list(axes),
                "data": [f"{name}_data" for name in axes],
                "aux_distributions": [constraint["name"] for constraint in constraints],
            }
        ],
        "domains": [
            {
                "name": DOMAIN,
                "type": "product_domain",
                "axes": [
                    {"name": name, "min": low, "max": high}
                    for name, (low, high) in zip(names, bounds, strict=True)
                ],
            }
        ],
        "parameter_points": [
            {
                "name": START,
                "parameters": [
                    {"name": name, "value": value} | ({"const": True} if fixed else {})
                    for name, value, fixed in zip(names, starts, held, strict=True)
                ],
            }
        ],
        "analyses": [
            {
                "name": ANALYSIS,
                "likelihood": LIKELIHOOD,
                "parameters_of_interest": [model.config.poi_name],
                "domains": [DOMAIN],
                "init": START,
            }
        ],
    }


def _origin(asimov: Sequence[str]) -> str:
    """Whether the data are recorded."""
    if not asimov:
        return "Observed data."
    return f"Asimov data, the expectation at mu = 1 and no recorded data, in {', '.join(asimov)}."


def _mc_constraints(model: pyhf.Model) -> tuple[list[Json], list[Json]]:
    """Constraints of the MC-statistical factors, and the functions that they need.

    A Gaussian around 1 for a bin's common factor, its width the bin's relative error; for a process's own
    factor γ the Poisson probability of its n effective events, with mean γn.
    """
    constraints: list[Json] = []
    functions: list[Json] = []
    for name, kind in model.config.modifiers:
        group = model.config.param_set(name)
        if kind == "staterror":
            for i, sigma in enumerate(group.sigmas):
                common = {"name": f"constraint_{name}[{i}]", "x": 1.0, "mean": f"{name}[{i}]"}
                constraints.append(common | {"type": "gaussian_dist", "sigma": float(sigma)})
        if kind == "shapesys":
            for i, events in enumerate(group.factors):
                mean = f"expected_{name}[{i}]"
                functions.append(
                    {"name": mean, "type": "product", "factors": [f"{name}[{i}]", float(events)]}
                )
                common = {"name": f"constraint_{name}[{i}]", "x": float(events), "mean": mean}
                constraints.append(common | {"type": "poisson_dist"})
    return constraints, functions


def _axis(channel: Mapping[str, Any]) -> Json:
    n_bins = len(channel["samples"][0]["data"])
    return {"name": f"bin_{channel['name']}", "min": 0, "max": n_bins, "nbins": n_bins}


def _distribution(channel: Mapping[str, Any], axes: list[Json]) -> Json:
    samples = [_sample(sample) for sample in channel["samples"]]
    return {"name": channel["name"], "type": "histfactory_dist", "axes": axes, "samples": samples}


def _sample(sample: Mapping[str, Any]) -> Json:
    n_bins = len(sample["data"])
    return {
        "name": sample["name"],
        "data": {"contents": sample["data"]},
        "modifiers": [_modifier(modifier, n_bins) for modifier in sample["modifiers"]],
    }


def _modifier(modifier: Mapping[str, Any], n_bins: int) -> Json:
    name, kind, data = modifier["name"], modifier["type"], modifier["data"]
    common = {"name": name, "type": kind}
    if kind == "normfactor":
        return common | {"parameter": name}
    if kind == "normsys":
        factors = {"hi": data["hi"], "lo": data["lo"], "interpolation": "code4"}
        return common | {"parameter": name, "constraint": "Gauss", "data": factors}
    if kind == "histosys":
        shapes = {"hi": {"contents": data["hi_data"]}, "lo": {"contents": data["lo_data"]}}
        return common | {
            "parameter": name,
            "constraint": "Gauss",
            "data": shapes | {"interpolation": "code4p"},
        }
    if kind in {"staterror", "shapesys"}:
        return {
            "name": name,
            "type": "shapefactor",
            "parameters": [f"{name}[{i}]" for i in range(n_bins)],
        }
    raise DataError(
        f"Modifier {name!r} is of type {kind!r}; "
        "the HS3 export knows normfactor, normsys, histosys, staterror and shapesys."
    )
