"""pyhf workspaces from templates: one specification for fits, limits and every exchange format."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.stats.decorrelation import ParameterNames, extrapolated, parameter_names
from znought.stats.mcstat import mc_modifiers
from znought.stats.spec import Spec, asimov_channels, checked_spec, measurement_name, refuse_twice
from znought.stats.systematics import Effect, Pruning, SystematicConfig, effect
from znought.stats.templates import RegionTemplates

__all__ = [
    "BinModelling",
    "NormConfig",
    "PreparedWorkspace",
    "Pruned",
    "Spec",
    "WorkspaceConfig",
    "asimov_channels",
    "build_workspace",
    "checked_spec",
    "prepared_workspace",
]

Floats = NDArray[np.float64]
Modifier = dict[str, object]

_MAX_RELATIVE = 10.0


@dataclass(frozen=True)
class NormConfig:
    """A normalisation uncertainty that no template is needed for."""

    processes: tuple[str, ...]
    """Those that it acts on."""
    relative: float
    """Above 0, at most 10; the yield is multiplied by 1 + relative, or divided by it."""
    regions: tuple[str, ...] = ()
    """Where it acts; empty for everywhere. In the signal region alone, the extrapolation to it."""

    def __post_init__(self) -> None:
        if not 0 < self.relative <= _MAX_RELATIVE:
            raise CardError(
                f"relative of a norm must lie above 0 and not above {_MAX_RELATIVE:g} (0.25 is 25 %). "
                f"Received: {self.relative:g}."
            )
        if not self.processes:
            raise CardError("a norm must name at least one process.")


@dataclass(frozen=True)
class BinModelling:
    """An uncertainty of each bin of its own: how well the shape of a background is modelled."""

    processes: tuple[str, ...]
    """Those that it acts on."""
    relative: float
    """Above 0, below 1; the bin's yield of these processes, moved together."""
    regions: tuple[str, ...] = ()
    """Where it acts; empty for everywhere."""

    def __post_init__(self) -> None:
        if not 0 < self.relative < 1:
            raise CardError(
                f"relative of bin_modelling must lie above 0 and below 1. Received: {self.relative:g}."
            )
        if not self.processes:
            raise CardError("bin_modelling must name at least one process.")

    def modifiers(self, name: str, process: str, region: str, nominal: Floats) -> list[Modifier]:
        """One shape per bin, which moves that bin alone; none where it does not act."""
        if process not in self.processes or (self.regions and region not in self.regions):
            return []
        found: list[Modifier] = []
        for i in np.flatnonzero(nominal > 0):
            change = np.where(np.arange(nominal.size) == i, self.relative * nominal, 0.0)
            data = {"lo_data": (nominal - change).tolist(), "hi_data": (nominal + change).tolist()}
            found.append({"name": f"{name}_{region}_{i}", "type": "histosys", "data": data})
        return found


@dataclass(frozen=True)
class WorkspaceConfig:
    """What goes into the likelihood beside the templates."""

    signal: tuple[str, ...] = ("signal",)
    """Processes that scale with mu."""
    floating: tuple[str, ...] = ()
    """Backgrounds whose normalisation is free, measured in control regions."""
    luminosity_rel: float = 0.0083
    """On every process but the floating and the measured ones."""
    measured: tuple[str, ...] = ()
    """Backgrounds that come from data themselves: the luminosity is no uncertainty of theirs."""
    norms: dict[str, NormConfig] = field(default_factory=dict)
    bin_modelling: dict[str, BinModelling] = field(default_factory=dict)
    """By name; parameters are ``<name>_<region>_<bin>``."""
    systematics: dict[str, SystematicConfig] = field(default_factory=dict)
    mc_stat: bool = True
    """Whether the MC statistics of every bin are parameters of the fit."""
    mc_stat_threshold: float = 10.0
    """Effective background events of a bin above which its MC statistics are Gaussian; see `mc_modifiers`."""
    pruning: Pruning = field(default_factory=Pruning)
    mu_max: float = 20.0
    """Upper bound of mu for programs that read the workspace, raised where data or sensitivity need more;
    fits of this package have none."""

    def __post_init__(self) -> None:
        if not self.signal:
            raise CardError("signal must name at least one process.")
        both = set(self.signal) & set(self.floating)
        if both:
            raise CardError(f"processes cannot be signal and floating at once: {', '.join(sorted(both))}.")
        if not 0 <= self.luminosity_rel < 1:
            raise CardError(
                f"luminosity_rel must not be negative and below 1 (0.0083 is 0.83 %). "
                f"Received: {self.luminosity_rel:g}."
            )
        if not self.mc_stat_threshold >= 0:
            raise CardError(f"mc_stat_threshold must not be negative. Received: {self.mc_stat_threshold:g}.")
        self._check_names()

    def _check_names(self) -> None:
        """One name, one parameter: two effects of one name would move together, or replace each other."""
        reserved = {"mu", "luminosity", *(f"norm_{process}" for process in self.floating)}
        for name in [*self.norms, *self.systematics, *self.bin_modelling]:
            if name in reserved or name.startswith("mcstat_"):
                raise CardError(
                    f"{name!r} is a parameter of the likelihood already; give the systematic another name."
                )
            if not name or any(character.isspace() or character == "/" for character in name):
                raise CardError(f"name of a systematic must hold no space and no '/'. Received: {name!r}.")
        for name in self.norms:
            if name in self.systematics:
                raise CardError(
                    f"{name!r} is both in norms and in systematics: rename one, or leave the norm out if the "
                    "variation holds it."
                )
        for name in self.bin_modelling:
            if name in self.norms or name in self.systematics:
                raise CardError(f"{name!r} is in bin_modelling and elsewhere in the likelihood: rename one.")


