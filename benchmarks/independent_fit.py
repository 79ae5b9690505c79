"""Do μ and Z0 of a finished run come out of its written histograms with pyhf alone?

    python benchmarks/independent_fit.py CARD OUTPUT

Reads OUTPUT/fit/templates.root and the card's YAML, writes the likelihood down from the rules of
docs/fitting.md, fits it with pyhf's own functions and compares with OUTPUT/results.json to four digits.
Nothing of znought is imported. For cards whose systematics are varied templates and norms common to all
regions; anything else stops. Observed counts are those that results.json holds.
"""

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyhf
import uproot
import yaml
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

Floats = NDArray[np.float64]
Json = dict[str, Any]
NORM_FROM, SHAPE_FROM, LUMINOSITY, POISSON_UP_TO = 0.005, 0.01, 0.0083, 10
WAYS = ("up", "down")
TOLERANCES = (1e-5, 1e-3, 1e-1)
KNOWN = {"floating", "luminosity_rel", "norms"}


def histograms(path: Path) -> dict[str, dict[str, dict[str, tuple[Floats, Floats]]]]:
    """Region → process → variation → contents and their squared errors."""
    found: dict[str, dict[str, dict[str, tuple[Floats, Floats]]]] = {}
    with uproot.open(path) as file:
        names = [name for name in file.keys(cycle=False) if "/" in name]
        nominal = [name.removesuffix("_nominal") for name in names if name.endswith("_nominal")]
        for name in names:
            owner = next(one for one in sorted(nominal, key=len, reverse=True) if name.startswith(f"{one}_"))
            region, process = owner.split("/")
            held = file[name]
            values = (held.values().astype(np.float64), held.variances().astype(np.float64))
            found.setdefault(region, {}).setdefault(process, {})[name[len(owner) + 1 :]] = values
    return found


def normsys(name: str, low: float, high: float) -> Json:
    return {"name": name, "type": "normsys", "data": {"lo": low, "hi": high}}


def varied(templates: dict[str, tuple[Floats, Floats]]) -> Iterator[Json]:
    """A norm and a shape per systematic, each left out where it hardly changes anything."""
    nominal = templates["nominal"][0]
    for name in dict.fromkeys(key.rpartition("_")[0] for key in templates if key != "nominal"):
        # One direction alone is mirrored.
        up, down = (templates[key][0] if (key := f"{name}_{way}") in templates else None for way in WAYS)
        up = 2 * nominal - down if up is None else up
        down = 2 * nominal - up if down is None else down
        low, high = down.sum() / nominal.sum(), up.sum() / nominal.sum()
        if max(abs(low - 1), abs(high - 1)) >= NORM_FROM:
            yield normsys(name, low, high)
        shapes = [np.maximum(x, 0) for x in (down / low, up / high)]
        with np.errstate(invalid="ignore", divide="ignore"):
            change = max(np.nanmax(np.abs(np.where(nominal > 0, x / nominal, 1) - 1)) for x in shapes)
        if change >= SHAPE_FROM:
            data = {"lo_data": shapes[0].tolist(), "hi_data": shapes[1].tolist()}
            yield {"name": name, "type": "histosys", "data": data}


