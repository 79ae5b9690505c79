"""The exported likelihood, built again, and asked what noise, slopes and signals do to it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from znought.facility.cards.standard import StandardCard
from znought.facility.fitting.opening import fitted_regions, kept_bins, without_masked
from znought.facility.fitting.placement import Bins, likelihood_bins
from znought.facility.fitting.templates import fit_settings, selected_events, systematics_of, templates
from znought.facility.ntuples.account import data_lumi_ifb
from znought.facility.referee.eras import other_correlations
from znought.facility.referee.tilted import TiltedEvents, control_counts
from znought.facility.results.binned import read_binning
from znought.facility.results.standard import Results
from znought.facility.workspace import Workspace, read_json
from znought.stats.paired import PairedDifference
from znought.stats.referee.likelihood import (
    correlations,
    coverage,
    goodness,
    mc_statistics,
    signal_comes_back,
)
from znought.stats.referee.nuisances import (
    Direction,
    constraints_earned,
    directions_agree,
    present_uncertainties,
    required_present,
)
from znought.stats.referee.record import Check, not_applicable
from znought.stats.referee.repetition import templates_again
from znought.stats.referee.slopes import Slope, measured_slope, shift_of_mu, slopes_check
from znought.stats.replicas import constraint_verdicts, constraints, replica_constraints
from znought.stats.requirements import required_of
from znought.stats.spec import Spec, entries
from znought.stats.template_sums import LOOSER, PairedTables, differences_of, paired_tables
from znought.stats.treatment import TreatedTemplates
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
    "correlation across eras",
    "constraints earned",
    "coverage",
)
_REPLICAS = {False: 20, True: 100}
_TOYS = 500
_SHARE = 0.02
"""Backgrounds with less of the signal region's yield than this are not tilted."""


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

    @cached_property
    def processes(self) -> tuple[str, ...]:
        """Simulated processes, in the order of the card."""
        return tuple(name for name, entry in self.card.processes.items() if entry.kind == "simulation")

    @cached_property
    def tables(self) -> dict[str, PairedTables]:
        """What every event adds to the difference of every systematic that is varied by event."""
        nominal = selected_events(self.card, self.workspace, self.bins, "nominal", scale=self.scale)
        return {
            name: paired_tables(
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
    bins = likelihood_bins(card, read_binning(workspace.binning))
    found = Likelihood(card, workspace, results, read_json(path), bins)
    yield templates_again(found.spec, found.again)
    yield _required(found)
    yield directions_agree(list(_directions(found)))
    yield _slopes(found)
    yield signal_comes_back(found.spec)
    yield mc_statistics(found.spec)
    yield _goodness(found)
    yield _correlations(found)
    yield _constraints(found, _REPLICAS[thorough])
    if thorough:
        yield from coverage(found.spec, _TOYS)
    else:
        yield not_applicable("coverage", "pseudo-experiments of the exported likelihood", "needs --thorough")


def _constraints(found: Likelihood, n_replicas: int) -> Check:
    likelihood = fit_settings(found.card, found.workspace)
    varied = {name: likelihood.systematics[name] for name in found.tables}
    if not varied:
        return constraints_earned(())
    measured = dict.fromkeys(varied, 1.0) | constraints(found.spec)
    noise = replica_constraints(
        [region for region in found.treated.regions if found.card.roles[region.name] != "validation"],
        found.tables,
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
    likelihood = found.card.likelihood
    listed = required_of(likelihood.required, found.processes)
    apart = required_of(likelihood.required_acceptance, found.processes)
    written, again = (present_uncertainties(spec) for spec in (found.spec, found.again))
    required, present, small = {}, {}, {}
    for process in written:
        acting = [name for name, one in settings.systematics.items() if _acts(one, process, found.bins)]
        acting += [name for name, norm in settings.norms.items() if process in norm.processes]
        required[process] = list(dict.fromkeys([*acting, *listed.get(process, ())]))
        present[process] = _named(written[process], required[process])
        for name in apart.get(process, ()):
            required[process].append(f"acceptance {name}")
            one = settings.systematics.get(name)
            if one is not None and one.part != "norm" and _acts(one, process, found.bins):
                present[process].append(f"acceptance {name}")
        small[process] = [name for name in acting if name not in _named(again.get(process, ()), acting)]
    return required_present(required, present, small)


def _acts(systematic: Any, process: str, regions: Bins) -> bool:
    return any(systematic.acts_on(process, region) for region in regions)


def _named(parameters: Any, names: Sequence[str]) -> list[str]:
    """Systematics that have a parameter."""
    return [name for name in names if any(_is_of(parameter, {name: None}) for parameter in parameters)]


def _directions(found: Likelihood) -> Iterator[Direction]:
    """Every change of a yield in the exported likelihood, beside that of the events."""
    for name, tables in found.tables.items():
        of_name = differences_of(tables)
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
    events = TiltedEvents.of(found.card, found.workspace, found.bins)
    counts = control_counts(found.card, found.workspace, found.bins)
    lumi = data_lumi_ifb(found.workspace)
    slopes = []
    for name, share in events.backgrounds.items():
        if share < _SHARE:
            continue
        tilted = {
            region: values[found.kept[region]] * found.scale
            for region, values in events.tilted(name, found.bins).items()
        }
        measured = None
        if counts is not None and lumi is not None:
            measured = measured_slope(events.control_bins(name, counts, lumi))
        slopes.append(Slope(name, shift_of_mu(found.spec, tilted), measured))
    if not slopes:
        reason = "no background has a yield in the signal region"
        return not_applicable("slope of a background", "μ with each background tilted", reason)
    return slopes_check(slopes)


def _goodness(found: Likelihood) -> Check:
    tested = "fit of the data against the saturated model"
    if not found.is_observed:
        return not_applicable("goodness of fit", tested, "data are blinded")
    return goodness(found.spec)


def _correlations(found: Likelihood) -> Check:
    """The fit with systematics of all eras together, and of each apart."""
    others = other_correlations(found.card)
    again = {name: replace(found, card=card).again for name, card in others.items()}
    return correlations(found.spec, again, data="observed" if found.is_observed else "expected")