@dataclass(frozen=True)
class Pruned:
    """A systematic that was left out of one process in one region, and why."""

    region: str
    process: str
    systematic: str
    reason: str

    @property
    def text(self) -> str:
        """One line."""
        return f"{self.systematic} is left out for {self.process} in {self.region}: {self.reason}"


@dataclass(frozen=True)
class PreparedWorkspace:
    """A workspace with what a reader must know about it."""

    spec: Spec
    pruned: tuple[Pruned, ...]
    remarks: tuple[str, ...]
    """Everything else that was left out, one line each."""


def build_workspace(regions: Sequence[RegionTemplates], config: WorkspaceConfig) -> Spec:
    """A pyhf workspace: channels, the data (Asimov where blinded) and the measurement of mu.

    Args, Raises: as `prepared_workspace`.
    """
    return prepared_workspace(regions, config).spec


def prepared_workspace(regions: Sequence[RegionTemplates], config: WorkspaceConfig) -> PreparedWorkspace:
    """A pyhf workspace, and which systematics and processes it does without.

    A process without a positive yield in a region is left out there; so is a systematic whose variation
    leaves a process no yield. The name of the measurement says which channels hold Asimov data.

    Args:
        regions: non-negative templates, as `znought.stats.templates.filled_up` leaves them.
        config: signal, floating normalisations and systematics.

    Raises:
        CardError: an unknown process or systematic in the configuration.
        DataError: two regions of one name, a signal without yield, values that are not finite, a region
            without expected events in some bin, or without its variations.
    """
    _check_regions(regions)
    processes = _processes(regions)
    for process in (*config.signal, *config.floating):
        if process not in processes:
            raise CardError(unknown_name("process", process, processes))
    _check_acting(regions, config)
    for name, systematic in config.systematics.items():
        regions = list(extrapolated(regions, name, systematic))
    pruned: list[Pruned] = []
    channels = [{"name": region.name, "samples": _samples(region, config, pruned)} for region in regions]
    absent = _absent(regions, processes)
    if absent.issuperset(config.signal):
        raise DataError(f"no signal: {', '.join(config.signal)} has no positive yield in any region.")
    observations = [{"name": region.name, "data": _data(region).tolist()} for region in regions]
    floating = [process for process in config.floating if process not in absent]
    spec: Spec = {
        "channels": channels,
        "observations": observations,
        "measurements": [_measurement(regions, floating, config)],
        "version": "1.0.0",
    }
    remarks = [f"{process} has no positive yield in any region." for process in sorted(absent)]
    return PreparedWorkspace(checked_spec(spec), tuple(pruned), tuple(remarks))


def _check_regions(regions: Sequence[RegionTemplates]) -> None:
    if not regions:
        raise DataError("a workspace needs at least one region.")
    refuse_twice("region", [region.name for region in regions], "the likelihood")
    for region in regions:
        tables = {"nominal": region.nominal, **region.variations}
        for name, table in tables.items():
            if not (np.isfinite(table.sumw).all() and np.isfinite(table.sumw2).all()):
                raise DataError(
                    f"templates {name!r} of region {region.name!r} hold values that are not finite."
                )
        if np.any(region.nominal.sumw < 0):
            raise DataError(
                f"region {region.name!r} has negative bins; pass its templates through filled_up first."
            )


def _check_acting(regions: Sequence[RegionTemplates], config: WorkspaceConfig) -> None:
    """Refuses norms and systematics that name a process or region that is not there."""
    names = {"region": [region.name for region in regions], "process": _processes(regions)}
    acting = [(title, norm.processes, norm.regions) for title, norm in config.norms.items()]
    acting += [(title, one.processes, one.regions) for title, one in config.systematics.items()]
    acting += [(title, one.processes, one.regions) for title, one in config.bin_modelling.items()]
    for title, on, where in acting:
        for kind, wanted in (("process", on), ("region", where)):
            for name in wanted:
                if name not in names[kind]:
                    raise CardError(f"{title}: {unknown_name(kind, name, names[kind])}")


def _processes(regions: Sequence[RegionTemplates]) -> list[str]:
    return sorted({process for region in regions for process in region.nominal.processes})


