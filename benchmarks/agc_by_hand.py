"""The tt̄ measurement of the Analysis Grand Challenge by hand, without znought, and what the engine finds.

    python benchmarks/agc_by_hand.py CARD FILESET OUTPUT

reads the files of FILESET, written by `znought simulate CARD`, with uproot, awkward, numpy and pyhf, and
compares cutflow, templates with their variations, and μ with what `znought run CARD --unblind` found. The
engine smooths the differences of templates, this script does not: for μ to be of the same templates,
`likelihood.workspace.systematics` of the card says `{smoothing: none}` for jes, jer and btag.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import awkward as ak
import numpy as np
import pyhf
import uproot
import yaml
from scipy.special import ndtri

VARIATIONS = ("nominal", "jes_up", "jes_down", "jer_up", "btag_down")
WORKING_POINT = 0.15  # of the simulation's discriminant
LEPTON = ("pt", "eta", "pfRelIso03_all")
SUMS = ("genEventSumw", "genEventCount", "genFilterAttempted")
JET = ("pt", "eta", "phi", "mass", "btagDiscriminant")


def mixed(state: Any) -> Any:
    """SplitMix64 (Steele, Lea, Flood, OOPSLA 2014)."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def uniform_of_jets(events: Any, salt: str) -> Any:
    """One number in [0, 1) for every jet, from its event's identity and its place in the event."""
    place = ak.local_index(events.Jet_pt)
    whole, lists = ak.flatten, ak.num(events.Jet_pt)
    run, block, event, response = (
        whole(ak.broadcast_arrays(ak.values_astype(events[name], np.uint64), place)[0]).to_numpy()
        for name in ("run", "luminosityBlock", "event", "response")
    )
    label = (response << np.uint64(8)) + whole(place).to_numpy().astype(np.uint64)
    state = np.uint64(int.from_bytes(hashlib.blake2b(salt.encode(), digest_size=8).digest(), "little"))
    state = np.full(len(run), state)
    for part in (run, block | (label << np.uint64(32)), event):
        state = mixed(state ^ part)
    return ak.unflatten((state >> np.uint64(11)) * 2.0**-53, lists)


def read(path: Path) -> tuple[Any, Any]:
    """Events of a file; its sum of weights, its generated events and those tried before the filter."""
    with uproot.open(path) as file:
        tree = file["Events"]
        wanted = [f"{lepton}_{name}" for lepton in ("Electron", "Muon") for name in LEPTON]
        wanted += [f"Jet_{name}" for name in JET]
        wanted += ["run", "luminosityBlock", "event", "response", "genWeight"]
        events = tree.arrays([name for name in wanted if name in tree])
        kept = [name for name in SUMS if name in file["Runs"]]
        sums = np.array([file["Runs"][name].array(library="np").sum() for name in kept], np.float64)
    for name in events.fields:
        if events[name].ndim > 1:
            events[name] = ak.values_astype(events[name], np.float64)
    return events, sums


def varied(events: Any, variation: str, sizes: dict[str, float]) -> tuple[Any, Any]:
    """Factor on momentum and mass of the jets, and which of them lose their tag."""
    ones = ak.ones_like(events.Jet_pt)
    lost = ones < 0
    if variation in ("jes_up", "jes_down"):
        sign = 1.0 if variation == "jes_up" else -1.0
        return ones * (1.0 + sign * sizes["jes_relative"]), lost
    if variation == "jer_up":
        noise = ndtri(np.maximum(ak.flatten(uniform_of_jets(events, "jer")).to_numpy(), 2.0**-53))
        factor = np.maximum(1.0 + sizes["jer_relative"] * noise, 0.1)
        return ak.unflatten(factor, ak.num(events.Jet_pt)), lost
    if variation == "btag_down":
        return ones, uniform_of_jets(events, "btag") < sizes["btag_relative"]
    return ones, lost


