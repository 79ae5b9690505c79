"""Which parameters of a likelihood a systematic moves: common to all, or one per process, region or era."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError, unknown_name
from znought.stats.systematics import SystematicConfig
from znought.stats.templates import RegionTemplates
from znought.stats.yields import Yields

__all__ = ["ParameterNames", "extrapolated", "parameter_names"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ParameterNames:
    """Parameters of one systematic on one process in one region; None where that part does not act."""

    norm: str | None
    shape: str | None


def parameter_names(
    name: str, systematic: SystematicConfig, *, process: str, region: str, era: str = ""
) -> ParameterNames:
    """The names: `ps`, or with everything apart `ps_norm_top_SR_2018`.

    Raises:
        CardError: eras are to be apart and the region has none.

    >>> apart = SystematicConfig(decorrelate=("process",), separate=True)
    >>> parameter_names("ps", apart, process="top", region="SR")
    ParameterNames(norm='ps_norm_top', shape='ps_shape_top')
    """
    if not systematic.acts_on(process, region):
        return ParameterNames(None, None)
    values = {"process": process, "region": region, "era": era}
    if "era" in systematic.decorrelate and not era:
        raise CardError(f"systematic {name!r} is apart by era, but region {region!r} names no era.")
    tail = "".join(
        f"_{values[axis]}" for axis in ("process", "region", "era") if axis in systematic.decorrelate
    )
    norm, shape = (f"{name}{f'_{part}' if systematic.separate else ''}{tail}" for part in ("norm", "shape"))
    return ParameterNames(
        None if systematic.part == "shape" else norm, None if systematic.part == "norm" else shape
    )


def extrapolated(
    regions: Sequence[RegionTemplates], name: str, systematic: SystematicConfig
) -> tuple[RegionTemplates, ...]:
    """Templates in which the systematic changes yields relative to the control region only.

    A normalisation that floats is measured in the control region; what is left of a systematic there is its
    shape, and elsewhere the ratio (varied / nominal) / (varied / nominal in the control region), bin by bin.
    With `decorrelate: [process]` that ratio is the parameter of the extrapolation of each process.

    Args:
        regions: nominal and varied templates.
        name: of the systematic; its variations are `name_up` and `name_down`, or `name` if two-point.
        systematic: its `extrapolate_from` names the control region; without one nothing changes.

    Raises:
        CardError: no region of that name.
        DataError: a process without a positive yield in the control region, nominal or varied.
    """
    if not systematic.extrapolate_from:
        return tuple(regions)
    names = [region.name for region in regions]
    if systematic.extrapolate_from not in names:
        raise CardError(unknown_name("region to extrapolate from", systematic.extrapolate_from, names))
    control = regions[names.index(systematic.extrapolate_from)]
    ways = systematic.variations(name)
    factors = {way: _factors(control, way, name, systematic) for way in ways}
    found = []
    for region in regions:
        changed = {way: _divided(region.variation(way), factors[way]) for way in ways}
        found.append(replace(region, variations={**region.variations, **changed}))
    return tuple(found)


def _factors(control: RegionTemplates, way: str, name: str, systematic: SystematicConfig) -> Floats:
    """Varied / nominal yield of each process in the control region; 1 where the systematic does not act."""
    nominal, varied = control.nominal.sumw.sum(axis=1), control.variation(way).sumw.sum(axis=1)
    acts = np.array([systematic.acts_on(process, control.name) for process in control.nominal.processes])
    for i in np.flatnonzero(acts & ~((nominal > 0) & (varied > 0))):
        process = control.nominal.processes[i]
        raise DataError(
            f"{name} cannot be extrapolated from {control.name!r}: {process} has a yield of {nominal[i]:.3g} "
            f"there, {varied[i]:.3g} under {way}. Name the processes that it acts on, or another region."
        )
    return np.asarray(np.divide(varied, nominal, out=np.ones_like(nominal), where=acts))


def _divided(varied: Yields, factors: Floats) -> Yields:
    return replace(varied, sumw=varied.sumw / factors[:, None], sumw2=varied.sumw2 / factors[:, None] ** 2)