def _absent(regions: Sequence[RegionTemplates], processes: Sequence[str]) -> set[str]:
    """Processes without a positive yield anywhere."""
    present = {
        process
        for region in regions
        for process, sumw in zip(region.nominal.processes, region.nominal.sumw, strict=True)
        if sumw.sum() > 0
    }
    return set(processes) - present


def _measurement(
    regions: Sequence[RegionTemplates], floating: Sequence[str], config: WorkspaceConfig
) -> Spec:
    """The parameter of interest and free normalisations, under a name that says which data are Asimov."""
    parameters = [{"name": "mu", "bounds": [[0.0, _mu_bound(regions, config)]], "inits": [1.0]}]
    parameters += [{"name": f"norm_{p}", "bounds": [[0.0, 10.0]], "inits": [1.0]} for p in floating]
    blinded = [region.name for region in regions if region.observed is None]
    return {"name": measurement_name(blinded), "config": {"poi": "mu", "parameters": parameters}}


def _mu_bound(regions: Sequence[RegionTemplates], config: WorkspaceConfig) -> float:
    """Twice the signal strength that the counts suggest and ten of its statistical errors, or ``mu_max``."""
    information = score = 0.0
    for region in regions:
        signal, _ = region.nominal.total([p for p in region.nominal.processes if p in config.signal])
        expected = region.nominal.sumw.sum(axis=0)
        weight = np.divide(signal, expected, out=np.zeros_like(expected), where=expected > 0)
        information += float(weight @ signal)
        score += float(weight @ (_data(region) - expected + signal))
    return max(config.mu_max, 2 * score / information + 10 / float(np.sqrt(information)))


def _samples(region: RegionTemplates, config: WorkspaceConfig, pruned: list[Pruned]) -> list[Spec]:
    nominal = region.nominal
    samples: list[Spec] = []
    statistics = mc_modifiers(nominal, region.name, config.signal, config.mc_stat_threshold)
    for i, process in enumerate(nominal.processes):
        if not nominal.sumw[i].sum() > 0:
            continue
        modifiers = _norm_modifiers(process, region.name, config)
        for name, systematic in config.systematics.items():
            names = parameter_names(name, systematic, process=process, region=region.name, era=region.era)
            if names.norm is None and names.shape is None:
                continue
            up, down = _varied(region, i, name, systematic)
            try:
                found = effect(
                    nominal.sumw[i], nominal.sumw2[i], up, down, config=systematic, pruning=config.pruning
                )
            except DataError as reason:
                pruned.append(Pruned(region.name, process, name, str(reason)))
            else:
                modifiers += _modifiers(names, found)
        for name, modelling in config.bin_modelling.items():
            modifiers += modelling.modifiers(name, process, region.name, nominal.sumw[i])
        if config.mc_stat:
            modifiers += statistics[process]
        samples.append({"name": process, "data": nominal.sumw[i].tolist(), "modifiers": modifiers})
    if not samples:
        raise DataError(f"region {region.name!r} is empty.")
    return samples


def _norm_modifiers(process: str, region: str, config: WorkspaceConfig) -> list[Modifier]:
    modifiers: list[Modifier] = []
    if process in config.signal:
        modifiers.append({"name": "mu", "type": "normfactor", "data": None})
    if process in config.floating:
        modifiers.append({"name": f"norm_{process}", "type": "normfactor", "data": None})
    elif config.luminosity_rel and process not in config.measured:
        modifiers.append(_normsys("luminosity", 1 - config.luminosity_rel, 1 + config.luminosity_rel))
    for name, norm in config.norms.items():
        if process in norm.processes and (not norm.regions or region in norm.regions):
            modifiers.append(_normsys(name, 1 / (1 + norm.relative), 1 + norm.relative))
    return modifiers


def _varied(
    region: RegionTemplates, i: int, name: str, systematic: SystematicConfig
) -> tuple[Floats, Floats | None]:
    """Up and down templates of process i; down is None for a systematic that is mirrored."""
    up, *down = (region.variation(way).sumw[i] for way in systematic.variations(name))
    if systematic.kind == "one_sided" and systematic.side == "down":
        return 2.0 * region.nominal.sumw[i] - up, None
    return up, down[0] if down else None


def _modifiers(names: ParameterNames, found: Effect) -> list[Modifier]:
    modifiers: list[Modifier] = []
    if names.norm is not None and found.norm is not None:
        modifiers.append(_normsys(names.norm, *found.norm))
    if names.shape is not None and found.shape is not None:
        down, up = found.shape
        data = {"lo_data": down.tolist(), "hi_data": up.tolist()}
        modifiers.append({"name": names.shape, "type": "histosys", "data": data})
    return modifiers


def _normsys(name: str, low: float, high: float) -> Modifier:
    return {"name": name, "type": "normsys", "data": {"lo": low, "hi": high}}


def _data(region: RegionTemplates) -> Floats:
    expected = region.nominal.sumw.sum(axis=0)
    for i in np.flatnonzero(expected <= 0):
        raise DataError(f"bin {i} of region {region.name!r} expects {expected[i]:g} events.")
    return expected if region.observed is None else region.observed
