"""Sherpa's run card of a matrix element, and its digest."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

import yaml

from znought.simulation.recipe import MatrixElement

__all__ = ["run_card", "run_digest"]

_COMMON: Final = MappingProxyType(
    {
        "BEAMS": 2212,
        "BEAM_ENERGIES": 6500,
        "PDF_LIBRARY": "LHAPDFSherpa",
        "PDF_SET": "NNPDF31_nnlo_as_0118_mc",
        # As for Pythia: the underlying event enters through the detector's soft terms, leptons are dressed.
        "MI_HANDLER": "None",
        "ME_QED": {"ENABLED": False},
        "YFS": {"MODE": "None"},
        "ME_GENERATORS": ["Comix"],
        "EVENT_GENERATION_MODE": "Unweighted",
        # Of the integration; events have seeds of their own.
        "RANDOM_SEED": 20200611,
        # Hadrons are Pythia's, of events that pass the generator filter.
        "FRAGMENTATION": "None",
    }
)
_PARTICLES: Final[Mapping[int, Mapping[str, int | float]]] = MappingProxyType(
    {25: {"Mass": 125.0}, 6: {"Mass": 172.5}}
)
_ERRORS: Final = MappingProxyType({1: 0.02, 2: 0.05})
_OVERWEIGHT: Final = 0.02
"""Share of the cross section in events that weigh more than the rest; 0.001 takes three times as long."""
_PARTONS_ONLY: Final = MappingProxyType(
    {
        "SHOWER_GENERATOR": "None",
        "BEAM_REMNANTS": False,
        # Half the sum of transverse masses, where the shower has no scale to offer.
        "SCALES": "VAR{H_TM2/4}",
    }
)


def run_card(element: MatrixElement) -> str:
    """Sherpa's run card, in YAML.

    >>> element = MatrixElement(("93 93 -> 15 -15",), {"QCD": 0, "EW": 2}, jets=1)
    >>> "93 93 -> 15 -15 93{1}:" in run_card(element)
    True
    """
    particles = {code: dict(values) for code, values in _PARTICLES.items()}
    for code, values in element.particles.items():
        particles[code] = {**particles.get(code, {}), **values}
    card: dict[str, Any] = {**_COMMON, "PARTICLE_DATA": particles}
    if element.cuts:
        card["SELECTORS"] = [list(cut) for cut in element.cuts]
    if element.decays:
        channels = {channel: {"Status": 2} for channel in element.decays}
        card["HARD_DECAYS"] = {
            "Enabled": True,
            "Apply_Branching_Ratios": False,
            # They hold for a range of masses only, and a forced decay needs no width.
            "Use_HO_SM_Widths": False,
            "Channels": channels,
        }
    if element.shower == "pythia":
        card |= _PARTONS_ONLY
    card["PROCESSES"] = [_process(element, name) for name in element.processes]
    return _text(card)


def _process(element: MatrixElement, name: str) -> dict[str, Any]:
    settings: dict[str, Any] = {"Order": dict(element.order)}
    if not element.jets:
        return {name: settings}
    n_out = len(name.partition("->")[2].split())
    # The error of an integration moves no event: it costs some of them, which are tried in vain.
    with_jets: dict[str, dict[str, float]] = {
        f"2->{n_out + n}": {"Integration_Error": _ERRORS[min(n, 2)], "Max_Epsilon": _OVERWEIGHT}
        for n in range(1, element.jets + 1)
    }
    for n, factor in element.enhance.items():
        with_jets[f"2->{n_out + n}"]["Enhance_Factor"] = float(factor)
    return {f"{name} 93{{{element.jets}}}": {**settings, "CKKW": element.merging_gev, **with_jets}}


def _text(card: dict[str, Any]) -> str:
    return str(yaml.safe_dump(card, sort_keys=True, allow_unicode=True))


def run_digest(element: MatrixElement, version: str) -> str:
    """What an integration depends on: the run card, without how often events are made, and the version."""
    card = run_card(replace(element, enhance={}))
    return hashlib.sha256(f"{version}\n{card}".encode()).hexdigest()[:16]