def selected(events: Any, factor: Any, lost: Any) -> tuple[list[int], Any]:
    """Events left after each cut, and the number of b-jets, H_T and m_bjj of those after the last."""
    n_leptons = 0
    for lepton in ("Electron", "Muon"):
        pt, eta, isolation = (events[f"{lepton}_{name}"] for name in LEPTON)
        n_leptons = n_leptons + ak.sum((pt > 30) & (abs(eta) < 2.1) & (isolation < 0.15), axis=1)
    pt, eta, phi, mass, btag = (events[f"Jet_{name}"] for name in JET)
    jets = ak.zip({"pt": pt * factor, "eta": eta, "phi": phi, "mass": mass * factor})
    jets["tagged"] = (btag > WORKING_POINT) & ~lost
    jets = jets[(jets.pt > 30) & (abs(jets.eta) < 2.4)]
    one, four = n_leptons == 1, ak.num(jets) >= 4
    n_b = ak.sum(jets.tagged, axis=1)
    masks = [one | True, one, one & four, one & four & (n_b >= 1)]
    jets = jets[masks[-1]]
    triple = ak.combinations(jets, 3, fields=["a", "b", "c"])
    triple = triple[triple.a.tagged | triple.b.tagged | triple.c.tagged]
    px, py, pz, energy = (sum(component(triple[name])[i] for name in "abc") for i in range(4))
    hardest = ak.argmax(px**2 + py**2, axis=1, keepdims=True)
    m_bjj = np.sqrt(np.maximum(energy**2 - px**2 - py**2 - pz**2, 0.0))[hardest][:, 0]
    last = {"n_b": n_b[masks[-1]], "ht": ak.sum(jets.pt, axis=1), "m_bjj": m_bjj}
    last |= {"event": events.event[masks[-1]]}
    if "genWeight" in events.fields:
        last["genWeight"] = events.genWeight[masks[-1]]
    return [int(ak.sum(mask)) for mask in masks], {k: ak.to_numpy(v) for k, v in last.items()}


def component(jet: Any) -> tuple[Any, Any, Any, Any]:
    """px, py, pz and energy."""
    px, py, pz = jet.pt * np.cos(jet.phi), jet.pt * np.sin(jet.phi), jet.pt * np.sinh(jet.eta)
    return px, py, pz, np.sqrt(px**2 + py**2 + pz**2 + jet.mass**2)


def binned(found: Any, region: dict[str, Any], weight: Any) -> tuple[Any, Any]:
    """Σw in bins, and Σw² with the detector responses of one generated event as one."""
    low, high = region["n_b"]
    mask = (found["n_b"] >= low) & (found["n_b"] < (high or np.inf))
    values, edges = found[region["variable"]][mask], region["edges"]
    inside = (values >= edges[0]) & (values <= edges[-1])
    place = np.minimum(np.searchsorted(edges, values[inside], side="right") - 1, len(edges) - 2)
    keys, index = np.unique(np.stack([found["event"][mask][inside], place]), axis=1, return_inverse=True)
    together = np.bincount(index.ravel(), weight[mask][inside], minlength=keys.shape[1])
    shape = len(edges) - 1
    bins = keys[1].astype(int)
    return np.bincount(bins, together, shape), np.bincount(bins, together**2, shape)


def by_hand(card_path: Path, fileset_path: Path) -> dict[str, Any]:
    """Cutflow by process, templates by region, variation and process, and data by region."""
    card, fileset = yaml.safe_load(card_path.read_text()), json.loads(fileset_path.read_text())
    regions = {name: {**cuts, **card["discriminants"][name]} for name, cuts in card["regions"].items()}
    for region in regions.values():
        number, low, high = region["bins"]
        region["edges"] = np.linspace(low, high, number + 1)
    (lumi,) = [entry["metadata"]["lumi_ifb"] for entry in fileset.values() if entry["metadata"]["is_data"]]
    cutflow: dict[str, Any] = {}
    templates: dict[str, Any] = {name: {v: {} for v in VARIATIONS} for name in regions}
    data = {}
    for dataset, entry in fileset.items():
        read_files = [read(fileset_path.parent / path) for path in entry["files"]]
        parts = [events for events, _ in read_files]
        events = ak.concatenate(parts)
        settings = card["datasets"][dataset]
        if entry["metadata"]["is_data"]:
            cutflow[settings["process"]], found = selected(events, *varied(events, "nominal", {}))
            data = {
                name: binned(found, region, np.ones(len(found["n_b"])))[0] for name, region in regions.items()
            }
            continue
        sumw, count, tried = np.sum([sums for _, sums in read_files], axis=0)
        cross_section = settings["xsec_pb"] * settings.get("branching_ratio", 1.0) * count / tried
        scale = lumi * 1e3 * cross_section / sumw
        for variation in VARIATIONS:
            counts, found = selected(events, *varied(events, variation, card["variations"]))
            if variation == "nominal":
                cutflow[settings["process"]] = counts
            for name, region in regions.items():
                table = binned(found, region, found["genWeight"] * scale)
                templates[name][variation][settings["process"]] = table
    return {"cutflow": cutflow, "templates": templates, "data": data, "card": card}


