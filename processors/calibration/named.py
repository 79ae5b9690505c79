"""Official scale factors by kind: which corrections of an era's file they are, and their errors in parts."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Literal

from znought.errors import CardError, unknown_name
from znought.processors.calibration.official import CENTRAL, Lookup, OfficialFactor, Outside, Terms
from znought.processors.corrections import correction, correction_names, keys, ranges

__all__ = [
    "SHAPE_SYSTEMATICS",
    "TAGGERS",
    "Uncertainty",
    "btag_points",
    "btag_shape",
    "electron",
    "muon",
    "pileup",
    "working_points",
]

Uncertainty = Literal["split", "total"]

TAGGERS: Mapping[str, str] = MappingProxyType(
    {
        "deepCSV": "Jet_btagDeepB",
        "deepJet": "Jet_btagDeepFlavB",
        "particleNet": "Jet_btagPNetB",
        "robustParticleTransformer": "Jet_btagRobustParTAK4B",
    }
)
"""Tagger, as files of scale factors call it → branch of NanoAOD that holds its discriminant."""
RECONSTRUCTION = "Reco"
"""What the names of electrons' reconstruction begin with, one for each range of pT."""
SHAPE_SYSTEMATICS = ("hf", "lf", "hfstats1", "hfstats2", "lfstats1", "lfstats2", "cferr1", "cferr2")
_PARTS = ("correlated", "uncorrelated")
_LIGHT = ("incl", "light")  # what the file calls the correction of jets without b or c hadron


def _plain(nominal: str, up: str, down: str) -> dict[str, Terms]:
    return {CENTRAL: ((nominal, 1.0),), "up": ((up, 1.0),), "down": ((down, 1.0),)}


def pileup(
    weight: str, era: str, file: str, *, name: str = "", outside: Outside = "refuse"
) -> OfficialFactor:
    """Data over simulation in the number of true interactions.

    Args:
        weight, era: as in the card.
        file: `puWeights.json.gz`.
        name: of the correction, where the file has several.
        outside: as `OfficialFactor`.

    Raises:
        CardError: the file has another correction than that, or several.
    """
    name = name or _only(file)
    lookup = Lookup.of(
        file,
        name,
        _plain("nominal", "up", "down"),
        systematic="weights",
        inputs={"NumTrueInteractions": "pileup"},
    )
    return OfficialFactor(weight, era, file, "event", (lookup,), outside)


def electron(
    weight: str, era: str, file: str, *, objects: str, name: str, outside: Outside = "refuse"
) -> OfficialFactor:
    """Efficiency of electrons in data over that in simulation.

    Args:
        weight, era: as in the card.
        file: `electron.json.gz`.
        objects: name of the electrons.
        name: working point in the file; "Reco" is the reconstruction in all of the file's ranges of pT.
        outside: as `OfficialFactor`.

    Raises:
        CardError: the file has no such working point.
    """
    title = _only(file)
    known = [str(key) for key in keys(file, title, "WorkingPoint")]
    names = [one for one in known if one.startswith(name)] if name == RECONSTRUCTION else [name]
    years = [str(key) for key in keys(file, title, "year")]
    if len(years) > 1 and era not in years:
        raise CardError(unknown_name(f"year of {title!r}", era, years))
    lookups = []
    for one in names:
        fixed = {"year": era if era in years else years[0], "WorkingPoint": one}
        lookup = Lookup.of(
            file,
            title,
            _plain("sf", "sfup", "sfdown"),
            systematic="ValType",
            inputs={"eta": "supercluster_eta", "pt": "pt", "phi": "phi"},
            fixed=fixed,
        )
        span = ranges(file, title, fixed).get("pt")
        within = None if span is None or name != RECONSTRUCTION else (span.low, span.high)
        lookups.append(replace(lookup, within=within))
    return OfficialFactor(weight, era, file, objects, tuple(lookups), outside)


def muon(
    weight: str,
    era: str,
    file: str,
    *,
    objects: str,
    name: str,
    uncertainty: Uncertainty = "split",
    outside: Outside = "refuse",
) -> OfficialFactor:
    """Efficiency of muons in data over that in simulation.

    The file's `stat` and `syst` are absolute errors; its `systup` and `systdown` hold both.

    Args:
        weight, era: as in the card.
        file: `muon_Z.json.gz`.
        objects: name of the muons.
        name: of the correction, such as "NUM_TightID_DEN_TrackerMuons".
        uncertainty: "split" has parts `syst` and `stat`; "total" has both in one.
        outside: as `OfficialFactor`.

    Raises:
        CardError: the file has no such correction.
    """
    ways = _plain("nominal", "systup", "systdown")
    if uncertainty == "split":
        ways = {CENTRAL: ways[CENTRAL]}
        for part in ("syst", "stat"):
            ways |= {
                f"{part}_{way}": (("nominal", 1.0), (part, s)) for way, s in (("up", 1.0), ("down", -1.0))
            }
    lookup = Lookup.of(
        file, name, ways, systematic="scale_factors", inputs={"eta": "eta", "pt": "pt", "phi": "phi"}
    )
    return OfficialFactor(weight, era, file, objects, (lookup,), outside)


