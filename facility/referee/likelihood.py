"""The exported likelihood, built again, and asked what noise, slopes and signals do to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.sections import Role
from znought.facility.cards.standard import StandardCard
from znought.facility.fitting.opening import fitted_regions, kept_bins, without_masked
from znought.facility.fitting.placement import Bins, Placed, likelihood_bins, placed
from znought.facility.fitting.templates import fit_settings, selected_events, systematics_of, templates
from znought.facility.ntuples.account import data_lumi_ifb
from znought.facility.results.standard import Results
from znought.facility.workspace import Workspace, read_json
from znought.stats.ordered import bin_contents, binned_sum
from znought.stats.paired import PairedDifference
from znought.stats.referee.likelihood import coverage, goodness, mc_statistics, signal_comes_back
from znought.stats.referee.nuisances import (
    Direction,
    constraints_earned,
    directions_agree,
    present_uncertainties,
    required_present,
)
from znought.stats.referee.record import Check, not_applicable
from znought.stats.referee.repetition import templates_again
from znought.stats.referee.slopes import ControlBins, Slope, measured_slope, shift_of_mu, slopes_check
from znought.stats.replicas import constraint_verdicts, constraints, replica_constraints
from znought.stats.requirements import required_of
from znought.stats.spec import Spec, entries
from znought.stats.treatment import LOOSER, Differences, TreatedTemplates, paired_differences
from znought.stats.workspace import prepared_workspace

__all__ = ["likelihood_checks"]

Floats = NDArray[np.float64]
_NAMES = (
    "likelihood repeated",
    "uncertainties complete",
    "up and down",
    "slope of a background",
    "injected signal",
    "MC statistics",
    "goodness of fit",
    "constraints earned",
    "coverage",
)
_REPLICAS = {False: 20, True: 100}
_TOYS = 500
_SHARE = 0.02
"""Backgrounds with less of the signal region's yield than this are not tilted."""
_TILT_BINS = 10


@dataclass(frozen=True)
class Likelihood:
    """The exported likelihood beside what its events make of it.

    Attributes:
        card, workspace: of the finished analysis.
        results: its numbers.
        spec: pyhf workspace as exported.
        bins: regions with their edges.
    """

    card: StandardCard
    workspace: Workspace
    results: Results
    spec: Spec
    bins: Bins

    @property
    def is_observed(self) -> bool:
        """Whether data stand in the signal bins."""
        return self.results.fit is not None and self.results.fit.data == "observed"

    @cached_property
    def treated(self) -> TreatedTemplates:
        """Templates filled again."""
        return templates(self.card, self.workspace, self.bins, with_data=self.is_observed)

    @cached_property
    def kept(self) -> dict[str, NDArray[np.bool_]]:
        """Region → which of its bins the card leaves in the likelihood."""
        return kept_bins(self.card, self.treated.regions)

    @cached_property
    def again(self) -> Spec:
        """The likelihood built again."""
        prepared = prepared_workspace(self.treated.regions, fit_settings(self.card, self.workspace))
        return fitted_regions(self.card, without_masked(prepared.spec, self.kept))

    def regions(self, role: Role) -> list[str]:
        """Regions of one role."""
        return [name for name, its_role in self.card.roles.items() if its_role == role]

    @cached_property
    def processes(self) -> tuple[str, ...]:
        """Simulated processes, in the order of the card."""
        return tuple(name for name, entry in self.card.processes.items() if entry.kind == "simulation")

    @cached_property
    def differences(self) -> dict[str, Differences]:
        """Paired differences of every systematic that is varied by event."""
        nominal = selected_events(self.card, self.workspace, self.bins, "nominal", scale=self.scale)
        return {
            name: paired_differences(
                nominal,
                [
                    selected_events(self.card, self.workspace, self.bins, way, scale=self.scale)
                    for way in config.variations(name)
                ],
                self.bins,
                processes=self.processes,
            )
            for name, config in systematics_of(self.card, self.workspace).items()
            if config.weights is None
        }

    @cached_property
    def scale(self) -> float:
        """Factor on the weights: templates beside data stand at the luminosity of these."""
        lumi = data_lumi_ifb(self.workspace) if self.is_observed else None
        return 1.0 if lumi is None else lumi / self.card.lumi_ifb


