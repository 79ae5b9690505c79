"""pyhf workspaces from templates: one specification for fits, limits and every exchange format."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.stats.systematics import Effect, Pruning, SystematicConfig, effect
from znought.stats.templates import RegionTemplates

__all__ = ["NormConfig", "Spec", "WorkspaceConfig", "build_workspace"]

Floats = NDArray[np.float64]
Modifier = dict[str, object]
Spec = dict[str, object]


@dataclass(frozen=True)
class NormConfig:
    """A normalisation uncertainty that no template is needed for."""

    processes: tuple[str, ...]
    relative: float


@dataclass(frozen=True)
class WorkspaceConfig:
    """What goes into the likelihood beside the templates."""

    signal: tuple[str, ...] = ("VH",)
    """Processes that scale with mu."""
    floating: tuple[str, ...] = ()
    """Backgrounds whose normalisation is free, measured in control regions."""
    luminosity_rel: float = 0.0083
    """On every process but the floating ones."""
    norms: dict[str, NormConfig] = field(default_factory=dict)
    systematics: dict[str, SystematicConfig] = field(default_factory=dict)
    mc_stat: bool = True
    pruning: Pruning = field(default_factory=Pruning)
    mu_max: float = 20.0

    def __post_init__(self) -> None:
        if not self.signal:
            raise CardError("signal must name at least one process.")
        both = set(self.signal) & set(self.floating)
        if both:
            raise CardError(f"processes cannot be signal and floating at once: {', '.join(sorted(both))}.")
        if not self.luminosity_rel >= 0:
            raise CardError(f"luminosity_rel must not be negative. Received: {self.luminosity_rel}.")


def build_workspace(regions: Sequence[RegionTemplates], config: WorkspaceConfig) -> Spec:
    """A pyhf workspace: channels, the data (Asimov where blinded) and the measurement of mu.

    Args:
        regions: non-negative templates, as `znought.stats.templates.filled_up` leaves them.
        config: signal, floating normalisations and systematics.

    Raises:
        CardError: an unknown process or systematic in the configuration.
        DataError: a region without expected events in some bin, or without its variations.
    """
    processes = sorted({process for region in regions for process in region.nominal.processes})
    named = [*config.signal, *config.floating, *(p for norm in config.norms.values() for p in norm.processes)]
    for process in named:
        if process not in processes:
            raise CardError(unknown_name("process", process, processes))
    channels = [{"name": region.name, "samples": _samples(region, config)} for region in regions]
    observations = [{"name": region.name, "data": _data(region).tolist()} for region in regions]
    parameters = [{"name": "mu", "bounds": [[0.0, config.mu_max]], "inits": [1.0]}]
    parameters += [{"name": f"norm_{p}", "bounds": [[0.0, 10.0]], "inits": [1.0]} for p in config.floating]
    return {
        "channels": channels,
        "observations": observations,
        "measurements": [{"name": "znought", "config": {"poi": "mu", "parameters": parameters}}],
        "version": "1.0.0",
    }


def _samples(region: RegionTemplates, config: WorkspaceConfig) -> list[Spec]:
    nominal = region.nominal
    if np.any(nominal.sumw < 0):
        raise DataError(
            f"region {region.name!r} has negative bins; pass its templates through filled_up first."
        )
    samples: list[Spec] = []
    for i, process in enumerate(nominal.processes):
        if not nominal.sumw[i].sum() > 0:
            continue
        modifiers = _norm_modifiers(process, config)
        for name, systematic in config.systematics.items():
            modifiers += _modifiers(name, _effect(region, i, name, systematic, config.pruning))
        if config.mc_stat:
            errors = nominal.errors[i].tolist()
            modifiers.append({"name": f"mcstat_{region.name}", "type": "staterror", "data": errors})
        samples.append({"name": process, "data": nominal.sumw[i].tolist(), "modifiers": modifiers})
    if not samples:
        raise DataError(f"region {region.name!r} is empty.")
    return samples


def _norm_modifiers(process: str, config: WorkspaceConfig) -> list[Modifier]:
    modifiers: list[Modifier] = []
    if process in config.signal:
        modifiers.append({"name": "mu", "type": "normfactor", "data": None})
    if process in config.floating:
        modifiers.append({"name": f"norm_{process}", "type": "normfactor", "data": None})
    elif config.luminosity_rel:
        modifiers.append(_normsys("luminosity", 1 - config.luminosity_rel, 1 + config.luminosity_rel))
    for name, norm in config.norms.items():
        if process in norm.processes:
            modifiers.append(_normsys(name, 1 / (1 + norm.relative), 1 + norm.relative))
    return modifiers


def _effect(
    region: RegionTemplates, i: int, name: str, systematic: SystematicConfig, pruning: Pruning
) -> Effect:
    two_point = systematic.kind == "two_point"
    up = region.variation(name if two_point else f"{name}_up").sumw[i]
    down = None if two_point else region.variation(f"{name}_down").sumw[i]
    nominal = region.nominal
    return effect(nominal.sumw[i], nominal.sumw2[i], up, down, config=systematic, pruning=pruning)


def _modifiers(name: str, found: Effect) -> list[Modifier]:
    modifiers: list[Modifier] = []
    if found.norm is not None:
        modifiers.append(_normsys(name, *found.norm))
    if found.shape is not None:
        down, up = found.shape
        data = {"lo_data": down.tolist(), "hi_data": up.tolist()}
        modifiers.append({"name": name, "type": "histosys", "data": data})
    return modifiers


def _normsys(name: str, low: float, high: float) -> Modifier:
    return {"name": name, "type": "normsys", "data": {"lo": low, "hi": high}}


def _data(region: RegionTemplates) -> Floats:
    expected = region.nominal.sumw.sum(axis=0)
    for i in np.flatnonzero(expected <= 0):
        raise DataError(f"bin {i} of region {region.name!r} expects {expected[i]:g} events.")
    return expected if region.observed is None else region.observed