def working_points(file: str, tagger: str) -> dict[str, float]:
    """Working point → smallest discriminant of a tagged jet, as the file has them.

    Raises:
        CardError: the file does not have the tagger.
    """
    name = _of_tagger(file, tagger, ("wp_values",))
    points = [str(key) for key in keys(file, name, "working_point")]
    return {point: float(correction(file, name).evaluate(point)) for point in points}


def btag_points(
    weight: str,
    era: str,
    file: str,
    *,
    objects: str,
    tagger: str,
    working_point: str,
    heavy: str = "comb",
    uncertainty: Uncertainty = "split",
    outside: Outside = "refuse",
) -> OfficialFactor:
    """Efficiency of a cut on the b-tag in data over that in simulation, jets of b and c hadrons and others.

    Of jets whose error the file does not split, all of it counts as uncorrelated between eras.

    Args:
        weight, era: as in the card.
        file: `btagging.json.gz`.
        objects: name of the jets.
        tagger, working_point: as in the file.
        heavy: measurement that b and c jets take: "comb" or "mujets".
        uncertainty: "split" has parts correlated and uncorrelated between eras; "total" has them in one.
        outside: as `OfficialFactor`.

    Raises:
        CardError: the file has no such correction or working point.
    """
    lookups = []
    for kind, suffixes, flavours in (("heavy", (heavy,), (4, 5)), ("light", _LIGHT, (0,))):
        name = _of_tagger(file, tagger, suffixes)
        known = {str(key) for key in keys(file, name, "systematic")}
        ways: dict[str, Terms] = {CENTRAL: (("central", 1.0),)}
        for way in ("up", "down"):
            if uncertainty == "total":
                ways[f"{kind}_{way}"] = ((way, 1.0),)
            elif not any(part in one for one in known for part in _PARTS):
                ways[f"{kind}_uncorrelated_{way}"] = ((way, 1.0),)
            else:
                ways |= {f"{kind}_{part}_{way}": ((f"{way}_{part}", 1.0),) for part in _PARTS}
        inputs = {"flavor": "flavour", "abseta": "abs_eta", "pt": "pt"}
        lookup = Lookup.of(
            file,
            name,
            ways,
            systematic="systematic",
            inputs=inputs,
            fixed={"working_point": working_point},
            flavours=flavours,
        )
        lookups.append(lookup)
    return OfficialFactor(weight, era, file, objects, tuple(lookups), outside)


def btag_shape(
    weight: str,
    era: str,
    file: str,
    *,
    objects: str,
    tagger: str,
    systematics: tuple[str, ...] = SHAPE_SYSTEMATICS,
    outside: Outside = "refuse",
) -> OfficialFactor:
    """Distribution of the b-tag in data over that in simulation.

    Args:
        weight, era: as in the card.
        file: `btagging.json.gz`.
        objects: name of the jets.
        tagger: as in the file.
        systematics: of the file, without `up_` and `down_`; each moves jets of the flavours that it knows.
        outside: as `OfficialFactor`.

    Raises:
        CardError: the file has no such correction, or lacks a systematic or one of its directions.
    """
    name = _of_tagger(file, tagger, ("shape",))
    ways: dict[int, dict[str, Terms]] = {
        int(flavour): {CENTRAL: (("central", 1.0),)}
        for flavour in keys(file, name, "flavor", {"systematic": "central"})
    }
    known = {str(key) for key in keys(file, name, "systematic")}
    for systematic in systematics:
        for way in ("up", "down"):
            value = f"{way}_{systematic}"
            if value not in known:
                raise CardError(unknown_name(f"systematic of {name!r}", value, sorted(known)))
            for flavour in keys(file, name, "flavor", {"systematic": value}):
                ways[int(flavour)][f"{systematic}_{way}"] = ((value, 1.0),)
    inputs = {"flavor": "flavour", "abseta": "abs_eta", "pt": "pt", "discriminant": "discriminant"}
    lookups = tuple(
        Lookup.of(file, name, mine, systematic="systematic", inputs=inputs, flavours=(flavour,))
        for flavour, mine in ways.items()
    )
    return OfficialFactor(weight, era, file, objects, lookups, outside)


def _only(file: str) -> str:
    """The one correction of a file."""
    names = correction_names(file)
    if len(names) != 1:
        raise CardError(f"{file} has {len(names)} corrections, expected one: {', '.join(names)}.")
    return names[0]


def _of_tagger(file: str, tagger: str, suffixes: tuple[str, ...]) -> str:
    """The correction of a tagger that the file has under one of the names."""
    names = correction_names(file)
    for suffix in suffixes:
        if f"{tagger}_{suffix}" in names:
            return f"{tagger}_{suffix}"
    raise CardError(unknown_name("correction", f"{tagger}_{suffixes[0]}", names))