def likelihood_checks(
    card: StandardCard, workspace: Workspace, results: Results, *, thorough: bool
) -> Iterator[Check]:
    """Checks of the exported likelihood; not applicable where there is none."""
    path = workspace.fit / "workspace.json"
    if card.signal is None or not path.is_file():
        reason = "the card has no signal" if card.signal is None else "its templates make no likelihood"
        for name in _NAMES:
            yield not_applicable(name, "exported likelihood", reason)
        return
    bins = likelihood_bins(card, read_json(workspace.binning))
    found = Likelihood(card, workspace, results, read_json(path), bins)
    yield templates_again(found.spec, found.again)
    yield _required(found)
    yield directions_agree(list(_directions(found)))
    yield _slopes(found)
    yield signal_comes_back(found.spec)
    yield mc_statistics(found.spec)
    yield _goodness(found)
    yield _constraints(found, _REPLICAS[thorough])
    if thorough:
        yield from coverage(found.spec, _TOYS)
    else:
        yield not_applicable("coverage", "pseudo-experiments of the exported likelihood", "needs --thorough")


def _constraints(found: Likelihood, n_replicas: int) -> Check:
    likelihood = fit_settings(found.card, found.workspace)
    varied = {name: likelihood.systematics[name] for name in found.differences}
    if not varied:
        return constraints_earned(())
    measured = dict.fromkeys(varied, 1.0) | constraints(found.spec)
    noise = replica_constraints(
        [region for region in found.treated.regions if found.card.roles[region.name] != "validation"],
        found.differences,
        likelihood,
        n_replicas=n_replicas,
    )
    replicas = dict.fromkeys(varied, (1.0,) * n_replicas) | noise
    of_varied = {name: replicas[name] for name in replicas if name in measured and _is_of(name, varied)}
    return constraints_earned(constraint_verdicts(measured, of_varied))


def _is_of(parameter: str, names: Mapping[str, Any]) -> bool:
    """Whether a parameter is that of a systematic, decorrelated or not."""
    return any(parameter == name or parameter.startswith(f"{name}_") for name in names)


def _required(found: Likelihood) -> Check:
    """What each process has in the exported likelihood, and should have."""
    settings = fit_settings(found.card, found.workspace)
    listed = required_of(found.card.likelihood.required, found.processes)
    written, again = (present_uncertainties(spec) for spec in (found.spec, found.again))
    required, present, small = {}, {}, {}
    for process in written:
        acting = [name for name, one in settings.systematics.items() if _acts(one, process, found.bins)]
        acting += [name for name, norm in settings.norms.items() if process in norm.processes]
        required[process] = list(dict.fromkeys([*acting, *listed.get(process, ())]))
        present[process] = _named(written[process], required[process])
        small[process] = [name for name in acting if name not in _named(again.get(process, ()), acting)]
    return required_present(required, present, small)


def _acts(systematic: Any, process: str, regions: Bins) -> bool:
    return any(systematic.acts_on(process, region) for region in regions)


def _named(parameters: Any, names: Sequence[str]) -> list[str]:
    """Systematics that have a parameter."""
    return [name for name in names if any(_is_of(parameter, {name: None}) for parameter in parameters)]


def _directions(found: Likelihood) -> Iterator[Direction]:
    """Every change of a yield in the exported likelihood, beside that of the events."""
    for name, of_name in found.differences.items():
        loose = {process: of_name[LOOSER, process] for process in found.processes}
        for channel in entries(found.spec, "channels"):
            for sample in channel["samples"]:
                fitted = _norm_of(sample["modifiers"], name)
                if fitted is None:
                    continue
                process, region = sample["name"], channel["name"]
                own = of_name[region, process]
                others = [loose[other] for other in loose if other != process]
                yield Direction(
                    name,
                    process,
                    region,
                    fitted,
                    (own.norm, own.norm_error),
                    (loose[process].norm, loose[process].norm_error),
                    _together(others),
                )


def _norm_of(modifiers: Sequence[Mapping[str, Any]], name: str) -> float | None:
    """Relative change of the yield for up, half of high − low; None where it has none."""
    for modifier in modifiers:
        if modifier["type"] == "normsys" and _is_of(modifier["name"], {name: None}):
            return 0.5 * (float(modifier["data"]["hi"]) - float(modifier["data"]["lo"]))
    return None


def _together(differences: Sequence[PairedDifference]) -> tuple[float, float]:
    """Mean relative change of some processes, by their precision."""
    known = [(one.norm, one.norm_error) for one in differences if 0 < one.norm_error < np.inf]
    weight = sum(1 / error**2 for _, error in known)
    if not weight:
        return 0.0, float("inf")
    spread = float(np.std([value for value, _ in known])) if len(known) > 1 else 0.0
    mean = sum(value / error**2 for value, error in known) / weight
    return mean, float(np.hypot(1 / np.sqrt(weight), spread))