def statistics(region: str, processes: dict[str, Any], signal: str) -> dict[str, list[Json]]:
    """One Gaussian factor per well-filled bin, one Poisson factor per process and bin elsewhere."""
    sumw, sumw2 = (sum(p["nominal"][k] for n, p in processes.items() if n != signal) for k in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        filled = np.rint(np.where(sumw2 > 0, sumw**2 / sumw2, np.where(sumw != 0, np.inf, 0))) > POISSON_UP_TO
    found: dict[str, list[Json]] = {}
    for name, held in processes.items():
        errors = np.sqrt(held["nominal"][1])
        own = np.where(~filled & (held["nominal"][0] > 0), errors, 0.0)
        found[name] = []
        if filled.any():
            data = np.where(filled, errors, 0.0).tolist()
            found[name].append({"name": f"stat_{region}", "type": "staterror", "data": data})
        if own.any():
            found[name].append({"name": f"stat_{region}_{name}", "type": "shapesys", "data": own.tolist()})
    return found


def total(samples: list[Json]) -> list[float]:
    return [float(value) for value in np.sum([sample["data"] for sample in samples], axis=0)]


def specification(card: Json, templates: dict[str, Any], observed: dict[str, list[float]]) -> Json:
    """The likelihood of the card's regions, with observed counts, or else the expectation, as data."""
    settings = card.get("likelihood", {}).get("workspace", {})
    other = sorted(set(settings) - KNOWN) + sorted({"masks"} & set(card.get("likelihood", {})))
    if other:
        sys.exit(f"Not rebuilt here: likelihood with {', '.join(other)}.")
    floating, channels = settings.get("floating", []), []
    lumi = settings.get("luminosity_rel", LUMINOSITY)
    for region, processes in templates.items():
        stat, samples = statistics(region, processes, card["signal"]), []
        for name, held in processes.items():
            nominal = held["nominal"][0]
            if not nominal.sum() > 0:
                continue
            modifiers = [{"name": "mu", "type": "normfactor", "data": None}] if name == card["signal"] else []
            if name in floating:
                modifiers.append({"name": f"k_{name}", "type": "normfactor", "data": None})
            else:
                modifiers.append(normsys("lumi", 1 - lumi, 1 + lumi))
            for title, norm in settings.get("norms", {}).items():
                if name in norm["processes"]:
                    modifiers.append(normsys(title, 1 / (1 + norm["relative"]), 1 + norm["relative"]))
            modifiers += [*varied(held), *stat[name]]
            samples.append({"name": name, "data": nominal.tolist(), "modifiers": modifiers})
        channels.append({"name": region, "samples": samples})
    bounds = [{"name": "mu", "bounds": [[-20.0, 50.0]]}]
    return {
        "channels": channels,
        "observations": [
            {"name": c["name"], "data": observed.get(c["name"]) or total(c["samples"])} for c in channels
        ],
        "measurements": [{"name": "by hand", "config": {"poi": "mu", "parameters": bounds}}],
        "version": "1.0.0",
    }


def patient(function: Callable[..., Any], *values: Any, **options: Any) -> Any:
    """What a function of pyhf gives with the smallest tolerance that Minuit reaches."""
    for tolerance in TOLERANCES:
        pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=tolerance, strategy=2))
        try:
            return function(*values, **options)
        except pyhf.exceptions.FailedMinimization:
            continue
    sys.exit("pyhf finds no minimum.")


def fitted(spec: Json, ends: list[float]) -> tuple[float, list[float], float | None]:
    """μ, the rise of −2 ln L from its minimum to each of the ends, and Z0, by pyhf alone."""
    workspace = pyhf.Workspace(spec)
    model = workspace.model()
    data, config = workspace.data(model), model.config
    best, lowest = patient(pyhf.infer.mle.fit, data, model, return_fitted_val=True)
    rises = [
        patient(pyhf.infer.mle.fixed_poi_fit, end, data, model, return_fitted_val=True)[1] for end in ends
    ]
    start = list(config.suggested_init())
    start[config.poi_index] = 0.0
    z0 = None
    if np.all(np.asarray(model.expected_data(start, include_auxdata=False)) > 0):
        settings = (config.suggested_init(), config.suggested_bounds(), config.suggested_fixed())
        z0 = float(np.sqrt(patient(pyhf.infer.test_statistics.q0, 0.0, data, model, *settings)))
    return float(best[config.poi_index]), [float(rise - lowest) for rise in rises], z0


def main() -> None:
    """Prints both fits; ends with 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("card", type=Path)
    parser.add_argument("output", type=Path)
    given = parser.parse_args()
    # pyhf logs the whole minimiser where it fails, and is asked again.
    logging.getLogger("pyhf").setLevel(logging.CRITICAL)
    card = yaml.safe_load(given.card.read_text(encoding="utf-8"))
    ours = json.loads((given.output / "results.json").read_text(encoding="utf-8"))["fit"]
    observed = {name: region["observed"] for name, region in ours["regions"].items()}
    spec = specification(card, histograms(given.output / "fit/templates.root"), observed)
    mu, rises, z0 = fitted(spec, ours["mu_interval"])
    table = Table("", "znought", "pyhf", "difference", title=f"{card['title']}, {ours['data']} data")
    rows = [("μ", ours["mu"], mu, 1e-4 * max(1.0, abs(mu)))]
    if z0 is not None and ours["z0"] is not None:
        rows.append(("Z₀", ours["z0"], z0, 1e-4))
    ends = zip(("lower", "upper"), rises, strict=True)
    rows += [(f"−2 Δ ln L at the {name} end of the interval", 1.0, rise, 5e-3) for name, rise in ends]
    for name, one, two, _ in rows:
        table.add_row(name, f"{one:.5f}", f"{two:.5f}", f"{two - one:+.1e}")
    Console(width=100).print(table)
    sys.exit(0 if all(abs(one - two) < allowed for _, one, two, allowed in rows) else 1)


if __name__ == "__main__":
    main()
