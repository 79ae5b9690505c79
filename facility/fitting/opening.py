"""Data shown in steps: which bins each opens, what it showed, and what control regions alone predict."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from znought.errors import CardError, DataError
from znought.facility.cards.standard import StandardCard
from znought.facility.context import STEPS, Step
from znought.facility.results.opened import (
    OpenedBins,
    PredictedRegion,
    Prediction,
    opened_bins,
    predicted_region,
)
from znought.stats.inference import DataKind
from znought.stats.masks import masked, only_channels
from znought.stats.prediction import control_prediction
from znought.stats.spec import Spec, asimov_channels
from znought.stats.templates import RegionTemplates
from znought.stats.unblinding import UnblindingStep, opened_in_steps

__all__ = ["controlled", "fitted_regions", "kept_bins", "opened", "shown", "steps_of", "without_masked"]

Mask = NDArray[np.bool_]
Masks = Mapping[str, Mask]


def kept_bins(card: StandardCard, regions: Sequence[RegionTemplates]) -> dict[str, Mask]:
    """Region → which of its bins the card leaves in the likelihood, shape (n_bins,).

    Raises:
        CardError: a masked bin that the region does not have, or nothing left.
    """
    found = {}
    for region in regions:
        kept = np.ones(region.nominal.edges.size - 1, np.bool_)
        without = card.likelihood.masks.get(region.name, False)
        for i in range(kept.size) if without is True else without or ():
            if i >= kept.size:
                raise CardError(
                    f"likelihood.masks.{region.name}: bins are 0 to {kept.size - 1}. Received: {i}."
                )
            kept[i] = False
        found[region.name] = kept
    if not any(kept.any() for kept in found.values()):
        raise CardError("likelihood.masks leave no bin of any region.")
    return found


def without_masked(spec: Spec, kept: Masks) -> Spec:
    """The likelihood of the bins that are kept; itself where all are."""
    return spec if all(mask.all() for mask in kept.values()) else masked(spec, kept)


def fitted_regions(card: StandardCard, spec: Spec) -> Spec:
    """The likelihood without validation regions, which are predicted and never fitted."""
    names = [channel["name"] for channel in spec["channels"]]  # type: ignore[attr-defined]  # a list
    fitted = [name for name in names if card.roles[name] != "validation"]
    return spec if len(fitted) == len(names) else only_channels(spec, fitted)


def steps_of(
    card: StandardCard, regions: Sequence[RegionTemplates], upto: Step
) -> tuple[UnblindingStep, ...]:
    """The steps up to one, each with the bins that it opens; one without bins is left out.

    Control regions, then validation regions, then signal bins that expect little signal per background
    (`likelihood.tail_below`), then all others. Only the last measures the signal.

    Raises:
        CardError: no step up to this one opens anything.
    """
    bins: dict[Step, dict[str, list[bool]]] = {step: {} for step in STEPS}
    for region in regions:
        role = card.roles[region.name]
        tails = (
            _tails(card, region) if role == "signal" else np.zeros(region.nominal.edges.size - 1, np.bool_)
        )
        if tails.any():
            bins["tails"][region.name] = tails.tolist()
        if not tails.all():
            bins[role][region.name] = (~tails).tolist()
    wanted = [step for step in STEPS[: STEPS.index(upto) + 1] if bins[step]]
    if not wanted:
        roles = ", ".join(f"{name} ({role})" for name, role in card.roles.items())
        raise CardError(f"--unblind-to {upto} opens no bin of the likelihood, which has {roles}.")
    return tuple(
        UnblindingStep(step, bins[step], measures_signal=step == "signal", is_fitted=step != "validation")
        for step in wanted
    )


def _tails(card: StandardCard, region: RegionTemplates) -> Mask:
    """Bins with less signal per background than the card says."""
    signal = region.nominal.sumw[[name == card.signal for name in region.nominal.processes]].sum(axis=0)
    background = region.nominal.sumw.sum(axis=0) - signal
    return np.asarray(signal < card.likelihood.tail_below * background, np.bool_)


def shown(regions: Sequence[RegionTemplates], steps: Sequence[UnblindingStep]) -> tuple[RegionTemplates, ...]:
    """The templates with data in open bins only; closed bins of an open region hold the expectation."""
    found = []
    for region in regions:
        is_open = _open_bins(steps, region.name, region.nominal.edges.size - 1)
        data = None
        if is_open.any() and region.observed is not None:
            data = np.where(is_open, region.observed, region.nominal.sumw.sum(axis=0))
        found.append(replace(region, observed=data))
    return tuple(found)


def _open_bins(steps: Sequence[UnblindingStep], region: str, n_bins: int) -> Mask:
    is_open = np.zeros(n_bins, np.bool_)
    for step in steps:
        is_open |= np.asarray(step.bins.get(region, False), np.bool_)
    return is_open


def opened(spec: Spec, steps: Sequence[UnblindingStep], kept: Masks) -> tuple[OpenedBins, ...]:
    """What every step showed against what was open before.

    Args:
        spec: without masked bins, with data from `shown`.
        steps: from `steps_of`, by the bins of the templates.
        kept: bins that are left in the likelihood.

    Raises:
        DataError: a fit that did not converge.
    """
    left = []
    for step in steps:
        bins = {name: np.asarray(mask, np.bool_)[kept[name]].tolist() for name, mask in step.bins.items()}
        bins = {name: mask for name, mask in bins.items() if any(mask)}
        if bins:
            left.append(replace(step, bins=bins))
    if not left:
        raise DataError("every bin that would be opened is masked.")
    return tuple(opened_bins(step, kept) for step in opened_in_steps(spec, left))


def controlled(
    card: StandardCard,
    spec: Spec,
    steps: Sequence[UnblindingStep],
    kept: Masks,
    *,
    lumi_ifb: float,
) -> Prediction | None:
    """What a fit of the control regions alone, without signal, says of all regions; None without any.

    The data of the control regions are fitted where they are open, else their expectation.

    Args:
        card: with the regions' roles.
        spec: without masked bins, with data from `shown`.
        steps: those that are taken.
        kept: bins that are left in the likelihood.
        lumi_ifb: of the templates.

    Raises:
        DataError: a fit that did not converge, as where no control region measures a free normalisation.
    """
    names = [name for name, mask in kept.items() if mask.any()]
    controls = tuple(name for name in names if card.roles[name] == "control")
    if not controls or len(controls) == len(names):
        return None
    blinded = asimov_channels(spec)
    data: DataKind = "expected" if any(name in blinded for name in controls) else "observed"
    found = control_prediction(spec, controls, data=data)
    regions: dict[str, PredictedRegion] = {}
    for region in sorted(found, key=lambda one: names.index(one.region)):
        is_open = _open_bins(steps, region.region, kept[region.region].size)[kept[region.region]]
        regions[region.region] = predicted_region(region, card.roles[region.region], is_open)
    return Prediction(data=data, controls=controls, mu=0.0, lumi_ifb=lumi_ifb, regions=regions)