def _slopes(found: Likelihood) -> Check:
    """μ with each background tilted, and the tilt that data of control regions show."""
    card = found.card
    events = placed(card, found.workspace, card.of_kind("simulation"), found.bins)
    process = events.columns.per_dataset(
        {name: card.datasets[name].process for name in card.of_kind("simulation")}
    )
    tilt = _tilt(found, events)
    inside = np.isin(events.where, found.regions("signal"))
    backgrounds = [name for name in found.processes if name != card.signal]
    total = float(events.weight[inside & (process != card.signal)].sum())
    data = _control_data(found)
    slopes = []
    for name in backgrounds:
        rows = process == name
        if not events.weight[inside & rows].sum() > _SHARE * total:
            continue
        tilted = {}
        for region, edges in found.bins.items():
            chosen = rows & (events.where == region)
            weight = events.weight[chosen] * tilt[chosen] * found.scale
            filled = np.histogram(events.discriminant[chosen], edges, weights=weight)[0]
            tilted[region] = filled[found.kept[region]]
        measured = None
        if data is not None:
            measured = measured_slope(_control_bins(found, events, process, tilt, data, name))
        slopes.append(Slope(name, shift_of_mu(found.spec, tilted), measured))
    if not slopes:
        reason = "no background has a yield in the signal region"
        return not_applicable("slope of a background", "μ with each background tilted", reason)
    return slopes_check(slopes)


def _tilt(found: Likelihood, events: Placed) -> Floats:
    """−1 at the lower end of each event's discriminant to +1 at its upper end."""
    card = found.card
    if not card.discriminants and card.is_scored:
        return 2.0 * events.columns[f"score_{card.class_of_signal}"].astype(np.float64) - 1.0
    tilt = np.zeros(len(events.columns))
    for region, edges in found.bins.items():
        rows = events.where == region
        tilt[rows] = 2.0 * (events.discriminant[rows] - edges[0]) / (edges[-1] - edges[0]) - 1.0
    return np.clip(tilt, -1.0, 1.0)


def _control_data(found: Likelihood) -> tuple[NDArray[np.str_], Floats, float] | None:
    """Region and tilt of recorded events in control regions, and their luminosity; None without any.

    Signal bins are left out, whether they may be looked at or not.
    """
    card = found.card
    lumi = data_lumi_ifb(found.workspace)
    if lumi is None or card.discriminants or not card.is_scored:
        return None
    events = placed(card, found.workspace, card.of_kind("data"), found.bins)
    rows = np.isin(events.where, found.regions("control"))
    return events.where[rows], _tilt(found, events)[rows], lumi


def _control_bins(
    found: Likelihood,
    events: Placed,
    process: NDArray[np.str_],
    tilt: Floats,
    data: tuple[NDArray[np.str_], Floats, float],
    name: str,
) -> ControlBins:
    """Data and expectation in bins of control region and discriminant, for the slope of one process."""
    where, tilt_of_data, lumi = data
    regions = found.regions("control")
    edges = np.linspace(-1.0, 1.0, _TILT_BINS + 1)
    edges[-1] = np.nextafter(edges[-1], 2.0)

    def cells(of: NDArray[np.str_], values: Floats) -> NDArray[np.int64]:
        """Bin of every event, −1 outside of the control regions."""
        found = np.full(values.size, -1)
        for i, region in enumerate(regions):
            rows = of == region
            found[rows] = i * _TILT_BINS + np.searchsorted(edges, values[rows], side="right") - 1
        return found

    def filled(rows: NDArray[np.bool_], of_row: Floats) -> Floats:
        chosen = rows & (place >= 0)
        return binned_sum(place[chosen], of_row[chosen], n_bins)

    place, n_bins = cells(events.where, tilt), len(regions) * _TILT_BINS
    inside = place >= 0
    units = np.unique(events.columns.identity[inside], return_inverse=True)[1]
    weight = events.weight * lumi / found.card.lumi_ifb
    floating = found.card.likelihood.workspace.floating
    groups = {other: process == other for other in floating if other != name}
    rest = ~np.isin(process, [*groups, name])
    mine = process == name
    return ControlBins(
        data=np.bincount(cells(where, tilt_of_data), minlength=n_bins).astype(np.float64),
        process=filled(mine, weight),
        tilted=filled(mine, weight * tilt),
        others={
            other: filled(rows, weight)
            for other, rows in {**groups, "rest": rest}.items()
            if weight[rows & inside].sum() > 0
        },
        sumw2=bin_contents(place[inside], weight[inside], n_bins, units).sumw2,
    )


def _goodness(found: Likelihood) -> Check:
    tested = "fit of the data against the saturated model"
    if not found.is_observed:
        return not_applicable("goodness of fit", tested, "data are blinded")
    return goodness(found.spec)
