"""Templates of the standard model in the bins of the limits, and what variations change in them.

The systematics of the limits are those of the exported workspace: a response is read from the modifiers that
`znought.stats.workspace` makes of the templates, smoothed and pruned there. It is that of the standard model
at any value of the coefficients.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from znought.stats.eft.channel import ScoredChannel
from znought.stats.eft.likelihood import Systematics
from znought.stats.spec import entries
from znought.stats.systematics import SystematicConfig
from znought.stats.template_sums import SelectedEvents
from znought.stats.templates import filled_up
from znought.stats.treatment import TreatedTemplates, treated_templates
from znought.stats.workspace import NormConfig, PreparedWorkspace, WorkspaceConfig, prepared_workspace

__all__ = ["StandardModel", "responses", "standard_model"]

Floats = NDArray[np.float64]
Responses = dict[str, dict[str, Floats]]

_LEAST: Final = 0.1
"""Share of a bin's yield that a variation leaves at least: logarithms know no empty bin."""


@dataclass(frozen=True)
class StandardModel:
    """Templates of channels in one discriminant with all coefficients zero.

    Attributes:
        templates: nominal and under every systematic, a region for each channel.
        settings: of the workspace, whose signal is the process that the coefficients change.
    """

    templates: TreatedTemplates
    settings: WorkspaceConfig

    def prepared(self) -> PreparedWorkspace:
        """The workspace: mu scales the signal, and every channel is one of the workspace's.

        Raises:
            DataError: as `prepared_workspace`.
        """
        return prepared_workspace(self.templates.regions, self.settings)


def standard_model(
    channels: Mapping[str, tuple[ScoredChannel, Floats]], discriminant: str, systematics: Systematics
) -> StandardModel:
    """Templates of some channels, each variation smoothed by its paired errors.

    Args:
        channels: name → channel and edges of its bins, of which the outer ones may be infinite.
        discriminant: of the channels, or `counting`.
        systematics: rates of processes, and how variations are treated.
    """
    names = dict.fromkeys(name for channel, _ in channels.values() for name in channel.variations)
    varied = _systematics(names, systematics.variations, tuple(channels))
    parts = [
        _treated(channel, discriminant, edges, processes=_processes(channels.values()), systematics=varied)
        for channel, edges in channels.values()
    ]
    counts = {name: channel.counts(discriminant, edges) for name, (channel, edges) in channels.items()}
    regions = tuple(
        replace(filled_up(region)[0], observed=counts[region.name])
        for part in parts
        for region in part.regions
    )
    templates = TreatedTemplates(regions, tuple(record for part in parts for record in part.records))
    signal = next(iter(channels.values()))[0].events.morphing.process
    settings = WorkspaceConfig(
        signal=(signal,),
        luminosity_rel=0.0,
        norms=_norms(systematics, _processes(channels.values()), tuple(channels)),
        systematics=varied,
        mc_stat=systematics.mc_statistics,
    )
    return StandardModel(templates, settings)


def responses(
    channel: ScoredChannel, discriminant: str, edges: Floats, systematics: Systematics
) -> Responses:
    """Systematic → process → half the logarithm of up over down in each bin, shape (n_bins,).

    Those of rates are left out, which the likelihood has already.
    """
    if not channel.variations:
        return {}
    model = standard_model({channel.events.name: (channel, edges)}, discriminant, systematics)
    (found,) = entries(model.prepared().spec, "channels")
    result: Responses = {}
    for sample in found["samples"]:
        nominal = np.asarray(sample["data"], np.float64)
        for modifier in sample["modifiers"]:
            if modifier["type"] in ("normsys", "histosys") and modifier["name"] not in model.settings.norms:
                change = _logarithm(modifier, nominal)
                by_process = result.setdefault(modifier["name"], {})
                by_process[sample["name"]] = by_process.get(sample["name"], 0.0) + change
    return result


def _logarithm(modifier: Mapping[str, Any], nominal: Floats) -> Floats:
    """Half the logarithm of up over down of one modifier; 0 in bins without nominal yield."""
    data = modifier["data"]
    if modifier["type"] == "normsys":
        return np.full(nominal.shape, 0.5 * np.log(data["hi"] / data["lo"]))
    filled = nominal > 0.0
    up, down = (
        np.maximum(
            np.divide(data[side], nominal, out=np.ones_like(nominal), where=filled),
            _LEAST,
        )
        for side in ("hi_data", "lo_data")
    )
    return np.asarray(0.5 * np.log(up / down))


def _systematics(
    variations: Iterable[str], given: Mapping[str, SystematicConfig], regions: tuple[str, ...]
) -> dict[str, SystematicConfig]:
    """How each systematic is treated: one-sided where one direction is the mirror image of the other."""
    ways: dict[str, list[str]] = {}
    for variation in variations:
        name, _, way = variation.rpartition("_")
        ways.setdefault(name, []).append(way)
    found = {}
    for name, directions in ways.items():
        config = given.get(name, SystematicConfig())
        mine = tuple(region for region in config.regions if region in regions)
        if config.regions and not mine:
            continue
        side = "up" if "up" in directions else "down"
        one_sided = {} if len(directions) > 1 else {"kind": "one_sided", "side": side}
        found[name] = replace(config, regions=mine, **one_sided)  # type: ignore[arg-type]  # literals
    return found


def _processes(channels: Iterable[tuple[ScoredChannel, Floats]]) -> tuple[str, ...]:
    return tuple(sorted({str(p) for channel, _ in channels for p in np.unique(channel.events.process)}))


def _norms(
    systematics: Systematics, processes: tuple[str, ...], channels: tuple[str, ...]
) -> dict[str, NormConfig]:
    """Rates of processes, common to all channels or one in each."""
    found = {}
    for process, relative in systematics.relative.items():
        if not relative or process not in processes:
            continue
        if systematics.correlated:
            found[f"rate_{process}"] = NormConfig((process,), relative)
        else:
            for name in channels:
                found[f"rate_{process}_{name}"] = NormConfig((process,), relative, (name,))
    return found


def _treated(
    channel: ScoredChannel,
    discriminant: str,
    edges: Floats,
    *,
    processes: tuple[str, ...],
    systematics: Mapping[str, SystematicConfig],
) -> TreatedTemplates:
    """Templates of one channel."""
    finite = _finite(edges, channel.values(discriminant))

    def selected(one: ScoredChannel) -> SelectedEvents:
        events = one.events
        return SelectedEvents(
            events.identity,
            events.process,
            np.full(len(events), channel.events.name),
            np.clip(one.values(discriminant), finite[0], finite[-1]),
            events.weight,
        )

    return treated_templates(
        selected(channel),
        lambda variation: selected(channel.variations[variation]),
        {channel.events.name: finite},
        processes=processes,
        systematics=systematics,
    )


def _finite(edges: Floats, values: Floats) -> Floats:
    """Edges whose outer ones are where the nominal events end; what lies beyond counts in the outer bins.

    >>> _finite(np.array([-np.inf, 1.0, np.inf]), np.array([0.5, 3.0])).tolist()
    [0.5, 1.0, 3.0]
    """
    low, high = float(values.min()), float(values.max())
    if not high > low:
        low, high = low - 0.5, high + 0.5
    return np.concatenate([[max(edges[0], low)], edges[1:-1], [min(edges[-1], high)]])
