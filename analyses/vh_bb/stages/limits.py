"""Stage `limits` of VH(bb): intervals, calibration and contour, a task each → `results.json`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from znought.analyses.vh_bb.card import VHBBCard
from znought.analyses.vh_bb.explained import read_channel_explanation
from znought.analyses.vh_bb.limit_tasks import found_limits
from znought.analyses.vh_bb.results import (
    ImportanceResult,
    LimitResults,
    MeasuredResults,
    PublishedResult,
    SmeftResults,
    YieldEntry,
    read_measured,
    write_smeft_results,
)
from znought.analyses.vh_bb.stages.standard_model import fit_standard_model
from znought.errors import CardError
from znought.facility.cards.eras import energies_of
from znought.facility.context import Context
from znought.facility.fitting.stepwise import known_line, refuse_without_data, shown_before
from znought.facility.ntuples.account import remarks
from znought.facility.regions.validation import read_validation, summarised
from znought.facility.results.ledger import read_ledger
from znought.facility.results.unblinding_log import read_log
from znought.facility.workspace import Workspace, read_json
from znought.stats.eft.counting import smeft_z

__all__ = ["inputs", "set_limits"]

FEW_EFFECTIVE = 50


def set_limits(context: Context[VHBBCard]) -> Iterable[Path]:
    """Writes `results.json`, and the likelihood of the standard model in the formats of other programs.

    Raises:
        CardError: data are to be shown, and the card has none; or only in some bins.
        DataError: the log of earlier steps is not as it was written.
    """
    card, workspace = context.card, context.workspace
    _check_unblinding(context)
    measured, found = read_measured(workspace.significance), found_limits(context)
    fitted = fit_standard_model(context)
    log = read_log(workspace.unblinding, known=known_line(workspace.results))
    notes = [*measured.notes, *found.notes, *fitted.notes]
    if not context.options.unblind:
        notes += shown_before(workspace, log)
    results = SmeftResults(
        analysis=context.analysis.name,
        title=card.title,
        label=card.label,
        lumi_ifb=card.lumi_ifb,
        energies_tev=energies_of(card.eras, card.energy_tev),
        coefficient=card.morphing.coefficients[0],
        channels=card.channels,
        regions=tuple(card.regions),
        main_region=card.training_region,
        sigma_background=card.smeft.sigma_rel,
        min_background=card.smeft.min_background,
        published=_published(card),
        importance=_importance(workspace),
        fit=fitted.summary,
        unblinding=fitted.unblinding,
        unblinding_log=log[-1].sha256 if log else None,
        substitutes=read_json(workspace.substitutes),
        notes=(
            *remarks(read_ledger(workspace.ledger)),
            *_validations(context),
            *_notes(card, measured.yields),
            *dict.fromkeys(notes),
        ),
        **_but_notes(measured),
        **_but_notes(found),
    )
    write_smeft_results(workspace.results, results)
    return [workspace.results, *fitted.files, *([workspace.unblinding] if log else [])]


def _importance(workspace: Workspace) -> tuple[ImportanceResult, ...]:
    """What the inputs of the explained networks are worth."""
    found = read_channel_explanation(workspace.explanation).networks
    return tuple(
        ImportanceResult(channel=channel, model=name, inputs=learned.importance)
        for channel, networks in found.items()
        for name, learned in networks.items()
    )


def _but_notes(found: MeasuredResults | LimitResults) -> dict[str, Any]:
    """The fields of a record by name, which the results take over."""
    return {name: getattr(found, name) for name in type(found).model_fields if name != "notes"}


def inputs(context: Context[VHBBCard]) -> object:
    """Beyond the card: whether data are shown."""
    return context.options.opened


def _check_unblinding(context: Context[VHBBCard]) -> None:
    """Raises unless the options show either all data of the limits or none, and the log is as it was."""
    opened, workspace = context.options.opened, context.workspace
    read_log(workspace.unblinding, known=known_line(workspace.results))
    refuse_without_data(context.card, opened)
    if opened and not context.options.unblind:
        raise CardError(
            f"--unblind-to {opened} opens no bin: limits have those of the signal region alone; --unblind "
            "opens them."
        )


def _validations(context: Context[VHBBCard]) -> list[str]:
    """How well the simulation describes the data of each channel."""
    found = (read_validation(context.workspace, channel) for channel in context.card.channels)
    return [summarised(one) for one in found if one is not None]


def _published(card: VHBBCard) -> PublishedResult | None:
    """What the card quotes, and what the quoted yields give without a network."""
    quoted = card.published
    if quoted is None:
        return None
    sigma_rel = card.smeft.sigma_rel
    return PublishedResult(
        source=quoted.source,
        channel=quoted.channel,
        auc={f"{value:g}": area for value, area in quoted.auc.items()},
        z_a={f"{value:g}": z for value, z in quoted.z_a.items()},
        no_network={
            f"{value:g}": float(smeft_z(*yields, sigma_rel=sigma_rel, signal_definition="paper"))
            for value, yields in quoted.yields.items()
        },
        claim=quoted.claim,
    )


def _notes(card: VHBBCard, yields: Iterable[YieldEntry]) -> list[str]:
    notes = [
        'Every Z_A is expected (Asimov). "paper" counts the whole yield at c̄ ≠ 0 as signal and does not '
        'vanish for c̄ → 0; "excess" counts what exceeds the standard model.',
        f"No cut leaves fewer than {card.smeft.min_background:g} background events; cuts are chosen on one "
        "half of the events and quoted on the other.",
    ]
    few = [
        f"{one.channel} {one.region} {one.process} ({one.effective:.0f})"
        for one in yields
        if one.effective < FEW_EFFECTIVE
    ]
    if few:
        notes.append(
            f"The simulated sample limits the numbers with backgrounds: fewer than {FEW_EFFECTIVE} effective "
            f"events of {', '.join(few)}."
        )
    return notes