def modifiers(region: str, process: str, tables: Any, settings: dict[str, Any], signal: str) -> list[Any]:
    """Everything that moves one process in one region."""
    nominal, sumw2 = tables["nominal"][process]
    found: list[Any] = [{"name": "mu", "type": "normfactor", "data": None}] if process == signal else []
    rates = {"luminosity": (1 - settings["luminosity_rel"], 1 + settings["luminosity_rel"])}
    for name, norm in settings["norms"].items():
        if process in norm["processes"]:
            rates[name] = (1 / (1 + norm["relative"]), 1 + norm["relative"])
    up = {name: tables[f"{name}_up"][process][0] for name in ("jes", "jer")}
    down = {"jes": tables["jes_down"][process][0], "btag": tables["btag_down"][process][0]}
    ways = {"jes": (down["jes"], up["jes"]), "jer": (2 * nominal - up["jer"], up["jer"])}
    ways["btag"] = (down["btag"], 2 * nominal - down["btag"])
    for name, (low, high) in ways.items():
        low_rate, high_rate = low.sum() / nominal.sum(), high.sum() / nominal.sum()
        if min(low_rate, high_rate) <= 0:
            continue
        if max(abs(low_rate - 1), abs(high_rate - 1)) >= 0.005:
            rates[name] = (low_rate, high_rate)
        shapes = [np.maximum(low / low_rate, 0), np.maximum(high / high_rate, 0)]
        filled = nominal > 0
        if max(np.abs(shape[filled] / nominal[filled] - 1).max() for shape in shapes) >= 0.01:
            lists = {"lo_data": shapes[0].tolist(), "hi_data": shapes[1].tolist()}
            found.append({"name": name, "type": "histosys", "data": lists})
    found += [{"name": n, "type": "normsys", "data": {"lo": lo, "hi": hi}} for n, (lo, hi) in rates.items()]
    backgrounds = [tables["nominal"][name] for name in tables["nominal"] if name != signal]
    total, error2 = (sum(table[i] for table in backgrounds) for i in (0, 1))
    effective = np.divide(total**2, error2, out=np.where(total != 0, np.inf, 0.0), where=error2 > 0)
    shared, errors = np.rint(effective) > 10, np.sqrt(sumw2)
    if shared.any():
        found.append(
            {"name": f"mc_{region}", "type": "staterror", "data": np.where(shared, errors, 0).tolist()}
        )
    own = np.where(~shared & (nominal > 0), errors, 0.0)
    if own.any():
        found.append({"name": f"mc_{region}_{process}", "type": "shapesys", "data": own.tolist()})
    return found


def measured_mu(found: dict[str, Any]) -> float:
    """The tt̄ signal strength that fits the data best."""
    card = found["card"]
    settings, signal = card["likelihood"]["workspace"], card["signal"]
    channels = [
        {
            "name": region,
            "samples": [
                {
                    "name": process,
                    "data": tables["nominal"][process][0].tolist(),
                    "modifiers": modifiers(region, process, tables, settings, signal),
                }
                for process in tables["nominal"]
                if tables["nominal"][process][0].sum() > 0
            ],
        }
        for region, tables in found["templates"].items()
    ]
    pyhf.set_backend("numpy", pyhf.optimize.minuit_optimizer(tolerance=1e-6))
    model = pyhf.Model({"channels": channels}, poi_name="mu", validate=False)
    counts = np.concatenate([found["data"][name] for name in model.config.channels])
    best = pyhf.infer.mle.fit([*counts, *model.config.auxdata], model)
    return float(best[model.config.poi_index])


def compared(found: dict[str, Any], output: Path) -> dict[str, float]:
    """Largest differences from what the engine wrote: of counts, of templates (relative), of μ."""
    flow = json.loads((output / "cutflow.json").read_text())["processes"]
    counts = max(np.abs(np.subtract(flow[name]["raw"], n)).max() for name, n in found["cutflow"].items())
    largest, errors = 0.0, 0.0
    with uproot.open(output / "fit" / "templates.root") as file:
        for region, tables in found["templates"].items():
            for variation, processes in tables.items():
                for process, (sumw, sumw2) in processes.items():
                    key = f"{region}/{process}_{variation}"
                    values = file[key].values()
                    largest = max(largest, np.abs(values - sumw).max() / max(sumw.max(), 1e-300))
                    if variation == "nominal":
                        errors = max(
                            errors, np.abs(file[key].variances() - sumw2).max() / max(sumw2.max(), 1e-300)
                        )
    mu, engine = measured_mu(found), json.loads((output / "results.json").read_text())["fit"]["mu"]
    return {
        "counts": float(counts),
        "templates": float(largest),
        "squared errors": float(errors),
        "mu by hand": mu,
        "mu of the engine": engine,
        "mu": abs(mu - engine),
    }


if __name__ == "__main__":
    card_file, fileset_file, directory = map(Path, sys.argv[1:4])
    hand = by_hand(card_file, fileset_file)
    for process, row in hand["cutflow"].items():
        sys.stdout.write(f"{process:<14}" + "".join(f"{count:>9,}" for count in row) + "\n")
    for what, value in compared(hand, directory).items():
        sys.stdout.write(f"{what:<18}{value:.6g}\n")
